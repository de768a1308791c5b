"""What a run reads, gathered and packed for another machine."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Set
from pathlib import Path

from pymaf_live.errors import InputError, UsageError
from trainer.packaging.shards import pack
from trainer.training.checkpoint import extract_average
from trainer.training.config import RunConfig, read_config_file
from trainer.training.datasets import FITTED_LSPET

_SCHEMA = "mediapipe.tasks.metadata.schema_py_generated"
"""The one module of mediapipe that reads BlazePose's files; the rest need not travel."""


def pack_run(
    out: Path,
    places: dict[str, Path],
    *,
    named: Set[str],
    config_file: Path | None,
    start: Path | None,
    landmarks: Path,
    largest: int,
) -> None:
    """Pack what a run reads, and tell stdout.

    Parameters
    ----------
    out : Path
        Folder for shards and index.
    places : dict of str to Path
        Where the data lie.
    named : set of str
        Those to pack whether or not the run reads them.
    config_file : Path, optional
        Of the run; its data, what it is measured on and its encoder's file are packed.
    start : Path, optional
        A checkpoint, whose averaged weights are packed.
    landmarks : Path
        Folder of BlazePose's files.
    largest : int
        Bytes of a shard, at most.

    Raises
    ------
    InputError
        If something of it is missing.
    OutputError
        If the shards cannot be written.
    UsageError
        If nothing is asked for.
    """
    with tempfile.TemporaryDirectory() as spare:
        chosen = {name: places[name] for name in named}
        if config_file is not None:
            _, config = read_config_file(config_file)
            chosen |= _read_by(config, places)
            chosen |= _encoder(config, landmarks, Path(spare))
        if start is not None:
            chosen["start"] = Path(spare) / "start.safetensors"
            extract_average(start, chosen["start"])
        if not chosen:
            raise UsageError("nothing to pack: give --config, --start or --data NAME=FOLDER")
        shards = pack(out, chosen, largest)
    size = sum(shard.stat().st_size for shard in shards) / 2**20
    print(f"{', '.join(sorted(chosen))}: {len(shards)} shards, {size:.1f} MiB in {out}")


def _read_by(config: RunConfig, places: dict[str, Path]) -> dict[str, Path]:
    """The named places that a run reads: its sets, and what it is measured on."""
    names = {"lspet", "fits", "ccp"}
    for one in config.data or (FITTED_LSPET,):
        paths = (path for path in (one.folder, one.fits, one.labels) if path is not None)
        names |= {path.parts[0] for path in paths if path.parts}
    for name in sorted(names):
        if name not in places:
            raise InputError(f"{name} has no place; give --data {name}=FOLDER")
    return {name: places[name] for name in sorted(names)}


def _encoder(config: RunConfig, landmarks: Path, spare: Path) -> dict[str, Path]:
    """The encoder's file, and the module that reads it, which must be on Python's path there."""
    encoder = config.network.encoder
    if not encoder.startswith("blazepose_"):
        return {}
    name = f"pose_landmark_{encoder.removeprefix('blazepose_')}.tflite"
    files, site = spare / "landmarks", spare / "site"
    files.mkdir()
    try:
        shutil.copyfile(landmarks / name, files / name)
    except OSError as error:
        raise InputError(f"cannot read {landmarks / name}: {error.strerror}") from error
    found = importlib.util.find_spec(_SCHEMA)
    if found is None or found.origin is None:
        return {"landmarks": files}
    module = site.joinpath(*_SCHEMA.split(".")).with_suffix(".py")
    module.parent.mkdir(parents=True)
    shutil.copyfile(found.origin, module)
    return {"landmarks": files, "site": site}

"""Collection and packing of everything that a run reads, for another machine."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Set
from pathlib import Path

from pymaf_live.errors import InputError, UsageError
from trainer.data.locations import landmark_file
from trainer.packaging.shards import pack
from trainer.training.checkpoint import extract_average
from trainer.training.config import RunConfig, read_config_file
from trainer.training.datasets import FITTED_LSPET

_SCHEMA = "mediapipe.tasks.metadata.schema_py_generated"
"""The only module of mediapipe that is needed to read BlazePose's files."""


def pack_run(
    out: Path,
    locations: dict[str, Path],
    *,
    named: Set[str],
    config_file: Path | None,
    start: Path | None,
    landmarks: Path,
    largest: int,
) -> None:
    """Pack what a run reads, and print a summary.

    Parameters
    ----------
    out : Path
        Folder for shards and index.
    locations : dict of str to Path
        Where the data are stored, by name.
    named : set of str
        Names that are packed even if the run does not read them.
    config_file : Path, optional
        Configuration of the run; its data, its validation set and its encoder's file are packed.
    start : Path, optional
        Checkpoint whose averaged weights are packed, or an exported ONNX file.
    landmarks : Path
        Folder of BlazePose's files.
    largest : int
        Largest size of a shard in bytes.

    Raises
    ------
    InputError
        If something is missing.
    OutputError
        If the shards cannot be written.
    UsageError
        If there is nothing to pack.
    """
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        chosen = {name: locations[name] for name in named}
        if config_file is not None:
            _, config = read_config_file(config_file)
            chosen |= _run_data(config, locations)
            chosen |= _encoder_files(config, landmarks, temporary)
        if start is not None:
            chosen["start"] = temporary / "start.safetensors"
            extract_average(start, chosen["start"])
        if not chosen:
            raise UsageError("nothing to pack: give --config, --start or --data NAME=FOLDER")
        shards = pack(out, chosen, largest)
    size = sum(shard.stat().st_size for shard in shards) / 2**20
    print(f"{', '.join(sorted(chosen))}: {len(shards)} shards, {size:.1f} MiB in {out}")


def _run_data(config: RunConfig, locations: dict[str, Path]) -> dict[str, Path]:
    """Return the named locations that a run reads: its data sets and its validation set."""
    names = {"lspet", "fits", "ccp"}
    for one in config.data or (FITTED_LSPET,):
        paths = (one.folder, one.fits, one.labels, one.teacher)
        names |= {path.parts[0] for path in paths if path is not None and path.parts}
    for name in sorted(names):
        if name not in locations:
            raise InputError(f"the location of {name} is unknown; give --data {name}=FOLDER")
    return {name: locations[name] for name in sorted(names)}


def _encoder_files(config: RunConfig, landmarks: Path, temporary: Path) -> dict[str, Path]:
    """Return the encoder's file, and the module that reads it, to be put on the Python path."""
    source = landmark_file(config.network.encoder, landmarks)
    if source is None:
        return {}
    files, site = temporary / "landmarks", temporary / "site"
    files.mkdir()
    try:
        shutil.copyfile(source, files / source.name)
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    schema = importlib.util.find_spec(_SCHEMA)
    if schema is None or schema.origin is None:
        return {"landmarks": files}
    module = site.joinpath(*_SCHEMA.split(".")).with_suffix(".py")
    module.parent.mkdir(parents=True)
    shutil.copyfile(schema.origin, module)
    return {"landmarks": files, "site": site}

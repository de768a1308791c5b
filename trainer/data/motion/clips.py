"""Read all motions of a folder onto our body: a zip of clips with an index, or AMASS files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.amass import read_amass
from trainer.data.motion.amc import parse_amc, parse_asf
from trainer.data.motion.bvh import CMU_UNIT, read_bandai_bvh, read_cmu_bvh
from trainer.data.motion.deepmimic import read_deepmimic
from trainer.data.motion.expmap import read_expmap
from trainer.data.motion.retarget import retarget
from trainer.data.motion.skeleton_clip import SkeletonClip

LICENCES = {
    "cmu_amc": "LicenseRef-CMU-mocap",
    "cmu_bvh": "LicenseRef-CMU-mocap",
    "cmu_expmap": "LicenseRef-CMU-mocap",
    "deepmimic": "MIT",
    "bandai_bvh": "CC-BY-NC-4.0",
    "amass": "LicenseRef-AMASS-non-commercial",
}
"""Format -> licence of its clips. CMU's are free for research and commerce, not for resale."""

FREE_FORMATS = frozenset({"cmu_amc", "cmu_bvh", "cmu_expmap", "deepmimic"})
"""Formats whose clips are free for commercial use."""

_FALLBACK_SKELETON = "cmu_amc/01.asf"
"""Skeleton for AMC clips without their actor's own; all of CMU's have the same bones."""

_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Motion:
    """Motion of our body; F frames, J joints."""

    rotations: Array
    """(F, J, 3, 3) relative to the parent; the root in a world with y up."""
    translation: Array
    """(F, 3) m, y up; added to the posed body."""
    frame_rate: float
    format: str
    """A key of `LICENCES`."""
    source: str
    """Name of the file in the folder."""
    action: str
    licence: str

    def __len__(self) -> int:
        """Return F."""
        return len(self.rotations)


def read_motions(
    folder: Path,
    formats: set[str] | frozenset[str] | None = None,
    body: Body | None = None,
    shape: Array | None = None,
    sources: Collection[str] | None = None,
) -> Iterator[Motion]:
    """Yield the clips of a folder one after the other.

    Parameters
    ----------
    folder : Path
        Contains ``clips.zip`` and ``index.json``, or AMASS files (``*.npz``), also in subfolders.
    formats : set of str, optional
        Keys of `LICENCES` to read; all by default; `FREE_FORMATS` allow commercial use.
    body : Body, optional
        The included body by default.
    shape : (S,) array, optional
        Body shape that determines the rest directions of the limbs; the mean by default.
    sources : collection of str, optional
        Names of the files in the folder to read; all by default.

    Raises
    ------
    InputError
        If the folder contains no motion, or a clip is missing or invalid.
    """
    unknown = (formats or set()) - LICENCES.keys()
    if unknown:
        raise InputError(f"unknown motion formats {', '.join(sorted(unknown))}")
    body = default_body() if body is None else body
    shape = np.zeros(body.shape_count) if shape is None else shape
    if (folder / "index.json").is_file():
        yield from _indexed(folder, formats, body, shape, sources)
        return
    files = sorted(folder.rglob("*.npz")) if formats is None or "amass" in formats else []
    # a subject's shape file is stored beside the clips
    files = [path for path in files if path.stem != "shape"]
    if not files:
        raise InputError(f"there is no motion in {folder}: neither index.json nor AMASS files")
    for path in files:
        name = path.relative_to(folder).as_posix()
        if sources is not None and name not in sources:
            continue
        rotations, translation, rate = read_amass(path.read_bytes(), body, name)
        yield Motion(rotations, translation, rate, "amass", name, path.stem, LICENCES["amass"])


def _indexed(
    folder: Path,
    formats: set[str] | frozenset[str] | None,
    body: Body,
    shape: Array,
    sources: Collection[str] | None,
) -> Iterator[Motion]:
    try:
        entries = json.loads((folder / "index.json").read_text("utf-8"))
        listed = [(str(entry["file"]), str(entry.get("action", ""))) for entry in entries]
        archive = zipfile.ZipFile(folder / "clips.zip")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder} contains no indexed clips: {error}") from error
    found = 0
    with archive:
        for name, action in listed:
            kind = PurePosixPath(name).parts[0]
            if kind not in LICENCES:
                raise InputError(f"{folder}: the clip {name} has an unknown format")
            if (formats is not None and kind not in formats) or (
                sources is not None and name not in sources
            ):
                continue
            found += 1
            clip = _read(archive, name, kind)
            rotations, translation = retarget(clip, body, shape)
            yield Motion(
                rotations, translation, clip.frame_rate, kind, name, action, LICENCES[kind]
            )
    if not found:
        raise InputError(f"{folder} has none of the clips requested")


def _read(archive: zipfile.ZipFile, name: str, kind: str) -> SkeletonClip:
    text = _text(archive, name)
    if kind == "cmu_amc":
        own = f"cmu_amc/{PurePosixPath(name).stem.partition('_')[0]}.asf"
        skeleton = own if own in archive.namelist() else _FALLBACK_SKELETON
        return parse_amc(text, parse_asf(_text(archive, skeleton), skeleton), name=name)
    if kind == "cmu_bvh":
        # bvh11 contains one clip in metres, marked in its name
        unit = 1.0 if PurePosixPath(name).stem.startswith("scaled_") else CMU_UNIT
        return read_cmu_bvh(text, unit, name)
    if kind == "bandai_bvh":
        return read_bandai_bvh(text, name)
    return read_expmap(text, name) if kind == "cmu_expmap" else read_deepmimic(text, name)


def _text(archive: zipfile.ZipFile, name: str) -> str:
    try:
        if archive.getinfo(name).file_size > _MAX_BYTES:
            raise InputError(f"the clip {name} is larger than {_MAX_BYTES >> 20} MiB")
        return archive.read(name).decode("latin1")
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"there is no clip {name} in {archive.filename}: {error}") from error

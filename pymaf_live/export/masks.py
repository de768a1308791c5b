"""Silhouette export: a folder of PNGs, one per frame at the image's size, white where a body is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import OutputError
from pymaf_live.export.mask_workers import MaskChunk, write_chunks
from pymaf_live.export.options import ExportedFile, ExportOptions
from pymaf_live.export.person_motion import finite_rows
from pymaf_live.system.atomic_write import atomic_folder
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.playback import camera_at
from pymaf_live.takes.take import Take

_CHUNK_FRAMES = 32
"""Frames that are rendered at once."""
_MIN_DIGITS = 6
"""Smallest number of digits of a frame number in a file name."""

_MAX_PIXELS = 200_000_000
"""Pixels of an image; more than any source has."""


def export_masks(
    take: Take, body: Body, path: Path, options: ExportOptions, *, force: bool, reporter: Reporter
) -> list[ExportedFile]:
    """Write the folder `path`; implements `formats.Writer`.

    Frames without people are black.
    """
    require_body(take, body)
    take = finite_rows(take)
    count = len(take.frame_time)
    if not count:
        return []
    if force and path.exists() and not _contains_only_images(path):
        raise OutputError(f"{path} contains other files than silhouettes; choose another name")
    width, height = take.camera.size
    if width * height > _MAX_PIXELS:
        raise OutputError(
            f"silhouettes of {width}x{height} pixels cannot be drawn; the limit is "
            f"{_MAX_PIXELS // 1_000_000} million"
        )
    report_progress(reporter, 0.0)
    with atomic_folder(path, force=force) as temporary:
        done = 0
        # close at once if cancelled: nothing may be written into the folder any more
        with closing(write_chunks(list(_chunks(take, temporary)), body)) as batches:
            for written in batches:
                done += written
                report_progress(reporter, done / count)
    return [ExportedFile(path, rate=None)]


def _contains_only_images(path: Path) -> bool:
    return path.is_dir() and all(file.suffix == ".png" for file in path.iterdir())


def _chunks(take: Take, folder: Path) -> Iterator[MaskChunk]:
    names = _file_names(take)
    first_rows = np.searchsorted(take.frame, np.arange(len(names) + 1))
    for start in range(0, len(names), _CHUNK_FRAMES):
        frames = range(start, min(start + _CHUNK_FRAMES, len(names)))
        begin, end = int(first_rows[frames.start]), int(first_rows[frames.stop])
        yield MaskChunk(
            take.pose[begin:end],
            take.shape[begin:end],
            take.translation[begin:end],
            take.frame[begin:end] - start,
            tuple(camera_at(take, frame) for frame in frames),
            tuple(folder / names[frame] for frame in frames),
        )


def _file_names(take: Take) -> list[str]:
    if not take.picture_name:
        digits = max(_MIN_DIGITS, len(str(len(take.frame_time))))
        return [f"{frame:0{digits}d}.png" for frame in range(len(take.frame_time))]
    names: list[str] = []
    used: set[str] = set()
    for image in take.picture_name:
        # names in a take are not trusted to stay inside the folder
        stem = Path(image.replace("\\", "/")).stem.strip(". ") or "picture"
        name, number = stem, 1
        while name.casefold() in used:
            number += 1
            name = f"{stem}_{number}"
        used.add(name.casefold())
        names.append(f"{name}.png")
    return names

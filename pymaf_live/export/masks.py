"""Silhouettes: a folder of PNGs, one a frame, white where a body is; the picture's own size."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.atomic import make_folder
from pymaf_live.body import Body, PointSet, project
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.export.options import Exported, ExportOptions, Watch
from pymaf_live.export.people import finite_rows
from pymaf_live.take_file import require_body
from pymaf_live.types import Array, Camera, Take

_NEAREST = 0.05
"""Metres before the camera; faces that reach nearer cannot be projected."""
_SUBPIXELS = 4
"""Bits of a pixel that corners keep."""

_Mask = npt.NDArray[np.uint8]


def export_masks(
    take: Take, body: Body, path: Path, options: ExportOptions, *, force: bool, watch: Watch
) -> list[Exported]:
    """As `formats.Writer`; `path` is the folder. Frames in which nobody was seen are black."""
    require_body(take, body)
    take = finite_rows(take)
    if not len(take.frame_time):
        return []
    points = PointSet.vertices(body)
    names = _names(take)
    rows_of_frame = np.searchsorted(take.frame, np.arange(len(names) + 1))
    watch(0.0)
    with _folder_written_whole(path, force=force) as temporary:
        for frame, name in enumerate(names):
            rows = slice(rows_of_frame[frame], rows_of_frame[frame + 1])
            mask = silhouette(take, body, points, rows, camera_of(take, frame))
            _write(temporary / name, mask)
            watch((frame + 1) / len(names))
    return [Exported(path, rate=None)]


def silhouette(take: Take, body: Body, points: PointSet, rows: slice, camera: Camera) -> _Mask:
    """(H, W) 255 where a body of these rows is seen, else 0."""
    width, height = camera.size
    mask = np.zeros((height, width), dtype=np.uint8)
    if rows.start == rows.stop:
        return mask
    rotations = matrix_from_axis_angle(take.pose[rows])
    placed = points.pose(rotations, take.shape[rows], take.translation[rows])
    for vertices in placed:
        _fill(mask, vertices, body, camera)
    return mask


def camera_of(take: Take, frame: int) -> Camera:
    """The camera of a frame; separate pictures have one each."""
    if take.picture_camera is None:
        return Camera(take.focal_length, take.principal_point, take.frame_size)
    width, height, focal, x, y = take.picture_camera[frame]
    return Camera(float(focal), np.array([x, y]), (int(width), int(height)))


def _fill(mask: _Mask, vertices: Array, body: Body, camera: Camera) -> None:
    before = vertices[:, 2] > _NEAREST
    corners = project(np.where(before[:, None], vertices, [0.0, 0.0, 1.0]), camera)
    triangles = corners[body.faces]
    low, high = triangles.min(axis=1), triangles.max(axis=1)
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    # faces turned away lie behind those that are not; clockwise in a picture whose y points down
    facing = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    height, width = mask.shape
    inside = (high >= -1).all(axis=1) & (low[:, 0] <= width) & (low[:, 1] <= height)
    drawn = triangles[facing & inside & before[body.faces].all(axis=1)]
    limit = 1 << 14  # beyond it OpenCV's fixed-point numbers overflow
    fixed = np.round(np.clip(drawn, -limit, limit) * (1 << _SUBPIXELS)).astype(np.int32)
    for triangle in fixed:
        cv2.fillConvexPoly(mask, triangle, 255, lineType=cv2.LINE_8, shift=_SUBPIXELS)


def _names(take: Take) -> list[str]:
    if not take.picture_name:
        digits = max(6, len(str(len(take.frame_time))))
        return [f"{frame:0{digits}d}.png" for frame in range(len(take.frame_time))]
    names: list[str] = []
    taken: set[str] = set()
    for picture in take.picture_name:
        # a take's names are not trusted to stay inside the folder
        stem = Path(picture.replace("\\", "/")).stem.strip(". ") or "picture"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names.append(f"{name}.png")
    return names


def _write(path: Path, mask: _Mask) -> None:
    done, content = cv2.imencode(".png", mask)
    if not done:
        raise OutputError(f"cannot write {path}: the picture cannot be encoded")
    path.write_bytes(content.tobytes())
    again = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if again is None or not np.array_equal(again, mask):
        raise OutputError(f"cannot write {path}: read again, it differs")


@contextmanager
def _folder_written_whole(target: Path, *, force: bool) -> Iterator[Path]:
    """As `atomic.written_whole`, for a folder."""
    if target.exists() and not force:
        raise OutputError(f"{target} exists already; add --force to replace it")
    if target.exists() and (
        not target.is_dir() or any(p.suffix != ".png" for p in target.iterdir())
    ):
        raise OutputError(f"{target} holds more than silhouettes: choose another name")
    make_folder(target.parent)
    token = secrets.token_hex(4)
    temporary = target.with_name(f".{target.name}.{token}.part")
    aside = target.with_name(f".{target.name}.{token}.old")
    try:
        try:
            temporary.mkdir()
            yield temporary
            if target.exists():
                os.replace(target, aside)
            os.replace(temporary, target)
        except OSError as error:
            if aside.exists() and not target.exists():
                os.replace(aside, target)
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)

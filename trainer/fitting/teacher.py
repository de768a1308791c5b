"""Landmarks of a teacher network for a data set, stored so that inference runs once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.inference.preprocess import cut
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.types import Array, Crop, Image
from trainer.body.blazepose_landmarker import SIZE, BlazePoseLandmarker, LandmarkBatch
from trainer.body.heat_maps import heat_map_peaks

_CHUNK = 32
_BLOCK = 8 * _CHUNK
"""People of a stored block; the teacher takes half a minute for one."""
_LOWEST_PEAK = 0.1

ImageReader = Callable[[int], Image]
"""Function from a row of the data set to its image, (H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class TeacherLandmarks:
    """Landmarks of N annotated crops: means of the predictions for the crop and its mirror image.

    The field names are those of the file.
    """

    frame_from_crop: Array
    """(N, 2, 3) of crops of 256 pixels."""
    points: Array
    """(N, 33, 2) crop pixels: peaks of the heat maps' mean."""
    world: Array
    """(N, 33, 3) metres from the centre of the hips, crop frame."""
    visibility: Array
    """(N, 33) 0..1"""
    presence: Array
    """(N,) 0..1"""
    spread_2d: Array
    """(N, 33) half the distance between the two predictions, crop pixels."""
    spread_3d: Array
    """(N, 33) half the distance between the two predictions, m."""
    heat: Array
    """(N, 33) height of the peaks, 0..1; the likelier a landmark is right, the higher."""


def run_teacher(
    frame_from_crop: Array,
    image: ImageReader,
    landmark_file: Path,
    reporter: Reporter = SILENT,
    *,
    finished: Path | None = None,
) -> TeacherLandmarks:
    """Run the teacher on every annotated crop of a set.

    Parameters
    ----------
    frame_from_crop : (N, 2, 3) array
        Of crops of 256 pixels.
    image : function
        Row to (H, W, 3) uint8 RGB image.
    landmark_file : Path
    reporter : Reporter
    finished : Path, optional
        Folder that finished blocks are written to and read from, so that an interrupted pass
        continues. Blocks of another teacher or of other crops are not used.
    """
    landmarker = BlazePoseLandmarker(landmark_file, heat_maps=True)
    teacher = hashlib.sha256(landmark_file.read_bytes()).hexdigest()[:16]
    blocks = []
    for start in report_each(range(0, len(frame_from_crop), _BLOCK), reporter, "teacher"):
        frames = frame_from_crop[start : start + _BLOCK]
        path = None if finished is None else finished / f"{teacher}_{start:07d}.npz"
        block = None if path is None else _finished_block(path, frames)
        if block is None:
            chunks = [
                _run_chunk(landmarker, frames[first : first + _CHUNK], image, start + first)
                for first in range(0, len(frames), _CHUNK)
            ]
            block = _joined(chunks)
            if path is not None:
                make_folder(path.parent)
                write_teacher_landmarks(path, block)
        blocks.append(block)
    return _joined(blocks)


def run_teacher_once(
    path: Path,
    frame_from_crop: Array,
    image: ImageReader,
    landmark_file: Path,
    reporter: Reporter = SILENT,
) -> None:
    """Write the teacher's landmarks of a set unless they are there; see `run_teacher`.

    The blocks of an interrupted pass are kept beside the file until it is complete.
    """
    if path.exists():
        return
    finished = path.with_name(f"{path.stem}_blocks")
    landmarks = run_teacher(frame_from_crop, image, landmark_file, reporter, finished=finished)
    write_teacher_landmarks(path, landmarks)
    shutil.rmtree(finished, ignore_errors=True)


def _run_chunk(
    landmarker: BlazePoseLandmarker, frames: Array, image: ImageReader, first: int
) -> TeacherLandmarks:
    crops = [Crop(frame, SIZE) for frame in frames]
    cuts = [cut(image(first + index), crop) for index, crop in enumerate(crops)]
    plain, mirrored = landmarker.run_with_mirror(cuts)
    points, heat = _peaks(plain, mirrored)
    return TeacherLandmarks(
        frame_from_crop=frames,
        points=points,
        world=(plain.world + mirrored.world) / 2,
        visibility=(plain.visibility + mirrored.visibility) / 2,
        presence=(plain.presence + mirrored.presence) / 2,
        spread_2d=_half_distance(plain.points[..., :2], mirrored.points[..., :2]),
        spread_3d=_half_distance(plain.world, mirrored.world),
        heat=heat,
    )


def _finished_block(path: Path, frames: Array) -> TeacherLandmarks | None:
    """Return the stored landmarks of crops, None if they are missing, damaged or of others."""
    if not path.exists():
        return None
    try:
        block = read_teacher_landmarks(path, len(frames))
    except InputError:
        return None
    same = np.allclose(block.frame_from_crop, frames, rtol=1e-5, atol=1e-2)
    return block if same else None


def _joined(parts: Sequence[TeacherLandmarks]) -> TeacherLandmarks:
    columns = [asdict(part) for part in parts]
    return TeacherLandmarks(
        **{name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    )


def write_teacher_landmarks(path: Path, teacher: TeacherLandmarks) -> None:
    """Write the landmarks to an npz file."""
    with atomic_write(path) as temporary:
        np.savez_compressed(
            temporary, **{name: a.astype(np.float32) for name, a in asdict(teacher).items()}
        )


def read_teacher_landmarks(path: Path, count: int) -> TeacherLandmarks:
    """Read the landmarks of a joint set of `count` people.

    Raises
    ------
    InputError
        If there is no such file, or it is of another set.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.files}
        if "points" in arrays and "heat" not in arrays:
            raise InputError(
                f"{path} is an earlier version's; remove it, and the teacher runs again"
            )
        teacher = TeacherLandmarks(**arrays)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} contains no landmarks of a teacher: {error}") from error
    if teacher.heat.shape != teacher.points.shape[:2]:
        raise InputError(f"{path}: heat {teacher.heat.shape} does not fit the points")
    if len(teacher.points) != count:
        raise InputError(
            f"{path} has landmarks of {len(teacher.points)} people, the set has {count}"
        )
    return teacher


def _peaks(plain: LandmarkBatch, mirrored: LandmarkBatch) -> tuple[Array, Array]:
    """Return points (B, 33, 2) and heights (B, 33) of the peaks of the mean heat maps.

    On LSPET they are right more often than the networks' own points (.711 and .670 of the joints
    within 0.2 torso). A point without a peak, such as one outside the crop, is the networks' own.
    """
    assert plain.heat_maps is not None
    assert mirrored.heat_maps is not None
    points, heat = heat_map_peaks((plain.heat_maps + mirrored.heat_maps) / 2, SIZE)
    own = (plain.points + mirrored.points)[..., :2] / 2
    return np.where(heat[..., None] > _LOWEST_PEAK, points, own), heat


def _half_distance(first: Array, second: Array) -> Array:
    return np.asarray(np.linalg.norm(first - second, axis=-1) / 2)

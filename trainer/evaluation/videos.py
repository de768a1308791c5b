"""Left-right swaps on videos, through the whole program without smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import InputError
from pymaf_live.inference.preprocess import cut
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.tracking.crop import crop_from_points, trunk_turn
from pymaf_live.types import Array, Crop, Image
from trainer.body.blazepose_landmarker import SIZE, BlazePoseLandmarker
from trainer.body.joint_limits import violates_joint_limits
from trainer.evaluation.end_to_end import PersonTrack, read_tracks, run_program
from trainer.evaluation.left_right_swaps import (
    FLIP_ANGLE,
    Swap,
    angles,
    axis_flips,
    lateral_axis,
    swaps_against_observer,
    swaps_against_past,
)
from trainer.rendering.contact_sheet import write_sheet

PEOPLE = 4
_STRIDE = 2
"""The landmarker runs on every second frame: a swap over three frames meets it twice."""
_MIN_TRACK = 15
"""Frames; shorter tracks are ignored."""
_MIN_PRESENCE = 0.5
"""Smallest presence at which the landmarker is believed."""
_TILE = 224

# hips and shoulders among BlazePose's landmarks (MediaPipe's published order)
_LANDMARKS_LEFT, _LANDMARKS_RIGHT = (23, 11), (24, 12)


def measure_videos(
    videos: Sequence[Path],
    model: Path,
    body: Body,
    heavy: Path,
    sheets: Path | None = None,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Count left-right swaps over more than three frames, against the past and a landmarker.

    Parameters
    ----------
    videos : sequence of Path
    model : Path
        ONNX file.
    body : Body
    heavy : Path
        BlazePose's heavy landmark file, the other observer.
    sheets : Path, optional
        Folder for one sheet per video of every person's frames, with swaps framed in red.
    reporter : Reporter
    """
    landmarker = BlazePoseLandmarker(heavy)
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as name:
        out = Path(name)
        run_program(videos, out, model, ["--people", str(PEOPLE)])
        for video in videos:
            tracks = [
                track
                for track in read_tracks(out / f"{video.stem}.npz")
                if len(track.frame) >= _MIN_TRACK
            ]
            figures |= _measure_video(video, tracks, body, landmarker, sheets, reporter)
    for kind in ("swaps", "swaps_against_heavy"):
        figures[f"{kind}_in_all"] = sum(figures[f"{video.stem}_{kind}"] for video in videos)
    return figures


def _measure_video(
    video: Path,
    tracks: Sequence[PersonTrack],
    body: Body,
    landmarker: BlazePoseLandmarker,
    sheets: Path | None,
    reporter: Reporter,
) -> dict[str, Any]:
    left = [body.joint_names.index(name) for name in ("left_hip", "left_shoulder")]
    right = [body.joint_names.index(name) for name in ("right_hip", "right_shoulder")]
    axes = [lateral_axis(track.joints, left, right) for track in tracks]
    own = [swaps_against_past(t.frame, axis) for t, axis in zip(tracks, axes, strict=True)]
    opposed, tiles = _observe(video, tracks, axes, body, landmarker, reporter)
    against = [swaps_against_observer(frames, flags, _STRIDE) for frames, flags in opposed]
    if sheets is not None:
        _write_sheet(sheets / f"videos_{video.stem}.jpg", tiles, own, against)
    rows = sum(len(track.frame) for track in tracks)
    impossible_rows = sum(
        int(violates_joint_limits(body, matrix_from_axis_angle(track.rotations_vector)).sum())
        for track in tracks
    )
    listed = [
        f"person {track.person}: frames {swap.first}..{swap.first + swap.length - 1}"
        for track, mine, other in zip(tracks, own, against, strict=True)
        for swap in [*mine, *other]
    ]
    stem = video.stem
    return {
        f"{stem}_people": len(tracks),
        f"{stem}_rows": rows,
        f"{stem}_turn_overs": sum(
            len(axis_flips(t.frame, axis)) for t, axis in zip(tracks, axes, strict=True)
        ),
        f"{stem}_swaps": sum(map(len, own)),
        f"{stem}_swaps_against_heavy": sum(map(len, against)),
        f"{stem}_where": "; ".join(listed) or "none",
        f"{stem}_impossible": impossible_rows / max(rows, 1),
    }


def _observe(
    video: Path,
    tracks: Sequence[PersonTrack],
    axes: Sequence[Array],
    body: Body,
    landmarker: BlazePoseLandmarker,
    reporter: Reporter,
) -> tuple[list[tuple[Any, Any]], list[dict[int, Image]]]:
    """Return the frames that the landmarker saw of each person, with flags, and their tiles.

    A flag is True if the landmarker sees left and right the other way round.
    """
    wanted: dict[int, list[tuple[int, int]]] = {}
    for index, track in enumerate(tracks):
        for row, frame in enumerate(track.frame.tolist()):
            if frame % _STRIDE == 0:
                wanted.setdefault(frame, []).append((index, row))
    observed: list[list[tuple[int, bool]]] = [[] for _ in tracks]
    tiles: list[dict[int, Image]] = [{} for _ in tracks]
    reader = cv2.VideoCapture(str(video))
    frames = range(max(wanted, default=-1) + 1)
    for number in report_each(frames, reporter, f"landmarker on {video.name}"):
        good, bgr = reader.read()
        if not good:
            raise InputError(f"{video} ends at frame {number}, before its take")
        if number not in wanted:
            continue
        image = np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
        for index, row in wanted[number]:
            joints_2d = tracks[index].joints_2d[row]
            flag = _is_opposed(landmarker, image, _crop(joints_2d, body), axes[index][row])
            observed[index].append((number, flag))
            tiles[index][number] = _tile(image, joints_2d, body)
    reader.release()
    opposed = [
        (np.array([f for f, _ in one], np.int64), np.array([flag for _, flag in one], bool))
        for one in observed
    ]
    return opposed, tiles


def _is_opposed(landmarker: BlazePoseLandmarker, image: Image, crop: Crop, axis: Array) -> bool:
    """Return True if the landmarker sees a person's lateral axis (3,) the other way round."""
    piece = cut(image, crop)
    # in the crop's frame, which is turned in the image plane
    expected = _turned(axis, -crop.turn)[None]
    found = landmarker.run([piece])
    seen = lateral_axis(found.world, _LANDMARKS_LEFT, _LANDMARKS_RIGHT)
    if not (angles(seen, expected)[0] > FLIP_ANGLE and found.presence[0] > _MIN_PRESENCE):
        return False
    # a landmarker that disagrees with itself on the mirror image is not believed
    _, mirrored = landmarker.run_with_mirror([piece])
    seen = lateral_axis(mirrored.world, _LANDMARKS_LEFT, _LANDMARKS_RIGHT)
    return bool(angles(seen, expected)[0] > FLIP_ANGLE)


def _crop(joints_2d: Array, body: Body) -> Crop:
    names = list(body.joint_names)

    def middle(part: str) -> Array:
        rows = [names.index(f"left_{part}"), names.index(f"right_{part}")]
        return np.asarray(joints_2d[rows].mean(axis=0))

    return crop_from_points(joints_2d, trunk_turn(middle("hip"), middle("shoulder")), SIZE)


def _turned(axis: Array, angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * axis[0] - s * axis[1], s * axis[0] + c * axis[1], axis[2]])


def _tile(image: Image, joints_2d: Array, body: Body) -> Image:
    """Return a person's crop with the skeleton, left in orange and right in blue."""
    crop = crop_from_points(joints_2d, 0.0, _TILE, 1.3)
    tile = np.ascontiguousarray(cut(image, crop))
    pixels = np.round(crop.to_crop(joints_2d)).astype(int)
    for joint, parent in enumerate(body.parents.tolist()):
        if parent < 0:
            continue
        name = body.joint_names[joint]
        colour = (200, 200, 200)
        if name.startswith("left"):
            colour = (235, 120, 60)
        elif name.startswith("right"):
            colour = (70, 140, 235)
        start, end = (tuple(int(v) for v in pixels[k]) for k in (parent, joint))
        cv2.line(tile, start, end, colour, 2, cv2.LINE_AA)
    return tile


def _write_sheet(
    path: Path,
    tiles: Sequence[dict[int, Image]],
    own: Sequence[Sequence[Swap]],
    against: Sequence[Sequence[Swap]],
) -> None:
    framed = []
    for frames, past, other in zip(tiles, own, against, strict=True):
        for frame, tile in frames.items():
            for swaps, colour in ((past, (255, 0, 0)), (other, (255, 255, 0))):
                if any(swap.first <= frame < swap.first + swap.length for swap in swaps):
                    cv2.rectangle(tile, (1, 1), (_TILE - 2, _TILE - 2), colour, 4)
            cv2.putText(tile, str(frame), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 255, 0), 1)
            framed.append(tile)
    if framed:
        write_sheet(path, framed, columns=12)

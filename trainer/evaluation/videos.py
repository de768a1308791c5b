"""Left and right over time on videos, through the whole program, with its smoothing off."""

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
from pymaf_live.tracking.crop import crop_from_points, trunk_turn
from pymaf_live.types import Array, Image
from trainer.body.blazepose_landmarker import SIZE, Landmarker
from trainer.body.joint_limits import impossible
from trainer.commands.progress import followed
from trainer.evaluation.end_to_end import Track, read_tracks, run_program
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
"""The landmarker is asked in every second frame: a swap over three frames meets it twice."""
_LEAST_TRACK = 15
"""Frames; who is seen for less is passed over."""
_SURE = 0.5
"""Of the landmarker's presence."""
_TILE = 224

# BlazePose's hips and shoulders (MediaPipe's published order)
_LANDMARKS_LEFT, _LANDMARKS_RIGHT = (23, 11), (24, 12)


def measure_videos(
    videos: Sequence[Path], model: Path, body: Body, heavy: Path, sheets: Path | None = None
) -> dict[str, Any]:
    """Swaps of left and right over more than three frames, against the past and a landmarker.

    Parameters
    ----------
    videos : sequence of Path
    model : Path
        ONNX file.
    body : Body
    heavy : Path
        BlazePose's heavy landmark file, the other observer.
    sheets : Path, optional
        Folder for a sheet a video of every person's frames, the swaps framed in red.
    """
    landmarker = Landmarker(heavy)
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as name:
        out = Path(name)
        run_program(videos, out, model, ["--people", str(PEOPLE)])
        for video in videos:
            tracks = [t for t in read_tracks(out / f"{video.stem}.npz")]
            tracks = [track for track in tracks if len(track.frame) >= _LEAST_TRACK]
            figures |= _measure_video(video, tracks, body, landmarker, sheets)
    for kind in ("swaps", "swaps_against_heavy"):
        figures[f"{kind}_in_all"] = sum(figures[f"{video.stem}_{kind}"] for video in videos)
    return figures


def _measure_video(
    video: Path, tracks: Sequence[Track], body: Body, landmarker: Landmarker, sheets: Path | None
) -> dict[str, Any]:
    names = list(body.joint_names)
    left = [names.index("left_hip"), names.index("left_shoulder")]
    right = [names.index("right_hip"), names.index("right_shoulder")]
    across = [lateral_axis(track.joints, left, right) for track in tracks]
    own = [swaps_against_past(t.frame, a) for t, a in zip(tracks, across, strict=True)]
    opposed, tiles = _ask_landmarker(video, tracks, across, body, landmarker)
    against = [swaps_against_observer(frames, says, _STRIDE) for frames, says in opposed]
    if sheets is not None:
        _draw(sheets / f"videos_{video.stem}.jpg", tiles, own, against)
    rows = sum(len(track.frame) for track in tracks)
    strange = sum(
        int(impossible(body, matrix_from_axis_angle(track.rotations_vector)).sum())
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
            len(axis_flips(t.frame, a)) for t, a in zip(tracks, across, strict=True)
        ),
        f"{stem}_swaps": sum(map(len, own)),
        f"{stem}_swaps_against_heavy": sum(map(len, against)),
        f"{stem}_where": "; ".join(listed) or "none",
        f"{stem}_impossible": strange / max(rows, 1),
    }


def _ask_landmarker(
    video: Path,
    tracks: Sequence[Track],
    across: Sequence[Array],
    body: Body,
    landmarker: Landmarker,
) -> tuple[list[tuple[Any, Any]], list[dict[int, Image]]]:
    """In which frames the landmarker sees each person the other way round; and their tiles."""
    wanted: dict[int, list[tuple[int, int]]] = {}
    for index, track in enumerate(tracks):
        for row, frame in enumerate(track.frame.tolist()):
            if frame % _STRIDE == 0:
                wanted.setdefault(frame, []).append((index, row))
    asked: list[list[tuple[int, bool]]] = [[] for _ in tracks]
    tiles: list[dict[int, Image]] = [{} for _ in tracks]
    reader = cv2.VideoCapture(str(video))
    last = max(wanted, default=-1)
    for number in followed(range(last + 1), f"landmarker on {video.name}"):
        good, frame = reader.read()
        if not good:
            raise InputError(f"{video} ends at frame {number}, its take does not")
        if number not in wanted:
            continue
        image = np.ascontiguousarray(frame[..., ::-1], dtype=np.uint8)
        for index, row in wanted[number]:
            track = tracks[index]
            piece = cut(image, _crop(track.joints_2d[row], body))
            found = landmarker.run([piece])
            way = lateral_axis(found.world, _LANDMARKS_LEFT, _LANDMARKS_RIGHT)
            # in the crop's frame, which is turned in the plane of the picture
            mine = _turned(across[index][row], -_crop(track.joints_2d[row], body).turn)
            says = bool(angles(way, mine[None])[0] > FLIP_ANGLE) and found.presence[0] > _SURE
            if says:
                # a landmarker that says otherwise of the mirror image is in doubt itself
                _, mirrored = landmarker.run_both_ways([piece])
                way = lateral_axis(mirrored.world, _LANDMARKS_LEFT, _LANDMARKS_RIGHT)
                says = bool(angles(way, mine[None])[0] > FLIP_ANGLE)
            asked[index].append((number, bool(says)))
            tiles[index][number] = _tile(image, track.joints_2d[row], body)
    reader.release()
    opposed = [
        (np.array([f for f, _ in one], np.int64), np.array([s for _, s in one], bool))
        for one in asked
    ]
    return opposed, tiles


def _crop(joints_2d: Array, body: Body) -> Any:
    names = list(body.joint_names)

    def middle(part: str) -> Array:
        rows = [names.index(f"left_{part}"), names.index(f"right_{part}")]
        return np.asarray(joints_2d[rows].mean(axis=0))

    return crop_from_points(joints_2d, trunk_turn(middle("hip"), middle("shoulder")), SIZE)


def _turned(way: Array, angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * way[0] - s * way[1], s * way[0] + c * way[1], way[2]])


def _tile(image: Image, joints_2d: Array, body: Body) -> Image:
    """A person's crop with the skeleton, its left warm and its right cool."""
    crop = crop_from_points(joints_2d, 0.0, _TILE, 1.3)
    tile = np.ascontiguousarray(cut(image, crop))
    places = np.round(crop.to_crop(joints_2d)).astype(int)
    for joint, parent in enumerate(body.parents.tolist()):
        if parent < 0:
            continue
        name = body.joint_names[joint]
        colour = (200, 200, 200)
        if name.startswith("left"):
            colour = (235, 120, 60)
        elif name.startswith("right"):
            colour = (70, 140, 235)
        start, end = (tuple(int(v) for v in places[k]) for k in (parent, joint))
        cv2.line(tile, start, end, colour, 2, cv2.LINE_AA)
    return tile


def _draw(
    path: Path,
    tiles: Sequence[dict[int, Image]],
    own: Sequence[Sequence[Swap]],
    against: Sequence[Sequence[Swap]],
) -> None:
    drawn = []
    for mine, past, other in zip(tiles, own, against, strict=True):
        for frame, tile in mine.items():
            for swaps, colour in ((past, (255, 0, 0)), (other, (255, 255, 0))):
                if any(swap.first <= frame < swap.first + swap.length for swap in swaps):
                    cv2.rectangle(tile, (1, 1), (_TILE - 2, _TILE - 2), colour, 4)
            cv2.putText(tile, str(frame), (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 255, 0), 1)
            drawn.append(tile)
    if drawn:
        write_sheet(path, drawn, columns=12)

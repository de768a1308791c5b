"""Edits of a take: every one gives a new take and leaves the old one as it was, for undoing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import UsageError
from pymaf_live.takes.rows import ROW_NAMES
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

_LONGEST_NAME = 200


def with_trim(take: Take, first: int, last: int) -> Take:
    """The take with the frames `first` to `last` wanted; nothing is left out yet (`trimmed`).

    The ends are brought into the take and into order.
    """
    most = len(take.frame_time) - 1
    ends = sorted(min(max(int(end), 0), most) for end in (first, last))
    return replace(take, trim=None if ends == [0, most] else (ends[0], ends[1]))


def trim_of(take: Take) -> tuple[int, int]:
    """First and last wanted frame; the take's own where it is not trimmed."""
    return take.trim or (0, max(0, len(take.frame_time) - 1))


def trimmed(take: Take) -> Take:
    """The take without what lies outside its trim; times stay those of the source."""
    if take.trim is None:
        return take
    first, last = take.trim
    kept = slice(first, last + 1)
    of_frames: dict[str, Any] = {"frame_time": take.frame_time[kept]}
    if take.file_time is not None:
        of_frames["file_time"] = take.file_time[kept]
    if take.picture_camera is not None:
        of_frames["picture_name"] = take.picture_name[kept]
        cameras = take.picture_camera[kept]
        of_frames["picture_camera"] = cameras
        # the take's own camera is the first picture's
        of_frames["frame_size"] = (int(cameras[0, 0]), int(cameras[0, 1]))
        of_frames["focal_length"] = float(cameras[0, 2])
        of_frames["principal_point"] = np.array(cameras[0, 3:5])
    markers = [
        (frame - first, name)
        for frame, name in zip(take.marker_frame, take.marker_name, strict=True)
        if first <= frame <= last
    ]
    rows = np.flatnonzero((take.frame >= first) & (take.frame <= last))
    part = taken_rows(take, rows)
    return replace(
        part,
        frame=part.frame - first,
        trim=None,
        marker_frame=tuple(frame for frame, _ in markers),
        marker_name=tuple(name for _, name in markers),
        **of_frames,
    )


def with_marker(take: Take, frame: int, name: str) -> Take:
    """The take with a marker at a frame, in place of the one that is there.

    Raises
    ------
    UsageError
        If there is no such frame.
    """
    if not 0 <= frame < len(take.frame_time):
        raise UsageError(f"the take has no frame {frame}")
    markers = {**_markers(take), frame: " ".join(name.split())[:_LONGEST_NAME]}
    return _with_markers(take, markers)


def without_marker(take: Take, frame: int) -> Take:
    """The take without the marker at a frame."""
    markers = _markers(take)
    markers.pop(frame, None)
    return _with_markers(take, markers)


def with_moved_marker(take: Take, frame: int, to: int) -> Take:
    """The take with the marker of a frame at another; where one is there, at the nearest free one.

    Raises
    ------
    UsageError
        If there is no marker at `frame`.
    """
    markers = _markers(take)
    if frame not in markers:
        raise UsageError(f"there is no marker at frame {frame}")
    name = markers.pop(frame)
    free = [each for each in range(len(take.frame_time)) if each not in markers]
    # of two that are as near the one on the side that it came from
    nearest = min(free, key=lambda each: (abs(each - to), (each < to) != (frame < to)))
    return _with_markers(take, {**markers, nearest: name})


def with_rows(take: Take, person: int, first: int, last: int, new: Take) -> Take:
    """The take with a person's rows of the frames `first` to `last` replaced.

    Parameters
    ----------
    take : Take
    person : int
    first, last : int
        Frames of `take`, both included.
    new : Take
        Of the same body; its rows of `person` in those frames are taken, the frames numbered as in
        `take`. A frame without one loses the person's row.

    Raises
    ------
    UsageError
        If the new rows belong to another body.
    """
    if new.body_sha256 != take.body_sha256 or new.pose.shape[1:] != take.pose.shape[1:]:
        raise UsageError("the new rows belong to another body")
    keep = ~_of(take, person, first, last)
    take_in = _of(new, person, first, last)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(take, name)[keep], getattr(new, name)[take_in]])
        for name in ROW_NAMES
    }
    order = np.lexsort((columns["person"], columns["frame"]))
    return replace(take, **{name: column[order] for name, column in columns.items()})


def person_rows(take: Take, frame: int) -> npt.NDArray[np.int64]:
    """Indices of the rows of a frame; rows are in the order of their frames."""
    start, end = np.searchsorted(take.frame, [frame, frame + 1])
    return np.arange(start, end)


def disagreement(take: Take, person: int, frame: int, joints_2d: Array) -> float | None:
    """How far a measurement lies from what the take has of a person in a frame.

    Parameters
    ----------
    joints_2d : (J, 2) array
        Frame pixels.

    Returns
    -------
    float or None
        Mean distance of the joints as a part of the diagonal of the person's box; None where the
        take has no measurement of the person there.
    """
    rows = person_rows(take, frame)
    rows = rows[(take.person[rows] == person) & ~take.predicted[rows]]
    if not len(rows):
        return None
    there = np.asarray(take.joints_2d[rows[0]], dtype=np.float64)
    diagonal = float(np.hypot(*np.ptp(there, axis=0)))
    distance = float(np.linalg.norm(there - joints_2d, axis=1).mean())
    return distance / max(diagonal, 1.0)


def person_for_box(take: Take, frame: int, box: Array) -> int:
    """Whom a box (4,) drawn in a frame is about.

    The person there whose joints' box it shares most with; where it shares nothing with anybody,
    whoever was seen at another time but not in this frame, the one seen nearest to it; else
    somebody new.
    """
    rows = person_rows(take, frame)
    best, shared = -1, 0.0
    for row in rows[~take.predicted[rows]]:
        there = np.asarray(take.box[row], dtype=np.float64)
        size = np.minimum(box[2:], there[2:]) - np.maximum(box[:2], there[:2])
        area = float(np.prod(np.maximum(size, 0)))
        if area > shared:
            best, shared = int(take.person[row]), area
    if best >= 0:
        return best
    seen = ~take.predicted & ~np.isin(take.person, take.person[rows[~take.predicted[rows]]])
    if seen.any():
        away = np.abs(take.frame[seen] - frame)
        return int(take.person[seen][np.argmin(away)])
    return int(take.person.max()) + 1 if len(take.person) else 0


def _of(take: Take, person: int, first: int, last: int) -> npt.NDArray[np.bool_]:
    of: npt.NDArray[np.bool_] = (
        (take.person == person) & (take.frame >= first) & (take.frame <= last)
    )
    return of


def taken_rows(take: Take, rows: npt.NDArray[np.int64]) -> Take:
    """The take with some of its rows alone, in the order given."""
    return replace(take, **{name: getattr(take, name)[rows] for name in ROW_NAMES})


def _markers(take: Take) -> dict[int, str]:
    return dict(zip(take.marker_frame, take.marker_name, strict=True))


def _with_markers(take: Take, markers: dict[int, str]) -> Take:
    ordered = sorted(markers.items())
    return replace(
        take,
        marker_frame=tuple(frame for frame, _ in ordered),
        marker_name=tuple(name for _, name in ordered),
    )

"""Edits of a take: trim, markers and replaced rows.

Every edit returns a new take and leaves the given one unchanged, so that edits can be undone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import UsageError
from pymaf_live.takes.rows import ROW_NAMES
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

_MAX_NAME_LENGTH = 200


def with_trim(take: Take, first: int, last: int) -> Take:
    """Return the take with a trim to the frames `first` to `last`.

    Nothing is removed yet (see `trimmed`). The ends are clamped to the take and sorted.
    """
    end = len(take.frame_time) - 1
    ends = sorted(min(max(int(frame), 0), end) for frame in (first, last))
    return replace(take, trim=None if ends == [0, end] else (ends[0], ends[1]))


def trim_of(take: Take) -> tuple[int, int]:
    """Return the first and last frame of the trim; those of the take if it is not trimmed."""
    return take.trim or (0, max(0, len(take.frame_time) - 1))


def trimmed(take: Take) -> Take:
    """Return the take without the frames outside its trim; times stay those of the source."""
    if take.trim is None:
        return take
    first, last = take.trim
    inside = slice(first, last + 1)
    frame_columns: dict[str, Any] = {"frame_time": take.frame_time[inside]}
    if take.file_time is not None:
        frame_columns["file_time"] = take.file_time[inside]
    if take.camera_motion is not None:
        frame_columns["camera_motion"] = take.camera_motion[inside]
    if take.picture_camera is not None:
        frame_columns["picture_name"] = take.picture_name[inside]
        cameras = take.picture_camera[inside]
        frame_columns["picture_camera"] = cameras
        # the camera of the take is that of its first image
        frame_columns["frame_size"] = (int(cameras[0, 0]), int(cameras[0, 1]))
        frame_columns["focal_length"] = float(cameras[0, 2])
        frame_columns["principal_point"] = np.array(cameras[0, 3:5])
    markers = [
        (frame - first, name)
        for frame, name in zip(take.marker_frame, take.marker_name, strict=True)
        if first <= frame <= last
    ]
    rows = np.flatnonzero((take.frame >= first) & (take.frame <= last))
    part = select_rows(take, rows)
    return replace(
        part,
        frame=part.frame - first,
        trim=None,
        marker_frame=tuple(frame for frame, _ in markers),
        marker_name=tuple(name for _, name in markers),
        **frame_columns,
    )


def with_closed_gaps(take: Take, longest: float) -> tuple[Take, float]:
    """Return the take with pauses over `longest` seconds shortened to one frame's duration.

    Such pauses come from wrong time stamps or from a camera that was away; a program that plays a
    constant frame rate would need millions of frames for them.

    Returns
    -------
    take : Take
        The given one where no pause is that long. The first time stays.
    seconds : float
        Total length of the pauses.
    """
    steps = np.diff(take.frame_time)
    long = steps > longest
    if not long.any():
        return take, 0.0
    closed = np.where(long, float(1 / take.frame_rate), steps)
    times = take.frame_time[0] + np.concatenate([[0.0], np.cumsum(closed)])
    return replace(take, frame_time=times), float(steps[long].sum())


def with_marker(take: Take, frame: int, name: str) -> Take:
    """Return the take with a marker at a frame; it replaces an existing one.

    Raises
    ------
    UsageError
        If there is no such frame.
    """
    if not 0 <= frame < len(take.frame_time):
        raise UsageError(f"the take has no frame {frame}")
    markers = {**_markers(take), frame: " ".join(name.split())[:_MAX_NAME_LENGTH]}
    return _with_markers(take, markers)


def without_marker(take: Take, frame: int) -> Take:
    """Return the take without the marker at a frame."""
    markers = _markers(take)
    markers.pop(frame, None)
    return _with_markers(take, markers)


def with_moved_marker(take: Take, frame: int, to: int) -> Take:
    """Return the take with a marker moved to another frame, or the nearest one without a marker.

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
    # of two equally near frames, the one on the side the marker comes from
    nearest = min(free, key=lambda each: (abs(each - to), (each < to) != (frame < to)))
    return _with_markers(take, {**markers, nearest: name})


def with_rows(take: Take, person: int, first: int, last: int, new: Take) -> Take:
    """Return the take with a person's rows in the frames `first` to `last` replaced.

    Parameters
    ----------
    take : Take
    person : int
    first, last : int
        Frames of `take`, both included.
    new : Take
        Take of the same body with the same frame numbers; its rows of `person` in those frames are
        used. The person has no row in a frame that has none in `new`.

    Raises
    ------
    UsageError
        If the new rows belong to another body.
    """
    if new.body_sha256 != take.body_sha256 or new.pose.shape[1:] != take.pose.shape[1:]:
        raise UsageError("the new rows belong to another body")
    keep = ~_in_range(take, person, first, last)
    insert = _in_range(new, person, first, last)
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(take, name)[keep], getattr(new, name)[insert]])
        for name in ROW_NAMES
    }
    order = np.lexsort((columns["person"], columns["frame"]))
    return replace(take, **{name: column[order] for name, column in columns.items()})


def without_span(take: Take, first: int, last: int, person: int | None = None) -> Take:
    """Return the take without a person, or anyone, in the frames `first` to `last`."""
    return select_rows(take, np.flatnonzero(~_in_span(take, first, last, person)))


def with_held_span(take: Take, first: int, last: int, person: int | None = None) -> Take:
    """Return the take with people held still in the frames `first` to `last`.

    Parameters
    ----------
    take : Take
    first, last : int
        Both included.
    person : int, optional
        Number of the person to hold; None holds everyone.

    Returns
    -------
    Take
        Each person keeps the motion of the first frame of the span in which they are. People who
        are not in the span are not added.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ROW_NAMES}
    inside = _in_span(take, first, last, person)
    for number in np.unique(take.person[inside]):
        rows = np.flatnonzero(inside & (take.person == number))
        frames = np.arange(take.frame[rows[0]], last + 1)
        for name in ROW_NAMES:
            held = np.repeat(getattr(take, name)[rows[:1]], len(frames), axis=0)
            columns[name].append(frames if name == "frame" else held)
    if not columns["frame"]:
        return take
    kept = {name: getattr(take, name)[~inside] for name in ROW_NAMES}
    merged: dict[str, Any] = {
        name: np.concatenate([kept[name], *parts]).astype(kept[name].dtype)
        for name, parts in columns.items()
    }
    order = np.lexsort((merged["person"], merged["frame"]))
    return replace(take, **{name: column[order] for name, column in merged.items()})


def person_rows(take: Take, frame: int) -> npt.NDArray[np.int64]:
    """Return the indices of the rows of a frame."""
    start, end = np.searchsorted(take.frame, [frame, frame + 1])
    return np.arange(start, end)


def disagreement(take: Take, person: int, frame: int, joints_2d: Array) -> float | None:
    """Return the distance of a measurement from the take's measurement of a person in a frame.

    Parameters
    ----------
    joints_2d : (J, 2) array
        Frame pixels.

    Returns
    -------
    float or None
        Mean distance of the joints, as a fraction of the diagonal of the person's box; None where
        the take has no measurement of the person.
    """
    rows = person_rows(take, frame)
    rows = rows[(take.person[rows] == person) & ~take.predicted[rows]]
    if not len(rows):
        return None
    stored = np.asarray(take.joints_2d[rows[0]], dtype=np.float64)
    diagonal = float(np.hypot(*np.ptp(stored, axis=0)))
    distance = float(np.linalg.norm(stored - joints_2d, axis=1).mean())
    return distance / max(diagonal, 1.0)


def person_for_box(take: Take, frame: int, box: Array) -> int:
    """Return the number of the person that a box (4,) drawn in a frame stands for.

    That is the person whose joints' box overlaps it most. Without an overlap it is a person who is
    missing in this frame, the one seen nearest in time; otherwise a new person.
    """
    rows = person_rows(take, frame)
    best, largest_overlap = -1, 0.0
    for row in rows[~take.predicted[rows]]:
        other = np.asarray(take.box[row], dtype=np.float64)
        size = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
        overlap = float(np.prod(np.maximum(size, 0)))
        if overlap > largest_overlap:
            best, largest_overlap = int(take.person[row]), overlap
    if best >= 0:
        return best
    missing = ~take.predicted & ~np.isin(take.person, take.person[rows[~take.predicted[rows]]])
    if missing.any():
        distance = np.abs(take.frame[missing] - frame)
        return int(take.person[missing][np.argmin(distance)])
    return int(take.person.max()) + 1 if len(take.person) else 1


def select_rows(take: Take, rows: npt.NDArray[np.int64]) -> Take:
    """Return the take with only the given rows, in the given order."""
    return replace(take, **{name: getattr(take, name)[rows] for name in ROW_NAMES})


def _in_range(take: Take, person: int, first: int, last: int) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = (
        (take.person == person) & (take.frame >= first) & (take.frame <= last)
    )
    return mask


def _in_span(take: Take, first: int, last: int, person: int | None) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = (take.frame >= first) & (take.frame <= last)
    return mask if person is None else mask & (take.person == person)


def _markers(take: Take) -> dict[int, str]:
    return dict(zip(take.marker_frame, take.marker_name, strict=True))


def _with_markers(take: Take, markers: dict[int, str]) -> Take:
    ordered = sorted(markers.items())
    return replace(
        take,
        marker_frame=tuple(frame for frame, _ in ordered),
        marker_name=tuple(name for _, name in ordered),
    )

"""Measuring a part of a take again, from a box that a person drew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pymaf_live.errors import InputError, Interrupted
from pymaf_live.pipeline.estimator import EstimatorFactory
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.takes.editing import disagreement, trim_of, with_rows
from pymaf_live.takes.playback import camera_at
from pymaf_live.takes.rows import row_type, rows_of
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Frame, Person, SourceFacts
from pymaf_live.workflows.finalize_take import in_frame_size

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.workflows.finalize_take import TakePictures

AGREES = 0.04
"""Mean distance of the joints, as a part of the person's diagonal, at which two tracks are one.

What was measured from given boxes and while following differs by 0.005 to 0.013 in the demo.
"""
AGREEING_FRAMES = 3
"""In a row, after which the rest is left as it is."""
_LOST_SCORE = 0.2
"""Below this nobody is in the box any more."""
_LEAST_SIDE = 8.0
"""Pixels of a box that is drawn."""


@dataclass(frozen=True)
class BoxCorrection:
    """A box that a person drew."""

    frame: int
    person: int
    box: Array
    """(4,) x0, y0, x1, y1 frame pixels."""


@dataclass(frozen=True)
class Corrected:
    """What a correction made of a take."""

    raw: Take
    """As measured, with the new rows."""
    first: int
    last: int
    """Frames measured again, both included."""


def measure_again(
    raw: Take,
    body: Body,
    pictures: TakePictures,
    correction: BoxCorrection,
    others: Sequence[tuple[int, int]],
    open_estimator: EstimatorFactory,
    options: PipelineOptions,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> Corrected:
    """Measure a person from a box on, until the track agrees with what is there again.

    The box holds for its own frame; each further one's is where the person was in the frame before.
    It ends before the person's next correction, when the track is lost, and at the end of the trim.

    Parameters
    ----------
    raw : Take
        As measured.
    body : Body
    pictures : TakePictures
        Of the take's source, or their small copy. From the copy the demo's joints come out as well
        as from the film (PA 34.5 for 34.0 mm with `lite`, 31.0 for 30.8 with `full`), and as near
        to the track that was there (median .010 and .009 of the person's diagonal either way).
    correction : BoxCorrection
    others : sequence of (frame, person)
        The take's other corrections.
    open_estimator : callable
        As `pipeline.open_estimator`; called here.
    options : PipelineOptions
        Its boxes and smoothing are set here.
    progress : callable
        Is told which part of the most frames is done.
    cancelled : callable
        Whether to give up.

    Raises
    ------
    InputError
        If the box is not in the picture or nobody is in it, or a picture is missing.
    Interrupted
        If it was cancelled.
    """
    width, height = raw.frame_size
    start, person = correction.frame, correction.person
    limit = _limit(raw, correction, others)
    box: Array = np.clip(correction.box, 0, [width, height, width, height]).astype(np.float64)
    if (box[2:] - box[:2] < _LEAST_SIDE).any():
        raise InputError("the box is too small or outside the picture")
    boxes: dict[str, Array] = {}
    estimator = open_estimator(
        _facts(raw), replace(options, boxes=boxes, smoothing="off", people=1)
    )
    measured: list[tuple[int, Person]] = []
    agreeing = 0
    try:
        for frame in range(start, limit + 1):
            if cancelled():
                raise Interrupted("the correction was cancelled; nothing was changed")
            image = pictures.picture(frame)
            if image is None:
                raise InputError(f"the picture of frame {frame} is missing in {raw.source}")
            # read by the estimator at this very frame
            boxes.clear()
            boxes[str(frame)] = box[None]
            image = in_frame_size(image, camera_at(raw, frame).size)
            result = estimator.estimate(Frame(frame, float(raw.frame_time[frame]), image))
            found = result.raw[0] if result.raw else None
            if found is None or found.score < _LOST_SCORE:
                break
            measured.append((frame, replace(found, id=person)))
            apart = disagreement(raw, person, frame, found.joints_2d)
            # the box's own frame is taken by a person's word
            near = apart is not None and apart < AGREES and frame > start
            agreeing = agreeing + 1 if near else 0
            progress((frame - start + 1) / (limit - start + 1))
            if agreeing >= AGREEING_FRAMES:
                break
            following = _next_box(found, (width, height))
            if following is None:
                break
            box = following
    finally:
        estimator.close()
    if not measured:
        raise InputError("nobody was found in the box; draw it around the whole body")
    if agreeing >= AGREEING_FRAMES:
        measured = measured[:-AGREEING_FRAMES]
    last = measured[-1][0]
    new = _take_of(raw, body, measured)
    return Corrected(with_rows(raw, person, start, last, new), start, last)


def _limit(raw: Take, correction: BoxCorrection, others: Sequence[tuple[int, int]]) -> int:
    later = [
        frame
        for frame, person in others
        if person == correction.person and frame > correction.frame
    ]
    end = trim_of(raw)[1]
    return max(correction.frame, min([end, *(frame - 1 for frame in later)]))


def _next_box(person: Person, size: tuple[int, int]) -> Array | None:
    """Where to look in the next frame: the joints' box, with room for head, hands and feet."""
    low, high = person.joints_2d.min(axis=0), person.joints_2d.max(axis=0)
    room = 0.08 * float((high - low).max())
    box = np.clip(np.r_[low - room, high + room], 0, [*size, *size])
    return box if (box[2:] - box[:2] >= _LEAST_SIDE).all() else None


def _facts(raw: Take) -> SourceFacts:
    return SourceFacts(
        "video", raw.source, raw.frame_size, raw.frame_rate, len(raw.frame_time), None, live=False
    )


def _take_of(raw: Take, body: Body, measured: list[tuple[int, Person]]) -> Take:
    kept = row_type(body.joint_count, body.shape_count)
    rows = rows_of(tuple(person for _, person in measured), kept)
    columns: dict[str, Any] = {name: rows[name] for name in kept.names or ()}
    return replace(raw, frame=np.array([frame for frame, _ in measured], dtype=np.int64), **columns)

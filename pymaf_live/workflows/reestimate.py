"""Re-estimate a part of a take from a box that the user drew."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import BodyMismatchError, InputError
from pymaf_live.pipeline.estimator import EstimatorFactory
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.model_selection import body_for_model, most_accurate_model
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.system.reporter import SILENT, Reporter, StepReporter, raise_if_cancelled
from pymaf_live.takes.editing import disagreement, person_for_box, trim_of, with_rows
from pymaf_live.takes.journal import Smoothing
from pymaf_live.takes.library import StoredTake
from pymaf_live.takes.playback import camera_at
from pymaf_live.takes.rows import row_dtype, rows_from_people
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Frame, Person, SourceFacts
from pymaf_live.workflows.recoverable import finished_take
from pymaf_live.workflows.take_images import TakeImages, open_take_images, resized_to_frame

MAX_DISAGREEMENT = 0.04
"""Mean joint distance, as a fraction of the person's diagonal, below which two tracks agree.

Tracks measured from given boxes and while tracking differ by 0.005 to 0.013 in the demo.
"""
AGREEING_FRAMES = 3
"""Consecutive agreeing frames after which the rest of the track is kept."""
_MIN_SCORE = 0.2
"""Score below which the person is lost."""
_MIN_SIDE = 8.0
"""Smallest side of a box, pixels."""
_BOX_MARGIN = 0.08
"""Margin around the joints for head, hands and feet, as a fraction of the larger extent."""


@dataclass(frozen=True)
class ReestimateOptions:
    """Box, person and estimation of a correction."""

    frame: int
    """Frame in which the box was drawn."""
    box: Array
    """(4,) x0, y0, x1, y1 frame pixels."""
    person: int | None = None
    """Number of the person; None: the one that the box covers (`takes.editing.person_for_box`)."""
    pipeline: PipelineOptions = field(default_factory=PipelineOptions)
    """Model and camera; boxes and smoothing are set by the workflow."""
    smoothing_strength: float = 0.5
    """Strength 0..1 of the offline smoothing; 0 keeps the measurements."""
    image_copies: Path | None = None
    """Small copies of a camera's images, used where the source's file is gone."""
    open_estimator: EstimatorFactory = open_estimator


@dataclass(frozen=True)
class ReestimateResult:
    """A take with re-estimated rows."""

    stored: StoredTake
    """The take, its measurement and the list of its corrections."""
    person: int
    first: int
    last: int
    """Re-estimated frames, both included."""


def reestimate(
    stored: StoredTake, options: ReestimateOptions, reporter: Reporter = SILENT
) -> ReestimateResult:
    """Re-estimate one person from a box onwards, until the track agrees with the take again.

    The box applies to its own frame; in each further frame the box follows from the person's
    position in the frame before. The re-estimation ends before the person's next correction, when
    the person is lost, and at the end of the trim. With the small copies of a camera's images the
    demo's joints come out as well as from the video (PA 34.5 for 34.0 mm with `lite`, 31.0 for 30.8
    with `full`), and as near to the existing track (median .010 and .009 of the person's diagonal).

    Parameters
    ----------
    stored : StoredTake
    options : ReestimateOptions
    reporter : Reporter

    Returns
    -------
    ReestimateResult

    Raises
    ------
    BodyMismatchError
        If the model estimates another body than the take's.
    InputError
        If the box is too small or outside the frame, no person is in it, or an image is missing.
    Interrupted
        If the user cancelled; nothing has changed.
    """
    from pymaf_live.body.registry import body_by_hash

    # the trim limits the frames that are re-estimated
    raw = replace(stored.raw, trim=stored.take.trim)
    body = body_by_hash(raw.body_sha256)
    if body_for_model(options.pipeline.model).sha256 != raw.body_sha256:
        raise BodyMismatchError(raw.model)
    images = open_take_images(raw, stored.about.file, options.image_copies)
    if images is None:
        raise InputError("the images of the take are no longer available")
    try:
        found = reestimate_rows(
            raw, images, options, stored.about.corrections, StepReporter(reporter, 0.0, 0.9)
        )
    finally:
        images.close()
    measured = replace(found.raw, trim=None)
    smoothed = finished_take(
        measured,
        _smoothing_of(stored),
        body,
        options.smoothing_strength,
        legs=options.pipeline.legs,
    )
    take = replace(
        smoothed,
        trim=stored.take.trim,
        marker_frame=stored.take.marker_frame,
        marker_name=stored.take.marker_name,
    )
    corrections = tuple(sorted({*stored.about.corrections, (options.frame, found.person)}))
    about = stored.about.model_copy(update={"corrections": corrections})
    reporter.progress(1.0)
    return ReestimateResult(
        StoredTake(about, take, measured), found.person, found.first, found.last
    )


def _smoothing_of(stored: StoredTake) -> Smoothing:
    """Return the smoothing for the corrected take; separate images are never smoothed."""
    raw = stored.raw
    if raw.picture_name or raw.smoothing != "off":
        return "off"
    return "refine" if stored.take.smoothing == "refine" else "offline"


@dataclass(frozen=True)
class ReestimatedRows:
    """A measured take with re-estimated rows."""

    raw: Take
    person: int
    first: int
    last: int
    """Re-estimated frames, both included."""


def reestimate_rows(
    raw: Take,
    images: TakeImages,
    options: ReestimateOptions,
    corrections: tuple[tuple[int, int], ...] = (),
    reporter: Reporter = SILENT,
) -> ReestimatedRows:
    """Re-estimate rows of a measured take; see `reestimate`.

    Parameters
    ----------
    raw : Take
        As measured; its trim is respected.
    images : TakeImages
        Images of the take's source.
    options : ReestimateOptions
    corrections : tuple of (frame, person)
        The other corrections of the take.
    reporter : Reporter

    Raises
    ------
    InputError, Interrupted
        See `reestimate`.
    """
    width, height = raw.frame_size
    start = options.frame
    box = np.clip(options.box, 0, [width, height, width, height]).astype(np.float64)
    if (box[2:] - box[:2] < _MIN_SIDE).any():
        raise InputError("the box is too small or outside the frame")
    person = options.person
    if person is None:
        person = person_for_box(raw, start, options.box)
    limit = _last_frame(raw, start, person, corrections)
    measured, agreed = _measure(raw, images, options, person, box, limit, reporter)
    if not measured:
        raise InputError("no person was found in the box; draw it around the whole body")
    if agreed:
        measured = measured[:-AGREEING_FRAMES]
    last = measured[-1][0]
    return ReestimatedRows(
        with_rows(raw, person, start, last, _take_of(raw, measured)), person, start, last
    )


def _measure(
    raw: Take,
    images: TakeImages,
    options: ReestimateOptions,
    person: int,
    box: Array,
    limit: int,
    reporter: Reporter,
) -> tuple[list[tuple[int, Person]], bool]:
    """Measure from the box on; return the people by frame, and whether the tracks agree at last."""
    start = options.frame
    boxes: dict[str, Array] = {}
    estimator = options.open_estimator(_facts(raw), _pipeline_options(options.pipeline, boxes))
    measured: list[tuple[int, Person]] = []
    agreeing = 0
    try:
        for frame in range(start, limit + 1):
            raise_if_cancelled(reporter, "the correction was cancelled; nothing has changed")
            image = images.image(frame)
            if image is None:
                raise InputError(f"the image of frame {frame} is missing in {raw.source}")
            # the estimator reads the box of the current frame
            boxes.clear()
            boxes[str(frame)] = box[None]
            image = resized_to_frame(image, camera_at(raw, frame).size)
            result = estimator.estimate(Frame(frame, float(raw.frame_time[frame]), image))
            found = result.raw[0] if result.raw else None
            if found is None or found.score < _MIN_SCORE:
                break
            measured.append((frame, replace(found, id=person)))
            difference = disagreement(raw, person, frame, found.joints_2d)
            # the frame of the box counts as wrong: the user corrected it
            agrees = difference is not None and difference < MAX_DISAGREEMENT and frame > start
            agreeing = agreeing + 1 if agrees else 0
            reporter.progress((frame - start + 1) / (limit - start + 1), "re-estimating")
            next_box = _next_box(found, raw.frame_size)
            if agreeing >= AGREEING_FRAMES or next_box is None:
                break
            box = next_box
    finally:
        estimator.close()
    return measured, agreeing >= AGREEING_FRAMES


def _pipeline_options(options: PipelineOptions, boxes: dict[str, Array]) -> PipelineOptions:
    model = most_accurate_model(options.model)
    return replace(options, model=model, boxes=boxes, smoothing="off", people=1)


def _last_frame(
    raw: Take, start: int, person: int, corrections: tuple[tuple[int, int], ...]
) -> int:
    """Return the last frame to re-estimate: before the person's next correction, or the trim's."""
    later = [frame for frame, other in corrections if other == person and frame > start]
    return max(start, min([trim_of(raw)[1], *(frame - 1 for frame in later)]))


def _next_box(person: Person, size: tuple[int, int]) -> Array | None:
    """Return the box (4,) for the next frame; None where the person has left the frame."""
    low, high = person.joints_2d.min(axis=0), person.joints_2d.max(axis=0)
    margin = _BOX_MARGIN * float((high - low).max())
    box = np.clip(np.r_[low - margin, high + margin], 0, [*size, *size])
    return box if (box[2:] - box[:2] >= _MIN_SIDE).all() else None


def _facts(raw: Take) -> SourceFacts:
    return SourceFacts(
        "video", raw.source, raw.frame_size, raw.frame_rate, len(raw.frame_time), None, live=False
    )


def _take_of(raw: Take, measured: list[tuple[int, Person]]) -> Take:
    """Return a take of the measured people alone, with the frame numbers of `raw`."""
    dtype = row_dtype(raw.pose.shape[1], raw.shape.shape[1])
    rows = rows_from_people([person for _, person in measured], dtype)
    columns: dict[str, Any] = {name: rows[name] for name in dtype.names or ()}
    return replace(raw, frame=np.array([frame for frame, _ in measured], dtype=np.int64), **columns)

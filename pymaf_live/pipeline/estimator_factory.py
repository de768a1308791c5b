"""Opens the estimator of a source: chooses and loads model, detector, tracker and smoother."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pymaf_live.pipeline.options import PipelineOptions, max_people
from pymaf_live.pipeline.person_estimator import PersonEstimator
from pymaf_live.pipeline.prefetching_detector import PrefetchingDetector
from pymaf_live.pipeline.threads import run_in_background
from pymaf_live.system.cpu import available_cores
from pymaf_live.types import SourceFacts

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.inference.openvino_requests import BatchPolicy
    from pymaf_live.motion import Smoother
    from pymaf_live.tracking import Detector

_OPEN_TIMEOUT_S = 60.0
_LOOKAHEAD_S, _MAX_LOOKAHEAD = 0.105, 3
"""Maximum age of the result that a crop is computed from, and the maximum number of frames that
crops are known ahead. At 30 frames a second two of them cost no accuracy against one (demo:
62.7 mm; one 62.9, none 61.9); with three or more, and with two at 15 a second, fast jumps begin to
be lost."""


def open_estimator(facts: SourceFacts, options: PipelineOptions) -> PersonEstimator:
    """Load body, model, detector and smoother in parallel and return the estimator.

    Raises
    ------
    ModelError
        If one of them cannot be used.
    """
    from pymaf_live.body.registry import body_by_hash
    from pymaf_live.pipeline.model_selection import select_model
    from pymaf_live.pipeline.precision_selection import fastest_variant

    # before anything else loads: where a model is timed for the selection, nothing may disturb it
    model = select_model(facts, options)
    variant = fastest_variant(model, options)
    images = facts.kind == "images"
    opening_detector = (
        run_in_background("open detector", lambda: _open_detector(facts, options))
        if options.boxes is None
        else None
    )
    opening_smoother = (
        run_in_background("open smoother", lambda: _open_smoother(options))
        if options.smoothing == "live" and not images
        else None
    )
    opened: list[Any] = []
    detector: Detector | None = None
    try:
        from pymaf_live.inference import open_session
        from pymaf_live.tracking import CropRule, PersonTracker, TrackerConfig

        session = open_session(
            model,
            options.backend,
            openvino_variant=variant,
            threads=options.threads,
            cache=options.cache,
            num_streams=_num_streams(facts, options),
            batch_policy=_batch_policy(facts, options),
        )
        opened.append(session)
        body = body_by_hash(session.metadata.body_sha256)
        if opening_detector is not None:
            detector = opening_detector.result(_OPEN_TIMEOUT_S)
            detector = detector if facts.live else PrefetchingDetector(detector)
            opened.append(detector)
        smoother = None
        if opening_smoother is not None:
            smoother = _smoother_for(opening_smoother.result(_OPEN_TIMEOUT_S), body)
        return PersonEstimator(
            body,
            session,
            detector,
            PersonTracker(
                detector,
                session.metadata.input_size,
                TrackerConfig(
                    people=max_people(options, live=facts.live),
                    lookahead_frames=_lookahead_frames(facts),
                ),
                rule=CropRule.parse(session.metadata.crop_rule) or CropRule(),
                scored=session.metadata.scored,
            ),
            smoother,
            fov=options.fov,
            boxes=options.boxes,
            independent_frames=images,
        )
    except BaseException:
        for part in opened:
            part.close()
        if opening_detector is not None and detector is None:
            # a thread that still loads it when the interpreter exits would abort the process
            with suppress(Exception):
                opening_detector.result(_OPEN_TIMEOUT_S).close()
        raise


def _lookahead_frames(facts: SourceFacts) -> int:
    """Return how many frames ahead crops are known.

    None for a live source, whose next frame does not exist yet, and for separate images.
    """
    if facts.live or facts.kind == "images":
        return 0
    rate = float(facts.frame_rate or 0)
    return max(1, min(int(rate * _LOOKAHEAD_S) - 1, _MAX_LOOKAHEAD))


def _num_streams(facts: SourceFacts, options: PipelineOptions) -> int:
    """Return how many inference requests run at once: as many as there is work and are cores."""
    if options.threads == 1:
        return 1
    # for the single person of a live source, one request on all cores has the lowest latency
    useful = max_people(options, live=True) if facts.live else 2
    return max(1, min(useful, available_cores()))


def _batch_policy(facts: SourceFacts, options: PipelineOptions) -> BatchPolicy:
    """Return whether two people share an inference request."""
    if options.boxes is not None:
        return "lazy"
    if max_people(options, live=facts.live) == 1:
        return "single"
    # a live source must not be held up later, and a user who asks for several people expects them
    return "eager" if facts.live else "lazy"


def _open_detector(facts: SourceFacts, options: PipelineOptions) -> Detector:
    from pymaf_live.tracking import open_detector

    return open_detector(
        options.detector,
        people=max_people(options, live=facts.live),
        # in a file, detection runs beside inference, which has the other cores; live, everything
        # waits for it
        threads=0 if facts.live else 1,
        cache=options.cache,
        every_image=facts.kind == "images",
    )


def _open_smoother(options: PipelineOptions) -> Smoother:
    from pymaf_live.body import default_body
    from pymaf_live.motion import Smoother

    return Smoother(default_body(), options.smoothing_strength, options.legs)


def _smoother_for(smoother: Smoother, body: Body) -> Smoother:
    """Return the smoother opened in the background, or a new one if the model has another body."""
    from pymaf_live.body import default_body
    from pymaf_live.motion import Smoother

    if body.sha256 == default_body().sha256:
        return smoother
    return Smoother(body, smoother.strength, smoother.legs)

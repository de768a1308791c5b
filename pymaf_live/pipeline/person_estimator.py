"""Estimator of one frame: detection, tracking, crops, network, body and smoothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pymaf_live.body import Body, PointSet, person_with_points
from pymaf_live.errors import ModelError
from pymaf_live.pipeline.crop_inference import CropEstimate, CropInference, PendingCrop
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.pipeline.level_trace import LevelTracer
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.system.timing import measure_stage
from pymaf_live.tracking.crop import CropRule
from pymaf_live.types import Array, Camera, Frame, FrameResult, LevelTrace, Person

if TYPE_CHECKING:
    from pymaf_live.inference import Session
    from pymaf_live.motion import Smoother
    from pymaf_live.tracking import Detector, PersonTracker, TrackedCrop


class PersonEstimator(FrameEstimator):
    """Detects, tracks and estimates people, frame after frame, in the caller's thread.

    Parameters
    ----------
    body : Body
    session : Session
        Closed with the estimator.
    detector : Detector or None
        The tracker's detector; closed with the estimator. None where boxes are given.
    tracker : PersonTracker
    smoother : Smoother or None
        None leaves the measurements as they are.
    fov : float, optional
        Degrees; see `PipelineOptions`.
    boxes : mapping, optional
        See `PipelineOptions`.
    independent_frames : bool
        Frames are separate images: people are not tracked from one to the next.

    Raises
    ------
    ModelError
        If the model was trained with another body or an unknown crop rule.
    """

    def __init__(
        self,
        body: Body,
        session: Session,
        detector: Detector | None,
        tracker: PersonTracker,
        smoother: Smoother | None,
        *,
        fov: float | None = None,
        boxes: Mapping[str, Array] | None = None,
        independent_frames: bool = False,
    ) -> None:
        require_match(body, session)
        # crops are small: OpenCV's second thread would busy-wait for its part, half a millisecond
        # per frame on a core that inference needs
        cv2.setNumThreads(1)
        self._body = body
        self._session = session
        self._detector = detector
        self._tracker = tracker
        self._smoother = smoother
        self._fov = fov
        self._boxes = boxes
        self._independent_frames = independent_frames
        self._points = PointSet.keypoints(body, "lsp")
        self._camera: Camera | None = None
        self._inference = CropInference(session)
        self._tracer = LevelTracer(body, session.metadata.reads)
        self.backend = session.backend
        self.precision = session.precision
        self.detector = detector.name if detector is not None else ""
        self.model = f"{session.metadata.name} {session.metadata.version}"
        self.notices = self._all_notices()

    @property
    def lookahead_frames(self) -> int:
        """See `FrameEstimator.lookahead_frames`."""
        if self._session.num_streams == 1:
            return 0
        return 1 if self._independent_frames else 1 + self._tracker.config.lookahead_frames

    def prefetch(self, frames: Sequence[Frame]) -> None:
        """Start the detector on the first of later frames in which it will be needed."""
        if self._boxes is not None or self._independent_frames:
            return
        for frame in frames:
            if self._tracker.needs_detection(frame.time):
                self._prefetch_detection(frame)
                return

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        """Estimate the people in a frame.

        Parameters
        ----------
        frame : Frame
            Later than the frame before.
        upcoming : sequence of Frame
            The next frames, where they are known: their inference starts while this frame is
            completed.

        Returns
        -------
        FrameResult
            `milliseconds` has 'detect', 'crop', 'network', 'body' and 'smooth'.
        """
        timings: dict[str, float] = {}
        camera = self._camera_for(frame)
        with measure_stage(timings, "detect"):
            crops = self._track(frame)
        if upcoming and self._independent_frames and self._boxes is None:
            # each image needs a detection of its own, the slowest step of all
            self._prefetch_detection(upcoming[0])
        measured = self._measure_crops(frame, crops, camera, timings)
        accepted, restarted = self._associate(measured)
        if upcoming and self._boxes is None and not self._independent_frames:
            # first of all: inference must not idle while this frame is completed
            self._inference.prefetch(upcoming, self._tracker.predicted_crops(), timings)
        if self._tracker.notice and self._tracker.notice not in self.notices:
            self.notices = self._all_notices()
        raw = tuple(each.person for each in accepted)
        people = raw
        if self._smoother is not None:
            with measure_stage(timings, "smooth"):
                if self._tracker.starts_shot:
                    self._smoother.reset()
                people = self._smoother.update(frame.time, people, camera, restarted=restarted)
        return FrameResult(frame, people, raw, camera, timings, self._traces(accepted, camera))

    def adjust(self, options: PipelineOptions) -> None:
        """Apply smoothing mode, strength, legs and field of view between two frames.

        Must be called in the thread that runs `estimate`. Smoothing that was off may be turned on.
        """
        if self._fov != options.fov:
            self._fov, self._camera = options.fov, None
            if self._smoother is not None:
                self._smoother.reset()  # the depth of everybody has changed
        strength = options.smoothing_strength if options.smoothing == "live" else 0.0
        if self._smoother is not None:
            self._smoother.strength = strength
        elif strength > 0 and not self._independent_frames:
            from pymaf_live.motion import Smoother

            self._smoother = Smoother(self._body, strength)
        if self._smoother is not None:
            self._smoother.legs = options.legs

    def close(self) -> None:
        """Close the session and the detector."""
        self._session.close()
        if self._detector is not None:
            self._detector.close()

    def _prefetch_detection(self, frame: Frame) -> None:
        if self._detector is not None:
            self._detector.prefetch(frame.image)

    def _camera_for(self, frame: Frame) -> Camera:
        size = (frame.image.shape[1], frame.image.shape[0])
        if self._camera is None or self._camera.size != size:
            self._camera = Camera.for_frame(size, self._fov)
        return self._camera

    def _track(self, frame: Frame) -> list[TrackedCrop]:
        if self._independent_frames:
            self._tracker.reset()
        if self._boxes is None:
            return self._tracker.begin_frame(frame)
        boxes = self._boxes.get(frame.name) if frame.name else None
        if boxes is None:
            boxes = self._boxes.get(str(frame.index))
        # a frame without boxes has no people
        return self._tracker.begin_frame(frame, np.zeros((0, 4)) if boxes is None else boxes)

    def _measure_crops(
        self,
        frame: Frame,
        crops: Sequence[TrackedCrop],
        camera: Camera,
        timings: dict[str, float],
    ) -> list[_Measurement]:
        """Estimate the person in each crop; a badly placed first crop is refined and repeated."""
        candidates = [candidate for crop in crops for candidate in crop.candidates()]
        pending = self._inference.start(frame, candidates, timings)
        measured = _most_confident(crops, self._measure(candidates, pending, camera, timings))
        refined: dict[int, TrackedCrop] = {}
        for number, measurement in enumerate(measured):
            better = self._tracker.refine_crop(measurement.crop, measurement.keypoints)
            if better is not None:
                refined[number] = better
        again = list(refined.values())
        pending = self._inference.start(frame, again, timings)
        repeated = self._measure(again, pending, camera, timings)
        for number, second in zip(refined, repeated, strict=True):
            if measured[number].should_be_replaced_by(second):
                measured[number] = second
        return measured

    def _associate(self, measured: Sequence[_Measurement]) -> tuple[list[_Measurement], list[int]]:
        """Return the people to show under their own ids, and the ids whose track restarted."""
        from pymaf_live.tracking import TrackObservation

        observations = [
            TrackObservation(each.crop, each.keypoints, each.person.score, each.mean_joint_score)
            for each in measured
        ]
        accepted, restarted = [], []
        for measurement, person_id in zip(
            measured, self._tracker.update(observations), strict=True
        ):
            # crops around user-drawn boxes are always new, the people in them are not
            if measurement.crop.is_new and not measurement.crop.from_user_box:
                restarted.append(measurement.crop.person)
            if person_id is None:
                continue
            if person_id != measurement.person.id:
                restarted.append(person_id)
            accepted.append(measurement.with_id(person_id))
        return accepted, restarted

    def _measure(
        self,
        crops: Sequence[TrackedCrop],
        pending: Sequence[PendingCrop],
        camera: Camera,
        timings: dict[str, float],
    ) -> list[_Measurement]:
        measured = []
        for crop, inference in zip(crops, pending, strict=True):
            estimate = inference.result(timings)
            with measure_stage(timings, "body"):
                person, pixels = person_with_points(
                    self._body,
                    self._points,
                    estimate.levels[-1],
                    estimate.crop,
                    camera,
                    crop.person,
                )
                measured.append(_Measurement(crop, estimate, person, pixels))
        self._update_backend()
        return measured

    def _traces(self, measured: Sequence[_Measurement], camera: Camera) -> tuple[LevelTrace, ...]:
        if not self.inspect:
            return ()
        return tuple(
            self._tracer.trace(each.estimate.levels, each.estimate.crop, camera, each.person.id)
            for each in measured
        )

    def _update_backend(self) -> None:
        if self._session.backend != self.backend:
            # one failed during a run and another took over
            self.backend = self._session.backend
            self.precision = self._session.precision
            self.notices = self._all_notices()

    def _all_notices(self) -> tuple[str, ...]:
        detector = self._detector.notice if self._detector is not None else ""
        notices = (self._session.notice, detector, self._tracker.notice)
        return tuple(notice for notice in notices if notice)


@dataclass(frozen=True)
class _Measurement:
    """Estimate of the person in one crop."""

    crop: TrackedCrop
    estimate: CropEstimate
    person: Person
    keypoints: Array
    """(14, 2) frame pixels, the projected 'lsp' key points."""

    def with_id(self, person_id: int) -> _Measurement:
        """Return the measurement under another id: another person's crop may have shown them."""
        if person_id == self.person.id:
            return self
        return replace(self, person=replace(self.person, id=person_id))

    @property
    def mean_joint_score(self) -> float:
        """Mean score of the joints, 0..1."""
        return float(self.person.joint_score.mean())

    def should_be_replaced_by(self, second: _Measurement) -> bool:
        """Return True if the measurement of the refined crop is to be used instead.

        A user-drawn box is well placed already and the refined crop depends on the first result,
        so either may be wrong; the mean joint score decides.
        """
        if not (self.crop.from_user_box and self.crop.is_upright):
            return True
        return second.mean_joint_score > self.mean_joint_score


def _most_confident(
    crops: Sequence[TrackedCrop], measured: Sequence[_Measurement]
) -> list[_Measurement]:
    """For each person, return the candidate with the highest mean joint score.

    `measured` lists the candidates of each crop one after the other.
    """
    remaining = iter(measured)
    return [
        max(islice(remaining, 1 + len(crop.alternatives)), key=lambda each: each.mean_joint_score)
        for crop in crops
    ]


def require_match(body: Body, session: Session) -> None:
    """Refuse a model that was trained with another body or an unknown crop rule.

    Raises
    ------
    ModelError
    """
    metadata = session.metadata
    if metadata.body_sha256 != body.sha256:
        raise ModelError(
            f"the model {metadata.name} was made for another body file; "
            "use the model and the body that belong together"
        )
    if CropRule.parse(metadata.crop_rule) is None:
        raise ModelError(
            f"the model {metadata.name} wants crops by the rule {metadata.crop_rule!r}, "
            "this program makes trunk-up and upright ones, such as 'trunk-up 1.75'"
        )

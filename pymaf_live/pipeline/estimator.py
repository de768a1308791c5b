"""One frame through finding, cropping, the network and the smoothing, in the caller's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import cv2

from pymaf_live.body import Body, PointSet, person_with_points
from pymaf_live.errors import ModelError
from pymaf_live.pipeline.crop_inference import Begun, Look, Looking
from pymaf_live.pipeline.level_trace import InsideReader
from pymaf_live.system.timing import measure_stage
from pymaf_live.tracking.crop import CropRule
from pymaf_live.types import (
    Array,
    Camera,
    Frame,
    FrameResult,
    Image,
    Inside,
    Person,
)

if TYPE_CHECKING:
    from pymaf_live.inference import Session
    from pymaf_live.motion import Smoother
    from pymaf_live.tracking import Detector, FollowedCrop, Following

PEOPLE_IN_FILES = 4
"""Followed at most in a file where nobody says how many."""


@dataclass(frozen=True)
class PipelineOptions:
    """How frames become people."""

    model: str | Path = "auto"
    """'auto' (the best that keeps up), a shipped model's name such as 'lite', or a path."""
    backend: str = "auto"
    people: int | None = None
    """Followed at most; None: of what is live the one in front, of files up to `PEOPLE_IN_FILES`.
    Boxes given by hand are not limited by it."""
    fov: float | None = None
    """Degrees along the frame's diagonal; None: the focal length is the diagonal."""
    smoothing: Literal["live", "off"] = "live"
    strength: float = 0.5
    """Of the live smoothing, 0..1."""
    boxes: Mapping[str, Array] | None = None
    """(N, 4) frame pixels by picture name or frame index (as text): where people are, instead of
    looking for them. A frame without boxes has nobody."""
    detector: Literal["auto", "mediapipe", "openvino"] = "auto"
    threads: int = 0
    """Of the inference back-end; 0 leaves the choice to it."""
    cache: Path | None = None
    """Folder for compiled models."""


def people_wanted(options: PipelineOptions, *, live: bool) -> int:
    """How many people are followed at most."""
    if options.people is not None:
        return options.people
    return 1 if live else PEOPLE_IN_FILES


class FrameEstimator(Protocol):
    """What the pipeline's inference thread runs: frame in, people out."""

    backend: str
    detector: str
    model: str
    notices: tuple[str, ...]

    def estimate(self, frame: Frame) -> FrameResult:
        """People in a frame; frames come in the order of their times."""

    def close(self) -> None:
        """Let go of models; called in the thread that ran `estimate`."""


@runtime_checkable
class AdjustableEstimator(Protocol):
    """One whose smoothing and camera can change while it runs."""

    def adjust(self, options: PipelineOptions) -> None:
        """Take over strength of the smoothing and field of view."""


@runtime_checkable
class ForesightedEstimator(FrameEstimator, Protocol):
    """One that may begin frames before their turn."""

    @property
    def looks_ahead(self) -> int:
        """How many frames after the one at hand it wants to be told."""

    def foresee(self, waiting: Sequence[Frame]) -> None:
        """Begin what later frames will need, which have been read already."""

    def estimate(self, frame: Frame, coming: Sequence[Frame] = ()) -> FrameResult:
        """People in a frame; `coming` are the ones after it."""


@runtime_checkable
class ForesightedDetector(Protocol):
    """One that may begin with a picture before it is asked for it."""

    def begin(self, image: Image) -> None:
        """Begin, if it is not busy."""


@runtime_checkable
class OpenEstimator(Protocol):
    """One whose way to an estimate can be looked at."""

    look_inside: bool
    """Whether results bring `FrameResult.inside`; may be set between two frames."""


class Estimator:
    """Finds, follows and estimates people, frame after frame.

    Parameters
    ----------
    body : Body
    session : Session
        Closed with the estimator.
    detector : Detector or None
        That of `following`; closed with the estimator. None where boxes are given.
    following : Following
    smoother : Smoother or None
        None leaves the measurements as they are.
    fov : float, optional
        Degrees; see `PipelineOptions`.
    boxes : mapping, optional
        See `PipelineOptions`.
    unrelated : bool
        Frames are separate pictures: nobody is followed from one to the next.

    Raises
    ------
    ModelError
        If the model was made for another body or for crops that the program does not make.
    """

    def __init__(
        self,
        body: Body,
        session: Session,
        detector: Detector | None,
        following: Following,
        smoother: Smoother | None,
        *,
        fov: float | None = None,
        boxes: Mapping[str, Array] | None = None,
        unrelated: bool = False,
    ) -> None:
        require_match(body, session)
        # crops are small: OpenCV's second thread would wait for its part with a core of its own,
        # for half a millisecond a frame, which the network wants
        cv2.setNumThreads(1)
        self._body = body
        self._session = session
        self._detector = detector
        self._following = following
        self._smoother = smoother
        self._wants_smoother = False
        self._fov = fov
        self._boxes = boxes
        self._unrelated = unrelated
        self._points = PointSet.keypoints(body, "lsp")
        self._camera: Camera | None = None
        self._looking = Looking(session)
        self.backend = session.backend
        self.precision: str = getattr(session, "precision", "")
        self.detector = detector.name if detector is not None else ""
        self.model = f"{session.metadata.name} {session.metadata.version}"
        self.look_inside = False
        self._inside = InsideReader(body, session.metadata.reads)
        self.notices = self._all_notices()

    @property
    def looks_ahead(self) -> int:
        """How many of the next frames make `estimate` sooner done where it is told them."""
        if self._session.side_by_side == 1:
            return 0
        return 1 if self._unrelated else 1 + self._following.foresight

    def foresee(self, waiting: Sequence[Frame]) -> None:
        """Have the detector begin with the first of later frames in which it will be asked."""
        if self._boxes is not None or self._unrelated:
            return
        for frame in waiting:
            if self._following.detects_at(frame.time):
                self._find_ahead(frame)
                return

    def _find_ahead(self, frame: Frame) -> None:
        if isinstance(self._detector, ForesightedDetector):
            self._detector.begin(frame.image)

    def estimate(self, frame: Frame, coming: Sequence[Frame] = ()) -> FrameResult:
        """People in a frame.

        Parameters
        ----------
        frame : Frame
            Later than the frame before.
        coming : sequence of Frame
            The next ones, where they are known: they are begun while this one is looked at.

        Returns
        -------
        FrameResult
            `milliseconds` has 'detect', 'crop', 'network', 'body' and 'smooth'.
        """
        spent: dict[str, float] = {}
        camera = self._camera_for(frame)
        with measure_stage(spent, "detect"):
            followed = self._crops(frame)
        if coming and self._unrelated and self._boxes is None:
            # in a picture by itself people are looked for anew, which takes longer than all else
            self._find_ahead(coming[0])
        tried = [size for one in followed for size in one.every_size()]
        looks = self._looking.look(frame, tried, spent)
        measured = _surest(followed, self._measure(tried, looks, camera, spent))
        better: dict[int, FollowedCrop] = {}
        for number, one in enumerate(measured):
            second = self._following.second_look(one.looked, one.keypoints)
            if second is not None:
                better[number] = second
        closer = list(better.values())
        again = self._measure(closer, self._looking.look(frame, closer, spent), camera, spent)
        for number, second_measure in zip(better, again, strict=True):
            if measured[number].gives_way_to(second_measure):
                measured[number] = second_measure
        accepted, fresh = self._settled(measured)
        if coming and self._boxes is None and not self._unrelated:
            # before all else: the network must not wait while this frame is brought to its end
            self._looking.begin_ahead(coming, self._following.planned(), spent)
        if self._following.notice and self._following.notice not in self.notices:
            self.notices = self._all_notices()
        raw = tuple(one.person for one in accepted)
        people = raw
        if self._smoother is not None:
            with measure_stage(spent, "smooth"):
                people = self._smoother.update(frame.time, people, camera, fresh=fresh)
        return FrameResult(frame, people, raw, camera, spent, self._insides(accepted, camera))

    def adjust(self, options: PipelineOptions) -> None:
        """Take over what can change between two frames: smoothing, its strength, field of view.

        In the thread that runs `estimate`. Whoever was not smoothed before is from here on.
        """
        if self._fov != options.fov:
            self._fov, self._camera = options.fov, None
            if self._smoother is not None:
                self._smoother.reset()  # everybody's depth has changed
        strength = options.strength if options.smoothing == "live" else 0.0
        if self._smoother is not None:
            self._smoother.strength = strength
        elif strength > 0 and not self._unrelated:
            from pymaf_live.motion import Smoother

            self._smoother = Smoother(self._body, strength)

    def close(self) -> None:
        """Let go of the session and the detector."""
        self._session.close()
        if self._detector is not None:
            self._detector.close()

    def _camera_for(self, frame: Frame) -> Camera:
        size = (frame.image.shape[1], frame.image.shape[0])
        if self._camera is None or self._camera.size != size:
            self._camera = Camera.for_frame(size, self._fov)
        return self._camera

    def _crops(self, frame: Frame) -> list[FollowedCrop]:
        if self._unrelated:
            self._following.reset()
        if self._boxes is None:
            return self._following.crops(frame)
        boxes = self._boxes.get(frame.name) if frame.name else None
        if boxes is None:
            boxes = self._boxes.get(str(frame.index))
        # the boxes say where people are: a frame without one has nobody
        return [] if boxes is None else self._following.given_boxes(frame, boxes)

    def _settled(self, measured: Sequence[_Measured]) -> tuple[list[_Measured], list[int]]:
        """Whom to show, under their own numbers, and who of them does not go on from before."""
        from pymaf_live.tracking import Seen

        seen = [Seen(one.looked, one.keypoints, one.person.score, one.sureness) for one in measured]
        accepted, fresh = [], []
        for one, number in zip(measured, self._following.settle(seen), strict=True):
            # crops about given boxes are always new, the people in them are not
            if one.looked.new and not one.looked.given:
                fresh.append(one.looked.person)
            if number is None:
                continue
            if number != one.person.id:
                fresh.append(number)
            accepted.append(one.of_person(number))
        return accepted, fresh

    def _measure(
        self,
        followed: Sequence[FollowedCrop],
        looks: Sequence[Begun],
        camera: Camera,
        spent: dict[str, float],
    ) -> list[_Measured]:
        measured = []
        for looked, begun in zip(followed, looks, strict=True):
            look = begun.wait(spent)
            with measure_stage(spent, "body"):
                person, pixels = person_with_points(
                    self._body, self._points, look.levels[-1], look.crop, camera, looked.person
                )
                measured.append(_Measured(looked, look, person, pixels))
        self._note_backend()
        return measured

    def _insides(self, measured: Sequence[_Measured], camera: Camera) -> tuple[Inside, ...]:
        if not self.look_inside:
            return ()
        return tuple(
            self._inside.read(one.look.levels, one.look.crop, camera, one.person.id)
            for one in measured
        )

    def _note_backend(self) -> None:
        if self._session.backend != self.backend:
            # one failed in the middle and another took over
            self.backend = self._session.backend
            self.precision = getattr(self._session, "precision", "")
            self.notices = self._all_notices()

    def _all_notices(self) -> tuple[str, ...]:
        finder = self._detector.notice if self._detector is not None else ""
        told = (self._session.notice, finder, self._following.notice)
        return tuple(notice for notice in told if notice)


@dataclass(frozen=True)
class _Measured:
    """One pass over a followed person."""

    looked: FollowedCrop
    look: Look
    person: Person
    keypoints: Array
    """(14, 2) frame px, the projected 'lsp' key points."""

    def of_person(self, number: int) -> _Measured:
        """The same under another number, for somebody else's crop may have shown the person."""
        if number == self.person.id:
            return self
        return replace(self, person=replace(self.person, id=number))

    @property
    def sureness(self) -> float:
        """Mean score of the joints."""
        return float(self.person.joint_score.mean())

    def gives_way_to(self, second: _Measured) -> bool:
        """Whether a second look is believed instead.

        A box that was given lies well already, and the second crop hangs on what the first pass
        found: both ways err, and the mean score of the joints tells which did.
        """
        if not (self.looked.given and self.looked.turned):
            return True
        return second.sureness > self.sureness


def _surest(followed: Sequence[FollowedCrop], measured: Sequence[_Measured]) -> list[_Measured]:
    """Of the looks at `FollowedCrop.every_size` of each, one after the other, the surest."""
    passes = iter(measured)
    return [
        max(islice(passes, 1 + len(one.others)), key=lambda found: found.sureness)
        for one in followed
    ]


def require_match(body: Body, session: Session) -> None:
    """Refuse a model that was made for another body or for crops that are not made here.

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
    if CropRule.read(metadata.crop_rule) is None:
        raise ModelError(
            f"the model {metadata.name} wants crops by the rule {metadata.crop_rule!r}, "
            "this program makes trunk-up and upright ones, such as 'trunk-up 1.75'"
        )

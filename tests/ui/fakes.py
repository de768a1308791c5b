"""Fake estimators without a model, deliberately slow where the window must not block."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, default_body, pose_joints, project
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.types import Camera, Frame, FrameResult, Person, SourceFacts

UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Root rotation of an upright person facing the camera (camera frame, y down)."""


def standing_person(body: Body, camera: Camera, sideways: float = 0.0) -> Person:
    """Return a person in T-pose, 4 m away and `sideways` metres right of the optical axis."""
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = UPRIGHT
    shape = np.zeros(body.shape_count)
    translation = np.array([sideways, 0.0, 4.0])
    joints = pose_joints(body, rotations, shape, translation)
    joints_2d = project(joints, camera)
    return Person(
        id=2,
        rotations=rotations,
        shape=shape,
        translation=translation,
        joints=joints,
        joints_2d=joints_2d,
        box=np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)],
        score=0.9,
        joint_score=np.full(body.joint_count, 0.8),
    )


class StandingEstimator(FrameEstimator):
    """Returns one standing person per frame after `seconds`, without holding the GIL."""

    backend = "fake"
    detector = "fake"
    model = "fake 0"
    notices: tuple[str, ...] = ()

    def __init__(
        self, seconds: float = 0.0, people: int = 1, stages: Mapping[str, float] | None = None
    ) -> None:
        self._seconds = seconds
        self._people = people
        self._stages = dict(stages or {})

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        time.sleep(self._seconds)
        height, width = frame.image.shape[:2]
        camera = Camera.for_frame((width, height))
        sideways = 0.3 * float(np.sin(frame.time))
        people = (standing_person(default_body(), camera, sideways),)[: self._people]
        return FrameResult(frame, people, people, camera, dict(self._stages))

    def close(self) -> None:
        pass


def opener(
    *,
    opening: float = 0.0,
    each: float = 0.0,
    people: int = 1,
    stages: Mapping[str, float] | None = None,
) -> Callable[[SourceFacts, object], FrameEstimator]:
    """Return a function that opens a fake estimator, which takes `opening` seconds."""

    def open_estimator(facts: SourceFacts, options: object) -> FrameEstimator:
        default_body()
        time.sleep(opening)
        return StandingEstimator(each, people, stages)

    return open_estimator


def write_clip(
    path: Path, frames: int = 30, size: tuple[int, int] = (480, 360), rate: int = 30
) -> Path:
    """Write a video of a bright figure swaying in front of a dark background."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            image = _figure(size, np.sin(index / 8))
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def _figure(size: tuple[int, int], sway: float) -> npt.NDArray[np.uint8]:
    width, height = size
    y, x = np.mgrid[:height, :width]
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 30 + 20 * y // height
    image[..., 1] = 36
    image[..., 2] = 44 + 30 * x // width
    centre = width / 2 + sway * width / 12
    body = (abs(x - centre) < height / 14) & (y > height * 0.2) & (y < height * 0.9)
    arms = (abs(x - centre) < height / 3) & (abs(y - height * 0.32) < height / 40)
    head = (x - centre) ** 2 + (y - height * 0.15) ** 2 < (height / 18) ** 2
    image[body | arms | head] = (220, 205, 190)
    return image

"""Fake estimators without a model, deliberately slow where the window must not block."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, default_body, pose_joints, project
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.sources.sound import SAMPLE_RATE, Samples
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


def write_clip_with_sound(path: Path, frames: int, rate: int = 30) -> Path:
    """Write a .mov whose samples tell their own time: `time_of_sample` reads it."""
    seconds = frames / rate
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(rate))
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.codec_context.gop_size = 10
        sound = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="stereo")
        for index in range(frames):
            image = _figure((320, 240), np.sin(index / 8))
            for packet in video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in video.encode():
            container.mux(packet)
        times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        values = np.rint(32767 * (_QUIET + times / _LOUD_SECONDS)).astype(np.int16)
        for start in range(0, len(values), 1024):
            block = np.repeat(values[start : start + 1024], 2)[None]
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            frame.time_base = Fraction(1, SAMPLE_RATE)
            for packet in sound.encode(frame):
                container.mux(packet)
        for packet in sound.encode():
            container.mux(packet)
    return path


_QUIET, _LOUD_SECONDS = 0.1, 20.0


def time_of_sample(value: float) -> float | None:
    """Return the time in the file of a sample at full volume; None for silence."""
    return (value - _QUIET) * _LOUD_SECONDS if value > _QUIET / 2 else None


class FakeOutput:
    """Sound device that requests samples in real time and records them."""

    latency = 0.06
    _PERIOD = 0.02

    def __init__(self, fill: Callable[[int], Samples]) -> None:
        self.heard: list[tuple[float, float]] = []
        """`time.monotonic()` at which the first sample of a block is heard, and its value."""
        self._fill = fill
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake sound device", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        start, played = time.monotonic(), 0
        while not self._closed.is_set():
            due = round((time.monotonic() - start) * SAMPLE_RATE)
            count = min(max(due - played, 1), SAMPLE_RATE // 10)
            samples = self._fill(count)
            assert samples.shape == (count, 2)
            assert samples.dtype == np.float32
            at = start + played / SAMPLE_RATE + self.latency
            # behind the ramp that keeps a jump from clicking
            inside = min(count - 1, 200)
            self.heard.append((at + inside / SAMPLE_RATE, float(samples[inside, 0])))
            played += count
            self._closed.wait(self._PERIOD)

    def close(self) -> None:
        self._closed.set()
        self._thread.join()


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

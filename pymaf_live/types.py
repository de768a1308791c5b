"""Types that cross package boundaries: frozen dataclasses of NumPy arrays.

Frames of reference: the *frame* is the upright image in pixels, x right, y down, pixel centres at
integers. The *crop* is the square, rotated cut-out that the network sees. The *camera frame* is
OpenCV's: metres, x right, y down, z forward. The body's own frame is y up, facing +z.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Image = npt.NDArray[np.uint8]
"""(H, W, 3) RGB, unless stated otherwise."""
Mask = npt.NDArray[np.bool_]
BodyStyle = Literal["clothed", "plain", "grey", "wireframe", "skeleton", "confidence"]
"""Appearance of people: in clothes with a shirt in the person's colour; all in the person's colour;
grey; edges only; bones and joints only; coloured by the confidence of the nearest joints."""
Legs = Literal["auto", "standing", "seated", "measured"]
"""Pose of legs that are not seen: standing or seated by the measured thighs, or one of the two, or
as the network invents them."""
StreamProtocol = Literal["vmc", "vrchat", "live_link", "web"]
"""Protocols of live streams; see `streaming.protocols`."""

LONGEST_PAUSE = 10.0
"""Seconds between two frames; longer ones are taken for a fault of the time stamps, or for a camera
that was away, and are closed up where frames are played at a constant rate."""


@dataclass(frozen=True)
class SourceFacts:
    """Properties of a source, known before its first frame is read."""

    kind: Literal["video", "images", "camera", "stream"]
    name: str
    size: tuple[int, int] | None
    """Width, height of the upright frames in pixels; None if they differ or are not known yet."""
    frame_rate: Fraction | None
    """Nominal frames per second as a rational (30000/1001); None for separate images."""
    frame_count: int | None
    """None if unknown or endless."""
    duration: float | None
    """Seconds; None if unknown or endless."""
    live: bool
    """True if frames arrive in real time and are lost when not read."""
    has_audio: bool = False
    path: Path | None = None
    """File or folder; None for cameras and streams."""


@dataclass(frozen=True)
class Frame:
    """One image of a source."""

    index: int
    time: float
    """Presentation time in seconds, from the source's own time stamps."""
    image: Image
    """(H, W, 3) uint8 RGB, upright, read-only."""
    name: str = ""
    """File name of a separate image; '' otherwise."""
    arrived: float = 0.0
    """time.monotonic() at which the frame left the source, for latency measurements."""
    file_time: float | None = None
    """Seconds in the file, where `time` continues over repetitions of the file; None if both are
    the same."""


@dataclass(frozen=True)
class Detection:
    """Person detected in a frame, or marked by the user with a box."""

    box: Array
    """(4,) x0, y0, x1, y1 in frame pixels."""
    score: float
    """0..1"""
    trunk: Array | None = None
    """(2, 2) mid-hip and mid-shoulder in frame pixels; None if unknown."""
    keypoints: Array | None = None
    """(K, 2) body points in frame pixels; None if the detector has none."""


@dataclass(frozen=True)
class Crop:
    """Square cut-out of a frame: a similarity transform from crop pixels to frame pixels."""

    frame_from_crop: Array
    """(2, 3) rotation with one scale, and shift; applied to (x, y, 1), pixel centres at
    integers."""
    size: int
    """Side in crop pixels."""

    @property
    def scale(self) -> float:
        """Frame pixels per crop pixel."""
        return float(np.hypot(self.frame_from_crop[0, 0], self.frame_from_crop[1, 0]))

    @property
    def side(self) -> float:
        """Side b of the crop in frame pixels."""
        return self.scale * self.size

    @property
    def turn(self) -> float:
        """In-plane rotation in radians: angle of the crop's x axis in the frame (y down)."""
        return float(np.arctan2(self.frame_from_crop[1, 0], self.frame_from_crop[0, 0]))

    @property
    def centre(self) -> Array:
        """(2,) centre of the crop in frame pixels."""
        middle = (self.size - 1) / 2
        centre: Array = self.frame_from_crop @ np.array([middle, middle, 1.0])
        return centre

    def to_frame(self, points: Array) -> Array:
        """Convert crop pixels (..., 2) to frame pixels."""
        return points @ self.frame_from_crop[:, :2].T + self.frame_from_crop[:, 2]

    def to_crop(self, points: Array) -> Array:
        """Convert frame pixels (..., 2) to crop pixels."""
        inverse = np.linalg.inv(self.frame_from_crop[:, :2])
        return (points - self.frame_from_crop[:, 2]) @ inverse.T


@dataclass(frozen=True)
class DenseMap:
    """Dense prediction of body parts on the cells of a crop."""

    part: Ints
    """(H, W) 0 for the background, otherwise the body part from 1."""
    u: Array | None = None
    """(H, W) 0..1, coordinate on the part; None if the network does not predict it."""
    v: Array | None = None
    """(H, W) 0..1, second coordinate."""


@dataclass(frozen=True)
class Estimate:
    """Network output for one crop after one refinement level."""

    rotations: Array
    """(J, 3, 3) relative to the parent; the root's rotates the rest body into the crop's frame."""
    shape: Array
    """(S,) shape coefficients."""
    camera: Array
    """(3,) s, tx, ty: a body point (X, Y) in metres is at s (X + tx), s (Y + ty) in crop units,
    where the crop's outer edges are at -1 and 1, y down."""
    score: float
    """Probability that a person is in the crop, 0..1."""
    joint_score: Array
    """(J,) probability that a joint is within 0.2 torso lengths of the truth in the image, 0..1."""
    dense: DenseMap | None = None
    """Dense prediction of the finest level; None if the model has none."""


@dataclass(frozen=True)
class Camera:
    """Pinhole camera without distortion."""

    focal_length: float
    """Pixels."""
    principal_point: Array
    """(2,) px"""
    size: tuple[int, int]
    """Width, height in pixels."""

    @classmethod
    def for_frame(cls, size: tuple[int, int], fov: float | None = None) -> Camera:
        """Create the camera of a frame, with the diagonal as focal length or a field of view.

        Parameters
        ----------
        size : tuple of int
            Width, height in pixels.
        fov : float, optional
            Field of view along the frame's diagonal, in degrees.
        """
        width, height = size
        diagonal = float(np.hypot(width, height))
        focal = diagonal if fov is None else diagonal / (2 * np.tan(np.radians(fov) / 2))
        return cls(float(focal), np.array([(width - 1) / 2, (height - 1) / 2]), size)


@dataclass(frozen=True)
class Person:
    """One person in one frame, in metres in the camera frame and in frame pixels."""

    id: int
    rotations: Array
    """(J, 3, 3) relative to the parent; the root's rotates the rest body into the camera frame."""
    shape: Array
    """(S,)"""
    translation: Array
    """(3,) m, camera frame, added to the posed body as in SMPL: the root rotates about its
    joint."""
    joints: Array
    """(J, 3) m, camera frame."""
    joints_2d: Array
    """(J, 2) frame pixels, the perspective projection of `joints`."""
    box: Array
    """(4,) x0, y0, x1, y1 frame pixels, bounding box of `joints_2d`."""
    score: float
    """0..1"""
    joint_score: Array
    """(J,) 0..1"""
    predicted: bool = False
    """True if the smoothing extrapolated this frame without a measurement."""


@dataclass(frozen=True)
class LevelTrace:
    """Intermediate results of the network for one person in one frame."""

    person: int
    """Id of the person."""
    crop: Crop
    levels: tuple[Person, ...]
    """The person after each level, coarsest first."""
    sample_points: tuple[Array, ...]
    """(N, 2) frame pixels for each level: where it sampled the image features."""
    dense: DenseMap | None = None


@dataclass(frozen=True)
class FrameResult:
    """Result for one frame after network and smoothing."""

    frame: Frame
    people: tuple[Person, ...]
    raw: tuple[Person, ...] = ()
    """People before smoothing, in the same order."""
    camera: Camera | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Duration of each stage for this frame: 'detect', 'network', 'smooth' and so on."""
    level_traces: tuple[LevelTrace, ...] = ()
    """Traces of the people in `raw`, in that order; only while they are requested."""

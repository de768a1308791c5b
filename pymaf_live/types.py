"""What passes between the rooms: frozen records of NumPy arrays.

Frames of reference: the *frame* is the upright picture in pixels, x right, y down, pixel centres at
integers. The *crop* is the square, turned cut-out that the network sees. The *camera frame* is
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
Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SourceFacts:
    """What is known of a source of frames before the first frame is read."""

    kind: Literal["video", "images", "camera", "stream"]
    name: str
    size: tuple[int, int] | None
    """Width, height of the upright frames in pixels; None where they differ or not yet known."""
    frame_rate: Fraction | None
    """Nominal frames a second as a rational (30000/1001 stays so); None for pictures."""
    frame_count: int | None
    duration: float | None
    """Seconds; None where unknown or endless."""
    live: bool
    has_audio: bool = False
    path: Path | None = None


@dataclass(frozen=True)
class Frame:
    """One picture of a source."""

    index: int
    time: float
    """Presentation time in seconds, from the source's own stamps."""
    image: Image
    """(H, W, 3) uint8 RGB, upright, read-only."""
    name: str = ""
    """File name, for pictures."""
    arrived: float = 0.0
    """time.monotonic() at which the frame left the source; for measuring delay."""
    file_time: float | None = None
    """Seconds in the file, where `time` goes on over its repeats; None where they are the same."""


@dataclass(frozen=True)
class Detection:
    """A person found in a frame, by a detector or given as a box."""

    box: Array
    """(4,) x0, y0, x1, y1 in frame pixels."""
    score: float
    trunk: Array | None = None
    """(2, 2) mid-hip and mid-shoulder in frame pixels; None where the trunk is not known yet."""
    keypoints: Array | None = None
    """(K, 2) body points in frame pixels, as far as the detector gives them."""


@dataclass(frozen=True)
class Crop:
    """A square cut-out of a frame: a similarity transform from crop pixels to frame pixels."""

    frame_from_crop: Array
    """(2, 3): rotation, one scale, shift; applied to (x, y, 1) with pixel centres at integers."""
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
        """In-plane turn in radians: the angle of the crop's x axis in the frame (y down)."""
        return float(np.arctan2(self.frame_from_crop[1, 0], self.frame_from_crop[0, 0]))

    @property
    def centre(self) -> Array:
        """(2,) the crop's centre in frame pixels."""
        middle = (self.size - 1) / 2
        centre: Array = self.frame_from_crop @ np.array([middle, middle, 1.0])
        return centre

    def to_frame(self, points: Array) -> Array:
        """Crop pixels (..., 2) to frame pixels."""
        return points @ self.frame_from_crop[:, :2].T + self.frame_from_crop[:, 2]

    def to_crop(self, points: Array) -> Array:
        """Frame pixels (..., 2) to crop pixels."""
        inverse = np.linalg.inv(self.frame_from_crop[:, :2])
        return (points - self.frame_from_crop[:, 2]) @ inverse.T


@dataclass(frozen=True)
class DenseMap:
    """Which part of the body each cell of a crop shows, as a network says."""

    part: npt.NDArray[np.int64]
    """(H, W) 0 where it sees nobody, otherwise the part from 1 on."""
    u: Array | None = None
    """(H, W) 0..1, the place on that part; None where the network does not say."""
    v: Array | None = None


@dataclass(frozen=True)
class Estimate:
    """What the network says of one crop after one level."""

    rotations: Array
    """(J, 3, 3) relative to the parent; the first turns the rest body into the crop's frame."""
    shape: Array
    """(S,) shape coefficients."""
    camera: Array
    """(3,) s, tx, ty: a body point (X, Y) in metres lies at s (X + tx), s (Y + ty) in crop units,
    in which the crop's outer edges are at -1 and 1, y down."""
    score: float
    """0..1, that a person is in the crop."""
    joint_score: Array
    """(J,) 0..1, that a joint lies within 0.2 torso lengths of the truth in the picture."""
    dense: DenseMap | None = None
    """Of the finest level, where the model has it."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion."""

    focal_length: float
    """Pixels."""
    principal_point: Array
    """(2,) pixels."""
    size: tuple[int, int]
    """Width, height in pixels."""

    @classmethod
    def for_frame(cls, size: tuple[int, int], fov: float | None = None) -> Camera:
        """Camera of a frame: focal length = the diagonal, or from a field of view.

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
    """One person in one frame, in metres before the camera and in the frame's pixels."""

    id: int
    rotations: Array
    """(J, 3, 3) relative to the parent; the root's turns the rest body into the camera frame."""
    shape: Array
    """(S,)"""
    translation: Array
    """(3,) m, camera frame, added to the posed body as in SMPL: the root turns about its joint."""
    joints: Array
    """(J, 3) m, camera frame."""
    joints_2d: Array
    """(J, 2) frame pixels, the perspective projection of `joints`."""
    box: Array
    """(4,) x0, y0, x1, y1 frame pixels, of the projected body's joints."""
    score: float
    joint_score: Array
    """(J,)"""
    predicted: bool = False
    """No measurement in this frame: carried on by the smoothing."""


@dataclass(frozen=True)
class Inside:
    """How the network came to its estimate of one person in one frame."""

    person: int
    crop: Crop
    levels: tuple[Person, ...]
    """The person after each level, coarsest first."""
    read: tuple[Array, ...]
    """(N, 2) frame pixels of each level: where it read the features."""
    dense: DenseMap | None = None


@dataclass(frozen=True)
class FrameResult:
    """All that is known of one frame once it has been through the network and the smoothing."""

    frame: Frame
    people: tuple[Person, ...]
    raw: tuple[Person, ...] = ()
    """The same people before smoothing."""
    camera: Camera | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    """Time of each stage for this frame: 'detect', 'network', 'smooth' and so on."""
    inside: tuple[Inside, ...] = ()
    """Of the people in `raw`, in that order; only while somebody wants to see it."""

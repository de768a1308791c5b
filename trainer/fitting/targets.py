"""Targets of a fit: annotated key points, and a teacher's landmarks with the trust in each.

In the image the annotated joints have priority. The trust in a teacher's landmark is high where its
two predictions agree and where the annotation supports it, limb by limb; depth comes from the
teacher's metric landmarks with the same trust. Without an annotation, landmarks that the teacher
reports as hidden have no weight.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import crop_units_from_pixels
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS, LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Mask
from trainer.body.blazepose_landmarker import SIZE
from trainer.data.base import KEYPOINT_NAMES, PersonDataset
from trainer.data.lspet import torso_length
from trainer.fitting.teacher import TeacherLandmarks

KEYPOINTS = len(KEYPOINT_NAMES)
"""Number of annotated key points, K."""
LIMB_COUNT = 12
"""Number of limb joints, the first key points; neck, head top and face follow."""

TRUNK = [
    LSP_NAMES.index(name) for name in ("right_hip", "left_hip", "right_shoulder", "left_shoulder")
]

# row of the limb joint whose annotation supports each of BlazePose's 33 landmarks: hands by the
# wrist, feet by the ankle; -1, the face, by the trunk
_SUPPORTING_JOINT = (
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 9, 8, 10, 7, 11, 6, 11, 6, 11, 6, 11, 6, 3, 2, 4,
    1, 5, 0, 5, 0, 5, 0,
)  # fmt: skip

_SAME_CROP = 0.02
"""Distance, in crop sides, up to which two crops count as the same; files have 32-bit floats."""
_DISPUTED = 0.4
"""Factor on the trust in a landmark where a second teacher places the joint elsewhere."""
_TYPICAL_TORSO, _MIN_TORSO = SIZE * 0.17, SIZE * 0.08
"""Crop pixels: torso length without an annotation, and minimum torso length."""


@dataclass(frozen=True)
class CropAnnotations:
    """Annotated key points of N people and their crops; K key points."""

    keypoints: Array
    """(N, K, 3) x, y in image pixels and a weight; 0 = unknown."""
    frame_from_crop: Array
    """(N, 2, 3) of their crops of 256 pixels, by the crop rule."""
    agree: Mask | None = None
    """(N, 12) True where a second teacher agrees with the first on a limb joint."""

    def __post_init__(self) -> None:
        """Reject shapes and values that cannot be fitted."""
        count = len(self.keypoints)
        if self.keypoints.shape != (count, KEYPOINTS, 3) or not count:
            raise InputError(
                f"key points have shape {self.keypoints.shape}, not (N, {KEYPOINTS}, 3)"
            )
        if self.agree is not None and self.agree.shape != (count, LIMB_COUNT):
            raise InputError(f"agreement has shape {self.agree.shape}, not (N, {LIMB_COUNT})")
        for array in (self.keypoints, self.frame_from_crop):
            broken = ~np.isfinite(array).reshape(count, -1).all(1)
            if broken.any():
                raise InputError(f"the annotation of row {broken.argmax()} is not finite")

    def __len__(self) -> int:
        """Return N."""
        return len(self.keypoints)

    def crop_keypoints(self) -> Array:
        """Return the key points (N, K, 2) in crop pixels."""
        frame = self.frame_from_crop
        inverse = np.linalg.inv(frame[:, :, :2])
        offset = self.keypoints[:, :, :2] - frame[:, None, :, 2]
        return np.asarray(np.einsum("nab,nkb->nka", inverse, offset))

    def torso_pixels(self) -> Array:
        """Return |right hip - left shoulder| (N,) in crop pixels; NaN where not annotated."""
        return torso_length(self.keypoints) / np.hypot(
            self.frame_from_crop[:, 0, 0], self.frame_from_crop[:, 1, 0]
        )


def crop_annotations(people: PersonDataset) -> CropAnnotations:
    """Return the annotated key points of a data set.

    Raises
    ------
    InputError
        If the set is empty or an annotation is not finite.
    """
    if not len(people):
        raise InputError(f"{people.name} contains no people")
    labels = [people.labels(row) for row in range(len(people))]
    frames = []
    for person in labels:
        frame = person.crop.frame_from_crop.astype(np.float64).copy()
        # the same square in crop pixels of the teacher's size, pixel centres at integers
        ratio = person.crop.size / SIZE
        frame[:, 2] += frame[:, :2] @ np.full(2, (ratio - 1) / 2)
        frame[:, :2] *= ratio
        frames.append(frame)
    return CropAnnotations(np.stack([person.keypoints for person in labels]), np.stack(frames))


@dataclass(frozen=True)
class FitTargets:
    """Targets as tensors, people along the last axis: N people, K key points, L = 33 landmarks."""

    annotated: Tensor
    """(2, K, N) crop units."""
    annotated_weight: Tensor
    """(K, N)"""
    landmarks: Tensor
    """(2, L, N) crop units."""
    landmark_trust: Tensor
    """(L, N) 0..1"""
    world: Tensor
    """(3, L, N) m"""
    depth_trust: Tensor
    """(L, N) 0..1, trust in `world`."""
    network: Tensor
    """(3, 14, N) m: LSP joints of a network's prediction; zeros without one."""
    network_trust: Tensor
    """(14, N) 0..1; 0 without a prediction."""

    def select(self, rows: Tensor) -> FitTargets:
        """Return the targets of some people."""
        return FitTargets(*(getattr(self, field.name)[..., rows] for field in fields(self)))


def build_fit_targets(
    people: CropAnnotations, teacher: TeacherLandmarks, trust_torso: float, trust_spread: float
) -> FitTargets:
    """Return the targets without a network's joints.

    Parameters
    ----------
    people : CropAnnotations
    teacher : TeacherLandmarks
        Of the same people.
    trust_torso : float
        Torso lengths between an annotated joint and the teacher's that halve the limb's trust.
    trust_spread : float
        Metres between the teacher's two predictions that halve the trust.

    Raises
    ------
    InputError
        If the landmarks belong to other people or are not finite.
    """
    _check(people, teacher)
    in_crop = people.crop_keypoints()
    error = np.linalg.norm(
        teacher.points[:, list(BLAZEPOSE_LSP_LIMBS)] - in_crop[:, :LIMB_COUNT], axis=-1
    )
    known = people.keypoints[:, :LIMB_COUNT, 2] > 0
    support = annotation_support(error, known, people.torso_pixels(), trust_torso)
    if people.agree is not None:
        support = np.where(people.agree, support, _DISPUTED * support)
    trust = _landmark_trust(support, known, teacher, trust_spread)
    columns = [
        crop_units_from_pixels(in_crop, SIZE).transpose(2, 1, 0),
        # annotation errors are handled by the robust loss: every joint has the same weight
        people.keypoints[:, :, 2].T,
        crop_units_from_pixels(teacher.points, SIZE).transpose(2, 1, 0),
        trust.T,
        teacher.world.transpose(2, 1, 0),
        trust.T,
        np.zeros((3, len(LSP_NAMES), len(people))),
        np.zeros((len(LSP_NAMES), len(people))),
    ]
    return FitTargets(
        *(torch.tensor(np.ascontiguousarray(c), dtype=torch.float32) for c in columns)
    )


def annotation_support(error: Array, known: Mask, torso: Array, half: float) -> Array:
    """Return the agreement (N, 12) 0..1 of limb joints with the annotation.

    Parameters
    ----------
    error : (N, 12) array
        Distances to the annotation, crop pixels.
    known : (N, 12) bool array
        True for annotated joints; the others get the trunk's agreement.
    torso : (N,) array
        Length in crop pixels, NaN where unknown.
    half : float
        Distance in torso lengths at which the agreement is one half.
    """
    length = np.maximum(np.where(np.isfinite(torso), torso, _TYPICAL_TORSO), _MIN_TORSO)
    support = 1 / (1 + (error / (half * length[:, None])) ** 2)
    trunk = np.where(known, support, 0.5)[:, TRUNK].mean(1)
    return np.asarray(np.where(known, support, trunk[:, None]))


def landmarks_from_limbs(limbs: Tensor) -> Tensor:
    """Return values (33, N) of the landmarks from those of the limb joints (12 or more, N)."""
    trunk = limbs[TRUNK].mean(0)
    return torch.stack([trunk if joint < 0 else limbs[joint] for joint in _SUPPORTING_JOINT])


def _landmark_trust(support: Array, known: Mask, teacher: TeacherLandmarks, spread: float) -> Array:
    """Return the trust (N, 33) in each landmark."""
    agreement = 1 / (1 + (teacher.spread_3d / spread) ** 2)
    trunk = np.where(known, support, np.minimum(support, 0.5))[:, TRUNK].mean(1)
    columns = []
    for landmark, joint in enumerate(_SUPPORTING_JOINT):
        if joint < 0:
            columns.append(trunk)
        else:
            # a joint that is not annotated may be outside the image
            visible = np.where(known[:, joint], 1.0, teacher.visibility[:, landmark])
            columns.append(support[:, joint] * visible)
    # where the trunk is turned the wrong way, the depths of the limbs are wrong too
    return np.asarray(agreement * np.stack(columns, axis=1) * np.sqrt(trunk[:, None]))


def _check(people: CropAnnotations, teacher: TeacherLandmarks) -> None:
    """Raise `InputError` if the landmarks belong to other people or are not finite."""
    if len(teacher.points) != len(people):
        raise InputError(
            f"there are landmarks of {len(teacher.points)} people, the set has {len(people)}"
        )
    for name in ("points", "world", "visibility", "spread_3d"):
        broken = ~np.isfinite(getattr(teacher, name)).reshape(len(people), -1).all(1)
        if broken.any():
            raise InputError(f"the landmarks of row {broken.argmax()} are not finite")
    corners = np.array([[0, 0, 1], [SIZE, SIZE, 1]]).T
    distance = np.abs(teacher.frame_from_crop @ corners - people.frame_from_crop @ corners)
    side = SIZE * np.hypot(people.frame_from_crop[:, 0, 0], people.frame_from_crop[:, 1, 0])
    other = distance.max(axis=(1, 2)) > _SAME_CROP * side
    if other.any():
        raise InputError(f"the landmarks of row {other.argmax()} are of another person's crop")

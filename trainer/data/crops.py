"""Training crops with their labels, cut and augmented on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.body import Body, crop_units_from_pixels
from pymaf_live.inference.preprocess import cut
from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Array, Crop, Image
from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.body.blazepose_landmarker import MIRROR as LANDMARK_MIRROR
from trainer.data.augmentation import Augmentation
from trainer.data.base import KEYPOINT_MIRROR, KEYPOINT_NAMES, PersonDataset, PersonLabels
from trainer.data.crop_augmentation import Framing, augment_framing, image_outline
from trainer.data.crop_views import turn_between
from trainer.data.occlusion import add_occluders, body_mask, paste_person, trunk_mask
from trainer.data.photometric import augment_photometric

OUTLINE_CORNERS = 8
"""Corners of a sample's outline: an image has four, and each of two cuts adds at most one."""
_POINTS = len(KEYPOINT_NAMES)
# a mirror at x = 0 maps a rotation R to _MIRROR R _MIRROR
_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Sample:
    """Crop and its labels, with the fields of `trainer.training.losses.Labels` for one person."""

    image: Image
    keypoints: Array
    keypoint_weight: Array
    joints_3d: Array
    joints_3d_weight: Array
    rotations: Array
    shape: Array
    camera: Array
    joint_trust: Array
    fitted: float
    person: float
    landmarks: Array
    landmark_weight: Array
    outline: Array


class CropDataset:
    """Crops of the people of several data sets, with their labels.

    Parameters
    ----------
    sets : sequence of PersonDataset
        Training sets; any person in them may also appear at the edge of another's crop.
    body : Body
    size : int
        Side of the crops in pixels.
    augmentation : Augmentation, optional
        None = the crops of the labels, unchanged.
    backgrounds : sequence of (H, W, 3) uint8 arrays, optional
        Image regions without people.
    """

    def __init__(
        self,
        sets: Sequence[PersonDataset],
        body: Body,
        size: int,
        augmentation: Augmentation | None,
        backgrounds: Sequence[Image] | None = None,
    ) -> None:
        self.sets, self.body, self.size = sets, body, size
        self.augmentation = augmentation
        self.backgrounds = backgrounds or ()
        # root joint J_0 (3,) of the mean shape, and its derivative by the shape coefficients (3, S)
        regressor, directions = body.joint_regressor[0], body.shape_directions
        self._root_mean = np.asarray(regressor @ body.template).reshape(3)
        moved = regressor @ directions.reshape(len(body.template), -1)
        self._root_moves = np.asarray(moved).reshape(3, -1)

    def sample(self, set_index: int, row: int, random: np.random.Generator) -> Sample:
        """Return the crop of a person, augmented by `random`.

        Raises
        ------
        InputError
            If an image is missing or broken; the message names it.
        """
        options, people = self.augmentation, self.sets[set_index]
        if options is None:
            known = people.labels(row)
            crop = known.crop
            crop = crop_about(crop.centre, crop.side, crop.turn, self.size)
            source = people.image(row)
            framing = Framing(crop, image_outline(source))
            return self._labelled(cut(source, crop), known, framing, 1.0)
        if self.backgrounds and random.random() < options.background:
            return self._background_sample(random, options)
        mirrored = random.random() < options.flip
        known, source = people.labels(row), people.image(row)
        framing = augment_framing(known, source, self.size, random, options)
        image = cut(source, framing.crop)
        points = framing.crop.to_crop(known.keypoints[:, :2])
        if random.random() < options.others:
            image = self._add_other_person(image, known, framing, (set_index, row), random)
        if random.random() < options.occlude:
            image = add_occluders(
                image, points[known.keypoints[:, 2] > 0], random, self.backgrounds
            )
        image = framing.black_outside(augment_photometric(image, random, options))
        sample = self._labelled(image, known, framing, options.truncated_weight)
        return self.mirrored(sample) if mirrored else sample

    def _labelled(
        self, image: Image, known: PersonLabels, framing: Framing, outside_weight: float
    ) -> Sample:
        crop, varied = known.crop, framing.crop
        points = known.keypoints[:, :2]
        turn = turn_between(crop, varied, known.view)
        weight = known.keypoints[:, 2] * np.where(framing.shows(points), 1.0, outside_weight)
        joints_3d = np.zeros((_POINTS, 4)) if known.joints_3d is None else known.joints_3d
        landmarks = np.zeros((LANDMARKS, 3)) if known.landmarks is None else known.landmarks
        joints = self.body.joint_count
        rotations: Array = np.tile(np.eye(3), (joints, 1, 1))
        shape: Array = np.zeros(self.body.shape_count)
        camera: Array = np.array([0.7, 0.0, 0.0])
        trust: Array = np.zeros(joints)
        if known.body is not None:
            shape, trust = known.body.shape, known.body.joint_trust
            rotations = np.array(known.body.rotations, dtype=np.float64)
            rotations[0] = turn @ rotations[0]
            camera = self._camera_in(known.body.camera, self._root(shape), crop, varied)
        return Sample(
            image=image,
            keypoints=crop_units_from_pixels(varied.to_crop(points), varied.size),
            keypoint_weight=weight,
            joints_3d=joints_3d[:, :3] @ turn.T,
            joints_3d_weight=joints_3d[:, 3],
            rotations=rotations,
            shape=shape,
            camera=camera,
            joint_trust=trust,
            fitted=float(known.body is not None),
            person=1.0,
            landmarks=crop_units_from_pixels(varied.to_crop(landmarks[:, :2]), varied.size),
            landmark_weight=landmarks[:, 2]
            * np.where(framing.shows(landmarks[:, :2]), 1.0, outside_weight),
            outline=_outline_in_crop(framing),
        )

    def _camera_in(self, camera: Array, root: Array, crop: Crop, varied: Crop) -> Array:
        """Convert a camera (3,) of `crop` to the crop `varied`; `root` (2,) is the root joint."""
        # a rotation of the body leaves its root joint J_0 in place, so only the shift changes
        scale, shift = float(camera[0]), np.asarray(camera[1:], dtype=np.float64)
        in_image = crop.to_frame(((scale * (root + shift)) + 1) * (crop.size / 2) - 0.5)
        now = crop_units_from_pixels(varied.to_crop(in_image), varied.size)
        scale_now = scale * crop.side / varied.side
        return np.concatenate([[scale_now], now / scale_now - root])

    def _root(self, shape: Array) -> Array:
        """Return x, y (2,) of the root joint of a body shape (S,), m."""
        root: Array = self._root_mean + self._root_moves @ shape
        return root[:2]

    def mirrored(self, sample: Sample) -> Sample:
        """Return the mirror image of a sample, with left and right exchanged."""
        swap, mirror = list(KEYPOINT_MIRROR), self.body.joint_mirror
        # the body is symmetric, so the shape stays
        return Sample(
            image=np.asarray(cv2.flip(sample.image, 1), dtype=np.uint8),
            keypoints=sample.keypoints[swap] * [-1, 1],
            keypoint_weight=sample.keypoint_weight[swap],
            joints_3d=sample.joints_3d[swap] * [-1, 1, 1],
            joints_3d_weight=sample.joints_3d_weight[swap],
            rotations=_MIRROR @ sample.rotations[mirror] @ _MIRROR,
            shape=sample.shape,
            camera=sample.camera * [1, -1, 1],
            joint_trust=sample.joint_trust[mirror],
            fitted=sample.fitted,
            person=sample.person,
            landmarks=sample.landmarks[list(LANDMARK_MIRROR)] * [-1, 1],
            landmark_weight=sample.landmark_weight[list(LANDMARK_MIRROR)],
            # in the opposite order, so that the inside stays on the same hand
            outline=sample.outline[::-1] * [-1, 1],
        )

    def _add_other_person(
        self,
        image: Image,
        known: PersonLabels,
        framing: Framing,
        own: tuple[int, int],
        random: np.random.Generator,
    ) -> Image:
        """Paste the person of another row at the left or right edge, never over the trunk.

        `own` is the set index and row of this crop.
        """
        chosen = int(random.integers(len(self.sets)))
        row = int(random.integers(len(self.sets[chosen])))
        behind, sign = random.random() < 0.6, 1.0 if random.random() < 0.5 else -1.0
        # offset of the other's centre from this crop's, in half sides along the image axes
        offset = np.array([sign * random.uniform(0.45, 1.0), random.normal() * 0.2])
        growth, turn = np.exp(random.normal() * 0.2), np.radians(random.normal() * 10)
        points = framing.crop.to_crop(known.keypoints[:, :2])
        mask = body_mask if behind else trunk_mask
        keep = mask(points, known.keypoints[:, 2] > 0, self.size)
        if keep is None or (chosen, row) == own:
            return image
        other, source = self.sets[chosen].labels(row), self.sets[chosen].image(row)
        side = other.crop.side * framing.crop.side / known.crop.side * growth
        # keep both people as they stand in their own images
        turn += framing.crop.turn
        crop = crop_about(other.crop.centre - offset * (side / 2), side, turn, self.size)
        points = crop.to_crop(other.keypoints[:, :2])
        cover = body_mask(points, other.keypoints[:, 2] > 0, self.size)
        if cover is None:
            return image
        # stay 2 pixels inside the image because of the soft edge
        cover = Framing(crop, image_outline(source, -2.0)).black_outside(cover)
        return paste_person(image, cut(source, crop), cover, keep)

    def _background_sample(self, random: np.random.Generator, options: Augmentation) -> Sample:
        """Return a random crop of a background, with zero weights in the labels."""
        source = self.backgrounds[int(random.integers(len(self.backgrounds)))]
        height, width = source.shape[:2]
        side = float(random.uniform(0.4, 1.2)) * min(height, width)
        centre = random.uniform(0, 1, 2) * [width, height]
        crop = crop_about(centre, side, float(random.uniform(-np.pi, np.pi)), self.size)
        image = cut(source, crop)
        # the same effects as for people, so that their traces do not reveal the class
        if random.random() < options.occlude:
            image = add_occluders(image, np.zeros((0, 2)), random, self.backgrounds)
        image = augment_photometric(image, random, options)
        joints = self.body.joint_count
        return Sample(
            image=Framing(crop, image_outline(source)).black_outside(image),
            keypoints=np.zeros((_POINTS, 2)),
            keypoint_weight=np.zeros(_POINTS),
            joints_3d=np.zeros((_POINTS, 3)),
            joints_3d_weight=np.zeros(_POINTS),
            rotations=np.tile(np.eye(3), (joints, 1, 1)),
            shape=np.zeros(self.body.shape_count),
            camera=np.array([0.7, 0.0, 0.0]),
            joint_trust=np.zeros(joints),
            fitted=0.0,
            person=0.0,
            landmarks=np.zeros((LANDMARKS, 2)),
            landmark_weight=np.zeros(LANDMARKS),
            outline=np.zeros((OUTLINE_CORNERS, 2)),
        )


def _outline_in_crop(framing: Framing) -> Array:
    """Return the corners of the visible region in crop units, the last one repeated."""
    corners = framing.outline
    if not len(corners):
        return np.zeros((OUTLINE_CORNERS, 2))
    corners = np.concatenate([corners, np.tile(corners[-1:], (OUTLINE_CORNERS, 1))])
    pixels = framing.crop.to_crop(corners[:OUTLINE_CORNERS])
    return crop_units_from_pixels(pixels, framing.crop.size)

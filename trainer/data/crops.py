"""Training crops with their labels: cut on the fly, augmented, mirrored; never the same twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.body import Body, crop_units_from_pixels
from pymaf_live.body.rotations import about_z
from pymaf_live.inference.preprocess import cut
from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Array, Crop, Image
from trainer.data.augmentation import Augmentation
from trainer.data.base import KEYPOINT_MIRROR, KEYPOINT_NAMES, PersonDataset, PersonLabels
from trainer.data.crop_augmentation import Framing, augment_framing, image_outline
from trainer.data.occlusion import add_occluders, body_mask, paste_person, trunk_mask
from trainer.data.photometric import augment_photometric

_POINTS = len(KEYPOINT_NAMES)
# what mirroring does to a rotation: it is seen in a mirror at x = 0
_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Sample:
    """A crop and its labels, with the fields of `trainer.training.losses.Labels` for one person."""

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


class CropDataset:
    """Crops of the people of several sets, with their labels.

    Parameters
    ----------
    sets : sequence of PersonDataset
        Of rows to train on: any of them may also stand at the edge of another's crop.
    body : Body
    size : int
        Side of the crops in pixels.
    augmentation : Augmentation, optional
        None = the crops as the sets give them.
    backgrounds : sequence of (H, W, 3) uint8 arrays, optional
        Picture parts without people.
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
        # J_0 (3,) and what a unit of each shape coefficient adds to it (3, S)
        regressor, directions = body.joint_regressor[0], body.shape_directions
        self._root_mean = np.asarray(regressor @ body.template).reshape(3)
        moved = regressor @ directions.reshape(len(body.template), -1)
        self._root_moves = np.asarray(moved).reshape(3, -1)

    def sample(self, set_index: int, row: int, random: np.random.Generator) -> Sample:
        """A crop of a person, varied by `random`.

        Raises
        ------
        InputError
            If a picture is missing or broken; the message names it.
        """
        options, people = self.augmentation, self.sets[set_index]
        if options is None:
            known = people.labels(row)
            crop = known.crop
            crop = crop_about(crop.centre, crop.side, crop.turn, self.size)
            picture = people.image(row)
            framing = Framing(crop, image_outline(picture))
            return self._labelled(cut(picture, crop), known, framing, 1.0)
        if self.backgrounds and random.random() < options.background:
            return self._empty(random, options)
        mirrored = random.random() < options.flip
        known, picture = people.labels(row), people.image(row)
        framing = augment_framing(known, picture, self.size, random, options)
        image = cut(picture, framing.crop)
        points = framing.crop.to_crop(known.keypoints[:, :2])
        if random.random() < options.others:
            image = self._beside_another(image, known, framing, (set_index, row), random)
        if random.random() < options.occlude:
            image = add_occluders(
                image, points[known.keypoints[:, 2] > 0], random, self.backgrounds
            )
        image = framing.black_outside(augment_photometric(image, random, options))
        sample = self._labelled(image, known, framing, options.truncated_weight)
        return self.mirrored(sample) if mirrored else sample

    def _labelled(
        self, image: Image, known: PersonLabels, framing: Framing, unseen: float
    ) -> Sample:
        crop, varied = known.crop, framing.crop
        points = known.keypoints[:, :2]
        turn = about_z(crop.turn - varied.turn)
        weight = known.keypoints[:, 2] * np.where(framing.shows(points), 1.0, unseen)
        joints_3d = np.zeros((_POINTS, 4)) if known.joints_3d is None else known.joints_3d
        joints = self.body.joint_count
        rotations: Array = np.tile(np.eye(3), (joints, 1, 1))
        shape: Array = np.zeros(self.body.shape_count)
        camera: Array = np.array([0.7, 0.0, 0.0])
        trust: Array = np.zeros(joints)
        if known.body is not None:
            shape, trust = known.body.shape, known.body.joint_trust
            rotations = np.array(known.body.rotations, dtype=np.float64)
            rotations[0] = turn @ rotations[0]
            camera = self._moved(known.body.camera, self._root(shape), crop, varied)
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
        )

    def _moved(self, camera: Array, root: Array, crop: Crop, varied: Crop) -> Array:
        """A camera (3,) of one crop in another."""
        # the root's joint J_0 stays where it is under the turn, so the shift takes up what it moved
        scale, shift = float(camera[0]), np.asarray(camera[1:], dtype=np.float64)
        in_picture = crop.to_frame(((scale * (root + shift)) + 1) * (crop.size / 2) - 0.5)
        now = crop_units_from_pixels(varied.to_crop(in_picture), varied.size)
        scale_now = scale * crop.side / varied.side
        return np.concatenate([[scale_now], now / scale_now - root])

    def _root(self, shape: Array) -> Array:
        root: Array = self._root_mean + self._root_moves @ shape
        return root[:2]

    def mirrored(self, sample: Sample) -> Sample:
        """A sample as a mirror shows it, left and right exchanged."""
        swap, mirror = list(KEYPOINT_MIRROR), self.body.joint_mirror
        # the body is its own mirror image, so the shape stays
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
        )

    def _beside_another(
        self,
        image: Image,
        known: PersonLabels,
        framing: Framing,
        place: tuple[int, int],
        random: np.random.Generator,
    ) -> Image:
        """Put another row's person at the left or right edge; never over the trunk."""
        chosen = int(random.integers(len(self.sets)))
        row = int(random.integers(len(self.sets[chosen])))
        behind, way = random.random() < 0.6, 1.0 if random.random() < 0.5 else -1.0
        # where the other's middle lies from this crop's, in half sides along the picture's axes
        at = np.array([way * random.uniform(0.45, 1.0), random.normal() * 0.2])
        grown, turn = np.exp(random.normal() * 0.2), np.radians(random.normal() * 10)
        here = framing.crop.to_crop(known.keypoints[:, :2])
        mask = body_mask if behind else trunk_mask
        keep = mask(here, known.keypoints[:, 2] > 0, self.size)
        if keep is None or (chosen, row) == place:
            return image
        other, picture = self.sets[chosen].labels(row), self.sets[chosen].image(row)
        side = other.crop.side * framing.crop.side / known.crop.side * grown
        # both stand as they do in their own pictures, upright where those are
        turn += framing.crop.turn
        crop = crop_about(other.crop.centre - at * (side / 2), side, turn, self.size)
        points = crop.to_crop(other.keypoints[:, :2])
        cover = body_mask(points, other.keypoints[:, 2] > 0, self.size)
        if cover is None:
            return image
        # not to the very end of its picture, for the soft edge
        cover = Framing(crop, image_outline(picture, -2.0)).black_outside(cover)
        return paste_person(image, cut(picture, crop), cover, keep)

    def _empty(self, random: np.random.Generator, options: Augmentation) -> Sample:
        """A crop without a person: a part of a picture that holds none."""
        picture = self.backgrounds[int(random.integers(len(self.backgrounds)))]
        height, width = picture.shape[:2]
        side = float(random.uniform(0.4, 1.2)) * min(height, width)
        centre = random.uniform(0, 1, 2) * [width, height]
        crop = crop_about(centre, side, float(random.uniform(-np.pi, np.pi)), self.size)
        image = cut(picture, crop)
        # all that people's crops go through, lest its traces tell people from none
        if random.random() < options.occlude:
            image = add_occluders(image, np.zeros((0, 2)), random, self.backgrounds)
        image = augment_photometric(image, random, options)
        joints = self.body.joint_count
        return Sample(
            image=Framing(crop, image_outline(picture)).black_outside(image),
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
        )

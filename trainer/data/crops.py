"""Training crops with their labels: cut on the fly, augmented, mirrored; never the same twice."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from pymaf_live.body import Body, crop_units_from_pixels
from pymaf_live.body.rotations import about_z
from pymaf_live.network.preprocess import cut
from pymaf_live.people.crop import crop_about
from pymaf_live.types import Array, Crop, Image
from trainer.data.lspet import JointSet, Pictures, annotated_crop
from trainer.data.people import KEYPOINT_MIRROR, KEYPOINT_NAMES
from trainer.fit import Fits


class Augmentation(BaseModel):
    """How crops are varied; amounts are standard deviations unless said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn: float = 10.0
    """Degrees, clipped at three deviations."""
    scale: float = 0.1
    """Relative, log-normal, clipped at 0.7..1.4."""
    shift: float = 0.04
    """Of the crop's side."""
    flip: float = 0.5
    """Probability."""
    colour: float = 0.25
    """Channels are multiplied by 1 - colour .. 1 + colour."""
    blur: float = 0.15
    """Probability of a blur of up to 2 pixels."""
    occlude: float = 0.15
    """Probability of a grey rectangle over a part of the person."""
    background: float = 0.06
    """Share of crops without a person."""


@dataclass(frozen=True)
class Sample:
    """A crop and its labels; fields as in `trainer.losses.Labels`, without the batch axis."""

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


class FittedCrops:
    """Crops of a joint set with fits, one a person.

    Parameters
    ----------
    joint_set, fits
        N persons and their fits.
    body : Body
    size : int
        Side of the crops in pixels.
    augmentation : Augmentation, optional
        None = the annotated crop as it is.
    backgrounds : sequence of (H, W, 3) uint8 arrays
        Picture parts without people.
    """

    def __init__(
        self,
        joint_set: JointSet,
        fits: Fits,
        body: Body,
        size: int,
        augmentation: Augmentation | None,
        backgrounds: list[Image] | None = None,
    ) -> None:
        self.joint_set, self.fits, self.body, self.size = joint_set, fits, body, size
        self.augmentation = augmentation
        self.backgrounds = backgrounds or []
        self._pictures = Pictures(joint_set)
        # what mirroring does to a rotation: it is seen in a mirror at x = 0
        self._mirror = np.diag([-1.0, 1.0, 1.0])

    def sample(self, row: int, random: np.random.Generator) -> Sample:
        """A crop of a person, varied by `random`."""
        options = self.augmentation
        picture = self._pictures[row]
        crop = annotated_crop(self.joint_set.joints[row], self.size)
        if options is None:
            return self._labelled(cut(picture, crop), row, crop, crop)
        if self.backgrounds and random.random() < options.background:
            return self._empty(random)
        varied = self._varied(crop, random, options)
        image = _disturbed(cut(picture, varied), random, options)
        sample = self._labelled(image, row, crop, varied)
        return self._mirrored(sample) if random.random() < options.flip else sample

    def _varied(self, crop: Crop, random: np.random.Generator, options: Augmentation) -> Crop:
        turn = np.radians(options.turn) * np.clip(random.normal(), -3, 3)
        scale = float(np.clip(np.exp(random.normal() * options.scale), 0.7, 1.4))
        shift = random.normal(size=2) * options.shift * crop.side
        return crop_about(crop.centre + shift, crop.side * scale, crop.turn + turn, self.size)

    def _labelled(self, image: Image, row: int, crop: Crop, varied: Crop) -> Sample:
        joints = self.joint_set.joints[row]
        fits = self.fits
        keypoints, weight = np.zeros((len(KEYPOINT_NAMES), 2)), np.zeros(len(KEYPOINT_NAMES))
        # LSP's joints come first; nothing is known of the face
        keypoints[: len(joints)] = crop_units_from_pixels(varied.to_crop(joints[:, :2]), self.size)
        weight[: len(joints)] = joints[:, 2] > 0
        turn = about_z(crop.turn - varied.turn)
        rotations = fits.rotations[row].astype(np.float64)
        rotations[0] = turn @ rotations[0]
        # the root's joint J_0 stays where it is under the turn, so the shift takes up what it moved
        root = self._root(fits.shape[row])
        scale, shift = float(fits.camera[row, 0]), fits.camera[row, 1:].astype(np.float64)
        in_picture = crop.to_frame(((scale * (root + shift)) + 1) * (crop.size / 2) - 0.5)
        now = crop_units_from_pixels(varied.to_crop(in_picture), self.size)
        scale_now = scale * crop.side / varied.side
        camera = np.r_[scale_now, now / scale_now - root]
        return Sample(
            image=image,
            keypoints=keypoints,
            keypoint_weight=weight,
            joints_3d=np.zeros((len(keypoints), 3)),
            joints_3d_weight=np.zeros(len(keypoints)),
            rotations=rotations,
            shape=fits.shape[row],
            camera=camera,
            joint_trust=fits.joint_trust[row],
            fitted=float(fits.kept[row]),
            person=1.0,
        )

    def _root(self, shape: Array) -> Array:
        body = self.body
        row = body.joint_regressor[0]
        moved = row @ body.shape_directions.reshape(len(body.template), -1)
        place = row @ body.template + moved.reshape(3, -1) @ shape
        return np.asarray(place).reshape(-1)[:2]

    def _mirrored(self, sample: Sample) -> Sample:
        swap, mirror = list(KEYPOINT_MIRROR), self.body.joint_mirror
        keypoints = sample.keypoints[swap] * [-1, 1]
        rotations = self._mirror @ sample.rotations[mirror] @ self._mirror
        # the body is its own mirror image, so the shape stays
        return Sample(
            image=np.ascontiguousarray(sample.image[:, ::-1]),
            keypoints=keypoints,
            keypoint_weight=sample.keypoint_weight[swap],
            joints_3d=sample.joints_3d[swap] * [-1, 1, 1],
            joints_3d_weight=sample.joints_3d_weight[swap],
            rotations=rotations,
            shape=sample.shape,
            camera=sample.camera * [1, -1, 1],
            joint_trust=sample.joint_trust[mirror],
            fitted=sample.fitted,
            person=1.0,
        )

    def _empty(self, random: np.random.Generator) -> Sample:
        """A crop without a person: a part of a picture that holds none."""
        picture = self.backgrounds[int(random.integers(len(self.backgrounds)))]
        height, width = picture.shape[:2]
        side = float(random.uniform(0.4, 1.2)) * min(height, width)
        centre = random.uniform(0, 1, 2) * [width, height]
        crop = crop_about(centre, side, float(random.uniform(-np.pi, np.pi)), self.size)
        joints = self.body.joint_count
        return Sample(
            image=cut(picture, crop),
            keypoints=np.zeros((len(KEYPOINT_NAMES), 2)),
            keypoint_weight=np.zeros(len(KEYPOINT_NAMES)),
            joints_3d=np.zeros((len(KEYPOINT_NAMES), 3)),
            joints_3d_weight=np.zeros(len(KEYPOINT_NAMES)),
            rotations=np.tile(np.eye(3), (joints, 1, 1)),
            shape=np.zeros(self.body.shape_count),
            camera=np.array([0.7, 0.0, 0.0]),
            joint_trust=np.zeros(joints),
            fitted=0.0,
            person=0.0,
        )


def _disturbed(image: Image, random: np.random.Generator, options: Augmentation) -> Image:
    if random.random() < options.blur:
        sigma = float(random.uniform(0.5, 2.0))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
    if random.random() < options.occlude:
        size = image.shape[0]
        extent = (random.uniform(0.1, 0.3, 2) * size).astype(int)
        low = (random.uniform(0.15, 0.85, 2) * size - extent / 2).astype(int).clip(0)
        image = image.copy()
        image[low[1] : low[1] + extent[1], low[0] : low[0] + extent[0]] = random.integers(0, 256, 3)
    gains = random.uniform(1 - options.colour, 1 + options.colour, 3)
    return np.clip(image * gains, 0, 255).astype(np.uint8)

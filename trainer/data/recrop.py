"""Labels by another crop rule than the data sets', for networks with a rule of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, crop_units_from_pixels, pixels_from_crop_units, rest_joints
from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.tracking.crop import SIDE, CropRule, crop_about, crop_from_points
from pymaf_live.types import Array, Crop, Image
from trainer.data.base import BodyLabel, PersonDataset, PersonLabels
from trainer.data.crop_views import turn_between
from trainer.data.image_check import check_image

_MIN_BOX_JOINTS = 4


class RecroppedDataset:
    """A data set with its labels in the crops of another rule.

    Parameters
    ----------
    people : PersonDataset
        With labels by the default rule.
    rule : CropRule
    body : Body
        Body of the labels.
    """

    def __init__(self, people: PersonDataset, rule: CropRule, body: Body) -> None:
        self.name, self._people, self._rule, self._body = people.name, people, rule, body

    def __len__(self) -> int:
        """Return the number of people."""
        return len(self._people)

    def image(self, row: int) -> Image:
        """Return the image of a row."""
        return self._people.image(row)

    def check_image(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken."""
        check_image(self._people, row)

    def labels(self, row: int) -> PersonLabels:
        """Return the labels of a row in the frame of the rule's crop."""
        known = self._people.labels(row)
        crop = recrop(known, self._rule, known.crop.size)
        turn = turn_between(known.crop, crop, known.view)
        joints = known.joints_3d
        if joints is not None:
            joints = np.column_stack([joints[:, :3] @ turn.T, joints[:, 3]])
        pelvis = None if known.pelvis is None else turn @ known.pelvis
        label = known.body
        if label is not None:
            label = self._turned(label, known.crop, crop, turn)
        return replace(known, crop=crop, joints_3d=joints, pelvis=pelvis, body=label)

    def _turned(self, label: BodyLabel, before: Crop, after: Crop, turn: Array) -> BodyLabel:
        rotations = np.array(label.rotations, dtype=np.float64)
        rotations[0] = turn @ rotations[0]
        # a rotation of the body leaves its root joint in place
        root = rest_joints(self._body, np.asarray(label.shape, dtype=np.float64))[0, :2]
        camera = np.asarray(label.camera, dtype=np.float64)
        flat = camera[0] * (root + camera[1:])
        pixels = before.to_frame(pixels_from_crop_units(flat, before.size))
        units = crop_units_from_pixels(after.to_crop(pixels), after.size)
        scale = camera[0] * before.side / after.side
        return replace(label, rotations=rotations, camera=np.r_[scale, units / scale - root])


def recrop(labels: PersonLabels, rule: CropRule, size: int) -> Crop:
    """Return the crop of a person's labels by a rule.

    The labels' own crop follows the default rule. For an upright rule, a person with fewer than
    `_MIN_BOX_JOINTS` annotated joints has no reliable box: the labels' crop is scaled and turned.
    """
    crop = labels.crop
    if rule == CropRule():
        return crop if crop.size == size else crop_about(crop.centre, crop.side, crop.turn, size)
    joints = labels.keypoints[: len(LSP_NAMES)]
    known = joints[joints[:, 2] > 0, :2]
    if not rule.turned and len(known) >= _MIN_BOX_JOINTS:
        return crop_from_points(known, 0.0, size, rule.side)
    turn = crop.turn if rule.turned else 0.0
    return crop_about(crop.centre, crop.side * rule.side / SIDE, turn, size)

"""A joint set with the bodies fitted to it: LSPET and LSP as learnt from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.types import Image
from trainer.data.annotated import CROP_SIZE, KeypointDataset
from trainer.data.base import KEYPOINT_NAMES, BodyLabel, PersonDataset, PersonLabels
from trainer.data.fits import Fits
from trainer.data.lspet import ImageStore, JointSet, annotated_crop


class FittedDataset:
    """Annotated people and, where the fit is good enough to learn from, their bodies.

    Parameters
    ----------
    joint_set : JointSet
        N people with LSP's 14 joints.
    fits : Fits, optional
        Of these N, in the frames of their annotated crops; none by default.
    name : str

    Raises
    ------
    InputError
        If the set has other joints than LSP's, or the fits are of another set.
    """

    def __init__(self, joint_set: JointSet, fits: Fits | None = None, name: str = "lspet") -> None:
        count, points = joint_set.joints.shape[:2]
        if points != len(LSP_NAMES):
            raise InputError(f"{name} has {points} joints a person, LSP's are {len(LSP_NAMES)}")
        if fits is not None and len(fits.kept) != count:
            raise InputError(f"{name} has {count} people, the fits are of {len(fits.kept)}")
        keypoints = np.zeros((count, len(KEYPOINT_NAMES), 3))
        keypoints[:, :points] = joint_set.joints
        self.name, self.joint_set, self.fits = name, joint_set, fits
        self._people = KeypointDataset(name, keypoints, ImageStore(joint_set).__getitem__)

    def __len__(self) -> int:
        """N."""
        return len(self._people)

    def image(self, row: int) -> Image:
        """(H, W, 3) uint8 RGB. Raises `InputError` that names a missing or broken picture."""
        return self._people.image(row)

    def labels(self, row: int) -> PersonLabels:
        """Key points, and the body where its fit was kept."""
        fits, label = self.fits, None
        if fits is not None and fits.kept[row]:
            label = BodyLabel(
                fits.rotations[row], fits.shape[row], fits.camera[row], fits.joint_trust[row]
            )
        # the very crop in whose frame the bodies were fitted
        crop = annotated_crop(self.joint_set.joints[row], CROP_SIZE)
        return PersonLabels(crop, self._people.keypoints[row], label)


_SAME_CROP = 0.01
"""Pixels that a crop may lie off the one in which a body was fitted."""


class DatasetWithFits:
    """Any set of annotated people with the bodies that were fitted to it.

    Parameters
    ----------
    people : PersonDataset
    fits : Fits
        Of these people, in the frames of their crops.

    Raises
    ------
    InputError
        If the fits are of other people.
    """

    def __init__(self, people: PersonDataset, fits: Fits) -> None:
        if len(fits.kept) != len(people):
            raise InputError(
                f"{people.name} has {len(people)} people, the fits are of {len(fits.kept)}"
            )
        self.name, self._people, self._fits = people.name, people, fits

    def __len__(self) -> int:
        """How many people."""
        return len(self._people)

    def image(self, row: int) -> Image:
        """As the set's."""
        return self._people.image(row)

    def labels(self, row: int) -> PersonLabels:
        """What the set knows, and the body where its fit was kept."""
        known, fits = self._people.labels(row), self._fits
        if np.abs(known.crop.frame_from_crop - fits.frame_from_crop[row]).max() > _SAME_CROP:
            raise InputError(f"the fits are not of {self.name}: person {row} is another one")
        if not fits.kept[row]:
            return known
        body = BodyLabel(
            fits.rotations[row], fits.shape[row], fits.camera[row], fits.joint_trust[row]
        )
        return replace(known, body=body)

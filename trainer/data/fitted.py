"""Data sets with fitted bodies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.types import Image
from trainer.data.annotated import CROP_SIZE, KeypointDataset, keypoint_crop
from trainer.data.base import KEYPOINT_NAMES, BodyLabel, PersonDataset, PersonLabels
from trainer.data.fits import Fits
from trainer.data.image_check import check_image
from trainer.data.lspet import ImageStore, JointSet, annotated_crop
from trainer.data.second_teacher import TeacherLabels


class FittedDataset:
    """LSPET or LSP with the fitted bodies that are good enough to train with.

    Parameters
    ----------
    joint_set : JointSet
        N people with LSP's 14 joints.
    fits : Fits, optional
        Fits of these N people, in the frames of their annotated crops; none by default.
    name : str
    teacher : TeacherLabels, optional
        Replaces the annotated joints, and adds landmarks; the crops stay those of the annotation.

    Raises
    ------
    InputError
        If the set has other joints than LSP's, or the fits belong to another set.
    """

    def __init__(
        self,
        joint_set: JointSet,
        fits: Fits | None = None,
        name: str = "lspet",
        teacher: TeacherLabels | None = None,
    ) -> None:
        count, points = joint_set.joints.shape[:2]
        if points != len(LSP_NAMES):
            raise InputError(f"{name} has {points} joints per person, LSP has {len(LSP_NAMES)}")
        if fits is not None and len(fits.kept) != count:
            raise InputError(f"{name} has {count} people, there are fits of {len(fits.kept)}")
        keypoints = np.zeros((count, len(KEYPOINT_NAMES), 3))
        keypoints[:, :points] = joint_set.joints
        self.name, self.joint_set, self.fits, self.teacher = name, joint_set, fits, teacher
        images = ImageStore(joint_set)
        self._people = KeypointDataset(name, keypoints, images.__getitem__, images.check)

    def __len__(self) -> int:
        """Return N."""
        return len(self._people)

    def image(self, row: int) -> Image:
        """Return (H, W, 3) uint8 RGB; raise `ImageError` naming a missing or broken image."""
        return self._people.image(row)

    def check_image(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken."""
        self._people.check_image(row)

    def labels(self, row: int) -> PersonLabels:
        """Return the key points, and the body if its fit was kept."""
        fits, label = self.fits, None
        if fits is not None and fits.kept[row]:
            label = BodyLabel(
                fits.rotations[row], fits.shape[row], fits.camera[row], fits.joint_trust[row]
            )
        # the crop in whose frame the bodies were fitted
        crop = annotated_crop(self.joint_set.joints[row], CROP_SIZE)
        if self.teacher is None:
            return PersonLabels(crop, self._people.keypoints[row], label)
        teacher = self.teacher
        return PersonLabels(crop, teacher.keypoints[row], label, landmarks=teacher.landmarks[row])


_SAME_CROP = 0.01
"""Pixels; tolerance between a crop and the one in which the body was fitted."""


class DatasetWithFits:
    """Any data set of annotated people with the bodies fitted to it.

    Parameters
    ----------
    people : PersonDataset
    fits : Fits
        Fits of these people, in the frames of their crops.

    Raises
    ------
    InputError
        If the number of fits differs from the number of people.
    """

    def __init__(self, people: PersonDataset, fits: Fits) -> None:
        if len(fits.kept) != len(people):
            raise InputError(
                f"{people.name} has {len(people)} people, there are fits of {len(fits.kept)}"
            )
        self.name, self._people, self._fits = people.name, people, fits

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
        """Return the labels of the set, and the body if its fit was kept.

        Raises
        ------
        InputError
            If the fit belongs to another person.
        """
        known, fits = self._people.labels(row), self._fits
        if np.abs(known.crop.frame_from_crop - fits.frame_from_crop[row]).max() > _SAME_CROP:
            raise InputError(f"the fits do not belong to {self.name}: person {row} differs")
        if not fits.kept[row]:
            return known
        body = BodyLabel(
            fits.rotations[row], fits.shape[row], fits.camera[row], fits.joint_trust[row]
        )
        return replace(known, body=body)


class TaughtDataset:
    """Some people of a set without annotation, with the 2D labels of two teachers.

    Parameters
    ----------
    name : str
    teacher : TeacherLabels
        Of all people.
    read_image : callable
        Row of all people -> (H, W, 3) uint8 RGB.
    rows : sequence of int
        The people of this set.
    """

    def __init__(
        self,
        name: str,
        teacher: TeacherLabels,
        read_image: Callable[[int], Image],
        rows: Sequence[int],
    ) -> None:
        self.name, self._teacher = name, teacher
        self._read_image, self._rows = read_image, list(rows)

    def __len__(self) -> int:
        """Return the number of people."""
        return len(self._rows)

    def image(self, row: int) -> Image:
        """Return (H, W, 3) uint8 RGB; raise `InputError` naming a missing or broken image."""
        return self._read_image(self._rows[row])

    def labels(self, row: int) -> PersonLabels:
        """Return the teachers' points and the crop around them."""
        keypoints = self._teacher.keypoints[self._rows[row]]
        landmarks = self._teacher.landmarks[self._rows[row]]
        return PersonLabels(keypoint_crop(keypoints), keypoints, landmarks=landmarks)

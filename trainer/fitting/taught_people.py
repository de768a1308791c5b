"""Synthetic people with exact truth whose images a real teacher saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from trainer.body.blazepose_landmarker import MIRROR
from trainer.data.base import KEYPOINT_NAMES
from trainer.data.synthetic import OUTSIDE, SyntheticDataset
from trainer.fitting.batched_kinematics import BatchedKinematics, point_rows
from trainer.fitting.lifter_input import observations
from trainer.fitting.lifter_noise import Observations, noisy_keypoints
from trainer.fitting.lifter_poses import (
    POINT_MIRROR,
    POINTS,
    ViewedPeople,
    centre_hips,
    image_unit,
)
from trainer.fitting.targets import crop_annotations
from trainer.fitting.teacher import TeacherLandmarks

_KEYPOINTS = len(KEYPOINT_NAMES)
_ROLL = 0.14
"""Radians."""
_JITTER_2D, _JITTER_3D = 0.025, 0.02
"""Torso lengths; metres."""
_SCALE, _UNKNOWN = 0.06, 0.05
"""Relative spread of the size, and share of people without a teacher."""


@dataclass(frozen=True)
class TaughtPeople:
    """M people, and a real teacher's landmarks of their images; K key points, L landmarks."""

    people: ViewedPeople
    """The image places of the landmarks are not known and zero."""
    landmarks: Tensor
    """(M, L, 3) image places in the people's unit, and the height of the heat map's peak."""
    world: Tensor
    """(M, L, 3) m"""
    outside: Tensor
    """(M, K) bool: True where a key point is outside the image."""

    def draw(self, count: int, random: torch.Generator) -> tuple[ViewedPeople, Observations]:
        """Draw people, mirrored at random, their landmarks and a simulated annotation."""
        rows = torch.randint(len(self.world), (count,), generator=random)
        mirrored = torch.rand(count, generator=random) < 0.5

        def drawn(values: Tensor, order: tuple[int, ...]) -> Tensor:
            chosen = values[rows]
            factor = torch.ones(values.shape[-1])
            factor[0] = -1
            return torch.where(mirrored[:, None, None], chosen[:, list(order)] * factor, chosen)

        points, flat = (
            drawn(self.people.points, POINT_MIRROR),
            drawn(self.people.flat, POINT_MIRROR),
        )
        order = torch.tensor(POINT_MIRROR[:_KEYPOINTS])
        outside = torch.where(mirrored[:, None], self.outside[rows][:, order], self.outside[rows])
        landmarks, world = drawn(self.landmarks, MIRROR), drawn(self.world, MIRROR)
        # few people are seen often: rolled and jittered, none looks twice the same
        angle = _ROLL * torch.randn(count, generator=random)
        points, world = (_rolled(values, angle) for values in (points, world))
        flat, landmarks = (_rolled(values, angle) for values in (flat, landmarks))
        shift = _JITTER_2D * torch.randn(count, landmarks.shape[1], 2, generator=random)
        landmarks[..., :2] += shift
        scale = 1 + _SCALE * torch.randn(count, 1, 1, generator=random)
        world = scale * world + _JITTER_3D * torch.randn(world.shape, generator=random)
        known = (torch.rand(count, generator=random) > _UNKNOWN).float()
        keypoints = noisy_keypoints(flat[:, :_KEYPOINTS], outside, random)
        seen = Observations(keypoints, landmarks, world * known[:, None, None], known)
        return ViewedPeople(points, flat), seen


def _rolled(values: Tensor, angle: Tensor) -> Tensor:
    """Return values (B, P, 2 or more), x and y turned in the image plane by angles (B,)."""
    c, s = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    x, y = values[..., 0], values[..., 1]
    turned = torch.stack([c * x - s * y, s * x + c * y], -1)
    return torch.cat([turned, values[..., 2:]], -1)


def taught_people(body: Body, people: SyntheticDataset, teacher: TeacherLandmarks) -> TaughtPeople:
    """Return the people of a synthetic set with a teacher's landmarks of them.

    Raises
    ------
    InputError
        If there are landmarks of another number of people.
    """
    table = people.table
    kinematics = BatchedKinematics(body, point_rows(body))
    rotations = torch.tensor(table.rotations, dtype=torch.float32).permute(2, 3, 1, 0)
    shape = torch.tensor(table.shape, dtype=torch.float32).T
    points = kinematics.pose(rotations.contiguous(), shape.contiguous())[0].permute(2, 1, 0)
    annotated = crop_annotations(people)
    seen = observations(annotated, teacher)
    exact = torch.tensor(annotated.crop_keypoints(), dtype=torch.float32)
    origin, unit = image_unit(exact)
    flat = torch.zeros(len(exact), POINTS, 2)
    flat[:, :_KEYPOINTS] = (exact - origin) / unit
    places = (seen.landmarks[..., :2] - origin) / unit
    return TaughtPeople(
        people=ViewedPeople(centre_hips(points).contiguous(), flat),
        landmarks=torch.cat([places, seen.landmarks[..., 2:]], -1),
        world=seen.world,
        outside=torch.tensor(np.asarray(table.visibility) == OUTSIDE),
    )

"""Observations of annotated people for a lifter."""

from __future__ import annotations

import numpy as np
import torch

from trainer.fitting.lifter_noise import Observations
from trainer.fitting.targets import CropAnnotations
from trainer.fitting.teacher import TeacherLandmarks


def observations(people: CropAnnotations, teacher: TeacherLandmarks) -> Observations:
    """Return the lifter's input of N annotated people and a teacher's landmarks of them.

    People of presence 0 count as not seen by the teacher.
    """
    seen = (teacher.presence > 0).astype(np.float64)
    weight = people.keypoints[:, :, 2:]
    keypoints = np.concatenate([people.crop_keypoints() * (weight > 0), weight], axis=2)
    landmarks = np.concatenate([teacher.points, teacher.heat[..., None]], axis=2)
    world = teacher.world - teacher.world[:, 23:25].mean(1, keepdims=True)
    landmarks *= seen[:, None, None]
    arrays = keypoints, landmarks, world * seen[:, None, None], seen
    return Observations(*(torch.tensor(a, dtype=torch.float32) for a in arrays))

"""Estimates that go into, through and out of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.types import Array
from trainer.network.dense import DensePrediction
from trainer.network.encoder import EncoderOutput

_CROP_MARGIN = 1.75
"""Side of a crop over the extent of the person in it."""


@dataclass(frozen=True)
class InitialEstimate:
    """Mean parameters that every estimate starts from."""

    rotations: Tensor
    """(J, 3, 3) relative to the parent; the root turns the body upright in the crop (y down)."""
    shape: Tensor
    """(S,)"""
    camera: Tensor
    """(3,) s, tx, ty in crop units."""

    @classmethod
    def upright(cls, body: Body) -> InitialEstimate:
        """Return a body at rest that faces the camera, as large as the crop rule makes it."""
        rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
        rotations[0] = np.diag([1.0, -1.0, -1.0])
        # the crop's centre is the middle of the extent
        height = body.template[:, 1]
        # turned about the pelvis at height p, a point at height y lies 2 p - y downwards
        pelvis = float((body.joint_regressor @ body.template)[0, 1])
        middle = 2 * pelvis - (height.max() + height.min()) / 2
        camera = [2 / _CROP_MARGIN / np.ptp(height), 0.0, -middle]
        return cls(
            torch.tensor(rotations, dtype=torch.float32),
            torch.zeros(body.shape_count),
            torch.tensor(camera, dtype=torch.float32),
        )

    @classmethod
    def mean(cls, rotations: Array, shape: Array, camera: Array) -> InitialEstimate:
        """Return the mean of fitted people.

        Parameters
        ----------
        rotations : (N, J, 3, 3) array
            Averaged to the rotation nearest to the mean matrix (the chordal mean).
        shape : (N, S) array
        camera : (N, 3) array
        """
        u, _, vt = np.linalg.svd(rotations.astype(np.float64).mean(axis=0))
        u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        parts = (u @ vt, shape.mean(axis=0), camera.mean(axis=0))
        return cls(*(torch.tensor(part, dtype=torch.float32) for part in parts))


@dataclass(frozen=True)
class LevelEstimate:
    """Estimate of B crops after one level of the feedback loop."""

    rotations: Tensor
    """(B, J, 3, 3) relative to the parent; the root's in the crop's frame."""
    shape: Tensor
    """(B, S)"""
    camera: Tensor
    """(B, 3) s, tx, ty in crop units."""


@dataclass(frozen=True)
class NetworkOutput:
    """Output of the network for B crops."""

    levels: list[LevelEstimate]
    """Coarsest first."""
    score: Tensor
    """(B, 1) logit that a person is in the crop."""
    joint_score: Tensor
    """(B, J) logits that a joint is right."""
    encoded: EncoderOutput
    dense: DensePrediction | None = None
    """Prediction of the auxiliary head, if there is one; while training only, unless it is read."""

"""Pose prior: a mixture of Gaussians over the rotation vectors of all joints.

A single image does not show if a limb points towards the camera or away from it, nor the pose of a
hidden limb. The correlation of the joints (a raised arm lifts the collar, a bent hip goes with a
bent knee) makes one reading likelier; cf. Bogo et al., 'Keep it SMPL' (ECCV 2016). The mixture is
learned from kept fits and from motion capture, both with their mirror images, so that left and
right weigh alike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints
from trainer.data.motion.clips import FREE_FORMATS, read_motions

_COMPONENTS = 8
_ROUNDS = 10
_FLOOR = 0.1
"""Radians: the square is added to the variance in every direction."""
_MAX_SAMPLES = 16_000
_FRAME_RATE = 10.0


class PosePrior:
    """Mixture of C Gaussians over poses of D = 3 (J - 1) numbers, without the root.

    Parameters
    ----------
    weights : (C,) array
    means : (C, D) array
    covariances : (C, D, D) array
    """

    def __init__(self, weights: Array, means: Array, covariances: Array) -> None:
        lower = np.linalg.cholesky(covariances)
        whiten = np.linalg.inv(lower)
        logarithms = np.log(weights) - np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(1)
        # relative to the most likely component, so that the lowest energy is about zero
        self.means = torch.tensor(means, dtype=torch.float32)
        self.whiten = torch.tensor(whiten, dtype=torch.float32)
        self.offsets = torch.tensor(logarithms.max() - logarithms, dtype=torch.float32)

    def energy(self, pose: Tensor) -> Tensor:
        """Return the negative log-likelihood (N,) of rotation vectors (D, N), up to a constant."""
        away = pose[None] - self.means[..., None]
        square = (self.whiten @ away).square().sum(1)
        return -torch.logsumexp(-square / 2 - self.offsets[:, None], dim=0)


def fit_pose_prior(poses: Array, seed: int = 0, components: int = _COMPONENTS) -> PosePrior:
    """Fit a prior by expectation-maximization, initialized by k-means.

    Parameters
    ----------
    poses : (N, J - 1, 3) array
        Radians.
    seed : int
    components : int

    Raises
    ------
    InputError
        If there are too few poses for a mixture, or a pose is not finite.
    """
    samples = poses.reshape(len(poses), -1).astype(np.float64)
    if len(samples) < 10 * components:
        raise InputError(f"{len(samples)} poses are too few for a prior")
    if not np.isfinite(samples).all():
        raise InputError("some poses are not finite")
    random = np.random.default_rng(seed)
    if len(samples) > _MAX_SAMPLES:
        samples = samples[random.permutation(len(samples))[:_MAX_SAMPLES]]
    share: Array = np.eye(components)[_k_means(samples, components, random)]
    # shrunk towards the covariance of all samples: small clusters underestimate the variance
    whole = np.cov(samples.T)
    for _ in range(_ROUNDS):
        weights, means, covariances = _maximize(samples, share, whole)
        share = _responsibilities(samples, weights, means, covariances)
    return PosePrior(weights, means, covariances)


def poses_with_mirrors(body: Body, rotations: Array) -> Array:
    """Return rotation vectors (2 N, J - 1, 3) of rotations (N, J, 3, 3) and their mirror images."""
    pose = axis_angle_from_matrix(rotations)
    # mirroring at x = 0 keeps rotations about x and negates those about y and z
    mirrored = pose[:, body.joint_mirror] * [1.0, -1.0, -1.0]
    return np.concatenate([pose, mirrored])[:, 1:]


def mocap_rotations(body: Body, folder: Path) -> Array:
    """Return rotations (N, J, 3, 3) of all free clips of a folder, at ten frames per second.

    Raises
    ------
    InputError
        If there is no motion or a clip is invalid.
    """
    rotations = []
    for motion in read_motions(folder, FREE_FORMATS, body):
        step = max(1, round(motion.frame_rate / _FRAME_RATE))
        rotations.append(motion.rotations[::step])
    return np.concatenate(rotations)


def _k_means(samples: Array, count: int, random: np.random.Generator) -> Ints:
    """Return the cluster (N,) of each sample (N, D)."""
    centres = samples[random.permutation(len(samples))[:count]]
    nearest = np.zeros(len(samples), dtype=np.int64)
    for _ in range(15):
        square = (centres**2).sum(1) - 2 * samples @ centres.T
        nearest = square.argmin(1)
        for k in range(count):
            if (nearest == k).any():
                centres[k] = samples[nearest == k].mean(0)
    return nearest


def _maximize(samples: Array, share: Array, whole: Array) -> tuple[Array, Array, Array]:
    """Return weights, means and covariances of the components from shares (N, C)."""
    dimensions = samples.shape[1]
    totals = share.sum(0) + 1e-9
    means = (share.T @ samples) / totals[:, None]
    covariances = np.empty((share.shape[1], dimensions, dimensions))
    for k, total in enumerate(totals):
        away = samples - means[k]
        own = (share[:, k, None] * away).T @ away
        covariances[k] = (own + dimensions * whole / 4) / (total + dimensions / 4)
        covariances[k] += _FLOOR**2 * np.eye(dimensions)
    return totals / totals.sum(), means, covariances


def _responsibilities(samples: Array, weights: Array, means: Array, covariances: Array) -> Array:
    """Return the share (N, C) of each component in each sample."""
    logarithms = np.empty((len(samples), len(weights)))
    for k, (weight, mean) in enumerate(zip(weights, means, strict=True)):
        lower = np.linalg.cholesky(covariances[k])
        white = np.linalg.solve(lower, (samples - mean).T)
        logarithms[:, k] = np.log(weight) - np.log(np.diag(lower)).sum() - (white**2).sum(0) / 2
    logarithms -= logarithms.max(1, keepdims=True)
    share: Array = np.exp(logarithms)
    return np.asarray(share / share.sum(1, keepdims=True))

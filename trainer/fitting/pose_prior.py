"""How people hold themselves: a mixture of Gaussians over the rotation vectors of all joints.

A fit cannot tell from a picture alone whether a limb goes towards the camera or away from it, nor
how a limb that is hidden is held. What the joints do together (a raised arm lifts the collar, a
bent hip goes with a bent knee) says which is likelier; cf. Bogo et al., 'Keep it SMPL' (ECCV 2016).
The mixture is learned from fits that were kept and from motion capture, both with their mirror
images, so that left and right weigh alike.
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
"""Radians: no direction is known more narrowly than this."""
_MOST_SAMPLES = 16_000
_FRAMES_A_SECOND = 10.0


class PosePrior:
    """The mixture: D = 3 (J - 1) numbers a pose, the root left out.

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
        # offsets against the likeliest component, so that the energy is about zero at best
        self.means = torch.tensor(means, dtype=torch.float32)
        self.whiten = torch.tensor(whiten, dtype=torch.float32)
        self.offsets = torch.tensor(logarithms.max() - logarithms, dtype=torch.float32)

    def energy(self, pose: Tensor) -> Tensor:
        """Negative log-likelihood (N,) of rotation vectors (D, N), up to a constant."""
        away = pose[None] - self.means[..., None]
        square = (self.whiten @ away).square().sum(1)
        return -torch.logsumexp(-square / 2 - self.offsets[:, None], dim=0)


def learn_prior(poses: Array, seed: int = 0, components: int = _COMPONENTS) -> PosePrior:
    """Expectation-maximisation, from k-means, over rotation vectors.

    Parameters
    ----------
    poses : (N, J - 1, 3) array
        Radians.
    seed : int
    components : int

    Raises
    ------
    InputError
        If there are too few poses for a mixture, or they are not finite.
    """
    samples = poses.reshape(len(poses), -1).astype(np.float64)
    if len(samples) < 10 * components:
        raise InputError(f"{len(samples)} poses are too few for a prior")
    if not np.isfinite(samples).all():
        raise InputError("there are poses that are not finite")
    random = np.random.default_rng(seed)
    if len(samples) > _MOST_SAMPLES:
        samples = samples[random.permutation(len(samples))[:_MOST_SAMPLES]]
    share: Array = np.eye(components)[_clusters(samples, components, random)]
    # shrunk to the whole set's spread: a small cluster must not be sure of what it never saw vary
    whole = np.cov(samples.T)
    for _ in range(_ROUNDS):
        weights, means, covariances = _components(samples, share, whole)
        share = _shares(samples, weights, means, covariances)
    return PosePrior(weights, means, covariances)


def poses_with_mirrors(body: Body, rotations: Array) -> Array:
    """Rotations (N, J, 3, 3) to rotation vectors (2 N, J - 1, 3) with their mirror images."""
    pose = axis_angle_from_matrix(rotations)
    # in a mirror at x = 0 a turn about x stays, those about y and z change sign
    mirrored = pose[:, body.joint_mirror] * [1.0, -1.0, -1.0]
    return np.concatenate([pose, mirrored])[:, 1:]


def mocap_rotations(body: Body, folder: Path) -> Array:
    """Ten frames a second of all free clips of a folder, on our body, (N, J, 3, 3).

    Raises
    ------
    InputError
        If there is no motion or a clip is unsound.
    """
    found = []
    for motion in read_motions(folder, FREE_FORMATS, body):
        step = max(1, round(motion.frame_rate / _FRAMES_A_SECOND))
        found.append(motion.rotations[::step])
    return np.concatenate(found)


def _clusters(samples: Array, count: int, random: np.random.Generator) -> Ints:
    centres = samples[random.permutation(len(samples))[:count]]
    nearest = np.zeros(len(samples), dtype=np.int64)
    for _ in range(15):
        square = (centres**2).sum(1) - 2 * samples @ centres.T
        nearest = square.argmin(1)
        for k in range(count):
            if (nearest == k).any():
                centres[k] = samples[nearest == k].mean(0)
    return nearest


def _components(samples: Array, share: Array, whole: Array) -> tuple[Array, Array, Array]:
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


def _shares(samples: Array, weights: Array, means: Array, covariances: Array) -> Array:
    logarithms = np.empty((len(samples), len(weights)))
    for k, (weight, mean) in enumerate(zip(weights, means, strict=True)):
        lower = np.linalg.cholesky(covariances[k])
        white = np.linalg.solve(lower, (samples - mean).T)
        logarithms[:, k] = np.log(weight) - np.log(np.diag(lower)).sum() - (white**2).sum(0) / 2
    logarithms -= logarithms.max(1, keepdims=True)
    share: Array = np.exp(logarithms)
    return np.asarray(share / share.sum(1, keepdims=True))

"""Simulated observations of a person: annotation, a teacher's landmarks and their errors.

The sizes of the errors follow LSPET's annotation (crowd-sourced, several pixels off, some sides
exchanged) and BlazePose heavy on people with exact truth: depth off by 0.11 m on average, facing
wrong in every seventh image, single limbs mirrored in depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pymaf_live.body.keypoints import LSP_NAMES
from trainer.body.blazepose_landmarker import LANDMARKS, MIRROR
from trainer.data.base import KEYPOINT_MIRROR, KEYPOINT_NAMES
from trainer.fitting.lifter_poses import ViewedPeople

_KEYPOINTS, _LSP = len(KEYPOINT_NAMES), len(LSP_NAMES)
_NECK = LSP_NAMES.index("neck")

_LIMBS = ((13, 15, 17, 19, 21), (14, 16, 18, 20, 22), (25, 27, 29, 31), (26, 28, 30, 32))
"""BlazePose landmarks of each limb beyond its first joint."""
_LIMB_ROOTS = (11, 12, 23, 24)
_LEGS = list(range(23, LANDMARKS))
_LEG_KEYPOINTS = [0, 1, 2, 3, 4, 5]
_ARM_KEYPOINTS = [6, 7, 8, 9, 10, 11]


@dataclass(frozen=True)
class Observations:
    """Input of a lifter; B people, K key points, L landmarks. Image axes: x right, y down."""

    keypoints: Tensor
    """(B, K, 3) x, y in any unit and a weight 0..1; 0 = unknown."""
    landmarks: Tensor
    """(B, L, 3) x, y in the same unit and the height 0..1 of the heat map's peak."""
    world: Tensor
    """(B, L, 3) m, a teacher's landmarks: x right, y down, z away."""
    world_known: Tensor
    """(B,) 1 with a teacher's landmarks, 0 without."""

    def select(self, rows: Tensor) -> Observations:
        """Return the observations of some people."""
        return Observations(
            self.keypoints[rows], self.landmarks[rows], self.world[rows], self.world_known[rows]
        )


def concatenate(parts: list[Observations]) -> Observations:
    """Return the observations of several groups of people as one group."""
    names = ("keypoints", "landmarks", "world", "world_known")
    return Observations(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def observe(people: ViewedPeople, random: torch.Generator) -> Observations:
    """Return what an annotator and a teacher might report of people seen exactly."""
    hidden = _outside(people, random)
    keypoints = noisy_keypoints(people.flat[:, :_KEYPOINTS], hidden[:, :_KEYPOINTS], random)
    spatial = people.points[:, _KEYPOINTS:]
    flat = people.flat[:, _KEYPOINTS:]
    flat, spatial = _exchange_sides(flat, spatial, random)
    out = hidden[:, _KEYPOINTS:]
    flat = _noisy_landmarks(flat, out, random)
    world = _noisy_world(spatial, random)
    count = len(flat)
    error = (flat - people.flat[:, _KEYPOINTS:]).norm(dim=-1)
    doubt = 3 * error + 1.5 * out + 0.7 * _normal(random, count, 1)
    confidence = torch.sigmoid(1.2 - doubt + 0.6 * _normal(random, count, LANDMARKS))
    known = (_uniform(random, count) > 0.08).float()
    landmarks = torch.cat([flat, confidence[..., None]], -1)
    return Observations(keypoints, landmarks, world * known[:, None, None], known)


def noisy_keypoints(flat: Tensor, outside: Tensor, random: torch.Generator) -> Tensor:
    """Return annotated key points (B, K, 3) with LSPET's kinds of errors.

    Parameters
    ----------
    flat : (B, K, 2) tensor
        True places in torso lengths.
    outside : (B, K) bool tensor
        True where a point is not in the image and so not annotated.
    random : torch.Generator
    """
    count = len(flat)
    size = torch.exp(torch.log(torch.tensor(0.008)) + 2.4 * _uniform(random, count, 1, 1))
    noisy = flat + size * _normal(random, count, _KEYPOINTS, 2)
    far = _uniform(random, count, _KEYPOINTS, 1) < 0.025 * _uniform(random, count, 1, 1) * 2
    noisy = noisy + far * 0.4 * _normal(random, count, _KEYPOINTS, 2)
    # sides exchanged: of everything, of the legs or of the arms
    kind = _uniform(random, count)
    other = noisy[:, list(KEYPOINT_MIRROR)]
    rows = torch.arange(_KEYPOINTS)
    for low, high, group in (
        (0.0, 0.02, rows.tolist()), (0.02, 0.03, _LEG_KEYPOINTS), (0.03, 0.04, _ARM_KEYPOINTS),
    ):  # fmt: skip
        chosen = ((kind >= low) & (kind < high))[:, None] & torch.isin(rows, torch.tensor(group))
        noisy = torch.where(chosen[..., None], other, noisy)
    share = 0.35 * _uniform(random, count, 1) * (_uniform(random, count, 1) < 0.4)
    known = _uniform(random, count, _KEYPOINTS) > share
    known[:, _NECK] &= _uniform(random, count) > 0.19
    # most sets have no face
    known[:, _LSP:] &= _uniform(random, count, 1) < 0.2
    known &= ~outside
    # some annotated joint is always left
    none = known[:, :_LSP].sum(1) < 4
    known[:, 6:12] |= none[:, None]
    weight = known * torch.where(_uniform(random, count, _KEYPOINTS) < 0.12, 0.5, 1.0)
    return torch.cat([noisy * known[..., None], weight[..., None]], -1)


def _outside(people: ViewedPeople, random: torch.Generator) -> Tensor:
    """Return the points (B, P) beyond an edge of the image; most people are whole."""
    count = len(people.flat)
    cut = _uniform(random, count)
    # torso lengths below the hips; shoulders are at -1
    below = -0.3 + 2.0 * _uniform(random, count, 1)
    lower = people.flat[..., 1] > below
    side = people.flat[..., 0] > 0.5 + _uniform(random, count, 1)
    outside = (lower & (cut < 0.12)[:, None]) | (side & ((cut > 0.12) & (cut < 0.15))[:, None])
    return outside


def _exchange_sides(
    flat: Tensor, spatial: Tensor, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Exchange left and right, and front and back, of some people or of their legs."""
    kind = _uniform(random, len(flat))[:, None, None]
    order = list(MIRROR)
    reverse = spatial.new_tensor([1.0, 1.0, -1.0])
    whole, legs = kind < 0.06, (kind >= 0.06) & (kind < 0.12)
    legs = legs & torch.isin(torch.arange(LANDMARKS), torch.tensor(_LEGS))[:, None]
    spatial = torch.where(whole, spatial[:, order] * reverse, spatial)
    spatial = torch.where(legs, spatial[:, order], spatial)
    return torch.where(whole | legs, flat[:, order], flat), spatial


def _noisy_landmarks(flat: Tensor, outside: Tensor, random: torch.Generator) -> Tensor:
    count = len(flat)
    size = 0.02 + 0.10 * _uniform(random, count, 1, 1) ** 2
    noisy = flat + size * _normal(random, count, LANDMARKS, 2) * (1 + 2 * outside[..., None])
    for root, limb in zip(_LIMB_ROOTS, _LIMBS, strict=True):
        wrong = _uniform(random, count, 1, 1) < 0.10
        # the further from the trunk, the larger the error
        growth = torch.linspace(0.4, 1.0, len(limb))[None, :, None]
        noisy[:, limb] += wrong * growth * 0.5 * _normal(random, count, 1, 2)
        # or the limb is drawn along the trunk
        folded = _uniform(random, count, 1, 1) < 0.03
        noisy[:, limb] = torch.where(
            folded, 0.5 * (noisy[:, limb] + noisy[:, [root]]), noisy[:, limb]
        )
    return noisy


def _noisy_world(spatial: Tensor, random: torch.Generator) -> Tensor:
    count = len(spatial)
    world = spatial.clone()
    for root, limb in zip(_LIMB_ROOTS, _LIMBS, strict=True):
        flipped = _uniform(random, count, 1) < 0.14
        depth = world[:, limb, 2]
        mirrored = 2 * world[:, [root], 2] - depth
        world[:, limb, 2] = torch.where(flipped, mirrored, depth)
        growth = torch.linspace(0.5, 1.0, len(limb))[None, :, None]
        drift = torch.tensor([0.04, 0.04, 0.08]) * _normal(random, count, 1, 3)
        world[:, limb] += growth * drift
    reversed_depth = _uniform(random, count, 1) < 0.08
    flatten = 0.45 + 0.6 * _uniform(random, count, 1)
    world[..., 2] *= torch.where(reversed_depth, -flatten, flatten)
    world = _tilt(world, 0.24 * _normal(random, count), 0.30 * _normal(random, count))
    # some are of another person or of none
    lost = _uniform(random, count, 1, 1) < 0.03
    world = torch.where(lost, world.roll(1, 0), world)
    scale = 0.85 + 0.25 * _uniform(random, count, 1, 1)
    return scale * world + 0.025 * _normal(random, count, LANDMARKS, 3)


def _tilt(world: Tensor, forward: Tensor, sideways: Tensor) -> Tensor:
    """Turn points about x, then y, by angles (B,) in radians."""
    x, y, z = world.unbind(-1)
    c, s = torch.cos(forward)[:, None], torch.sin(forward)[:, None]
    y, z = c * y - s * z, s * y + c * z
    c, s = torch.cos(sideways)[:, None], torch.sin(sideways)[:, None]
    x, z = c * x + s * z, c * z - s * x
    return torch.stack([x, y, z], -1)


def _uniform(random: torch.Generator, *size: int) -> Tensor:
    return torch.rand(*size, generator=random)


def _normal(random: torch.Generator, *size: int) -> Tensor:
    return torch.randn(*size, generator=random)

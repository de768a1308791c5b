"""Poses and cameras that a lifter learns from: posed key points, seen from all round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.types import Array
from trainer.body.blazepose_landmarker import LANDMARKS, MIRROR
from trainer.data.base import KEYPOINT_MIRROR, KEYPOINT_NAMES
from trainer.fitting.batched_kinematics import BatchedKinematics, point_rows
from trainer.synthesis.poses import Poses

POINTS = len(KEYPOINT_NAMES) + LANDMARKS
"""Number of points P of a lifted person: the annotated key points, then BlazePose's landmarks."""

POINT_MIRROR = KEYPOINT_MIRROR + tuple(len(KEYPOINT_NAMES) + row for row in MIRROR)
"""Row of each point's counterpart in a mirror image."""

_BLOCK = 2000
_SHAPE_SPREAD = 0.8
_NEAREST, _FARTHEST = 1.3, 12.0
"""Metres from the camera to the hips, log-uniform."""
_CLIPPED_DEPTH = 0.3
"""Metres: points nearer than that to the camera are treated as this near."""


def centre_hips(points: Tensor) -> Tensor:
    """Return points (..., P, 3) relative to the middle of LSP's hips."""
    return points - points[..., list(LSP_HIPS), :].mean(-2, keepdim=True)


@dataclass(frozen=True)
class PoseBank:
    """Points of M posed bodies of various shapes."""

    points: Tensor
    """(M, P, 3) m from the middle of the hips, y up."""
    grounded: Tensor
    """(M,) bool: True if y is the true vertical."""


def make_pose_bank(
    body: Body,
    motion: Path | None,
    count: int,
    *,
    fits: Array | None = None,
    test: bool = False,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> PoseBank:
    """Draw poses from motion capture, everyday poses and fits.

    Parameters
    ----------
    body : Body
    motion : Path, optional
        Folder of clips; none without it.
    count : int
    fits : (N, J, 3, 3) array, optional
        Fitted poses in their crops' frames.
    test : bool
        Draw from the clips that are never trained on.
    seed : int
    reporter : Reporter

    Raises
    ------
    InputError
        If the motion cannot be read.
    """
    random = np.random.default_rng([seed, test])
    rows = None if fits is None else np.arange(len(fits))
    poses = Poses(body, motion=motion, fits=fits, fit_rows=rows, test=test)
    kinematics = BatchedKinematics(body, point_rows(body))
    points, grounded = [], []
    for start in report_each(range(0, count, _BLOCK), reporter, "poses"):
        drawn = [poses.draw(random) for _ in range(min(_BLOCK, count - start))]
        rotations = np.stack([pose.rotations for pose in drawn]).transpose(2, 3, 1, 0)
        shape = _SHAPE_SPREAD * random.normal(size=(body.shape_count, len(drawn)))
        posed, _, _ = kinematics.pose(
            torch.tensor(np.ascontiguousarray(rotations), dtype=torch.float32),
            torch.tensor(shape, dtype=torch.float32),
        )
        points.append(centre_hips(posed.permute(2, 1, 0)).contiguous())
        grounded += [pose.grounded for pose in drawn]
    return PoseBank(torch.cat(points), torch.tensor(grounded))


def write_pose_bank(path: Path, bank: PoseBank) -> None:
    """Write a pose bank to an npz file."""
    with atomic_write(path) as temporary:
        np.savez(temporary, points=bank.points.numpy(), grounded=bank.grounded.numpy())


def read_pose_bank(path: Path) -> PoseBank:
    """Read a pose bank.

    Raises
    ------
    InputError
        If the file is missing or holds no poses.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            points, grounded = file["points"], file["grounded"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path} contains no poses: {error}") from error
    if points.ndim != 3 or points.shape[1:] != (POINTS, 3) or grounded.shape != points.shape[:1]:
        raise InputError(f"{path}: points {points.shape} are not (M, {POINTS}, 3)")
    if not len(points) or not np.isfinite(points).all():
        raise InputError(f"{path} holds no poses, or some are not finite")
    return PoseBank(
        torch.tensor(points, dtype=torch.float32), torch.tensor(grounded, dtype=torch.bool)
    )


@dataclass(frozen=True)
class ViewedPeople:
    """People before cameras, in crops turned so that the trunk points up; B people."""

    points: Tensor
    """(B, P, 3) m from the middle of the hips: x right, y down, z away."""
    flat: Tensor
    """(B, P, 2) image plane: x right, y down, in torso lengths from the middle of the hips."""


def draw_views(bank: PoseBank, count: int, random: torch.Generator) -> ViewedPeople:
    """Draw people, mirrored at random, before perspective cameras.

    Cameras surround the person; most are near eye level, some far above or below, and some look
    from any direction.
    """
    rows = torch.randint(len(bank.points), (count,), generator=random)
    points = bank.points[rows]
    mirrored = torch.rand(count, generator=random) < 0.5
    flipped = points[:, list(POINT_MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
    points = torch.where(mirrored[:, None, None], flipped, points)
    points = points @ _view_rotations(bank.grounded[rows], random).transpose(1, 2)
    low, high = np.log(_NEAREST), np.log(_FARTHEST)
    distance = torch.exp(low + (high - low) * torch.rand(count, generator=random))
    aside = 0.08 * torch.randn(count, 2, generator=random) * distance[:, None]
    placed = points + torch.cat([aside, distance[:, None]], 1)[:, None]
    flat = placed[..., :2] / placed[..., 2:].clamp(min=_CLIPPED_DEPTH)
    return turn_upright(points, flat)


def turn_upright(points: Tensor, flat: Tensor) -> ViewedPeople:
    """Turn people in the image plane so that the trunk points up, and scale their images.

    Parameters
    ----------
    points : (B, P, 3) tensor
        Metres from the middle of the hips.
    flat : (B, P, 2) tensor
        Places in the image in any unit, y down.
    """
    hips, unit = image_unit(flat)
    trunk = flat[:, list(LSP_SHOULDERS)].mean(1) - hips[:, 0]
    angle = torch.atan2(trunk[:, 0], -trunk[:, 1])
    cosine, sine = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cosine, sine], -1), torch.stack([-sine, cosine], -1)], -2)
    turned = (flat - hips) @ turn.transpose(1, 2) / unit
    spatial = torch.cat([points[..., :2] @ turn.transpose(1, 2), points[..., 2:]], -1)
    return ViewedPeople(spatial, turned)


def image_unit(flat: Tensor) -> tuple[Tensor, Tensor]:
    """Return the middle of the hips (B, 1, 2) and the torso's length (B, 1, 1) of image places.

    Parameters
    ----------
    flat : (B, K or more, 2) tensor
        Key points first. A foreshortened torso counts as 0.15 of the person's extent.
    """
    hips = flat[:, list(LSP_HIPS)].mean(1, keepdim=True)
    torso = (flat[:, LSP_HIPS[0]] - flat[:, LSP_SHOULDERS[1]]).norm(dim=-1)
    keypoints = flat[:, : len(KEYPOINT_NAMES)]
    extent = (keypoints.amax(1) - keypoints.amin(1)).amax(1)
    return hips, torch.maximum(torso, 0.15 * extent)[:, None, None]


def _view_rotations(grounded: Tensor, random: torch.Generator) -> Tensor:
    """Return rotations (B, 3, 3) from a world with y up to cameras, x right, y down, z away."""
    count = len(grounded)
    kind = torch.rand(count, generator=random)
    level = 6 + 14 * torch.randn(count, generator=random)
    wide = -50 + 125 * torch.rand(count, generator=random)
    elevation = torch.deg2rad(torch.where(kind < 0.6, level, wide))
    yaw = 2 * np.pi * torch.rand(count, generator=random)
    any_turn = _random_rotations(count, random)
    view = _about(0, elevation) @ _about(1, yaw)
    anywhere = (kind > 0.85) | (~grounded & (kind > 0.75))
    view = torch.where(anywhere[:, None, None], any_turn, view)
    return torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ view


def _random_rotations(count: int, random: torch.Generator) -> Tensor:
    q = torch.nn.functional.normalize(torch.randn(count, 4, generator=random), dim=-1)
    w, x, y, z = q.unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def _about(axis: int, angle: Tensor) -> Tensor:
    """Return rotations (B, 3, 3) about x (0) or y (1) by angles (B,)."""
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    c, s = torch.cos(angle), torch.sin(angle)
    if axis == 0:
        rows = [[one, zero, zero], [zero, c, -s], [zero, s, c]]
    else:
        rows = [[c, zero, s], [zero, one, zero], [-s, zero, c]]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)

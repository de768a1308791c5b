"""Upper bound of the mask protocol: bodies fitted to the masks themselves.

Clothes and bags are wider than bodies, so no estimate reaches a foreground f1 of 1. From a
network's estimate every body is moved until its surface lies in the mask and the mask is covered,
near the joint limits and the mean shape; the result is what a perfect estimate could reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import crop_units_from_pixels
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.types import Array, Crop, Mask
from trainer.body.joint_limits import LIMITS, violates_joint_limits
from trainer.body.torch_body import (
    Skeleton,
    SkinnedVertices,
    matrix_from_6d,
    matrix_from_axis_angle,
    matrix_to_6d,
    project_weak_perspective,
)
from trainer.evaluation.inference import CropEstimates
from trainer.evaluation.masks import MaskedPeople, mask_confusion
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer

STEPS = 150
_BATCH = 20
_RATE = 0.015
_MASK_POINTS = 400
_MAP_SIZE = 128
"""Cells along a side of the map of distances to the mask."""
_SPACING = 0.025
"""Crop units; the sampled vertices are about twice as far apart."""


def measure_oracle(
    found: CropEstimates,
    people: MaskedPeople,
    bodies: BodyPoser,
    steps: int = STEPS,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Return foreground f1, mean f1 and accuracy of bodies fitted to the masks.

    Parameters
    ----------
    found : CropEstimates
        Start of the fit.
    people : MaskedPeople
    bodies : BodyPoser
    steps : int
    reporter : Reporter
    """
    fitted = fit_to_masks(found, people.masks, bodies, steps, reporter)
    matrix = mask_confusion(fitted, people, PartRenderer(bodies), -1)
    return {
        "f1_foreground": float(matrix.f1[1]),
        "f1_mean": matrix.mean_f1,
        "accuracy": matrix.accuracy,
        "impossible": float(
            violates_joint_limits(bodies.body, fitted.estimates.rotations[-1]).mean()
        ),
    }


def fit_to_masks(
    found: CropEstimates,
    masks: Sequence[Mask],
    bodies: BodyPoser,
    steps: int = STEPS,
    reporter: Reporter = SILENT,
) -> CropEstimates:
    """Return one level of estimates moved into their masks (H, W), with the same crops."""
    estimates, parts = found.estimates, []
    fit = _MaskFit(bodies)
    for start in report_each(range(0, len(masks), _BATCH), reporter, "bodies into masks"):
        rows = slice(start, start + _BATCH)
        pairs = list(zip(masks[rows], found.crops[rows], strict=True))
        distances = torch.from_numpy(np.stack([_distances(mask, crop) for mask, crop in pairs]))
        inside = torch.from_numpy(np.stack([_points(mask, crop) for mask, crop in pairs]))
        parts.append(
            fit(
                estimates.rotations[-1, rows],
                estimates.shape[-1, rows],
                estimates.camera[-1, rows],
                distances[:, None],
                inside,
                steps,
            )
        )
    rotations, shape, camera = (np.concatenate(column)[None] for column in zip(*parts, strict=True))
    fitted = replace(estimates, rotations=rotations, shape=shape, camera=camera)
    return CropEstimates(found.crops, fitted)


class _MaskFit:
    def __init__(self, bodies: BodyPoser) -> None:
        body = bodies.body
        self._skeleton = Skeleton(body)
        self._surface = SkinnedVertices(body, body.sample_vertices)
        rows = {name: index - 1 for index, name in enumerate(body.joint_names)}
        self._limited = torch.tensor([rows[name] * 3 + axis for name, axis, _, _ in LIMITS])
        self._low = torch.tensor([low for _, _, low, _ in LIMITS])
        self._high = torch.tensor([high for _, _, _, high in LIMITS])

    def __call__(
        self,
        rotations: Array,
        shape: Array,
        camera: Array,
        distances: Tensor,
        inside: Tensor,
        steps: int,
    ) -> tuple[Array, Array, Array]:
        root = matrix_to_6d(_tensor(rotations[:, 0])).requires_grad_()
        initial_pose = _tensor(axis_angle_from_matrix(rotations[:, 1:]))
        pose = initial_pose.clone().requires_grad_()
        body_shape, camera_vector = (_tensor(part).requires_grad_() for part in (shape, camera))
        optimizer = torch.optim.Adam([root, pose, body_shape, camera_vector], lr=_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            flat = self._projected(root, pose, body_shape, camera_vector)
            outside = torch.nn.functional.grid_sample(
                distances, flat[:, :, None], align_corners=False, padding_mode="border"
            )
            uncovered = (torch.cdist(inside, flat).amin(2) - _SPACING).clamp(min=0)
            loss = 30 * outside.mean((1, 2, 3)).sum() + 60 * uncovered.mean(1).sum()
            loss = loss + 0.05 * (pose - initial_pose).square().sum()
            loss = loss + 0.02 * body_shape.square().sum()
            angles = pose.flatten(1)[:, self._limited]
            beyond = (self._low - angles).clamp(min=0) + (angles - self._high).clamp(min=0)
            (loss + 5 * beyond.square().sum()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            fitted = torch.cat([matrix_from_6d(root)[:, None], matrix_from_axis_angle(pose)], 1)
        return _to_numpy(fitted), _to_numpy(body_shape), _to_numpy(camera_vector)

    def _projected(self, root: Tensor, pose: Tensor, shape: Tensor, camera: Tensor) -> Tensor:
        rotations = torch.cat([matrix_from_6d(root)[:, None], matrix_from_axis_angle(pose)], 1)
        rest = self._skeleton.rest(shape)
        world, joints = self._skeleton(rotations, rest)
        return project_weak_perspective(self._surface(world, joints, rest, shape), camera)


def _distances(mask: Mask, crop: Crop) -> Array:
    """Return each cell's distance from the mask in crop units, 0 inside, on a map of the crop."""
    # the map has fewer cells than the crop has pixels
    step = crop.size / _MAP_SIZE
    frame_from_cell = crop.frame_from_crop @ np.array(
        [[step, 0, (step - 1) / 2], [0, step, (step - 1) / 2], [0, 0, 1.0]]
    )
    inside = cv2.warpAffine(
        mask.astype(np.uint8),
        frame_from_cell,
        (_MAP_SIZE, _MAP_SIZE),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    if not inside.any():
        return np.zeros((_MAP_SIZE, _MAP_SIZE), np.float32)
    cells = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(cells * (2 / _MAP_SIZE), dtype=np.float32)


def _points(mask: Mask, crop: Crop) -> Array:
    """Return random points of the mask in crop units, (_MASK_POINTS, 2)."""
    y, x = np.nonzero(mask)
    chosen = np.random.default_rng(0).integers(0, len(x), _MASK_POINTS)
    pixels = np.column_stack([x[chosen], y[chosen]]).astype(np.float64)
    return crop_units_from_pixels(crop.to_crop(pixels), crop.size).astype(np.float32)


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _to_numpy(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach().numpy(), dtype=np.float64)

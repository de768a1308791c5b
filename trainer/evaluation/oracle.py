"""How well any body of ours can fill a mask: bodies fitted to the masks themselves.

Clothes and bags are wider than bodies, so no estimate reaches a foreground f1 of 1. From a
network's estimate every body is moved until its surface lies in the mask and the mask is covered,
near the joints' limits and the mean shape; what that reaches is what a perfect estimate could hope
for.
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
from pymaf_live.types import Array, Crop, Mask
from trainer.body.joint_limits import LIMITS, impossible
from trainer.body.torch_body import (
    Skeleton,
    SkinnedVertices,
    matrix_from_6d,
    matrix_from_axis_angle,
    projected,
    six_from_matrix,
)
from trainer.commands.progress import followed
from trainer.evaluation.inference import CropEstimates
from trainer.evaluation.masks import MaskedPeople, counted_masks
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer

STEPS = 150
_AT_ONCE = 20
_RATE = 0.015
_POINTS = 400
"""Of each mask."""
_MAP = 128
"""Cells a side of the map of distances to the mask."""
_SPACING = 0.025
"""Crop units: the sampled vertices lie about twice as far from each other."""


def measure_oracle(
    looked: CropEstimates, people: MaskedPeople, bodies: BodyPoser, steps: int = STEPS
) -> dict[str, Any]:
    """Foreground f1, mean f1 and accuracy of bodies fitted to the masks.

    Parameters
    ----------
    looked : Looked
        Where the fit begins, and its crops.
    people : MaskedPeople
    bodies : Bodies
    steps : int
    """
    fitted = fitted_to_masks(looked, people.masks, bodies, steps)
    count = counted_masks(fitted, people, PartRenderer(bodies), -1)
    return {
        "f1_foreground": float(count.f1[1]),
        "f1_mean": count.mean_f1,
        "accuracy": count.accuracy,
        "impossible": float(impossible(bodies.body, fitted.estimates.rotations[-1]).mean()),
    }


def fitted_to_masks(
    looked: CropEstimates, masks: Sequence[Mask], bodies: BodyPoser, steps: int = STEPS
) -> CropEstimates:
    """The same crops, one level: bodies moved into their masks (H, W), in picture pixels."""
    found, parts = looked.estimates, []
    fit = _MaskFit(bodies)
    for start in followed(range(0, len(masks), _AT_ONCE), "bodies into masks"):
        rows = slice(start, start + _AT_ONCE)
        some = list(zip(masks[rows], looked.crops[rows], strict=True))
        away = torch.from_numpy(np.stack([_distances(mask, crop) for mask, crop in some]))
        inside = torch.from_numpy(np.stack([_points(mask, crop) for mask, crop in some]))
        parts.append(
            fit(found.rotations[-1, rows], found.shape[-1, rows], found.camera[-1, rows],
                away[:, None], inside, steps)
        )  # fmt: skip
    rotations, shape, camera = (np.concatenate(column)[None] for column in zip(*parts, strict=True))
    estimates = replace(found, rotations=rotations, shape=shape, camera=camera)
    return CropEstimates(looked.crops, estimates)


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
        away: Tensor,
        inside: Tensor,
        steps: int,
    ) -> tuple[Array, Array, Array]:
        root = six_from_matrix(_tensor(rotations[:, 0])).requires_grad_()
        began = _tensor(axis_angle_from_matrix(rotations[:, 1:]))
        pose, shaped = began.clone().requires_grad_(), _tensor(shape).requires_grad_()
        placed = _tensor(camera).requires_grad_()
        unknowns = [root, pose, shaped, placed]
        optimiser = torch.optim.Adam(unknowns, lr=_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            optimiser.zero_grad(set_to_none=True)
            flat = self._projected(root, pose, shaped, placed)
            beyond = torch.nn.functional.grid_sample(
                away, flat[:, :, None], align_corners=False, padding_mode="border"
            )
            bare = (torch.cdist(inside, flat).amin(2) - _SPACING).clamp(min=0)
            loss = 30 * beyond.mean((1, 2, 3)).sum() + 60 * bare.mean(1).sum()
            loss = loss + 0.05 * (pose - began).square().sum() + 0.02 * shaped.square().sum()
            angles = pose.flatten(1)[:, self._limited]
            past = (self._low - angles).clamp(min=0) + (angles - self._high).clamp(min=0)
            (loss + 5 * past.square().sum()).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        with torch.no_grad():
            turned = torch.cat([matrix_from_6d(root)[:, None], matrix_from_axis_angle(pose)], 1)
        numbers = (part.detach().numpy().astype(np.float64) for part in (turned, shaped, placed))
        first, second, third = numbers
        return first, second, third

    def _projected(self, root: Tensor, pose: Tensor, shape: Tensor, camera: Tensor) -> Tensor:
        rotations = torch.cat([matrix_from_6d(root)[:, None], matrix_from_axis_angle(pose)], 1)
        rest = self._skeleton.rest(shape)
        world, places = self._skeleton(rotations, rest)
        return projected(self._surface(world, places, rest, shape), camera)


def _distances(mask: Mask, crop: Crop) -> Array:
    """How far each cell of a map over the crop lies outside the mask, crop units; 0 inside."""
    # the crop's pixels fall on the picture; the map has fewer cells than the crop has pixels
    step = crop.size / _MAP
    shrunk = crop.frame_from_crop @ np.array(
        [[step, 0, (step - 1) / 2], [0, step, (step - 1) / 2], [0, 0, 1.0]]
    )
    inside = cv2.warpAffine(
        mask.astype(np.uint8),
        shrunk,
        (_MAP, _MAP),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    if not inside.any():
        return np.zeros((_MAP, _MAP), np.float32)
    cells = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(cells * (2 / _MAP), dtype=np.float32)


def _points(mask: Mask, crop: Crop) -> Array:
    """Points of the mask in crop units, (`_POINTS`, 2)."""
    y, x = np.nonzero(mask)
    chosen = np.random.default_rng(0).integers(0, len(x), _POINTS)
    pixels = np.column_stack([x[chosen], y[chosen]]).astype(np.float64)
    return crop_units_from_pixels(crop.to_crop(pixels), crop.size).astype(np.float32)


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))

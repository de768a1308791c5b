"""Sheets of what a network makes of the held-out pictures: at random, the worst, the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from pymaf_live.body import Body, PointSet, crop_points_2d, pixels_from_crop_units
from pymaf_live.network.preprocess import cut, network_input
from pymaf_live.types import Array, Image
from trainer.data.lspet import LIMBS, VALIDATION, JointSet, Pictures, annotated_crop, torso_length
from trainer.network.pymaf import PyMAF
from trainer.sheets import draw_body, write_sheet

_TILES = 24
_TILES_WHILE_TRAINING = 8


@torch.no_grad()
def sheets_of_network(folder: Path, model: PyMAF, joint_set: JointSet, body: Body) -> None:
    """Write three sheets of held-out crops with the network's last estimate drawn over them.

    Parameters
    ----------
    folder : Path
    model : PyMAF
        In evaluation mode.
    joint_set : JointSet
        Its last `VALIDATION` rows are looked at.
    body : Body
    """
    rows = range(len(joint_set) - VALIDATION, len(joint_set))
    pictures, size = Pictures(joint_set), model.encoder.size
    points, mesh = PointSet.keypoints(body, "lsp"), PointSet.vertices(body)
    estimates, misses = [], []
    for row in rows:
        crop = annotated_crop(joint_set.joints[row], size)
        image = cut(pictures[row], crop)
        level = model(torch.from_numpy(network_input(image[None]))).levels[-1]
        rotations, shape, camera = (
            part[0].numpy().astype(np.float64)
            for part in (level.rotations, level.shape, level.camera)
        )
        flat = crop_points_2d(points.pose(rotations, shape), camera)
        found = crop.to_frame(pixels_from_crop_units(flat, size))
        misses.append(_miss(found, joint_set.joints[row]))
        estimates.append((image, rotations, shape, camera))
    order = np.argsort(-np.nan_to_num(misses))
    chosen = {
        "worst": order[:_TILES],
        "random": np.random.default_rng(0).permutation(len(rows))[:_TILES],
        "best": order[::-1][:_TILES],
    }
    for name, picked in chosen.items():
        tiles = []
        for index in picked.tolist():
            image, rotations, shape, camera = estimates[index]
            drawn = draw_body(image, body, mesh, rotations, shape, camera)
            tiles.append(np.hstack([image, drawn]))
        write_sheet(folder / f"network_{name}.jpg", tiles, columns=4)


@torch.no_grad()
def overlay_picture(model: PyMAF, joint_set: JointSet, body: Body) -> Image:
    """The same few held-out crops every time, each beside the network's last estimate on it.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set : JointSet
        Its last `VALIDATION` rows are looked at.
    body : Body

    Returns
    -------
    (H, W, 3) uint8 array
        RGB.
    """
    first = max(len(joint_set) - VALIDATION, 0)
    rows = np.linspace(first, len(joint_set) - 1, _TILES_WHILE_TRAINING).round().astype(int)
    pictures, size, mesh = Pictures(joint_set), model.encoder.size, PointSet.vertices(body)
    crops = [annotated_crop(joint_set.joints[row], size) for row in rows]
    images = np.stack([cut(pictures[row], crop) for row, crop in zip(rows, crops, strict=True)])
    device = next(model.parameters()).device
    level = model(torch.from_numpy(network_input(images)).to(device)).levels[-1]
    bodies = zip(
        *(p.cpu().numpy().astype(np.float64) for p in (level.rotations, level.shape, level.camera)),
        strict=True,
    )
    tiles = [
        np.hstack([image, draw_body(image, body, mesh, *parts)])
        for image, parts in zip(images, bodies, strict=True)
    ]
    half = len(tiles) // 2
    return np.hstack([np.vstack(tiles[:half]), np.vstack(tiles[half:])])


def _miss(found: Array, joints: Array) -> float:
    """Mean distance of the annotated limb joints in torso lengths; NaN without a torso."""
    known = joints[list(LIMBS), 2] > 0
    distance = np.linalg.norm(found[list(LIMBS)] - joints[list(LIMBS), :2], axis=-1)
    return float(distance[known].mean() / torso_length(joints[None])[0])

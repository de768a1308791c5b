"""Preview of a run: a few held-out crops with the network's estimate over them."""

from __future__ import annotations

import numpy as np
import torch

from pymaf_live.body import Body, PointSet
from pymaf_live.inference.preprocess import cut, network_input
from pymaf_live.types import Image
from trainer.data.lspet import VALIDATION_COUNT, ImageStore, JointSet, annotated_crop
from trainer.network.pymaf import PyMAF
from trainer.rendering.contact_sheet import draw_body

_TILES = 8


@torch.no_grad()
def validation_preview(model: PyMAF, joint_set: JointSet, body: Body) -> Image:
    """Return fixed held-out crops, each beside the network's last estimate on it.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set : JointSet
        The crops are among its last `VALIDATION_COUNT` rows.
    body : Body

    Returns
    -------
    (H, W, 3) uint8 array
        RGB.
    """
    first = max(len(joint_set) - VALIDATION_COUNT, 0)
    rows = np.linspace(first, len(joint_set) - 1, _TILES).round().astype(int).tolist()
    images, size, mesh = ImageStore(joint_set), model.encoder.size, PointSet.vertices(body)
    crops = [annotated_crop(joint_set.joints[row], size) for row in rows]
    cuts = np.stack([cut(images[row], crop) for row, crop in zip(rows, crops, strict=True)])
    device = next(model.parameters()).device
    level = model(torch.from_numpy(network_input(cuts)).to(device)).levels[-1]
    rotations, shape, camera = (
        part.cpu().numpy().astype(np.float64)
        for part in (level.rotations, level.shape, level.camera)
    )
    tiles = [
        np.hstack([image, draw_body(image, body, mesh, rotations[i], shape[i], camera[i])])
        for i, image in enumerate(cuts)
    ]
    half = len(tiles) // 2
    return np.hstack([np.vstack(tiles[:half]), np.vstack(tiles[half:])])

"""A network on the held-out block: protocol 'network' of LSPET PCK, level by level."""

from __future__ import annotations

import numpy as np
import torch

from pymaf_live.body import Body, pixels_from_crop_units
from pymaf_live.network.preprocess import cut, network_input
from pymaf_live.types import Array
from trainer.body import PosedPoints, Skeleton, projected
from trainer.data.lspet import VALIDATION, JointSet, Pictures, annotated_crop
from trainer.fit import Fits
from trainer.landmarker import LSP
from trainer.metrics import joint_error, pck, procrustes
from trainer.network.pymaf import Level, PyMAF

_BATCH = 25


@torch.no_grad()
def validate(
    model: PyMAF, joint_set: JointSet, fits: Fits, body: Body, device: str = "cpu"
) -> dict[str, float]:
    """PCK of every level and of the encoder's landmarks, 3D errors against the fits in mm.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set, fits
        The whole set; its last `VALIDATION` rows are looked at.
    body : Body
    device : str
    """
    rows = range(len(joint_set) - VALIDATION, len(joint_set))
    pictures, size = Pictures(joint_set), model.encoder.size
    crops = [annotated_crop(joint_set.joints[row], size) for row in rows]
    skeleton = Skeleton(body).to(device)
    points = PosedPoints(body, body.keypoint_rows("lsp")).to(device)
    flat: list[list[Array]] = []
    places: list[Array] = []
    landmarks: list[Array] = []
    for start in range(0, len(rows), _BATCH):
        block = range(start, min(start + _BATCH, len(rows)))
        cuts = np.stack([cut(pictures[rows[i]], crops[i]) for i in block])
        output = model(torch.from_numpy(network_input(cuts)).to(device))
        flat.append([_lsp(level, skeleton, points) for level in output.levels])
        last = output.levels[-1]
        places.append(skeleton(last.rotations, skeleton.rest(last.shape))[1].cpu().numpy())
        if output.encoded.points is not None:
            landmarks.append(output.encoded.points[:, list(LSP)].cpu().numpy())
    joints = joint_set.joints[list(rows)]

    def in_pictures(units: Array) -> Array:
        pixels = pixels_from_crop_units(units, size)
        return np.stack([crop.to_frame(p) for crop, p in zip(crops, pixels, strict=True)])

    figures = {
        f"pck_level_{index + 1}": pck(in_pictures(np.concatenate(level)), joints)
        for index, level in enumerate(zip(*flat, strict=True))
    }
    if landmarks:
        figures["pck_landmarks"] = pck(in_pictures(np.concatenate(landmarks)), joints)
    kept = fits.kept[list(rows)]
    true = torch.from_numpy(fits.rotations[list(rows)]), torch.from_numpy(fits.shape[list(rows)])
    true_places = skeleton(true[0].to(device), skeleton.rest(true[1].to(device)))[1].cpu().numpy()
    found, known = np.concatenate(places)[kept], true_places[kept]
    hips = [body.joint_names.index("left_hip"), body.joint_names.index("right_hip")]
    centred = [p - p[:, hips].mean(axis=1, keepdims=True) for p in (found, known)]
    figures["mpjpe_to_fits_mm"] = 1000 * joint_error(*centred)
    figures["pa_mpjpe_to_fits_mm"] = 1000 * joint_error(procrustes(found, known), known)
    return {name: round(value, 4) for name, value in figures.items()}


def _lsp(level: Level, skeleton: Skeleton, points: PosedPoints) -> Array:
    rest = skeleton.rest(level.shape)
    world, places = skeleton(level.rotations, rest)
    posed = points(world, places, rest, level.shape)
    found: Array = projected(posed, level.camera).cpu().numpy()
    return found

"""LSPET's held-out rows: 'network' on annotated crops, 'program' on given boxes, landmarkers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body import Body, PointSet, pixels_from_crop_units, project
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import InputError
from pymaf_live.inference.preprocess import cut
from pymaf_live.types import Array, Camera
from trainer.body.blazepose_landmarker import SIZE, Landmarker
from trainer.body.joint_limits import impossible
from trainer.data.fits import Fits
from trainer.data.lspet import ImageStore, JointSet, annotated_crop
from trainer.evaluation.inference import CropEstimates, estimate_crops
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.metrics import mpjpe, pa_mpjpe, pck
from trainer.evaluation.network import Network


def estimate_annotated(network: Network, joint_set: JointSet, rows: Sequence[int]) -> CropEstimates:
    """Look at the annotated crops of some rows."""
    pictures = ImageStore(joint_set)
    crops = [annotated_crop(joint_set.joints[row], network.size) for row in rows]
    return estimate_crops(network, lambda index: pictures[rows[index]], crops, "lspet")


def measure_lspet(
    looked: CropEstimates,
    joint_set: JointSet,
    rows: Sequence[int],
    bodies: BodyPoser,
    fits: Fits | None,
) -> dict[str, Any]:
    """Protocol 'network': PCK of every level and of the encoder's landmarks, errors to the fits.

    Parameters
    ----------
    looked : Looked
        From `look_at_annotated`.
    joint_set, rows
        The same.
    bodies : Bodies
    fits : Fits, optional
        Of the whole set; the kept ones are what the 3D errors are to.
    """
    joints, estimates = joint_set.joints[list(rows)], looked.estimates
    levels = range(len(estimates.rotations))
    figures: dict[str, Any] = {
        "pck": [pck(looked.points(bodies, "lsp", level), joints) for level in levels],
        "impossible": [
            float(impossible(bodies.body, estimates.rotations[level]).mean()) for level in levels
        ],
    }
    if estimates.landmarks is not None:
        pixels = pixels_from_crop_units(
            estimates.landmarks[:, list(BLAZEPOSE_LSP_LIMBS)], looked.crops[0].size
        )
        places = [crop.to_frame(p) for crop, p in zip(looked.crops, pixels, strict=True)]
        figures["pck_landmarks"] = pck(np.stack(places), joints)
    if fits is None:
        return figures
    kept = fits.kept[list(rows)]
    true = bodies.joints(fits.rotations[list(rows)][kept], fits.shape[list(rows)][kept])
    found = [
        bodies.joints(estimates.rotations[level][kept], estimates.shape[level][kept])
        for level in levels
    ]
    figures["mpjpe_to_fits_mm"] = [mpjpe(level, true, bodies.hips) for level in found]
    figures["pa_mpjpe_to_fits_mm"] = [pa_mpjpe(level, true) for level in found]
    return figures


def measure_landmarkers(
    joint_set: JointSet, rows: Sequence[int], folder: Path, kinds: Sequence[str]
) -> dict[str, Any]:
    """The landmarkers' own 2D on the annotated crops, alone and averaged with the mirrored run."""
    pictures = ImageStore(joint_set)
    crops = [annotated_crop(joint_set.joints[row], SIZE) for row in rows]
    cuts = [cut(pictures[row], crop) for row, crop in zip(rows, crops, strict=True)]
    joints = joint_set.joints[list(rows)]

    def figure(points: Array) -> float:
        chosen = points[:, list(BLAZEPOSE_LSP_LIMBS), :2]
        found = [crop.to_frame(p) for crop, p in zip(crops, chosen, strict=True)]
        return pck(np.stack(found), joints)

    figures = {}
    for kind in kinds:
        landmarker = Landmarker(folder / f"pose_landmark_{kind}.tflite")
        plain, mirrored = landmarker.run_both_ways(cuts)
        figures[f"pck_{kind}"] = figure(plain.points)
        figures[f"pck_{kind}_mirrored_mean"] = figure((plain.points + mirrored.points) / 2)
    return figures


def held_out_boxes(joint_set: JointSet, rows: Sequence[int]) -> dict[str, list[list[float]]]:
    """Boxes of protocol 'program': the annotated joints' box, 0.1 x its larger extent wider."""
    boxes = {}
    for row in rows:
        joints = joint_set.joints[row]
        known = joints[joints[:, 2] > 0, :2]
        low, high = known.min(axis=0), known.max(axis=0)
        margin = 0.1 * float((high - low).max())
        boxes[joint_set.names[row]] = [[*(low - margin).tolist(), *(high + margin).tolist()]]
    return boxes


def measure_program(
    joint_set: JointSet, rows: Sequence[int], take: Path, body: Body
) -> dict[str, Any]:
    """PCK of the program's take of whole pictures; a picture without a result is all wrong.

    Raises
    ------
    InputError
        If the take is missing, broken or of other pictures.
    """
    place = {joint_set.names[row]: index for index, row in enumerate(rows)}
    found = np.full((len(rows), len(body.keypoint_sets["lsp"]), 2), np.nan)
    points = PointSet.keypoints(body, "lsp")
    try:
        with np.load(take, allow_pickle=False) as file:
            names, cameras = file["picture_name"], file["picture_camera"]
            rotations = matrix_from_axis_angle(file["pose"].astype(np.float64))
            posed = points.pose(rotations, file["shape"], file["translation"])
            for joints, frame in zip(posed, file["frame"].tolist(), strict=True):
                width, height, focal, *centre = cameras[frame].tolist()
                camera = Camera(focal, np.array(centre), (int(width), int(height)))
                found[place[str(names[frame])]] = project(joints, camera)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{take} is no take of the held-out pictures: {error}") from error
    return {"pck": pck(found, joint_set.joints[list(rows)])}

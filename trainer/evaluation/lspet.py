"""LSPET's held-out rows: annotated crops, the whole program on given boxes, and landmarkers."""

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
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array, Camera
from trainer.body.blazepose_landmarker import SIZE, BlazePoseLandmarker
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.fits import Fits
from trainer.data.lspet import ImageStore, JointSet, annotated_crop
from trainer.evaluation.inference import (
    CropEstimates,
    estimate_crops,
    joint_crop,
    turn_points,
    turns_between,
)
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.metrics import mpjpe, pa_mpjpe, pck
from trainer.evaluation.network import Network

_BOX_MARGIN = 0.1
"""Margin of a given box around the annotated joints, of its larger side."""


def estimate_annotated(
    network: Network, joint_set: JointSet, rows: Sequence[int], reporter: Reporter = SILENT
) -> CropEstimates:
    """Run a network on the crops of some rows' annotated joints, by its own crop rule."""
    images = ImageStore(joint_set)
    crops = [joint_crop(joint_set.joints[row], network) for row in rows]
    return estimate_crops(network, lambda index: images[rows[index]], crops, "lspet", reporter)


def measure_lspet(
    found: CropEstimates, joint_set: JointSet, rows: Sequence[int], bodies: BodyPoser,
    fits: Fits | None,
) -> dict[str, Any]:  # fmt: skip
    """Return PCK of every level and of the encoder's landmarks, and 3D errors to the fits.

    Parameters
    ----------
    found : CropEstimates
        From `estimate_annotated`.
    joint_set, rows
        As for `estimate_annotated`.
    bodies : BodyPoser
    fits : Fits, optional
        Of the whole set; 3D errors are measured against the kept ones.
    """
    joints, estimates = joint_set.joints[list(rows)], found.estimates
    levels = range(len(estimates.rotations))
    figures: dict[str, Any] = {
        "pck": [pck(found.points(bodies, "lsp", level), joints) for level in levels],
        "impossible": [
            float(violates_joint_limits(bodies.body, estimates.rotations[level]).mean())
            for level in levels
        ],
    }
    if estimates.landmarks is not None:
        limbs = estimates.landmarks[:, list(BLAZEPOSE_LSP_LIMBS)]
        pixels = pixels_from_crop_units(limbs, found.crops[0].size)
        points = [crop.to_frame(p) for crop, p in zip(found.crops, pixels, strict=True)]
        figures["pck_landmarks"] = pck(np.stack(points), joints)
    if fits is None:
        return figures
    kept = fits.kept[list(rows)]
    true = bodies.joints(fits.rotations[list(rows)][kept], fits.shape[list(rows)][kept])
    # the network's crops may be turned otherwise than the annotated ones of the fits
    indices = np.flatnonzero(kept).tolist()
    annotated = [annotated_crop(joint_set.joints[rows[index]], SIZE) for index in indices]
    true = turn_points(true, turns_between(annotated, [found.crops[index] for index in indices]))
    estimated = [
        bodies.joints(estimates.rotations[level][kept], estimates.shape[level][kept])
        for level in levels
    ]
    figures["mpjpe_to_fits_mm"] = [mpjpe(level, true, bodies.hips) for level in estimated]
    figures["pa_mpjpe_to_fits_mm"] = [pa_mpjpe(level, true) for level in estimated]
    return figures


def measure_landmarkers(
    joint_set: JointSet, rows: Sequence[int], folder: Path, kinds: Sequence[str]
) -> dict[str, Any]:
    """Return the landmarkers' own 2D PCK on annotated crops, alone and averaged with the mirror."""
    images = ImageStore(joint_set)
    crops = [annotated_crop(joint_set.joints[row], SIZE) for row in rows]
    cuts = [cut(images[row], crop) for row, crop in zip(rows, crops, strict=True)]
    joints = joint_set.joints[list(rows)]

    def pck_of(points: Array) -> float:
        limbs = points[:, list(BLAZEPOSE_LSP_LIMBS), :2]
        pixels = [crop.to_frame(p) for crop, p in zip(crops, limbs, strict=True)]
        return pck(np.stack(pixels), joints)

    figures = {}
    for kind in kinds:
        landmarker = BlazePoseLandmarker(folder / f"pose_landmark_{kind}.tflite")
        plain, mirrored = landmarker.run_with_mirror(cuts)
        figures[f"pck_{kind}"] = pck_of(plain.points)
        figures[f"pck_{kind}_mirrored_mean"] = pck_of((plain.points + mirrored.points) / 2)
    return figures


def held_out_boxes(joint_set: JointSet, rows: Sequence[int]) -> dict[str, list[list[float]]]:
    """Return the boxes of protocol 'program' by image name: the annotated joints' box, widened."""
    boxes = {}
    for row in rows:
        joints = joint_set.joints[row]
        known = joints[joints[:, 2] > 0, :2]
        low, high = known.min(axis=0), known.max(axis=0)
        margin = _BOX_MARGIN * float((high - low).max())
        boxes[joint_set.names[row]] = [[*(low - margin).tolist(), *(high + margin).tolist()]]
    return boxes


def measure_program(
    joint_set: JointSet, rows: Sequence[int], take: Path, body: Body
) -> dict[str, Any]:
    """Return the PCK of the program's take of whole images; an image without a result is wrong.

    Raises
    ------
    InputError
        If the take is missing, damaged or of other images.
    """
    index_of = {joint_set.names[row]: index for index, row in enumerate(rows)}
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
                found[index_of[str(names[frame])]] = project(joints, camera)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{take} is not a take of the held-out images: {error}") from error
    return {"pck": pck(found, joint_set.joints[list(rows)])}

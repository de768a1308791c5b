"""3D errors of people whose bodies or joints are known: synthetic people, 3DPW, Human3.6M.

The joints are the paper's 14, regressed from the mesh by the body file's Human3.6M rows, laid on
the truth's hips (MPJPE, PVE) or on all the truth's joints with scale (PA-MPJPE). Where a set gives
joints and no body, the joints of LSP's names are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Array, Crop, Mask
from trainer.body.joint_limits import impossible
from trainer.data.base import PeopleSet, PersonLabels
from trainer.evaluation.inference import CropEstimates, estimate_crops
from trainer.evaluation.mesh_eval import FOURTEEN_HIPS, BodyPoser
from trainer.evaluation.metrics import mpjpe, pa_mpjpe, pck, vertex_error
from trainer.evaluation.network import Network

_LEAST_JOINTS = 6
"""Joints known with fewer say little after Procrustes."""


def sized(crop: Crop, size: int) -> Crop:
    """The same crop in pixels of another number."""
    return crop if crop.size == size else crop_about(crop.centre, crop.side, crop.turn, size)


def estimate_people(
    network: Network, people: PeopleSet
) -> tuple[CropEstimates, list[PersonLabels]]:
    """Look at the crop that each person's labels state.

    Raises
    ------
    InputError
        If nobody is there.
    """
    if not len(people):
        raise InputError(f"{people.name} has no people")
    known = [people.labels(row) for row in range(len(people))]
    crops = [sized(one.crop, network.size) for one in known]
    return estimate_crops(network, people.image, crops, people.name), known


def measure_people(
    looked: CropEstimates, known: Sequence[PersonLabels], bodies: BodyPoser
) -> dict[str, Any]:
    """MPJPE, PA-MPJPE, PVE in mm, PCK and the share of impossible bodies, level by level.

    Raises
    ------
    InputError
        If nobody's body or joints are known in 3D.
    """
    with_body = [row for row, one in enumerate(known) if one.body is not None]
    if with_body:
        figures = _against_bodies(looked, known, with_body, bodies)
    else:
        figures = _against_joints(looked, known, bodies)
    estimates, levels = looked.estimates, range(len(looked.estimates.rotations))
    annotated = np.stack([one.keypoints[: len(LSP_NAMES)] for one in known])
    figures["pck"] = [pck(looked.points(bodies, "lsp", level), annotated) for level in levels]
    figures["impossible"] = [
        float(impossible(bodies.body, estimates.rotations[level]).mean()) for level in levels
    ]
    return figures


def _against_bodies(
    looked: CropEstimates, known: Sequence[PersonLabels], rows: Sequence[int], bodies: BodyPoser
) -> dict[str, Any]:
    labels = [known[row].body for row in rows]
    rotations = np.stack([label.rotations for label in labels if label is not None])
    shape = np.stack([label.shape for label in labels if label is not None])
    true, true_mesh = bodies.fourteen(rotations, shape), bodies.vertices(rotations, shape)
    true_joints = bodies.joints(rotations, shape)
    figures: dict[str, Any] = {
        name: [] for name in ("mpjpe_mm", "pa_mpjpe_mm", "pve_mm", "mpjpe_skeleton_mm")
    }
    figures["people"] = len(rows)
    for found_rotations, found_shape in zip(
        looked.estimates.rotations[:, rows], looked.estimates.shape[:, rows], strict=True
    ):
        found = bodies.fourteen(found_rotations, found_shape)
        mesh = bodies.vertices(found_rotations, found_shape)
        joints = bodies.joints(found_rotations, found_shape)
        figures["mpjpe_mm"].append(mpjpe(found, true, FOURTEEN_HIPS))
        figures["pa_mpjpe_mm"].append(pa_mpjpe(found, true))
        figures["pve_mm"].append(vertex_error(mesh, true_mesh, found, true, FOURTEEN_HIPS))
        figures["mpjpe_skeleton_mm"].append(mpjpe(joints, true_joints, bodies.hips))
    return figures


def _against_joints(
    looked: CropEstimates, known: Sequence[PersonLabels], bodies: BodyPoser
) -> dict[str, Any]:
    count = len(LSP_NAMES)
    rows, seen = [], []
    for row, one in enumerate(known):
        if one.joints_3d is not None:
            sure = one.joints_3d[:count, 3] > 0
            if sure.sum() >= _LEAST_JOINTS and sure[list(FOURTEEN_HIPS)].all():
                rows.append(row)
                seen.append(sure)
    if not rows:
        raise InputError("no person's body or joints are known in 3D")
    figures: dict[str, Any] = {"mpjpe_mm": [], "pa_mpjpe_mm": [], "people": len(rows)}
    estimates = looked.estimates
    for rotations, shape in zip(
        estimates.rotations[:, rows], estimates.shape[:, rows], strict=True
    ):
        found = bodies.fourteen(rotations, shape)
        plain, aligned = [], []
        for joints, row, sure in zip(found, rows, seen, strict=True):
            true = known[row].joints_3d
            assert true is not None
            plain.append(_of_known(mpjpe, joints, true[:count, :3], sure))
            aligned.append(_of_known(_pa, joints, true[:count, :3], sure))
        # every joint counts alike, as where all are known
        weights = [int(sure.sum()) for sure in seen]
        figures["mpjpe_mm"].append(float(np.average(plain, weights=weights)))
        figures["pa_mpjpe_mm"].append(float(np.average(aligned, weights=weights)))
    return figures


def _of_known(measure: Any, found: Array, true: Array, sure: Mask) -> float:
    roots = [int(np.flatnonzero(np.flatnonzero(sure) == hip)[0]) for hip in FOURTEEN_HIPS]
    return float(measure(found[None, sure], true[None, sure], roots))


def _pa(found: Array, true: Array, roots: Sequence[int]) -> float:
    return pa_mpjpe(found, true)

"""3D errors of people with known bodies or joints: synthetic people, 3DPW, Human3.6M.

The joints are the paper's 14, regressed from the mesh by the body file's Human3.6M rows, aligned at
Human3.6M's pelvis, which is regressed as well (MPJPE, PVE), or to all the truth's joints with scale
(PA-MPJPE). `limbs` are the first 12 of them, which BlazePose has too, aligned at the middle of the
hips. Sets with joints but no bodies are compared by the joints of LSP's names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array, Ints
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.base import FACE_NAMES, PersonDataset, PersonLabels
from trainer.data.lspet import LIMBS
from trainer.data.recrop import recrop
from trainer.evaluation.facing import facing_figures
from trainer.evaluation.inference import CropEstimates, estimate_crops, turn_points, turns_between
from trainer.evaluation.mesh_eval import PAPER_HIPS, BodyPoser, to_image_pixels
from trainer.evaluation.metrics import joint_error, mpjpe, pa_mpjpe, pck, vertex_error
from trainer.evaluation.network import Network
from trainer.evaluation.upper_body import read_upper_bodies, upper_body_figures

_MIN_JOINTS = 6
"""Fewer known joints say little after Procrustes alignment."""

_GROUP_FIGURES = (
    "people", "mpjpe_mm", "pa_mpjpe_mm", "mpjpe_limbs_mm", "pa_mpjpe_limbs_mm", "pve_mm", "pck",
    "facing_over_90", "facing_over_45", "root_over_45", "upper_people", "upper_2d_error_percent",
    "shoulder_width_ratio", "upper_pa_mpjpe_mm",
)  # fmt: skip
"""Figures that are repeated for every group of a test set."""


def estimate_people(
    network: Network, people: PersonDataset, reporter: Reporter = SILENT
) -> tuple[CropEstimates, list[PersonLabels]]:
    """Run a network on the crop of each person's labels, by its own crop rule.

    Raises
    ------
    InputError
        If the set is empty.
    """
    if not len(people):
        raise InputError(f"{people.name} has no people")
    known = [people.labels(row) for row in range(len(people))]
    crops = [recrop(one, network.rule, network.size) for one in known]
    return estimate_crops(network, people.image, crops, people.name, reporter), known


def measure_people(
    found: CropEstimates,
    known: Sequence[PersonLabels],
    bodies: BodyPoser,
    truth: Sequence[BodyPoser] | None = None,
) -> dict[str, Any]:
    """Return the figures of a set of people, level by level.

    MPJPE, PA-MPJPE and PVE in mm, PCK, the share of impossible bodies, `facing_figures` of people
    with bodies and `upper_body_figures` of people with 3D joints.

    Parameters
    ----------
    found, known
        From `estimate_people`.
    bodies : BodyPoser
        Of the network.
    truth : sequence of BodyPoser, optional
        Of the labels, one per person: bodies of each gender. By default those of the network.

    Raises
    ------
    InputError
        If no person's body or joints are known in 3D.
    """
    with_body = [row for row, one in enumerate(known) if one.body is not None]
    if with_body:
        figures = _against_bodies(found, known, with_body, bodies, truth or [bodies] * len(known))
    else:
        figures = _against_joints(found, known, bodies)
    estimates, levels = found.estimates, range(len(found.estimates.rotations))
    annotated = np.stack([one.keypoints[: len(LSP_NAMES)] for one in known])
    figures["pck"] = [pck(found.points(bodies, "lsp", level), annotated) for level in levels]
    figures["impossible"] = [
        float(violates_joint_limits(bodies.body, estimates.rotations[level]).mean())
        for level in levels
    ]
    return figures | _upper_bodies(found, known, bodies)


def measure_groups(
    found: CropEstimates,
    known: Sequence[PersonLabels],
    groups: Sequence[str],
    bodies: BodyPoser,
) -> dict[str, Any]:
    """Return `measure_people` of all, then of each group, whose name precedes its figures.

    Parameters
    ----------
    found, known, bodies
        As for `measure_people`.
    groups : sequence of str
        Name of each person's group; '' = none.
    """
    figures = measure_people(found, known, bodies)
    for name, rows in rows_by_group(groups).items():
        own = measure_people(found.select(rows), [known[row] for row in rows], bodies)
        figures |= {f"{name}_{key}": own[key] for key in _GROUP_FIGURES if key in own}
    return figures


def rows_by_group(groups: Sequence[str]) -> dict[str, Ints]:
    """Return the rows of every group by its name, in the order of the names; '' is left out."""
    names = np.asarray(groups)
    return {name: np.flatnonzero(names == name) for name in sorted(set(names.tolist()) - {""})}


def _upper_bodies(
    found: CropEstimates, known: Sequence[PersonLabels], bodies: BodyPoser
) -> dict[str, Any]:
    true = read_upper_bodies(known)
    if true is None:
        return {}
    estimates, by_level = found.estimates, []
    for level in range(len(estimates.rotations)):
        posed = estimates.rotations[level], estimates.shape[level]
        # the face is the first part of COCO's points
        face_3d = bodies.keypoints("coco", *posed)[:, : len(FACE_NAMES)]
        points_3d = np.concatenate([bodies.keypoints("lsp", *posed), face_3d], axis=1)
        points = to_image_pixels(points_3d, estimates.camera[level], found.crops)
        by_level.append(upper_body_figures(points, points_3d, true))
    figures: dict[str, Any] = {"upper_people": len(true.rows)}
    return figures | {name: [one[name] for one in by_level] for name in by_level[0]}


def _against_bodies(
    found: CropEstimates,
    known: Sequence[PersonLabels],
    rows: Sequence[int],
    bodies: BodyPoser,
    truth: Sequence[BodyPoser],
) -> dict[str, Any]:
    labels = [known[row].body for row in rows]
    rotations = np.stack([label.rotations for label in labels if label is not None])
    shape = np.stack([label.shape for label in labels if label is not None])
    turns = turns_between(
        [known[row].crop for row in rows],
        [found.crops[row] for row in rows],
        [known[row].view for row in rows],
    )
    posers = [truth[row] for row in rows]
    true, true_root, true_mesh, true_joints = (
        turn_points(_pose_each(posers, points, rotations, shape), turns)
        for points in (
            BodyPoser.paper_joints, BodyPoser.pelvis, BodyPoser.vertices, BodyPoser.joints
        )
    )  # fmt: skip
    figures: dict[str, Any] = {
        name: [] for name in (
            "mpjpe_mm", "pa_mpjpe_mm", "mpjpe_limbs_mm", "pa_mpjpe_limbs_mm", "pve_mm",
            "mpjpe_skeleton_mm", "facing_over_90", "facing_over_45", "root_over_45",
        )
    }  # fmt: skip
    figures["people"] = len(rows)
    true_roots = turns @ rotations[:, 0]
    limbs = list(LIMBS)
    for level_rotations, level_shape in zip(
        found.estimates.rotations[:, rows], found.estimates.shape[:, rows], strict=True
    ):
        posed = level_rotations, level_shape
        paper, root = bodies.paper_joints(*posed), bodies.pelvis(*posed)
        figures["mpjpe_mm"].append(1000 * joint_error(paper - root, true - true_root))
        figures["pa_mpjpe_mm"].append(pa_mpjpe(paper, true))
        figures["mpjpe_limbs_mm"].append(mpjpe(paper[:, limbs], true[:, limbs], PAPER_HIPS))
        figures["pa_mpjpe_limbs_mm"].append(pa_mpjpe(paper[:, limbs], true[:, limbs]))
        for name, value in facing_figures(level_rotations[:, 0], true_roots).items():
            figures[name].append(value)
        mesh = bodies.vertices(*posed)
        figures["pve_mm"].append(vertex_error(mesh, true_mesh, root, true_root, (0,)))
        joints = bodies.joints(*posed)
        figures["mpjpe_skeleton_mm"].append(mpjpe(joints, true_joints, bodies.hips))
    return figures


def _pose_each(
    posers: Sequence[BodyPoser],
    points: Callable[[BodyPoser, Array, Array], Array],
    rotations: Array,
    shape: Array,
) -> Array:
    """Return points (N, K, 3) of N people, each with a body of their own."""
    parts: dict[int, Array] = {}
    for poser in {id(one): one for one in posers}.values():
        mine = [row for row, one in enumerate(posers) if one is poser]
        own = points(poser, rotations[mine], shape[mine])
        parts |= dict(zip(mine, own, strict=True))
    return np.stack([parts[row] for row in range(len(posers))])


def _against_joints(
    found: CropEstimates, known: Sequence[PersonLabels], bodies: BodyPoser
) -> dict[str, Any]:
    count = len(LSP_NAMES)
    rows, masks = [], []
    for row, one in enumerate(known):
        if one.joints_3d is not None:
            mask = one.joints_3d[:count, 3] > 0
            if mask.sum() >= _MIN_JOINTS and mask[list(PAPER_HIPS)].all():
                rows.append(row)
                masks.append(mask)
    if not rows:
        raise InputError("no person's body or joints are known in 3D")
    figures: dict[str, Any] = {"mpjpe_mm": [], "pa_mpjpe_mm": [], "people": len(rows)}
    estimates = found.estimates
    for rotations, shape in zip(
        estimates.rotations[:, rows], estimates.shape[:, rows], strict=True
    ):
        estimated, roots = bodies.paper_joints(rotations, shape), bodies.pelvis(rotations, shape)
        plain, aligned = [], []
        for joints, root, row, mask in zip(estimated, roots, rows, masks, strict=True):
            one = known[row]
            assert one.joints_3d is not None
            # without a pelvis the labels' origin, the middle of the hips, is the root
            pelvis = np.zeros(3) if one.pelvis is None else one.pelvis
            if one.pelvis is None:
                root = joints[list(PAPER_HIPS)].mean(axis=0, keepdims=True)
            points = np.concatenate([one.joints_3d[:count, :3], pelvis[None]])
            true = turn_points(
                points[None], turns_between([one.crop], [found.crops[row]], [one.view])
            )[0]
            error = joint_error((joints - root)[mask], (true[:-1] - true[-1])[mask])
            plain.append(1000 * error)
            aligned.append(pa_mpjpe(joints[None, mask], true[None, :-1][:, mask]))
        # every joint has the same weight, as in sets that know all joints
        weights = [int(mask.sum()) for mask in masks]
        figures["mpjpe_mm"].append(float(np.average(plain, weights=weights)))
        figures["pa_mpjpe_mm"].append(float(np.average(aligned, weights=weights)))
    return figures

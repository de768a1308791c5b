"""BlazePose's landmarkers on people with known bodies: the reference beside our networks.

They run on the same crops, without tracking or smoothing. The body's key points are BlazePose's own
for the limbs and the face, so the truth is the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS
from pymaf_live.errors import InputError
from pymaf_live.inference.preprocess import cut
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.tracking.crop import CropRule
from pymaf_live.types import Array, Crop
from trainer.body.blazepose_landmarker import SIZE, BlazePoseLandmarker, LandmarkBatch
from trainer.data.base import KEYPOINT_NAMES, PersonDataset, PersonLabels
from trainer.data.lspet import LIMBS
from trainer.data.recrop import recrop
from trainer.evaluation.facing import facing_figures, trunk_rotations
from trainer.evaluation.mesh_eval import PAPER_HIPS
from trainer.evaluation.metrics import mpjpe, pa_mpjpe, pck
from trainer.evaluation.pose3d import rows_by_group
from trainer.evaluation.upper_body import read_upper_bodies, upper_body_figures

KINDS = ("lite", "full", "heavy")
_FACE = {"nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8}


def measure_landmarkers_on_people(
    people: PersonDataset,
    groups: Sequence[str],
    folder: Path,
    kinds: Sequence[str] = KINDS,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Return the figures of every landmarker, of all people and of each group.

    PCK, MPJPE and PA-MPJPE of the 12 limb joints in mm (world landmarks), facing of the trunk, and
    `upper_body_figures`. A figure is named ``GROUP_FIGURE_KIND``.

    Parameters
    ----------
    people : PersonDataset
        People whose key points are all known in 3D.
    groups : sequence of str
        Name of each person's group; '' = none.
    folder : Path
        Folder of the ``pose_landmark_*.tflite`` files.
    kinds : sequence of str
    reporter : Reporter

    Raises
    ------
    InputError
        If the set is empty or has no 3D joints.
    ModelError
        If a landmarker is missing.
    """
    known = [people.labels(row) for row in range(len(people))]
    if not known or any(labels.joints_3d is None for labels in known):
        raise InputError(f"{people.name} has people without 3D joints")
    crops = [recrop(labels, CropRule(), SIZE) for labels in known]
    figures: dict[str, Any] = {"people": len(known)}
    everyone = {"": np.arange(len(known))} | rows_by_group(groups)
    for kind in kinds:
        landmarker = BlazePoseLandmarker(folder / f"pose_landmark_{kind}.tflite")
        rows = report_each(range(len(known)), reporter, f"{people.name}, {kind}")
        found = [landmarker.run([cut(people.image(row), crops[row])]) for row in rows]
        points, world = _as_keypoints(found, crops)
        for group, members in everyone.items():
            own = _measure(points[members], world[members], [known[row] for row in members])
            prefix = f"{group}_" if group else ""
            figures |= {f"{prefix}{name}_{kind}": value for name, value in own.items()}
    return figures


def _as_keypoints(found: Sequence[LandmarkBatch], crops: Sequence[Crop]) -> tuple[Array, Array]:
    """Return image pixels (N, 19, 2) and metres (N, 19, 3) of `KEYPOINT_NAMES`.

    BlazePose has no neck and no head top: they are NaN.
    """
    columns = [KEYPOINT_NAMES.index(name) for name in _FACE]
    points: Array = np.full((len(found), len(KEYPOINT_NAMES), 2), np.nan)
    world: Array = np.full((len(found), len(KEYPOINT_NAMES), 3), np.nan)
    limbs, face = list(BLAZEPOSE_LSP_LIMBS), list(_FACE.values())
    for row, (batch, crop) in enumerate(zip(found, crops, strict=True)):
        pixels = crop.to_frame(batch.points[0, :, :2])
        points[row, : len(LIMBS)], points[row, columns] = pixels[limbs], pixels[face]
        world[row, : len(LIMBS)], world[row, columns] = batch.world[0, limbs], batch.world[0, face]
    return points, world


def _measure(points: Array, world: Array, known: Sequence[PersonLabels]) -> dict[str, Any]:
    limbs = list(LIMBS)
    joints = [labels.joints_3d for labels in known]
    true = np.stack([one[limbs, :3] for one in joints if one is not None])
    annotated = np.stack([labels.keypoints[:14] for labels in known])
    figures: dict[str, Any] = {
        "pck": pck(points, annotated),
        "mpjpe_limbs_mm": mpjpe(world[:, limbs], true, PAPER_HIPS),
        "pa_mpjpe_limbs_mm": pa_mpjpe(world[:, limbs], true),
        **facing_figures(trunk_rotations(world), trunk_rotations(true)),
    }
    upper = read_upper_bodies(known)
    return figures if upper is None else figures | upper_body_figures(points, world, upper)

"""LSP's test half against part maps: Table 2's protocol.

The part maps are those of Lassner et al., 'Unite the people' (CVPR 2017), beside LSP's own pictures
and `joints.mat`: `data/lsp/im1001_segmentation.png` (0 or not) and `im1001_part_segmentation.png`
(0 = background, 1 .. 6 = `trainer.rendering.surface_maps.PARTS6`; 255 = not annotated). The body
is drawn over the whole picture; accuracy counts pixels, f1 is pooled over pictures for every label
and averaged over the labels, the background among them, as in the evaluation of SPIN and PyMAF. The
crop is the rule's on the annotated joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pymaf_live.errors import InputError
from trainer.data.lsp import LSP_TRAINING, read_lsp
from trainer.data.lspet import ImageStore, JointSet
from trainer.evaluation.lspet import estimate_annotated
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer
from trainer.evaluation.metrics import IGNORED, ConfusionMatrix, Labels, pck
from trainer.evaluation.network import Network


def measure_lsp_parts(
    network: Network, lsp: Path, parts: Path, bodies: BodyPoser, rows: Sequence[int] | None = None
) -> dict[str, Any]:
    """Accuracy and mean f1 of foreground and parts, level by level.

    Parameters
    ----------
    network : Network
    lsp : Path
        LSP's folder: `images` and `joints.mat`.
    parts : Path
        UP-3D's folder, which holds `data/lsp`.
    bodies : Bodies
    rows : sequence of int, optional
        The second thousand by default.

    Raises
    ------
    InputError
        If a picture or a map is missing, broken or of another size; the message names it.
    """
    joint_set = read_lsp(lsp)
    rows = range(LSP_TRAINING, len(joint_set)) if rows is None else rows
    if not len(rows):
        raise InputError(f"{lsp} has no test half")
    looked = estimate_annotated(network, joint_set, rows)
    painter, pictures = PartRenderer(bodies), ImageStore(joint_set)
    levels = len(looked.estimates.rotations)
    foreground = [ConfusionMatrix(2) for _ in range(levels)]
    six = [ConfusionMatrix(len(painter.names)) for _ in range(levels)]
    estimates = looked.estimates
    for index, row in enumerate(rows):
        height, width = pictures[row].shape[:2]
        mask, labels = _read_maps(parts, joint_set, row, (height, width), len(painter.names))
        for level in range(levels):
            found = painter(
                estimates.rotations[level, index],
                estimates.shape[level, index],
                estimates.camera[level, index],
                looked.crops[index],
                (width, height),
            )
            foreground[level].add((found > 0).astype(np.int64), mask)
            six[level].add(found, labels)
    joints = joint_set.joints[list(rows)]
    return {
        "foreground_accuracy": [count.accuracy for count in foreground],
        "foreground_f1": [count.mean_f1 for count in foreground],
        "parts_accuracy": [count.accuracy for count in six],
        "parts_f1": [count.mean_f1 for count in six],
        "pck": [pck(looked.points(bodies, "lsp", level), joints) for level in range(levels)],
    }


def _read_maps(
    folder: Path, joint_set: JointSet, row: int, shape: tuple[int, int], labels: int
) -> tuple[Labels, Labels]:
    stem = Path(joint_set.names[row]).stem
    mask = _read_map(folder / "data" / "lsp" / f"{stem}_segmentation.png", shape)
    parts = _read_map(folder / "data" / "lsp" / f"{stem}_part_segmentation.png", shape)
    if not ((parts < labels) | (parts == IGNORED)).all():
        raise InputError(f"the part map of {stem} has labels beyond {labels - 1}")
    return (mask > 0).astype(np.int64), parts


def _read_map(path: Path, shape: tuple[int, int]) -> Labels:
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"the map {path} is missing: {error.strerror}") from error
    found = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if len(encoded) else None
    if found is None:
        raise InputError(f"the map {path} does not decode")
    if found.shape != shape:
        raise InputError(f"the map {path} is {found.shape}, its picture {shape}")
    return np.asarray(found, dtype=np.int64)

"""LSP's test half against part maps: Table 2's protocol.

The part maps are those of Lassner et al., 'Unite the people' (CVPR 2017), used with LSP's own
images and `joints.mat`: `data/lsp/im1001_segmentation.png` (0 or not) and
`im1001_part_segmentation.png` (0 = background, 1 .. 6 = `trainer.rendering.surface_maps.PARTS6`;
255 = not annotated). The body is rendered over the whole image. Accuracy counts pixels; f1 is
pooled over images for every label and averaged over the labels including the background, as in the
evaluation of SPIN and PyMAF. The crop follows the crop rule on the annotated joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter
from trainer.data.lsp import LSP_TRAINING_COUNT, read_lsp
from trainer.data.lspet import ImageStore, JointSet
from trainer.evaluation.lspet import estimate_annotated
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer
from trainer.evaluation.metrics import IGNORED, ConfusionMatrix, LabelMap, pck
from trainer.evaluation.network import Network


def measure_lsp_parts(
    network: Network,
    lsp: Path,
    parts: Path,
    bodies: BodyPoser,
    rows: Sequence[int] | None = None,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Return accuracy and mean f1 of foreground and parts, level by level.

    As in UP-3D's evaluation, which Table 2 follows, pixels without a part label do not count in f1,
    and in the accuracy they count as background.

    Parameters
    ----------
    network : Network
    lsp : Path
        LSP's folder: `images` and `joints.mat`.
    parts : Path
        UP-3D's folder, which contains `data/lsp`.
    bodies : BodyPoser
    rows : sequence of int, optional
        The second thousand by default.
    reporter : Reporter

    Raises
    ------
    InputError
        If an image or a map is missing, damaged or of another size; the message names it.
    """
    joint_set = read_lsp(lsp)
    rows = range(LSP_TRAINING_COUNT, len(joint_set)) if rows is None else rows
    if not len(rows):
        raise InputError(f"{lsp} has no test half")
    found = estimate_annotated(network, joint_set, rows, reporter)
    renderer, images = PartRenderer(bodies), ImageStore(joint_set)
    estimates = found.estimates
    levels = len(estimates.rotations)
    foreground = [ConfusionMatrix(2) for _ in range(levels)]
    six = [ConfusionMatrix(len(renderer.names)) for _ in range(levels)]
    every_pixel = [ConfusionMatrix(len(renderer.names)) for _ in range(levels)]
    for index, row in enumerate(rows):
        height, width = images[row].shape[:2]
        mask, labels = _read_maps(parts, joint_set, row, (height, width), len(renderer.names))
        for level in range(levels):
            rendered = renderer(
                estimates.rotations[level, index],
                estimates.shape[level, index],
                estimates.camera[level, index],
                found.crops[index],
                (width, height),
            )
            foreground[level].add((rendered > 0).astype(np.int64), mask)
            six[level].add(rendered, labels)
            every_pixel[level].add(rendered, np.where(labels == IGNORED, 0, labels))
    joints = joint_set.joints[list(rows)]
    return {
        "foreground_accuracy": [matrix.accuracy for matrix in foreground],
        "foreground_f1": [matrix.mean_f1 for matrix in foreground],
        "parts_accuracy": [matrix.accuracy for matrix in every_pixel],
        "parts_f1": [matrix.mean_f1 for matrix in six],
        "pck": [pck(found.points(bodies, "lsp", level), joints) for level in range(levels)],
    }


def _read_maps(
    folder: Path, joint_set: JointSet, row: int, shape: tuple[int, int], labels: int
) -> tuple[LabelMap, LabelMap]:
    stem = Path(joint_set.names[row]).stem
    mask = _read_map(folder / "data" / "lsp" / f"{stem}_segmentation.png", shape)
    parts = _read_map(folder / "data" / "lsp" / f"{stem}_part_segmentation.png", shape)
    if not ((parts < labels) | (parts == IGNORED)).all():
        raise InputError(f"the part map of {stem} has labels above {labels - 1}")
    return (mask > 0).astype(np.int64), parts


def _read_map(path: Path, shape: tuple[int, int]) -> LabelMap:
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"the map {path} is missing: {error.strerror}") from error
    decoded = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if len(encoded) else None
    if decoded is None:
        raise InputError(f"the map {path} cannot be decoded")
    if decoded.shape != shape:
        raise InputError(f"the map {path} is {decoded.shape}, its image {shape}")
    return np.asarray(decoded, dtype=np.int64)

"""Network estimates of images: cut into crops, in batches, once or twice as in the program.

Crops follow the network's own crop rule, so that an imported model of upright crops is measured on
upright crops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.inference.preprocess import cut
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.tracking.crop import crop_from_box, crop_from_points, trunk_turn
from pymaf_live.types import Array, Camera, Crop, Image, Ints
from trainer.data.crop_views import turn_between
from trainer.data.lspet import annotated_turn
from trainer.evaluation.mesh_eval import BodyPoser, to_image_pixels
from trainer.evaluation.network import Estimates, Network

_BATCH = 20


@dataclass(frozen=True)
class CropEstimates:
    """Crops and a network's estimates of them."""

    crops: list[Crop]
    estimates: Estimates

    def points(self, bodies: BodyPoser, name: str, level: int = -1) -> Array:
        """Return a key-point set in image pixels, (N, K, 2)."""
        estimates = self.estimates
        posed = bodies.keypoints(name, estimates.rotations[level], estimates.shape[level])
        return to_image_pixels(posed, estimates.camera[level], self.crops)

    def select(self, rows: Sequence[int] | Ints) -> CropEstimates:
        """Return the crops and estimates of some rows."""
        rows, own = list(rows), self.estimates
        chosen = Estimates(
            own.rotations[:, rows],
            own.shape[:, rows],
            own.camera[:, rows],
            own.score[rows],
            own.joint_score[rows],
            None if own.landmarks is None else own.landmarks[rows],
        )
        return CropEstimates([self.crops[row] for row in rows], chosen)


def estimate_crops(
    network: Network,
    image: Callable[[int], Image],
    crops: Sequence[Crop],
    detail: str,
    reporter: Reporter = SILENT,
) -> CropEstimates:
    """Run a network on one crop of each image.

    Parameters
    ----------
    network : Network
    image : callable
        Index -> (H, W, 3) uint8 RGB; called once per index.
    crops : sequence of Crop
        One per image.
    detail : str
        Reported with the progress.
    reporter : Reporter
    """
    parts = []
    for start in report_each(range(0, len(crops), _BATCH), reporter, detail):
        block = range(start, min(start + _BATCH, len(crops)))
        parts.append(network.estimate(np.stack([cut(image(i), crops[i]) for i in block])))
    return CropEstimates(list(crops), _concatenate(parts))


def estimate_twice(
    network: Network,
    bodies: BodyPoser,
    image: Callable[[int], Image],
    crops: Sequence[Crop],
    detail: str,
    reporter: Reporter = SILENT,
) -> tuple[CropEstimates, CropEstimates]:
    """Run a network on crops, then on the crops refined by its own estimates, as the program does.

    Parameters
    ----------
    network, image, crops, detail, reporter
        As in `estimate_crops`.
    bodies : BodyPoser

    Returns
    -------
    first, second : CropEstimates
    """
    first = estimate_crops(network, image, crops, detail, reporter)
    points = first.points(bodies, "lsp")
    refined = [refined_crop(lsp, network) for lsp in points]
    return first, estimate_crops(network, image, refined, f"{detail}, refined crops", reporter)


def refined_crop(lsp: Array, network: Network) -> Crop:
    """Apply the network's crop rule to projected LSP joints (14, 2) in image pixels."""
    hips, shoulders = lsp[list(LSP_HIPS)].mean(axis=0), lsp[list(LSP_SHOULDERS)].mean(axis=0)
    turn = trunk_turn(hips, shoulders) if network.rule.turned else 0.0
    return crop_from_points(lsp, turn, network.size, network.rule.side)


def joint_crop(joints: Array, network: Network) -> Crop:
    """Apply the network's crop rule to annotated LSP joints (14, 3) in image pixels.

    Joints of weight 0 are unknown.
    """
    known = joints[joints[:, 2] > 0, :2]
    turn = annotated_turn(joints) if network.rule.turned else 0.0
    return crop_from_points(known, turn, network.size, network.rule.side)


def box_crop(box: Array, network: Network) -> Crop:
    """Return the upright crop around a box (4,) x0, y0, x1, y1, of the network's relative side."""
    return crop_from_box(box, 0.0, network.size, network.rule.side)


def turns_between(
    source: Sequence[Crop], target: Sequence[Crop], cameras: Sequence[Camera | None] | None = None
) -> Array:
    """Return the rotations (N, 3, 3) from the frames of N crops to those of N others.

    Parameters
    ----------
    source, target : sequence of Crop
    cameras : sequence of Camera or None, optional
        Of the images, where known; without them the frames differ in the plane only.
    """
    known = cameras or [None] * len(source)
    turns = [turn_between(*one) for one in zip(source, target, known, strict=True)]
    return np.reshape(turns, (-1, 3, 3))


def turn_points(points: Array, turns: Array) -> Array:
    """Rotate each of N sets of points (N, K, 3) by its rotation (N, 3, 3) about the origin."""
    return np.asarray(np.einsum("nij,nkj->nki", turns, points))


def _concatenate(parts: Sequence[Estimates]) -> Estimates:
    landmarks = [part.landmarks for part in parts if part.landmarks is not None]
    return Estimates(
        np.concatenate([part.rotations for part in parts], axis=1),
        np.concatenate([part.shape for part in parts], axis=1),
        np.concatenate([part.camera for part in parts], axis=1),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.joint_score for part in parts]),
        np.concatenate(landmarks) if landmarks else None,
    )

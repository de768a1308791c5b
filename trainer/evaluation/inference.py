"""Network estimates of images: cut into crops, in batches, once or twice as in the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.inference.preprocess import cut
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.tracking.crop import crop_from_points, trunk_turn
from pymaf_live.types import Array, Crop, Image
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
    refined = [refined_crop(lsp, crop.size) for lsp, crop in zip(points, crops, strict=True)]
    return first, estimate_crops(network, image, refined, f"{detail}, refined crops", reporter)


def refined_crop(lsp: Array, size: int) -> Crop:
    """Apply the crop rule to projected LSP joints (14, 2) in image pixels."""
    turn = trunk_turn(lsp[list(LSP_HIPS)].mean(axis=0), lsp[list(LSP_SHOULDERS)].mean(axis=0))
    return crop_from_points(lsp, turn, size)


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

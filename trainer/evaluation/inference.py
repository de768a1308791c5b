"""Pictures through a network: cut, in batches, once or twice as the program does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.inference.preprocess import cut
from pymaf_live.tracking.crop import crop_from_points, trunk_turn
from pymaf_live.types import Array, Crop, Image
from trainer.commands.progress import followed
from trainer.data.lspet import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER
from trainer.evaluation.mesh_eval import BodyPoser, to_image_pixels
from trainer.evaluation.network import Estimates, Network

_BATCH = 20


@dataclass(frozen=True)
class CropEstimates:
    """What a network said, and of which crops."""

    crops: list[Crop]
    estimates: Estimates

    def points(self, bodies: BodyPoser, name: str, level: int = -1) -> Array:
        """A key-point set in picture pixels, (N, K, 2)."""
        found = self.estimates
        posed = bodies.keypoints(name, found.rotations[level], found.shape[level])
        return to_image_pixels(posed, found.camera[level], self.crops)


def estimate_crops(
    network: Network,
    picture: Callable[[int], Image],
    crops: Sequence[Crop],
    what: str,
) -> CropEstimates:
    """Look at a crop of each picture.

    Parameters
    ----------
    network : Network
    picture : callable
        Number -> (H, W, 3) uint8 RGB, asked for once.
    crops : sequence of Crop
        One a picture.
    what : str
        Named in the progress.
    """
    parts = []
    for start in followed(range(0, len(crops), _BATCH), what):
        block = range(start, min(start + _BATCH, len(crops)))
        parts.append(network.estimate(np.stack([cut(picture(i), crops[i]) for i in block])))
    return CropEstimates(list(crops), _joined(parts))


def estimate_twice(
    network: Network,
    bodies: BodyPoser,
    picture: Callable[[int], Image],
    crops: Sequence[Crop],
    what: str,
) -> tuple[CropEstimates, CropEstimates]:
    """Look, then look again at the crops that the projected bodies ask for, as the program does.

    Parameters
    ----------
    network, picture, crops, what
        As in `look`.
    bodies : Bodies
    """
    first = estimate_crops(network, picture, crops, what)
    points = first.points(bodies, "lsp")
    again = [refined_crop(lsp, crop.size) for lsp, crop in zip(points, crops, strict=True)]
    return first, estimate_crops(network, picture, again, f"{what}, again")


def refined_crop(lsp: Array, size: int) -> Crop:
    """The crop rule on projected LSP joints (14, 2) in picture pixels."""
    turn = trunk_turn(
        lsp[[RIGHT_HIP, LEFT_HIP]].mean(axis=0), lsp[[RIGHT_SHOULDER, LEFT_SHOULDER]].mean(axis=0)
    )
    return crop_from_points(lsp, turn, size)


def _joined(parts: Sequence[Estimates]) -> Estimates:
    landmarks = [part.landmarks for part in parts if part.landmarks is not None]
    return Estimates(
        np.concatenate([part.rotations for part in parts], axis=1),
        np.concatenate([part.shape for part in parts], axis=1),
        np.concatenate([part.camera for part in parts], axis=1),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.joint_score for part in parts]),
        np.concatenate(landmarks) if landmarks else None,
    )

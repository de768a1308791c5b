"""Auxiliary head of the paper's equation 4: dense correspondence from the finest map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.rendering.surface_maps import PARTS


@dataclass(frozen=True)
class DensePrediction:
    """Dense correspondence of B maps."""

    part: Tensor
    """(B, 1 + PARTS, H, W) logits, the background first."""
    u: Tensor | None = None
    """(B, 1 + PARTS, H, W) coordinate on each part; undefined for the background."""
    v: Tensor | None = None
    """(B, 1 + PARTS, H, W), like `u`."""


class DenseHead(nn.Module):
    """One 3x3 convolution each for part, U and V, named as in the published checkpoint.

    The head serves training only, where it makes the features encode which point of the body they
    see, unless a network reads its maps (`NetworkConfig.read`).

    Parameters
    ----------
    channels : int
        Channels of the map.
    coordinates : bool
        Predict U and V beside the part.
    """

    def __init__(self, channels: int, *, coordinates: bool) -> None:
        super().__init__()
        self.predict_uv_index = nn.Conv2d(channels, 1 + PARTS, 3, padding=1)
        self.coordinates = coordinates
        if coordinates:
            self.predict_u = nn.Conv2d(channels, 1 + PARTS, 3, padding=1)
            self.predict_v = nn.Conv2d(channels, 1 + PARTS, 3, padding=1)

    @property
    def map_channels(self) -> int:
        """Channels of `dense_map`."""
        return 1 + PARTS + (2 * PARTS if self.coordinates else 0)

    def forward(self, feature_map: Tensor) -> DensePrediction:
        """Predict from the finest feature map (B, C, H, W)."""
        part = self.predict_uv_index(feature_map)
        if not self.coordinates:
            return DensePrediction(part)
        return DensePrediction(part, self.predict_u(feature_map), self.predict_v(feature_map))


def dense_map(dense: DensePrediction) -> Tensor:
    """Return the prediction as a map to sample: share of each part, and U and V weighted by it."""
    share = torch.softmax(dense.part, dim=1)
    if dense.u is None or dense.v is None:
        return share
    body = share[:, 1:]
    return torch.cat([share, body * dense.u[:, 1:], body * dense.v[:, 1:]], dim=1)

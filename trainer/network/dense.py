"""The auxiliary head of equation 4: dense correspondence from the finest map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.rendering.surface_maps import PARTS


@dataclass(frozen=True)
class DensePrediction:
    """What the head says of the cells of B maps."""

    part: Tensor
    """(B, 1 + PARTS, H, W) logits, the background first."""
    u: Tensor | None = None
    """(B, 1 + PARTS, H, W) place on each part; that of the background means nothing."""
    v: Tensor | None = None


class DenseHead(nn.Module):
    """One 3x3 convolution each for part, U and V; the published checkpoint's names.

    It serves training alone, where it makes the features say which place of the body they see,
    unless a network reads its maps (`NetworkConfig.read`).

    Parameters
    ----------
    channels : int
        Of the map.
    coordinates : bool
        Whether U and V are predicted beside the part.
    """

    def __init__(self, channels: int, *, coordinates: bool) -> None:
        super().__init__()
        self.predict_uv_index = nn.Conv2d(channels, 1 + PARTS, 3, padding=1)
        self.coordinates = coordinates
        if coordinates:
            self.predict_u = nn.Conv2d(channels, 1 + PARTS, 3, padding=1)
            self.predict_v = nn.Conv2d(channels, 1 + PARTS, 3, padding=1)

    @property
    def readable(self) -> int:
        """Channels of `as_map`."""
        return 1 + PARTS + (2 * PARTS if self.coordinates else 0)

    def forward(self, feature_map: Tensor) -> DensePrediction:
        """(B, C, H, W) of the finest level."""
        part = self.predict_uv_index(feature_map)
        if not self.coordinates:
            return DensePrediction(part)
        return DensePrediction(part, self.predict_u(feature_map), self.predict_v(feature_map))


def as_map(dense: DensePrediction) -> Tensor:
    """The prediction as a map to read: share of each part, and U and V weighted with it."""
    share = torch.softmax(dense.part, dim=1)
    if dense.u is None or dense.v is None:
        return share
    body = share[:, 1:]
    return torch.cat([share, body * dense.u[:, 1:], body * dense.v[:, 1:]], dim=1)

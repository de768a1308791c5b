"""The learnable part of the ablation's encoder: a pyramid over the frozen trunk's maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.network.blazepose import SIZE
from trainer.network.encoder import Encoder, EncoderOutput


class Neck(Encoder):
    """Top-down, so that every map knows of the coarser ones: 8x8, 16x16 and 32x32.

    Its weights are learned, so that supervision can shape the features. The summary is learned
    from the coarsest map with as many layers, so that a global feature has its fair chance.

    Parameters
    ----------
    maps : sequence of (B, C, H, W) tensors
        Maps of some crops, coarse to fine, of which the channels' usual size is taken.
    channels : int
        Of the maps that come out.
    """

    size = SIZE

    def __init__(self, maps: list[Tensor], channels: int = 32) -> None:
        super().__init__()
        self.channels = channels
        for index, one in enumerate(maps):
            spread = one.std((0, 2, 3), keepdim=True).clamp(min=1e-3)
            self.register_buffer(f"mean{index}", one.mean((0, 2, 3), keepdim=True))
            self.register_buffer(f"spread{index}", spread)
        inputs = [one.shape[1] for one in maps]
        self.lateral = nn.ModuleList(nn.Conv2d(i, channels, 1) for i in inputs)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in inputs)
        side = maps[0].shape[2] // 4
        self.summary = nn.Sequential(
            nn.Conv2d(inputs[0], 128, 3, 2, 1), nn.ReLU(), nn.Conv2d(128, 192, 3, 2, 1), nn.ReLU()
        )
        self.summary_width = 192 * side * side

    def forward(self, maps: list[Tensor]) -> EncoderOutput:
        """The frozen trunk's maps, coarse to fine."""
        given = [
            (one - self.get_buffer(f"mean{index}")) / self.get_buffer(f"spread{index}")
            for index, one in enumerate(maps)
        ]
        found: list[Tensor] = []
        for one, lateral, smooth in zip(given, self.lateral, self.smooth, strict=True):
            x = lateral(one)
            if found:
                x = x + functional.interpolate(found[-1], scale_factor=2, mode="nearest")
            found.append(torch.relu(smooth(torch.relu(x))))
        return EncoderOutput(found, self.summary(given[0]).flatten(1))

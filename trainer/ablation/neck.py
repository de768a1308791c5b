"""Trainable part of the ablation's encoder: a pyramid over the frozen trunk's maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.network.blazepose import SIZE
from trainer.network.encoder import Encoder, EncoderOutput


class Neck(Encoder):
    """Top-down pyramid of 8x8, 16x16 and 32x32: every map includes the coarser ones.

    Its weights are trained, so that supervision can shape the features. The summary is computed
    from the coarsest map with as many layers, which is fair to variants with a global feature.

    Parameters
    ----------
    maps : sequence of (B, C, H, W) tensors
        Maps of some crops, coarse to fine, for the usual mean and spread of each channel.
    channels : int
        Channels of the output maps.
    """

    size = SIZE

    def __init__(self, maps: list[Tensor], channels: int = 32) -> None:
        super().__init__()
        self.channels = channels
        for index, level in enumerate(maps):
            spread = level.std((0, 2, 3), keepdim=True).clamp(min=1e-3)
            self.register_buffer(f"mean{index}", level.mean((0, 2, 3), keepdim=True))
            self.register_buffer(f"spread{index}", spread)
        inputs = [level.shape[1] for level in maps]
        self.lateral = nn.ModuleList(nn.Conv2d(i, channels, 1) for i in inputs)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in inputs)
        side = maps[0].shape[2] // 4
        self.summary = nn.Sequential(
            nn.Conv2d(inputs[0], 128, 3, 2, 1), nn.ReLU(), nn.Conv2d(128, 192, 3, 2, 1), nn.ReLU()
        )
        self.summary_width = 192 * side * side

    def forward(self, maps: list[Tensor]) -> EncoderOutput:
        """Encode the frozen trunk's maps, coarse to fine."""
        normalized = [
            (level - self.get_buffer(f"mean{index}")) / self.get_buffer(f"spread{index}")
            for index, level in enumerate(maps)
        ]
        outputs: list[Tensor] = []
        for level, lateral, smooth in zip(normalized, self.lateral, self.smooth, strict=True):
            x = lateral(level)
            if outputs:
                x = x + functional.interpolate(outputs[-1], scale_factor=2, mode="nearest")
            outputs.append(torch.relu(smooth(torch.relu(x))))
        return EncoderOutput(outputs, self.summary(normalized[0]).flatten(1))

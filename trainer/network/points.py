"""Features at points: bilinear sampling of a map and an MLP that every point of a level shares."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEAK = 0.01


def grid_points(side: int) -> Tensor:
    """(side * side, 2) points x, y evenly over [-1, 1]^2, y varying fastest.

    The published checkpoint's order: its grid comes from meshgrid with x as the slow coordinate.
    """
    line = torch.linspace(-1, 1, side)
    x, y = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=-1)


def sampled(feature_map: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of (B, C, H, W) at crop-unit points (B, N, 2): (B, C, N); zero outside.

    Corners aligned, as published: -1 and 1 are the centres of the outermost cells.
    """
    grid = points.unsqueeze(2)
    found = functional.grid_sample(
        feature_map, grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return found.squeeze(-1)


def sampled_on_grid(feature_map: Tensor, side: int) -> Tensor:
    """What `sampled` gives at `grid_points`, (B, C, side * side), in one operator less.

    To read evenly spaced places, corners aligned, is to resize.
    """
    height, width = int(feature_map.shape[2]), int(feature_map.shape[3])
    # by factors and not by sizes, which would be worked out from the batch in an exported graph
    found = functional.interpolate(
        feature_map,
        scale_factor=(side / height, side / width),
        mode="bilinear",
        align_corners=True,
        recompute_scale_factor=False,
    )
    assert tuple(found.shape[2:]) == (side, side)
    return found.transpose(-1, -2).reshape(-1, int(feature_map.shape[1]), side * side)


class PointFeatures(nn.Module):
    """The shared MLP: its input is concatenated again before every layer but the first.

    Parameters
    ----------
    channels : int
        Of the map.
    widths : sequence of int
        Hidden widths.
    out : int
        Numbers that are left of a point.
    """

    def __init__(self, channels: int, widths: tuple[int, ...], out: int) -> None:
        super().__init__()
        inputs = [channels, *(width + channels for width in widths)]
        outputs = [*widths, out]
        self.layers = nn.ModuleList(
            nn.Conv1d(i, o, 1) for i, o in zip(inputs, outputs, strict=True)
        )

    def forward(self, samples: Tensor) -> Tensor:
        """(B, C, N) to (B, out * N), channel-major."""
        x = samples
        for index, layer in enumerate(self.layers):
            x = layer(x if index == 0 else torch.cat([x, samples], dim=1))
            last = index == len(self.layers) - 1
            x = torch.relu(x) if last else functional.leaky_relu(x, _LEAK)
        return x.flatten(1)

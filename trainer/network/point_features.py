"""Features at points: bilinear samples of a map, and an MLP shared by all points of a level."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEAK = 0.01


def grid_points(side: int) -> Tensor:
    """Return evenly spaced points x, y over [-1, 1]^2, (side * side, 2), y varying fastest.

    This is the published checkpoint's order: its grid comes from meshgrid with x as the slow
    coordinate.
    """
    line = torch.linspace(-1, 1, side)
    x, y = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], dim=-1)


def sample_bilinear(feature_map: Tensor, points: Tensor) -> Tensor:
    """Sample a map (B, C, H, W) at crop-unit points (B, N, 2), zero outside the map.

    Corners are aligned, as published: -1 and 1 are the centres of the outermost cells.

    Returns
    -------
    (B, N, C) tensor
    """
    if torch.onnx.is_in_onnx_export():
        return sample_by_rows(feature_map, points)
    grid = points.unsqueeze(2)
    samples = functional.grid_sample(
        feature_map, grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return samples.squeeze(-1).transpose(1, 2)


def sample_by_rows(feature_map: Tensor, points: Tensor) -> Tensor:
    """Sample as `sample_bilinear` does, by gathering cells of C values and weighting them.

    Used in exported graphs. Convolutions leave their maps with the channels last, where a cell is
    one row; GridSample needs them first, and transposing the finest map takes a runtime twenty
    times as long as reading it.
    """
    channels, height, width = (int(extent) for extent in feature_map.shape[1:])
    rows = feature_map.permute(0, 2, 3, 1).reshape(-1, height * width, channels)
    across, down = torch.split(points, 1, dim=-1)
    left, left_weight, right_weight = _neighbours(across, width)
    top, top_weight, bottom_weight = _neighbours(down, height)
    cell = (top * width + left).long()

    def weighted(index: Tensor, weight: Tensor) -> Tensor:
        cells: Tensor = _GatherRows.apply(rows, index)  # type: ignore[no-untyped-call]
        return weight * cells

    return (
        weighted(cell, top_weight * left_weight)
        + weighted(cell + 1, top_weight * right_weight)
        + weighted(cell + width, bottom_weight * left_weight)
        + weighted(cell + (width + 1), bottom_weight * right_weight)
    )


def _neighbours(units: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cell before each coordinate (B, N, 1), and the weights of it and the next cell.

    A coordinate outside the map gets the two outermost cells, one or both with weight 0.
    """
    position = units * ((size - 1) / 2) + (size - 1) / 2
    before = torch.floor(position.clamp(0, size - 2))
    fraction = position - before
    return before, torch.relu(1 - fraction.abs()), torch.relu(1 - (fraction - 1).abs())


class _GatherRows(torch.autograd.Function):
    """Gather rows (B, M, C) by indices (B, N, 1) to (B, N, C), in one ONNX operator."""

    @staticmethod
    def forward(_context: Any, rows: Tensor, indices: Tensor) -> Tensor:
        return torch.take_along_dim(rows, indices, dim=1)

    @staticmethod
    def symbolic(graph: Any, rows: Any, indices: Any) -> Any:
        return graph.op("GatherND", rows, indices, batch_dims_i=1)


def sample_on_grid(feature_map: Tensor, side: int) -> Tensor:
    """Sample at `grid_points`, (B, side * side, C), by resizing the map: one operator fewer."""
    height, width = int(feature_map.shape[2]), int(feature_map.shape[3])
    # by factors: an exported graph would compute sizes from the batch
    resized = functional.interpolate(
        feature_map,
        scale_factor=(side / height, side / width),
        mode="bilinear",
        align_corners=True,
        recompute_scale_factor=False,
    )
    assert tuple(resized.shape[2:]) == (side, side)
    return resized.permute(0, 3, 2, 1).reshape(-1, side * side, int(feature_map.shape[1]))


class PointFeatures(nn.Module):
    """Shared MLP whose input is concatenated again before every layer but the first.

    Parameters
    ----------
    channels : int
        Channels of the map.
    widths : sequence of int
        Hidden widths.
    out : int
        Features of a point.
    """

    def __init__(self, channels: int, widths: tuple[int, ...], out: int) -> None:
        super().__init__()
        inputs = [channels, *(width + channels for width in widths)]
        outputs = [*widths, out]
        self.layers = nn.ModuleList(
            nn.Conv1d(i, o, 1) for i, o in zip(inputs, outputs, strict=True)
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Reduce samples (B, N, C) to features (B, out * N), channel-major."""
        x = samples
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv1d)
            inputs = x if index == 0 else torch.cat([x, samples], dim=-1)
            # with the channels last it is a matrix product
            x = functional.linear(inputs, layer.weight.squeeze(-1), layer.bias)
            last = index == len(self.layers) - 1
            x = torch.relu(x) if last else functional.leaky_relu(x, _LEAK)
        return x.transpose(1, 2).flatten(1)

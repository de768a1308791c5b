"""Features at points: bilinear sampling of a map and an MLP that every point of a level shares."""

from __future__ import annotations

from typing import Any

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
    """Bilinear samples of (B, C, H, W) at crop-unit points (B, N, 2): (B, N, C); zero outside.

    Corners aligned, as published: -1 and 1 are the centres of the outermost cells.
    """
    if torch.onnx.is_in_onnx_export():
        return sampled_by_rows(feature_map, points)
    grid = points.unsqueeze(2)
    found = functional.grid_sample(
        feature_map, grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    return found.squeeze(-1).transpose(1, 2)


def sampled_by_rows(feature_map: Tensor, points: Tensor) -> Tensor:
    """As `sampled`, by taking whole cells (their C numbers) and weighing them.

    For exported graphs. Convolutions leave their maps with the channels last, and there a cell is
    one row; GridSample wants them first, and to bring the finest map into that order takes a
    runtime twenty times as long as reading it.
    """
    channels, height, width = (int(extent) for extent in feature_map.shape[1:])
    rows = feature_map.permute(0, 2, 3, 1).reshape(-1, height * width, channels)
    across, down = torch.split(points, 1, dim=-1)
    left, near_left, near_right = _neighbours(across, width)
    top, near_top, near_bottom = _neighbours(down, height)
    cell = (top * width + left).long()

    def part(number: Tensor, near: Tensor) -> Tensor:
        cells: Tensor = _Rows.apply(rows, number)  # type: ignore[no-untyped-call]
        return near * cells

    return (
        part(cell, near_top * near_left)
        + part(cell + 1, near_top * near_right)
        + part(cell + width, near_bottom * near_left)
        + part(cell + (width + 1), near_bottom * near_right)
    )


def _neighbours(units: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of coordinates (B, N, 1): the cell before each, and how near this and the next one are.

    A coordinate outside has the outermost two, and is near to one of them or to none.
    """
    place = units * ((size - 1) / 2) + (size - 1) / 2
    before = torch.floor(place.clamp(0, size - 2))
    past = place - before
    return before, torch.relu(1 - past.abs()), torch.relu(1 - (past - 1).abs())


class _Rows(torch.autograd.Function):
    """Rows (B, M, C) by their numbers (B, N, 1): (B, N, C), in one operator of ONNX."""

    @staticmethod
    def forward(_context: Any, rows: Tensor, which: Tensor) -> Tensor:
        return torch.take_along_dim(rows, which, dim=1)

    @staticmethod
    def symbolic(graph: Any, rows: Any, which: Any) -> Any:
        return graph.op("GatherND", rows, which, batch_dims_i=1)


def sampled_on_grid(feature_map: Tensor, side: int) -> Tensor:
    """What `sampled` gives at `grid_points`, (B, side * side, C), in one operator less.

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
    return found.permute(0, 3, 2, 1).reshape(-1, side * side, int(feature_map.shape[1]))


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
        """(B, N, C) to (B, out * N), channel-major."""
        x = samples
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv1d)
            given = x if index == 0 else torch.cat([x, samples], dim=-1)
            # with the channels last it is a matrix product
            x = functional.linear(given, layer.weight.squeeze(-1), layer.bias)
            last = index == len(self.layers) - 1
            x = torch.relu(x) if last else functional.leaky_relu(x, _LEAK)
        return x.transpose(1, 2).flatten(1)

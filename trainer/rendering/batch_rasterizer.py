"""The z-buffer of `trainer.rendering.rasterizer` for a batch of bodies, in torch, for a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

from trainer.rendering.rasterizer import EMPTY, ON_EDGE


def rasterize_batch(
    points: Tensor, depth: Tensor, faces: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Find the nearest triangle at the centre of every cell of B parallel views.

    Parameters
    ----------
    points : (B, V, 2) tensor
        Places in cells, centres at integers.
    depth : (B, V) tensor
        Along the viewing direction.
    faces : (F, 3) tensor
    size : tuple of int
        Width, height in cells.

    Returns
    -------
    triangle : (B, H, W) tensor
        -1 where there is none; of equally near triangles the first.
    weights : (B, H, W, 3) tensor
        Barycentric; zero where there is none.
    """
    width, height = size
    batch = len(points)
    points, depth = points.double(), depth.double()
    depth = depth - depth.amin(1, keepdim=True)
    row, face, low, high = _covering(points, depth, faces, size)
    corners = faces[face]
    first, second, third = (points[row, corners[:, k]] for k in range(3))
    u, v = second - first, third - first
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    drawn = area != 0
    row, face, corners, low, high = (t[drawn] for t in (row, face, corners, low, high))
    first, u, v, area = first[drawn], u[drawn], v[drawn], area[drawn]
    which, cell = _cells(low, high)
    away = cell - first[which]
    b = (away[:, 0] * v[which, 1] - away[:, 1] * v[which, 0]) / area[which]
    c = (away[:, 1] * u[which, 0] - away[:, 0] * u[which, 1]) / area[which]
    found = torch.stack([1 - b - c, b, c], dim=-1)
    inside = (found >= ON_EDGE).all(-1)
    which, cell, found = which[inside], cell[inside].long(), found[inside]
    near = (found * depth[row[which, None], corners[which]]).sum(-1)
    bits = near.clamp(min=0).float().view(torch.int32).long()
    place = (row[which] * height + cell[:, 1]) * width + cell[:, 0]
    # ordered by depth, then by number, as on the CPU
    key = (bits << 32) | face[which]
    best = torch.full((batch * height * width,), EMPTY, device=points.device)
    best = best.scatter_reduce(0, place, key, "amin")
    won = key == best[place]
    triangle = torch.full((len(best),), -1, device=points.device)
    triangle[place[won]] = face[which[won]]
    weights = points.new_zeros(len(best), 3)
    chosen = found[won].clamp(0, 1)
    weights[place[won]] = chosen / chosen.sum(-1, keepdim=True)
    return triangle.view(batch, height, width), weights.view(batch, height, width, 3).float()


def _covering(
    points: Tensor, depth: Tensor, faces: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return body and face (N,) of every box that holds a cell's centre, its ends (N, 2)."""
    sound = torch.isfinite(points).all(-1) & torch.isfinite(depth)
    points = torch.where(sound[..., None], points, -9.0)
    last = points.new_tensor([size[0] - 1, size[1] - 1])
    least = points.ceil().clamp(min=0)[:, faces].amin(2)
    most = torch.minimum(points.floor().clamp(min=-1), last)[:, faces].amax(2)
    holds = (least <= most).all(-1) & sound[:, faces].all(-1)
    row, face = holds.nonzero(as_tuple=True)
    return row, face, least[row, face], most[row, face]


def _cells(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return every cell of N boxes: the box (M,) and the cell's x and y (M, 2)."""
    span = (high - low + 1).long()
    counts = span[:, 0] * span[:, 1]
    which = torch.repeat_interleave(torch.arange(len(counts), device=low.device), counts)
    start = torch.cumsum(counts, 0) - counts
    within = torch.arange(len(which), device=low.device) - start[which]
    y = torch.div(within, span[which, 0], rounding_mode="floor")
    return which, low[which] + torch.stack([within - y * span[which, 0], y], dim=-1)

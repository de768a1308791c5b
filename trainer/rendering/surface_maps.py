"""Dense correspondence: which part of the body, and which place on it, every cell of a map sees.

A z-buffer made for bodies, whose triangles are mostly smaller than a cell: triangles whose box
holds no cell's centre fall out first, with four small integers a corner; what is left is tested
cell by cell, and the nearest wins as the least of packed numbers (depth, triangle). Once in NumPy
for a CPU, a map at a time, and once in torch for a GPU, a batch at a time, with the same results.

    python -m trainer.rendering.surface_maps     # how many maps a second one thread makes
"""

from __future__ import annotations

import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.errors import ModelError
from pymaf_live.resources import resource
from pymaf_live.types import Array, Ints
from trainer.body.torch_body import Skeleton, SkinnedVertices, projected
from trainer.rendering.renderer import Raster

PARTS = 24
"""DensePose's surface parts, 1-based; 0 is the background."""
PARTS6 = ("head", "torso", "left_arm", "right_arm", "left_leg", "right_leg")
"""The parts of the segmentation figures, 1-based likewise."""

_MOST_SIDE = 30_000
"""Cells a side that 16 bits hold."""
_MOST_CANDIDATES = 2_000_000
_ON_EDGE = -1e-9
"""Barycentric; a centre on an edge that two triangles share must not fall between them."""
_NEAREST = 0.05
"""Metres; in perspective, triangles with a corner nearer than this are not drawn."""
_EMPTY = np.iinfo(np.int64).max


def rasterize(
    points: Array,
    depth: Array,
    faces: Ints,
    size: tuple[int, int],
    *,
    perspective: bool = False,
    both_sides: bool = True,
) -> Raster:
    """Find the nearest triangle at the centre of every cell.

    Parameters
    ----------
    points : (V, 2) array
        Places in cells, centres at integers, x right and y down.
    depth : (V,) array
        Metres from the camera (perspective), or along the direction of view.
    faces : (F, 3) array
        Counter-clockwise seen from outside. A face with a corner that is not finite is left out.
    size : tuple of int
        Width, height in cells.
    perspective : bool
        Whether 1 / depth or depth itself is linear in the picture.
    both_sides : bool
        False leaves out what faces away: half the work, and right for closed surfaces.

    Returns
    -------
    Raster
        Of equally near triangles the first is seen.
    """
    width, height = size
    points, depth = np.asarray(points, np.float64), np.asarray(depth, np.float64)
    drawable = np.isfinite(points).all(axis=1) & np.isfinite(depth)
    if perspective:
        drawable &= depth > _NEAREST
    whole = bool(drawable.all())
    if not whole:
        points = np.where(drawable[:, None], points, 0.0)
        depth = np.where(drawable, depth, 1.0)
    # what falls linearly over the picture and is least where nearest
    level = -1 / depth if perspective else depth
    least = float(level.min()) if len(level) else 0.0
    kept, low, span = _covering(points, faces, width, height)
    if not whole:
        sound = drawable[faces[kept]].all(axis=1)
        kept, low, span = kept[sound], low[sound], span[sound]
    corners = faces[kept]
    planes, facing = _planes(points, level - least, corners, low, both_sides=both_sides)
    if not facing.all():
        kept, corners, low, span = kept[facing], corners[facing], low[facing], span[facing]
        planes = planes[:, facing]

    best = np.full(width * height, _EMPTY, np.int64)
    counts = span[:, 0] * span[:, 1]
    ends = np.cumsum(counts)
    first = 0
    while first < len(kept):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _MOST_CANDIDATES, "right")))
        part = slice(first, last)
        _test(best, planes[:, part], low[part], span[part], counts[part], first, width)
        first = last

    cells = np.flatnonzero(best != _EMPTY)
    seen = best[cells] & 0xFFFFFFFF
    x, y = cells % width - low[seen, 0], cells // width - low[seen, 1]
    second = planes[0, seen] + planes[1, seen] * x + planes[2, seen] * y
    third = planes[3, seen] + planes[4, seen] * x + planes[5, seen] * y
    found = np.clip(np.stack([1 - second - third, second, third], axis=1), 0.0, 1.0)
    near = least + planes[6, seen] + planes[7, seen] * x + planes[8, seen] * y
    if perspective:
        found *= -level[corners[seen]]
        near = -1 / near
    found /= found.sum(axis=1, keepdims=True)
    triangle = np.full(width * height, -1, np.int64)
    triangle[cells] = kept[seen]
    weights = np.zeros((width * height, 3))
    weights[cells] = found
    distance = np.full(width * height, np.inf)
    distance[cells] = near
    shape = (height, width)
    return Raster(triangle.reshape(shape), weights.reshape(*shape, 3), distance.reshape(shape))


def _covering(points: Array, faces: Ints, width: int, height: int) -> tuple[Ints, Ints, Ints]:
    """Faces whose box holds a cell's centre, the box's least cell and its extent (N, 2)."""
    if max(width, height) > _MOST_SIDE:
        raise ValueError(f"a map of {width}x{height} is larger than {_MOST_SIDE} a side")
    # ceil(min) is min(ceil), so a face needs four 16-bit numbers of a corner: one 64-bit word
    bounds = np.empty((len(points), 4), np.int16)
    bounds[:, :2] = np.clip(np.ceil(points), 0, _MOST_SIDE)
    bounds[:, 2:] = -np.clip(np.floor(points), -1, [width - 1, height - 1])
    words = bounds.view(np.int64)[:, 0]
    boxes = words[faces[:, 0]].view(np.int16)
    for corner in (1, 2):
        np.minimum(boxes, words[faces[:, corner]].view(np.int16), out=boxes)
    boxes = boxes.reshape(-1, 4)
    kept = np.flatnonzero((boxes[:, 0] + boxes[:, 2] <= 0) & (boxes[:, 1] + boxes[:, 3] <= 0))
    chosen = boxes[kept].astype(np.int64)
    return kept, chosen[:, :2], 1 - chosen[:, 2:] - chosen[:, :2]


def _planes(
    points: Array, level: Array, corners: Ints, low: Ints, *, both_sides: bool
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Second and third weight and the depth as planes over the cells from `low`: (9, N).

    With them, which faces are to be drawn at all.
    """
    x, y = points[:, 0][corners], points[:, 1][corners]
    x0, y0 = x[:, 0], y[:, 0]
    ux, uy, vx, vy = x[:, 1] - x0, y[:, 1] - y0, x[:, 2] - x0, y[:, 2] - y0
    area = ux * vy - uy * vx
    # counter-clockwise to the eye is a negative area where y points down
    facing = area != 0 if both_sides else area < 0
    scale = 1 / np.where(facing, area, 1.0)
    left, top = low[:, 0] - x0, low[:, 1] - y0
    bx, by, cx, cy = vy * scale, -vx * scale, -uy * scale, ux * scale
    b, c = bx * left + by * top, cx * left + cy * top
    z = level[corners]
    up, down = z[:, 1] - z[:, 0], z[:, 2] - z[:, 0]
    planes = [b, bx, by, c, cx, cy, z[:, 0] + b * up + c * down]
    planes += [bx * up + cx * down, by * up + cy * down]
    return np.stack(planes), facing


def _test(
    best: Ints, planes: Array, low: Ints, span: Ints, counts: Ints, first: int, width: int
) -> None:
    """Lower `best` (one number a cell) to the nearest of these triangles, numbered from `first`."""
    which = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    y, x = np.divmod(within, span[which, 0])
    b, bx, by, c, cx, cy, z, zx, zy = planes[:, which]
    b = b + bx * x + by * y
    c = c + cx * x + cy * y
    inside = np.flatnonzero((b >= _ON_EDGE) & (c >= _ON_EDGE) & (b + c <= 1 - _ON_EDGE))
    which, x, y = which[inside], x[inside], y[inside]
    near = z[inside] + zx[inside] * x + zy[inside] * y
    # the bits of floats that are not negative sort as the floats do
    bits = np.maximum(near, 0).astype(np.float32).view(np.int32).astype(np.int64)
    cell = (low[which, 1] + y) * width + low[which, 0] + x
    np.minimum.at(best, cell, (bits << 32) | (which + first))


def rasterize_batch(
    points: Tensor, depth: Tensor, faces: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """The same for B bodies at once, in torch: for a GPU.

    Parameters
    ----------
    points : (B, V, 2) tensor
        Places in cells.
    depth : (B, V) tensor
        Along the direction of view.
    faces : (F, 3) tensor
    size : tuple of int
        Width, height in cells.

    Returns
    -------
    triangle : (B, H, W) tensor
        -1 where there is none.
    weights : (B, H, W, 3) tensor
        Zero where there is none.
    """
    width, height = size
    batch = len(points)
    points, depth = points.double(), depth.double()
    depth = depth - depth.amin(1, keepdim=True)
    sound = torch.isfinite(points).all(-1) & torch.isfinite(depth)
    points = torch.where(sound[..., None], points, -9.0)
    depth = torch.where(sound, depth, 0.0)
    top = points.new_tensor([width - 1, height - 1])
    least = points.ceil().clamp(min=0)[:, faces].amin(2)
    most = torch.minimum(points.floor().clamp(min=-1), top)[:, faces].amax(2)
    holds = (least <= most).all(-1) & sound[:, faces].all(-1)
    row, face = holds.nonzero(as_tuple=True)
    low, high = least[row, face], most[row, face]
    corners = faces[face]
    first, second, third = (points[row, corners[:, k]] for k in range(3))
    u, v = second - first, third - first
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    drawn = area != 0
    row, face, corners, low, high = (t[drawn] for t in (row, face, corners, low, high))
    first, u, v, area = first[drawn], u[drawn], v[drawn], area[drawn]
    span = (high - low + 1).long()
    counts = span[:, 0] * span[:, 1]

    which = torch.repeat_interleave(torch.arange(len(counts), device=points.device), counts)
    start = torch.cumsum(counts, 0) - counts
    within = torch.arange(len(which), device=points.device) - start[which]
    y = torch.div(within, span[which, 0], rounding_mode="floor")
    cell = low[which] + torch.stack([within - y * span[which, 0], y], dim=-1)

    def weights_at(of: Tensor, cells: Tensor) -> Tensor:
        away = cells - first[of]
        b = (away[:, 0] * v[of, 1] - away[:, 1] * v[of, 0]) / area[of]
        c = (away[:, 1] * u[of, 0] - away[:, 0] * u[of, 1]) / area[of]
        return torch.stack([1 - b - c, b, c], dim=-1)

    found = weights_at(which, cell)
    inside = (found >= _ON_EDGE).all(-1)
    which, cell, found = which[inside], cell[inside].long(), found[inside]
    near = (found * depth[row[which, None], corners[which]]).sum(-1)
    bits = near.clamp(min=0).float().view(torch.int32).long()
    place = (row[which] * height + cell[:, 1]) * width + cell[:, 0]
    # the same order as on the CPU: the nearest, then the first face
    key = (bits << 32) | face[which]
    best = torch.full((batch * height * width,), _EMPTY, device=points.device)
    best = best.scatter_reduce(0, place, key, "amin")
    won = key == best[place]
    triangle = torch.full((len(best),), -1, device=points.device)
    triangle[place[won]] = face[which[won]]
    weights = points.new_zeros(len(best), 3)
    kept = found[won].clamp(0, 1)
    weights[place[won]] = kept / kept.sum(-1, keepdim=True)
    return triangle.view(batch, height, width), weights.view(batch, height, width, 3).float()


@dataclass(frozen=True)
class Surface:
    """What is painted on a body's faces."""

    part: Ints
    """(F,) 1 .. `PARTS`."""
    part6: Ints
    """(F,) 1 .. 6, in the order of `PARTS6`."""
    uv: Array
    """(F, 3, 2) place of each corner on its part, 0..1."""


def load_surface(body: Body, path: Path | None = None) -> Surface:
    """Read the surface coordinates beside a body.

    Parameters
    ----------
    body : Body
    path : Path, optional
        Its file; the shipped body's by default.

    Raises
    ------
    ModelError
        If the file has none, or they do not fit the body.
    """
    path = path or resource("body/open_body.npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            part6, uv, faces = (np.asarray(file[k]) for k in ("face_part6", "uv", "uv_f"))
        corners = uv.astype(np.float64)[faces]
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(f"{path} has no sound surface coordinates: {error}") from error
    count = len(body.faces)
    sound = (
        part6.shape == (count,)
        and corners.shape == (count, 3, 2)
        and bool(((corners >= 0) & (corners <= 1)).all())
        and set(np.unique(part6)) <= set(range(len(PARTS6)))
        and set(np.unique(body.face_part)) <= set(range(1, PARTS + 1))
    )
    if not sound:
        raise ModelError(f"the surface coordinates in {path} do not fit the body")
    return Surface(body.face_part, part6.astype(np.int64) + 1, corners)


def part_map(
    points: Array, depth: Array, faces: Ints, face_part: Ints, size: tuple[int, int]
) -> Ints:
    """Part that every pixel sees, (H, W); 0 = none. See `rasterize`; `face_part` is (F,) from 1."""
    raster = rasterize(points, depth, faces, size)
    return np.where(raster.triangle >= 0, face_part[raster.triangle], 0)


@dataclass(frozen=True)
class DenseMaps:
    """What every cell of B maps sees of a body."""

    part: Tensor
    """(B, H, W) int64: 0 = background, 1 .. `PARTS`."""
    u: Tensor
    """(B, H, W) 0..1 within the part; 0 in the background."""
    v: Tensor


class BodyMaps(nn.Module):
    """Draws the maps of bodies as labels and levels give them."""

    faces: Tensor
    part: Tensor
    part6: Tensor
    uv: Tensor

    def __init__(self, body: Body, surface: Surface | None = None) -> None:
        super().__init__()
        surface = surface or load_surface(body)
        self.skeleton = Skeleton(body)
        self.vertices = SkinnedVertices(body, np.arange(len(body.template)))
        self.register_buffer("faces", torch.tensor(body.faces), persistent=False)
        # one row more than there are faces: the last, -1, is the background
        for name, values in (("part", surface.part), ("part6", surface.part6)):
            self.register_buffer(name, torch.tensor(np.append(values, 0)), persistent=False)
        uv = np.concatenate([surface.uv, np.zeros((1, 3, 2))])
        self.register_buffer("uv", torch.tensor(uv, dtype=torch.float32), persistent=False)

    @torch.no_grad()
    def forward(self, rotations: Tensor, shape: Tensor, camera: Tensor, size: int) -> DenseMaps:
        """Maps of bodies in crop units.

        Parameters
        ----------
        rotations : (B, J, 3, 3) tensor
        shape : (B, S) tensor
        camera : (B, 3) tensor
        size : int
            Cells a side. Corners aligned as where the maps are read: -1 and 1 are the centres of
            the outermost cells.
        """
        triangle, weights = self._seen(rotations, shape, camera, size, aligned=True)
        uv = (weights[..., None] * self.uv[triangle]).sum(-2)
        return DenseMaps(self.part[triangle], uv[..., 0], uv[..., 1])

    @torch.no_grad()
    def six_parts(self, rotations: Tensor, shape: Tensor, camera: Tensor, size: int) -> Tensor:
        """(B, H, W) int64, 0 = background, 1 .. 6 = `PARTS6`, over the pixels of the crop.

        Here -1 and 1 are the crop's edges, half a pixel outside the outermost centres.
        """
        triangle, _ = self._seen(rotations, shape, camera, size, aligned=False)
        return self.part6[triangle]

    def _seen(
        self, rotations: Tensor, shape: Tensor, camera: Tensor, size: int, *, aligned: bool
    ) -> tuple[Tensor, Tensor]:
        rest = self.skeleton.rest(shape)
        world, places = self.skeleton(rotations, rest)
        posed = self.vertices(world, places, rest, shape)
        flat = (projected(posed, camera) + 1) / 2
        flat = flat * (size - 1) if aligned else flat * size - 0.5
        if posed.device.type != "cpu":
            return rasterize_batch(flat, posed[..., 2], self.faces, (size, size))
        faces = self.faces.numpy()
        rasters = [
            rasterize(points, depth, faces, (size, size))
            for points, depth in zip(flat.numpy(), posed[..., 2].numpy(), strict=True)
        ]
        triangle = np.array([raster.triangle for raster in rasters], np.int64)
        weights = np.array([raster.weights for raster in rasters], np.float32)
        cells = (-1, size, size)
        return torch.from_numpy(triangle).view(cells), torch.from_numpy(weights).view(*cells, 3)


def _main() -> None:
    from pymaf_live.body import default_body
    from pymaf_live.body.rotations import matrix_from_axis_angle

    torch.set_num_threads(1)
    body, random, batch, rounds = default_body(), np.random.default_rng(0), 32, 5
    maps = BodyMaps(body)
    turns = matrix_from_axis_angle(random.normal(size=(batch, body.joint_count, 3)) * 0.3)
    turns[:, 0] = np.diag([1.0, -1.0, -1.0]) @ turns[:, 0]
    rotations = torch.tensor(turns, dtype=torch.float32)
    shape, camera = torch.zeros(batch, body.shape_count), torch.tensor([[0.7, 0.0, 0.2]])
    for size in (64, 256):
        maps(rotations, shape, camera.expand(batch, -1), size)
        wall, used = time.perf_counter(), time.process_time()
        for _ in range(rounds):
            maps(rotations, shape, camera.expand(batch, -1), size)
        wall, used = time.perf_counter() - wall, time.process_time() - used
        count = batch * rounds
        print(
            f"{size}x{size}: {count / used:.0f} maps a second of one thread's time, "
            f"{count / wall:.0f} by the clock, posing included"
        )


if __name__ == "__main__":
    _main()

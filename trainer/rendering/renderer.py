"""Drawing textured, lit bodies with a z-buffer in NumPy; for quality, not for speed.

Every triangle's samples are tested at once (triangles of like extent together), the nearest sample
wins, and what the vertices carry is interpolated in perspective. Anti-aliasing by supersampling:
the raster is n times as fine as the picture and averaged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from pymaf_live.body.normals import vertex_normals
from pymaf_live.types import Array, Camera, Ints

_NEAREST = 0.05
"""Metres; triangles with a corner nearer than this are not drawn."""
_MOST_CANDIDATES = 4_000_000
"""Samples tested at once; bounds the memory to a few hundred MB."""

Surface = Callable[[Array, Ints], Array]
"""Attributes (N, C) and triangles (N,) of N samples -> their own colours (N, 3), 0..1 linear."""


@dataclass(frozen=True)
class Raster:
    """Which triangle each sample of a picture sees."""

    triangle: Ints
    """(H, W) -1 where there is none."""
    weights: Array
    """(H, W, 3) weights of the triangle's corners, right in perspective; zero where none."""
    depth: Array
    """(H, W) metres; infinite where none."""

    def interpolate(self, faces: Ints, values: Array) -> Array:
        """What the vertices (V, C) carry, at the N samples that see a triangle, row by row.

        Returns
        -------
        (N, C) array
        """
        hit = self.triangle >= 0
        corners = values[faces[self.triangle[hit]]]
        return np.asarray(np.einsum("nk,nkc->nc", self.weights[hit], corners))


@dataclass(frozen=True)
class Light:
    """A sun and a sky. The directions are in the camera's frame (y down)."""

    to_sun: Array
    """(3,) unit vector."""
    sun: Array
    """(3,) colour and strength."""
    sky: Array
    """(3,) light from above."""
    ground: Array
    """(3,) light from below."""
    up: Array
    """(3,) unit vector."""

    def on(self, normals: Array, lit: Array) -> Array:
        """Light (N, 3) that reaches surfaces of the given normals (N, 3); `lit` (N,) 0..1."""
        # wrapped a little round the terminator: cloth and skin scatter, a hard edge looks like clay
        facing = np.clip((normals @ self.to_sun + 0.15) / 1.15, 0.0, 1.0)
        height = (normals @ self.up)[:, None] * 0.5 + 0.5
        ambient = self.ground + (self.sky - self.ground) * height
        return np.asarray(ambient + self.sun * (facing * lit)[:, None])


@dataclass(frozen=True)
class Rendering:
    """A drawn body; colours linear, 0..1 and beyond, not yet over a background."""

    colour: Array
    """(H, W, 3) times the coverage."""
    mask: Array
    """(H, W) coverage 0..1."""
    depth: Array
    """(H, W) metres of the nearest sample; infinite where none."""

    def over(self, background: Array) -> Array:
        """The body before a background (H, W, 3), linear."""
        return np.asarray(self.colour + background * (1 - self.mask[..., None]))


def rasterize(
    points: Array, depth: Array, faces: Ints, size: tuple[int, int], *, perspective: bool = True
) -> Raster:
    """Find the nearest triangle at the centre of every sample.

    Parameters
    ----------
    points : (V, 2) array
        Places in samples, centres at integers.
    depth : (V,) array
        Metres from the camera (perspective), or along the direction of view (parallel).
    faces : (F, 3) array
        Drawn from both sides.
    size : tuple of int
        Width, height in samples.
    perspective : bool
        Whether 1 / depth or depth itself is linear in the picture.

    Returns
    -------
    Raster
    """
    width, height = size
    nearness = 1 / np.maximum(depth, _NEAREST) if perspective else -depth
    best = np.full(width * height, -np.inf)
    seen = np.full(width * height, -1, dtype=np.int64)
    corners = points[faces]
    low = np.ceil(corners.min(axis=1))
    high = np.floor(corners.max(axis=1))
    low = np.maximum(low, 0)
    high = np.minimum(high, [width - 1, height - 1])
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    kept = np.isfinite(corners).all(axis=(1, 2)) & (high >= low).all(axis=1) & (area != 0)
    if perspective:
        kept &= (depth[faces] > _NEAREST).all(axis=1)
    # triangles of like extent share one block of candidate samples
    spans = np.where(kept[:, None], high - low + 1, 1)
    blocks = np.exp2(np.ceil(np.log2(spans))).astype(np.int64)
    for block in np.unique(blocks[kept], axis=0):
        chosen = np.flatnonzero(kept & (blocks == block).all(axis=1))
        columns, rows = (grid.ravel() for grid in np.meshgrid(*map(np.arange, block)))
        step = max(1, _MOST_CANDIDATES // len(columns))
        for start in range(0, len(chosen), step):
            part = chosen[start : start + step]
            x = low[part, 0, None] + columns
            y = low[part, 1, None] + rows
            weights = _flat_weights(x, y, corners[part], area[part])
            inside = (weights >= 0).all(axis=0) & (x <= high[part, :1]) & (y <= high[part, 1:])
            sample = (y[inside] * width + x[inside]).astype(np.int64)
            near = nearness[faces[part]]
            value = sum(weights[k] * near[:, k, None] for k in range(3))[inside]
            number = np.broadcast_to(part[:, None], inside.shape)[inside]
            # within the block the nearest of each sample comes first
            order = np.lexsort((-value, sample))
            first = order[np.r_[True, np.diff(sample[order]) > 0]] if len(order) else order
            closer = first[value[first] > best[sample[first]]]
            best[sample[closer]] = value[closer]
            seen[sample[closer]] = number[closer]

    hit = np.flatnonzero(seen >= 0)
    triangle = seen[hit]
    x, y = (hit % width).astype(float)[:, None], (hit // width).astype(float)[:, None]
    weights = _flat_weights(x, y, corners[triangle], area[triangle])[..., 0].T
    if perspective:
        weights = weights * nearness[faces[triangle]]
        weights /= weights.sum(axis=1, keepdims=True)
    all_weights = np.zeros((width * height, 3))
    all_weights[hit] = weights
    all_depth = np.full(width * height, np.inf)
    all_depth[hit] = 1 / best[hit] if perspective else -best[hit]
    return Raster(
        seen.reshape(height, width),
        all_weights.reshape(height, width, 3),
        all_depth.reshape(height, width),
    )


def _flat_weights(x: Array, y: Array, corners: Array, area: Array) -> Array:
    """Barycentric weights (3, N, M) of samples x, y (N, M) in flat triangles (N, 3, 2)."""
    weights = np.empty((3, *x.shape))
    for k in range(3):
        a, b = corners[:, (k + 1) % 3, :, None], corners[:, (k + 2) % 3, :, None]
        cross = (b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])
        weights[k] = cross / area[:, None]
    return weights


@dataclass(frozen=True)
class SunMap:
    """What the sun sees: its depth map, for shadows."""

    axes: Array
    """(3, 3) rows: right, down, away from the sun."""
    corner: Array
    """(2,) metres along the first two axes at sample 0, 0."""
    step: float
    """Metres a sample."""
    depth: Array
    """(H, W) metres along the third axis; infinite where the sun passes."""
    softness: float = 1.5
    """Standard deviation of the shadow's edge in samples."""

    def lit(self, places: Array, bias: float = 0.02) -> Array:
        """How much of the sun reaches places (N, 3) m, 0..1; `bias` (m) keeps specks off."""
        along = places @ self.axes.T
        at = (along[:, :2] - self.corner) / self.step
        reach = int(np.ceil(self.softness)) + 1
        total, amount = np.zeros(len(places)), 0.0
        height, width = self.depth.shape
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                weight = float(np.exp(-(dx * dx + dy * dy) / (2 * self.softness**2)))
                x = np.round(at[:, 0] + dx).astype(np.int64)
                y = np.round(at[:, 1] + dy).astype(np.int64)
                inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
                blocker = np.full(len(places), np.inf)
                blocker[inside] = self.depth[y[inside], x[inside]]
                total += weight * (along[:, 2] < blocker + bias)
                amount += weight
        return total / amount


def sun_map(points: Array, faces: Ints, to_sun: Array, step: float = 0.006) -> SunMap:
    """Depth map of a body (V, 3) m as a far sun sees it, at `step` metres a sample."""
    away = -to_sun / np.linalg.norm(to_sun)
    helper = np.eye(3)[np.argmin(np.abs(away))]
    right = np.cross(helper, away)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(away, right), away])
    along = points @ axes.T
    corner = along[:, :2].min(axis=0) - 4 * step
    extent = along[:, :2].max(axis=0) + 4 * step - corner
    size = (int(extent[0] / step) + 1, int(extent[1] / step) + 1)
    raster = rasterize((along[:, :2] - corner) / step, along[:, 2], faces, size, perspective=False)
    return SunMap(axes, corner, step, raster.depth)


def render(
    points: Array,
    faces: Ints,
    camera: Camera,
    attributes: Array,
    *,
    surface: Surface | None = None,
    light: Light | None = None,
    shadows: bool = True,
    supersampling: int = 3,
) -> Rendering:
    """Draw a body.

    Parameters
    ----------
    points : (V, 3) array
        Metres, camera frame.
    faces : (F, 3) array
        Counter-clockwise seen from outside; both sides are drawn.
    camera : Camera
    attributes : (V, C) array
        What is interpolated over the surface: colours (C = 3, linear), or whatever `surface` needs.
    surface : callable, optional
        Turns interpolated attributes and triangle numbers into colours; the attributes are the
        colours by default.
    light : Light, optional
        Unlit by default.
    shadows : bool
        Whether the body shades itself from the sun.
    supersampling : int
        Samples a pixel along each side.

    Returns
    -------
    Rendering
    """
    width, height = camera.size
    n = supersampling
    depth = points[:, 2]
    safe = np.maximum(depth, _NEAREST)[:, None]
    pixels = points[:, :2] / safe * camera.focal_length + camera.principal_point
    # pixel centres at integers, in the fine raster too: x' = (x + 0.5) n - 0.5
    raster = rasterize((pixels + 0.5) * n - 0.5, depth, faces, (width * n, height * n))
    hit = raster.triangle >= 0
    values = raster.interpolate(faces, attributes)
    colours: Array = values if surface is None else surface(values, raster.triangle[hit])
    if light is not None:
        normals = raster.interpolate(faces, vertex_normals(points, faces))
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        lit: Array = np.ones(len(normals))
        if shadows:
            # a place on the surface is tested a little outside it, else it shades itself
            places = raster.interpolate(faces, points) + normals * 0.01
            lit = sun_map(points, faces, light.to_sun).lit(places)
        colours = colours * light.on(normals, lit)
    fine = np.zeros((height * n, width * n, 3))
    fine[hit] = colours
    return Rendering(
        colour=_averaged(fine, n),
        mask=_averaged(hit[..., None].astype(float), n)[..., 0],
        depth=raster.depth.reshape(height, n, width, n).min(axis=(1, 3)),
    )


def _averaged(fine: Array, n: int) -> Array:
    height, width = fine.shape[0] // n, fine.shape[1] // n
    return np.asarray(fine.reshape(height, n, width, n, -1).mean(axis=(1, 3)))


def blurred(image: Array, sigma: float) -> Array:
    """Gaussian blur of a picture (H, W, C) in pixels, edges repeated."""
    return np.asarray(gaussian_filter(image, (sigma, sigma, 0), mode="nearest"))


def srgb_from_linear(linear: Array) -> Array:
    """Linear light 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(
        clipped <= 0.0031308, 12.92 * clipped, 1.055 * np.power(clipped, 1 / 2.4) - 0.055
    )


def linear_from_srgb(srgb: Array) -> Array:
    """The inverse of `srgb_from_linear`."""
    return np.where(srgb <= 0.04045, srgb / 12.92, np.power((srgb + 0.055) / 1.055, 2.4))

"""Software renderer for textured, lit bodies in NumPy; for quality, not for speed.

Anti-aliasing by supersampling: the raster is n times as fine as the image and averaged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from pymaf_live.body.normals import vertex_normals
from pymaf_live.types import Array, Camera, Ints
from trainer.rendering.rasterizer import NEAREST, rasterize

Surface = Callable[[Array, Ints], Array]
"""Attributes (N, C) and triangles (N,) of N samples -> linear colours (N, 3), 0..1."""


@dataclass(frozen=True)
class Light:
    """Sun and sky light; directions in the camera frame (y down)."""

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

    def received(self, normals: Array, lit: Array) -> Array:
        """Return the light (N, 3) on surfaces with normals (N, 3); `lit` (N,) scales the sun."""
        # wrapped round the terminator: cloth and skin scatter, and a hard edge looks like clay
        facing = np.clip((normals @ self.to_sun + 0.15) / 1.15, 0.0, 1.0)
        height = (normals @ self.up)[:, None] * 0.5 + 0.5
        ambient = self.ground + (self.sky - self.ground) * height
        return np.asarray(ambient + self.sun * (facing * lit)[:, None])


@dataclass(frozen=True)
class Rendering:
    """A rendered body, not yet over a background; linear colours, 0..1 and beyond."""

    colour: Array
    """(H, W, 3) premultiplied by the coverage."""
    mask: Array
    """(H, W) coverage 0..1."""
    depth: Array
    """(H, W) metres of the nearest sample; infinite where none."""

    def over(self, background: Array) -> Array:
        """Return the body over a background (H, W, 3), linear."""
        return np.asarray(self.colour + background * (1 - self.mask[..., None]))


@dataclass(frozen=True)
class SunMap:
    """Shadow map: the depths that the sun sees."""

    axes: Array
    """(3, 3) rows: right, down, away from the sun."""
    corner: Array
    """(2,) metres along the first two axes at sample 0, 0."""
    step: float
    """Metres a sample."""
    depth: Array
    """(H, W) metres along the third axis; infinite where the sun is not blocked."""
    softness: float = 1.5
    """Standard deviation of the shadow's edge in samples."""

    def lit(self, places: Array, bias: float = 0.02) -> Array:
        """Return the share (N,) of the sun that reaches places (N, 3) m, 0..1.

        `bias` in metres keeps a surface from shading itself in specks.
        """
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
    """Return the shadow map of a body (V, 3) m for a distant sun, at `step` metres a sample."""
    away = -to_sun / np.linalg.norm(to_sun)
    helper = np.eye(3)[np.argmin(np.abs(away))]
    right = np.cross(helper, away)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(away, right), away])
    along = points @ axes.T
    corner = along[:, :2].min(axis=0) - 4 * step
    extent = along[:, :2].max(axis=0) + 4 * step - corner
    size = (int(extent[0] / step) + 1, int(extent[1] / step) + 1)
    raster = rasterize((along[:, :2] - corner) / step, along[:, 2], faces, size)
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
    """Render a body.

    Parameters
    ----------
    points : (V, 3) array
        Metres, camera frame.
    faces : (F, 3) array
        Counter-clockwise seen from outside; both sides are rendered.
    camera : Camera
    attributes : (V, C) array
        Interpolated over the surface: linear colours (C = 3), or whatever `surface` needs.
    surface : callable, optional
        Maps interpolated attributes and triangle numbers to colours; the attributes are the colours
        by default.
    light : Light, optional
        Unlit by default.
    shadows : bool
        True lets the body cast shadows on itself.
    supersampling : int
        Samples a pixel along each side.

    Returns
    -------
    Rendering
    """
    width, height = camera.size
    n = supersampling
    depth = points[:, 2]
    safe = np.maximum(depth, NEAREST)[:, None]
    pixels = points[:, :2] / safe * camera.focal_length + camera.principal_point
    # pixel centres at integers, in the fine raster too: x' = (x + 0.5) n - 0.5
    fine_pixels, fine_size = (pixels + 0.5) * n - 0.5, (width * n, height * n)
    raster = rasterize(fine_pixels, depth, faces, fine_size, perspective=True)
    hit = raster.triangle >= 0
    values = raster.interpolate(faces, attributes)
    colours: Array = values if surface is None else surface(values, raster.triangle[hit])
    if light is not None:
        normals = raster.interpolate(faces, vertex_normals(points, faces))
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        lit: Array = np.ones(len(normals))
        if shadows:
            # tested a little outside the surface, which would shade itself otherwise
            places = raster.interpolate(faces, points) + normals * 0.01
            lit = sun_map(points, faces, light.to_sun).lit(places)
        colours = colours * light.received(normals, lit)
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
    """Return an image (H, W, C) after a Gaussian blur of `sigma` pixels, edges repeated."""
    return np.asarray(gaussian_filter(image, (sigma, sigma, 0), mode="nearest"))


def srgb_from_linear(linear: Array) -> Array:
    """Convert linear light 0..1 to sRGB 0..1 (IEC 61966-2-1)."""
    clipped = np.clip(linear, 0.0, 1.0)
    return np.where(
        clipped <= 0.0031308, 12.92 * clipped, 1.055 * np.power(clipped, 1 / 2.4) - 0.055
    )


def linear_from_srgb(srgb: Array) -> Array:
    """Convert sRGB 0..1 to linear light 0..1; the inverse of `srgb_from_linear`."""
    return np.where(srgb <= 0.04045, srgb / 12.92, np.power((srgb + 0.055) / 1.055, 2.4))

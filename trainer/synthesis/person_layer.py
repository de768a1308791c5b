"""A dressed person rendered as a layer: premultiplied colour, coverage and depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.body.rotations import about_z
from pymaf_live.types import Array, Image, Ints
from trainer.rendering.renderer import Light
from trainer.rendering.zbuffer import faces_camera, rasterize_opencv
from trainer.synthesis.backdrops import linear_mean
from trainer.synthesis.view import View
from trainer.synthesis.wardrobe import Figure, Wardrobe

SUPERSAMPLING = 2
"""Samples a pixel along each side."""
_SHADOWED = 0.6
"""Share of the people whose own shadow is rendered."""
_SHADOW_MAP = 200
"""Samples a side of the sun's depth map."""


@dataclass(frozen=True)
class Layer:
    """A rendered person; images of width W and height H."""

    colour: Array
    """(H, W, 3) linear, premultiplied by the coverage."""
    alpha: Array
    """(H, W) coverage 0..1."""
    depth: Array
    """(2 H, 2 W) metres, a value for each sample."""

    def scaled(self, gain: Array) -> Layer:
        """Return the layer with its colours multiplied by a gain (3,)."""
        return Layer(self.colour * gain, self.alpha, self.depth)

    def over(self, canvas: Array) -> Array:
        """Return the layer over a canvas (H, W, 3), linear."""
        return np.asarray(self.colour + canvas * (1 - self.alpha[..., None]))


def random_light(rng: np.random.Generator) -> Light:
    """Draw a sun and a sky, rarely from behind the person, who would be a dark shape."""
    azimuth, height = rng.uniform(-np.pi, np.pi), np.radians(rng.uniform(5, 85))
    up = about_z(np.radians(rng.normal(0, 6))) @ np.array([0.0, -1.0, 0.0])
    to_sun = np.array([
        np.cos(height) * np.sin(azimuth), -np.sin(height), np.cos(height) * np.cos(azimuth),
    ])  # fmt: skip
    if to_sun[2] > 0 and rng.random() < 0.6:
        to_sun[2] = -to_sun[2]
    strength = rng.uniform(0.0, 1.3) ** 1.3
    tint = np.exp(rng.normal(0, 0.12, 3))
    sky = rng.uniform(0.35, 0.9) * np.exp(rng.normal(0, 0.12, 3))
    ground = sky * rng.uniform(0.3, 0.9) * np.exp(rng.normal(0, 0.12, 3))
    return Light(
        to_sun=to_sun,
        sun=(strength * tint).astype(np.float32),
        sky=sky.astype(np.float32),
        ground=ground.astype(np.float32),
        up=up,
    )


def render_layer(
    wardrobe: Wardrobe,
    figure: Figure,
    vertices: Array,
    normals: Array,
    view: View,
    light: Light,
    rng: np.random.Generator,
) -> Layer:
    """Render a figure.

    Parameters
    ----------
    wardrobe : Wardrobe
        Paints the samples.
    figure : Figure
    vertices, normals : (V', 3) array
        Of the posed figure in the camera frame, m.
    view : View
    light : Light
    rng : numpy.random.Generator
        Decides if the figure casts shadows on itself.
    """
    n = SUPERSAMPLING
    fine = (view.pixels(vertices) + 0.5) * n - 0.5
    closed = figure.closed
    front = faces_camera(fine, figure.faces[:closed])
    chosen = np.concatenate([np.flatnonzero(front), np.arange(closed, len(figure.faces))])
    size = (view.size[0] * n, view.size[1] * n)
    hits = rasterize_opencv(fine, vertices[:, 2], figure.faces[chosen], size)
    shadowed = rng.random() < _SHADOWED and float(light.sun.max()) > 0.2
    # sheets are seen from both sides: their normals turn to the camera
    towards = (normals * vertices).sum(axis=1)
    first = int(figure.faces[:closed].max()) + 1
    normals = normals.copy()
    flip = np.flatnonzero(towards[first:] > 0) + first
    normals[flip] *= -1
    lit = np.clip((normals @ light.to_sun + 0.12) / 1.12, 0, 1)
    height = (normals @ light.up) * 0.5 + 0.5
    values = np.column_stack([figure.place, lit, height]).astype(np.float32)
    if shadowed:
        values = np.column_stack([values, vertices + 0.012 * normals]).astype(np.float32)
    found = hits.interpolate(values)
    material = figure.material[chosen][hits.triangle[hits.hit]]
    colour: Array = wardrobe.paint(figure, found[:, :4], material)
    sun: Array = found[:, 4]
    if shadowed:
        sun = sun * _sunlit(found[:, 6:9], vertices, figure.faces, light.to_sun)
    ambient = light.ground + (light.sky - light.ground) * found[:, 5:6]
    colour = colour * (ambient + light.sun * sun[:, None])
    out = np.zeros((size[1], size[0], 4), np.float32)
    out[hits.hit, :3] = colour
    out[hits.hit, 3] = 1
    small = np.asarray(cv2.resize(out, view.size, interpolation=cv2.INTER_AREA), np.float32)
    return Layer(small[..., :3], small[..., 3], hits.depth)


def matching_gain(layer: Layer, backdrop: Image, rng: np.random.Generator) -> Array:
    """Return a random gain (3,) that brings a person near to the background's light."""
    cover = float(layer.alpha.sum())
    if cover < 1:
        return np.ones(3, np.float32)
    person = layer.colour.reshape(-1, 3).sum(axis=0) / cover
    behind = linear_mean(backdrop)
    wanted = np.clip(behind.mean(), 0.04, 0.5) * np.exp(rng.normal(0, 0.45))
    gain = np.clip(wanted / max(float(person.mean()), 1e-3), 0.35, 3.0) ** 0.7
    tint = (behind + 0.05) / (behind.mean() + 0.05)
    return np.asarray(gain * tint ** rng.uniform(0, 0.35), dtype=np.float32)


def _sunlit(
    places: npt.NDArray[np.float32], vertices: Array, faces: Ints, to_sun: Array
) -> npt.NDArray[np.float32]:
    """Return the share (N,) of the sun that the body itself lets through to places (N, 3)."""
    away = -to_sun / np.linalg.norm(to_sun)
    right = np.cross(np.eye(3)[np.argmin(np.abs(away))], away)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(away, right), away])
    along = vertices @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    size = _SHADOW_MAP
    step = float((high - low)[:2].max()) / (size - 8)
    flat = (along[:, :2] - low[:2]) / step + 4
    hits = rasterize_opencv(
        flat, along[:, 2] - low[2], faces, (size, size), perspective=False, weights=False
    )
    from_sun = places @ axes.T.astype(np.float32)
    at = ((from_sun[:, :2] - low[:2]) / step + 4).astype(np.float32)
    lit = np.zeros(len(places), np.float32)
    # five samples soften the edge
    steps = ((0.0, 0.0), (1.1, 0.4), (-0.4, 1.1), (-1.1, -0.4), (0.4, -1.1))
    for dx, dy in steps:
        x = np.clip(np.round(at[:, 0] + dx), 0, size - 1).astype(np.int64)
        y = np.clip(np.round(at[:, 1] + dy), 0, size - 1).astype(np.int64)
        lit += (from_sun[:, 2] - low[2]) < hits.depth[y, x] + 0.025
    return np.asarray(lit / len(steps))

"""Light of a scene: sun or window, sky, a fill light, shadow maps, ambient occlusion."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.types import Array
from trainer.rendering.textured import Canvas, Part, draw_depth, shade_samples
from trainer.synthesis.dressed.cameras import Camera
from trainer.synthesis.dressed.garments import Floats

_MAP = 288
"""Samples a side of the shadow map."""


@dataclass(frozen=True)
class Lights:
    """Lights of a scene; directions in the camera frame, colours linear."""

    to_sun: Array
    sun: Array
    sky: Array
    ground: Array
    up: Array
    to_fill: Array
    """Towards a soft light without shadow: a screen, a lamp, a bright wall."""
    fill: Array


@dataclass(frozen=True)
class ShadowMap:
    """Depths that the sun sees."""

    axes: Array
    """(3, 3) rows: right, down, away from the sun."""
    corner: Array
    """(2,) m at sample 0, 0."""
    step: float
    """Metres a sample."""
    depth: Floats
    """(H, W) m; infinite where the sun is not blocked."""

    def lit(self, points: Array, bias: float, softness: float) -> Array:
        """Return the share (N,) of the sun that reaches points (N, 3), camera frame.

        `softness` is the width in samples over which the edge is smoothed.
        """
        along = points @ self.axes.T
        at = (along[:, :2] - self.corner) / self.step
        rows, columns = self.depth.shape
        out = np.zeros(len(points))
        taps = np.array([(0, 0), (1, 0.3), (-0.3, 1), (-1, -0.3), (0.3, -1)]) * softness
        for tap in taps:
            x, y = np.round(at + tap).astype(np.int64).T
            inside = (x >= 0) & (y >= 0) & (x < columns) & (y < rows)
            blocked = np.zeros(len(points), bool)
            blocked[inside] = self.depth[y[inside], x[inside]] < along[inside, 2] - bias
            out += ~blocked
        return np.asarray(out / len(taps))


def draw_lights(camera: Camera, rng: np.random.Generator, *, indoors: bool) -> Lights:
    """Draw the light of a scene: from any side, a sixth of it from behind the person."""
    up = camera.turn @ np.array([0.0, 1.0, 0.0])
    azimuth, height = rng.uniform(-np.pi, np.pi), np.radians(rng.uniform(8, 80))
    to_sun = np.array([
        np.cos(height) * np.sin(azimuth), np.sin(height), np.cos(height) * np.cos(azimuth),
    ])  # fmt: skip
    to_sun = camera.turn @ to_sun
    if to_sun[2] > 0 and rng.random() < 0.65:
        to_sun[2] = -to_sun[2]
    strength = rng.uniform(0.0, 1.55) ** 1.3 * (0.7 if indoors else 1.0)
    tint = np.exp(rng.normal(0, 0.05) * np.array([1.0, 0.1, -1.2]) + rng.normal(0, 0.05, 3))
    sky = rng.uniform(0.25, 0.8) * np.exp(rng.normal(0, 0.09, 3))
    ground = sky * rng.uniform(0.35, 0.9) * np.exp(rng.normal(0, 0.08, 3))
    to_fill = rng.normal(size=3) * [0.6, 0.4, 0.3] + [0, 0, -1]
    fill = rng.uniform(0, 0.5) ** 2 * np.exp(rng.normal(0, 0.2) * np.array([-1.0, 0.0, 1.0]))
    if rng.random() < 0.04:  # coloured light
        fill = rng.uniform(0.2, 0.8) * np.clip(rng.uniform(-0.3, 1, 3), 0.05, 1)
    return Lights(to_sun, strength * tint, sky, ground, up, to_fill / np.linalg.norm(to_fill), fill)


def shadow_map(parts: list[Part], to_sun: Array) -> ShadowMap:
    """Return the shadow map of the people among some parts; furniture around them is included."""
    away = -to_sun
    right = np.cross(np.eye(3)[np.argmin(np.abs(away))], away)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(away, right), away])
    turned = [np.asarray(part.vertices @ axes.T.astype(np.float32)) for part in parts]
    people = [t for t, part in zip(turned, parts, strict=True) if part.owner > 0 and len(t)]
    low = np.min([t[:, :2].min(axis=0) for t in people], axis=0).astype(np.float64)
    high = np.max([t[:, :2].max(axis=0) for t in people], axis=0).astype(np.float64)
    step = float((high - low).max()) / (_MAP - 8)
    corner = low - 4 * step
    depth = np.full((_MAP, _MAP), np.inf, np.float32)
    for flat, part in zip(turned, parts, strict=True):
        at = ((flat[:, :2] - corner) / step).astype(np.float32)
        draw_depth(at, np.ascontiguousarray(flat[:, 2]), part.faces, depth)
    return ShadowMap(axes, corner, step, depth)


def occlusion(depth: Floats, scale: float) -> Floats:
    """Return ambient light 0..1 (H, W) from a depth buffer: less in creases, under chins and arms.

    `scale` is the number of samples a metre of the person.
    """
    small = cv2.resize(depth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    hit = np.isfinite(small)
    filled = np.where(hit, small, 0).astype(np.float32)
    weight = hit.astype(np.float32)
    loss = np.zeros_like(filled)
    for reach, strength in ((0.035, 3.5), (0.1, 1.8)):
        side = int(np.clip(2.5 * reach * scale / 2, 3, 41)) // 2 * 2 + 1
        mean = cv2.boxFilter(filled, -1, (side, side))
        share = cv2.boxFilter(weight, -1, (side, side))
        behind = filled - mean / np.maximum(share, 1e-3)
        # a surface far behind an edge lies in the open, not in a crease
        loss += strength * np.clip(behind, 0, 0.14) * (behind < 0.5)
    light = np.clip(1 - loss, 0.45, 1).astype(np.float32)
    return np.asarray(cv2.resize(light, depth.shape[::-1]), np.float32)


def shade(
    canvas: Canvas, camera: Camera, samples: int, lights: Lights, shadows: ShadowMap,
    ambient: Floats,
) -> Floats:  # fmt: skip
    """Return lit colours, premultiplied, and coverage (h, w, 4) at the size of the picture."""
    view = camera.view
    out = np.empty((*canvas.depth.shape, 4), np.float32)
    centre = (view.centre + 0.5) * samples - 0.5
    shade_samples(
        canvas.depth, canvas.albedo, canvas.normal, canvas.surface, ambient, view.focal * samples,
        centre, lights.to_sun, lights.sun, lights.sky, lights.ground, lights.up, lights.to_fill,
        lights.fill, shadows.axes, shadows.corner, shadows.step, shadows.depth, out,
    )  # fmt: skip
    return np.asarray(cv2.resize(out, view.size, interpolation=cv2.INTER_AREA), np.float32)

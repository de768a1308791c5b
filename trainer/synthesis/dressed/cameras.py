"""Cameras of dressed people: before a screen, in a room, beside a sports ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import about_x, about_y, about_z
from pymaf_live.types import Array
from trainer.synthesis.view import View, random_view

_ASPECTS = (4 / 3, 16 / 9, 1.0, 3 / 4)
_ASPECT_SHARES = (0.45, 0.4, 0.05, 0.1)


@dataclass(frozen=True)
class Camera:
    """A camera in the world, whose y axis points up."""

    turn: Array
    """(3, 3) world to camera frame (x right, y down, z away)."""
    translation: Array
    """(3,) m: a world point p is at turn @ p + translation."""
    view: View

    @property
    def place(self) -> Array:
        """(3,) m, in the world."""
        return np.asarray(-self.turn.T @ self.translation)

    def seen(self, points: Array) -> Array:
        """Return world points (..., 3) in the camera frame, m."""
        return np.asarray(points @ self.turn.T + self.translation)


def looking_at(place: Array, target: Array, roll: float) -> Array:
    """Return the turn (3, 3) of a camera at `place` that sees `target` in its middle."""
    away = np.asarray(target - place, np.float64)
    away /= np.linalg.norm(away)
    right = np.cross(away, [0.0, 1.0, 0.0])
    right /= max(float(np.linalg.norm(right)), 1e-9)
    return np.asarray(about_z(roll) @ np.stack([right, np.cross(away, right), away]))


def webcam(head: Array, trunk: Array, facing: Array, side: int, rng: np.random.Generator) -> Camera:
    """Draw a webcam: 0.45 to 1.6 m from the head, its own optical centre in the picture's middle.

    Parameters
    ----------
    head, trunk : (3,) array
        Middle of the head and of the shoulders in the world, m.
    facing : (3,) array
        Level unit vector that the chest faces.
    side : int
        Longer side of the picture in pixels.
    rng : numpy.random.Generator
    """
    distance = float(np.exp(rng.uniform(np.log(0.48), np.log(1.6))))
    # mostly before the person; sometimes beside, as on a second screen
    wide = 0.3 if rng.random() < 0.75 else 0.8
    azimuth = float(np.clip(rng.normal(0, wide), -1.5, 1.5))
    way = about_y(azimuth) @ facing
    # a laptop's camera looks up from below the chin, one above a screen down from the forehead
    rise = rng.uniform(-0.38, -0.05) if rng.random() < 0.5 else rng.normal(0.05, 0.12)
    place = head + way * distance + np.array([0, rise * max(distance, 0.6), 0])
    # screens are tilted at will: the head is seldom in the middle of the picture
    target = head + (trunk - head) * rng.uniform(-0.3, 1.4)
    target = target + np.cross(way, [0, 1, 0]) * rng.normal(0, 0.09) * distance
    target[1] += rng.normal(0, 0.06) * distance
    turn = looking_at(place, target, np.radians(rng.normal(0, 3)))
    aspect = float(rng.choice(_ASPECTS, p=_ASPECT_SHARES))
    size = (side, int(side / aspect)) if aspect >= 1 else (int(side * aspect), side)
    field = np.radians(rng.uniform(50, 82)) if aspect > 1 else np.radians(rng.uniform(45, 65))
    focal = max(size[0], size[1] if aspect < 1 else 0) / 2 / np.tan(field / 2)
    centre = (np.array(size) - 1) / 2
    return Camera(turn, -turn @ place, View(focal, centre, size))


def onlooker(
    points: Array, side: int, rng: np.random.Generator, *, far: bool, truncated: bool,
    grounded: bool,
) -> Camera:  # fmt: skip
    """Draw a camera that sees a person whole or cut by the picture's edge.

    The picture is a part of a larger one, so that the optical centre may lie anywhere.

    Parameters
    ----------
    points : (K, 3) array
        Key points in the world, m; LSP's 14 first.
    side : int
        Longer side of the picture in pixels.
    rng : numpy.random.Generator
    far : bool
        At sports distance, 2.5 to 16 m instead of 1.3 to 7.
    truncated : bool
    grounded : bool
        False for poses without a known vertical, which are seen from level.
    """
    low, high = (2.5, 16.0) if far else (1.3, 7.0)
    distance = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    elevation = rng.uniform(-30, 70) if rng.random() < 0.08 else rng.normal(5, 11)
    if not grounded:
        elevation *= 0.5
    roll = np.radians(rng.normal(0, 4))
    turn = about_z(roll) @ np.diag([1.0, -1.0, -1.0]) @ about_x(np.radians(elevation))
    middle = (points[:14].min(axis=0) + points[:14].max(axis=0)) / 2
    aside = rng.normal(0, 0.12, 2) * distance
    translation = np.array([aside[0], aside[1] * 0.6, distance]) - turn @ middle
    nearest = float((points @ turn.T + translation)[:, 2].min())
    translation[2] += max(0.0, 0.45 - nearest)
    seen = points @ turn.T + translation
    view = random_view(seen, side, rng, truncated=truncated, webcam=False)
    return Camera(np.asarray(turn), translation, view)

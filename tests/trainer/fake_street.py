"""Rendered street scenes: clothed people who walk before one camera, with ground truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, PointSet, default_body, pose_joints
from pymaf_live.body.rotations import about_x, about_y, about_z
from pymaf_live.types import Array, Camera, Image
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.person_layer import random_light, render_layer
from trainer.synthesis.view import View
from trainer.synthesis.wardrobe import Figure, Wardrobe, pose_figure

SIZE = (640, 360)
Path = Callable[[float], tuple[float, float]]
"""Time in seconds -> metres to the right of the camera and away from it."""


@dataclass(frozen=True)
class Passer:
    """One person of a scene."""

    path: Path
    seed: int
    """Seed of figure and clothes."""


@dataclass(frozen=True)
class Street:
    """A scene and its duration."""

    name: str
    people: tuple[Passer, ...]
    seconds: float


class StreetCamera:
    """Renders scenes; each person's clothes are generated once.

    Parameters
    ----------
    seed : int
        Seed of place and light.
    height : float
        Metres above the ground; the camera looks along it.
    """

    def __init__(self, seed: int = 0, height: float = 1.0) -> None:
        self.height = height
        self.body: Body = default_body()
        self.camera = Camera.for_frame(SIZE)
        self._rng = np.random.default_rng(seed)
        backdrops = Backdrops(ccp=None, lspet=None, coco=None)
        self._wardrobe = Wardrobe(self.body, backdrops.prints())
        self._view = View(self.camera.focal_length, self.camera.principal_point, SIZE)
        self._light = random_light(self._rng)
        backdrop, _ = backdrops.draw(SIZE, self._rng)
        self._behind: Array = (backdrop.astype(np.float32) / 255) ** 2.2
        self._points = PointSet.keypoints(self.body, "lsp")
        self._figures: dict[int, tuple[Array, Figure]] = {}

    def render(self, people: Sequence[Passer], time: float) -> Image:
        """Render all people at a time in seconds, from the farthest to the nearest."""
        canvas = self._behind.copy()
        for person in sorted(people, key=lambda one: -one.path(time)[1]):
            shape, figure = self._dressed(person)
            rotations = walking(self.body, person.path, time, person.seed)
            vertices, normals = pose_figure(self.body, figure, rotations)
            vertices = vertices + self._shift(person, rotations, shape, time)
            rng = np.random.default_rng(person.seed)
            layer = render_layer(
                self._wardrobe, figure, vertices, normals, self._view, self._light, rng
            )
            canvas = layer.over(canvas)
        grain = self._rng.normal(0, 0.008, canvas.shape)
        image = np.clip(canvas, 0, 1) ** (1 / 2.2) + grain
        return np.asarray(np.clip(255 * image, 0, 255), dtype=np.uint8)

    def keypoints(self, person: Passer, time: float) -> Array:
        """Return LSP's 14 key points (14, 2) in pixels."""
        shape, _ = self._dressed(person)
        rotations = walking(self.body, person.path, time, person.seed)
        points = self._points.pose(rotations, shape) + self._shift(person, rotations, shape, time)
        return self._view.pixels(points)

    def _dressed(self, person: Passer) -> tuple[Array, Figure]:
        if person.seed not in self._figures:
            rng = np.random.default_rng(person.seed)
            shape = rng.normal(size=self.body.shape_count).clip(-2, 2)
            wardrobe = self._wardrobe
            self._figures[person.seed] = shape, wardrobe.dress(shape, wardrobe.draw(rng), rng)
        return self._figures[person.seed]

    def _shift(self, person: Passer, rotations: Array, shape: Array, time: float) -> Array:
        x, z = person.path(time)
        joints = pose_joints(self.body, rotations, shape)
        feet = [self.body.joint_names.index(name) for name in ("left_foot", "right_foot")]
        sole = 0.03  # the joint lies above the ground
        return np.array(
            [x - joints[0, 0], self.height - sole - joints[feet, 1].max(), z - joints[0, 2]]
        )


def walking(body: Body, path: Path, time: float, phase: float) -> Array:
    """Return relative rotations (J, 3, 3) of a person who walks or stands on a path."""
    way = np.subtract(path(time + 0.05), path(time - 0.05)) / 0.1
    speed = float(np.hypot(*way))
    step = min(speed, 1.2) / 1.2
    swing = np.sin(2 * np.pi * 0.9 * time + phase)
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))

    def turn(name: str, rotation: Array) -> None:
        rotations[body.joint_names.index(name)] = rotation

    # upright, facing the camera or, when walking, the direction of the path
    heading = np.arctan2(way[0], -way[1]) if speed > 0.1 else 0.0
    rotations[0] = about_x(np.pi) @ about_y(heading)
    legs = 0.45 * step
    turn("left_hip", about_x(-legs * swing))
    turn("right_hip", about_x(legs * swing))
    turn("left_knee", about_x(0.6 * step * max(0.0, -swing)))
    turn("right_knee", about_x(0.6 * step * max(0.0, swing)))
    turn("left_shoulder", about_x(legs * swing) @ about_z(-1.2))
    turn("right_shoulder", about_x(-legs * swing) @ about_z(1.2))
    turn("left_elbow", about_y(-0.3))
    turn("right_elbow", about_y(0.3))
    return rotations


def _past(x0: float, x1: float, z: float, seconds: float) -> Path:
    return lambda t: (x0 + (x1 - x0) * float(np.clip(t / seconds, 0, 1)), z)


def _back(x0: float, x1: float, z: float, seconds: float) -> Path:
    return lambda t: (x0 + (x1 - x0) * float(1 - abs(np.clip(t / seconds, 0, 1) * 2 - 1)), z)


def _stops(x0: float, x1: float, x2: float, z: float, arrives: float, waits: float) -> Path:
    def path(t: float) -> tuple[float, float]:
        if t < arrives:
            return x0 + (x1 - x0) * t / arrives, z
        later = float(np.clip((t - arrives - waits) / arrives, 0, 1))
        return x1 + (x2 - x1) * later, z

    return path


_FIRST = 0.8
"""Seconds for which all people stand and face the camera first."""


def _later(path: Path) -> Path:
    return lambda t: path(max(0.0, t - _FIRST))


def streets() -> list[Street]:
    """Return crossings of different kinds, each with other people in other clothes."""
    kinds: list[tuple[str, Path, Path, float]] = [
        ("opposite", _past(-1.9, 1.9, 5.5, 3.6), _past(2.2, -2.2, 7, 3.6), 4.6),
        ("opposite and near", _past(-1.9, 1.9, 5.8, 3.6), _past(1.9, -1.9, 6.4, 3.6), 4.6),
        ("one overtakes the other", _past(-2, 2, 5.5, 3.2), _past(-1, 1.2, 6.8, 3.6), 4.6),
        ("they meet and turn back", _back(-1.7, -0.25, 5.8, 4), _back(1.8, 0.25, 6.6, 4), 5),
        ("one stands", _past(-1.9, 2, 5.3, 3.8), lambda t: (0.1, 7), 4.8),
        ("hidden for 0.5 s", _stops(-1.7, 0, 1.7, 5.5, 1.5, 0.5), lambda t: (0, 7), 4.8),
        ("hidden for 1.5 s", _stops(-1.7, 0, 1.7, 5.5, 1.5, 1.5), lambda t: (0, 7), 5.6),
        ("out and back", lambda t: (-0.8, 6), _stops(1.2, 3.4, 1, 6.2, 1.6, 0.6), 5.2),
    ]
    return [
        Street(
            f"{name}, clothes {dress}",
            (
                Passer(_later(one), 100 * dress + 2 * number),
                Passer(_later(other), 100 * dress + 2 * number + 1),
            ),
            seconds + _FIRST,
        )
        for dress in (1, 2, 3)
        for number, (name, one, other, seconds) in enumerate(kinds)
    ]

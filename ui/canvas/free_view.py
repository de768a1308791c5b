"""The people in space, looked at from anywhere, on a ground."""

from __future__ import annotations

import numpy as np

from pymaf_live.body import Body, PointSet, project
from pymaf_live.rendering import Look
from pymaf_live.rendering.scene import Stage, seen_from
from pymaf_live.rendering.strokes import Strokes
from pymaf_live.types import Array, Camera, FrameResult, Person
from ui.canvas.painter import Painter
from ui.canvas.viewport import Area, Pane
from ui.state.view import Viewpoint

_CELL, _CELLS = 0.5, 6
"""Metres a side of the grid's cells, and how many lie on each side of its middle."""
_GRID, _AXIS = np.array([0.26, 0.29, 0.33]), np.array([0.40, 0.45, 0.52])
_NEAR = 0.2
_FOCAL = 1.75
"""In heights of the view: a person of 1.7 m fills two thirds of it from 4 m away."""
_FOLLOW_SECONDS, _RISE_SECONDS, _SINK_SECONDS = 0.6, 1.5, 0.15
_JUMP = 1.5
"""Metres; who has moved farther is somebody else, or elsewhere: the view jumps after them."""


class FreeView:
    """Follows the people with a turntable about their middle.

    The vertical is the camera's own y axis.

    Parameters
    ----------
    body : Body
    stage : Stage
    """

    def __init__(self, body: Body, stage: Stage) -> None:
        self._stage = stage
        self._skin = PointSet.vertices(body, body.sample_vertices)
        self._middle: Array | None = None
        self._floor = 0.0
        self._time = 0.0
        self._followed: FrameResult | None = None

    @property
    def floor(self) -> float:
        """Height of the ground, m along the camera's y axis (down)."""
        return self._floor

    def follow(self, result: FrameResult) -> None:
        """Keep up with a frame's people; the same frame again changes nothing."""
        if self._followed is result or not result.people:
            return
        self._followed = result
        middle = np.mean([person.joints[0] for person in result.people], axis=0)
        lowest = max(self._lowest(person) for person in result.people)
        passed = result.frame.time - self._time
        self._time = result.frame.time
        jumped = self._middle is None or np.linalg.norm(middle - self._middle) > _JUMP
        if jumped or self._middle is None or not 0 <= passed < 1:
            self._middle, self._floor = middle, lowest
            return
        self._middle = self._middle + (middle - self._middle) * _share(passed, _FOLLOW_SECONDS)
        # feet never sink into the ground for long, but a jump does not lift it
        slow = _SINK_SECONDS if lowest > self._floor else _RISE_SECONDS
        self._floor += (lowest - self._floor) * _share(passed, slow)

    def draw(
        self,
        painter: Painter,
        area: Area,
        result: FrameResult | None,
        viewpoint: Viewpoint,
        look: Look,
        mirrored: bool,
        ghost: tuple[Stage, Look] | None = None,
    ) -> tuple[Pane, list[Person]]:
        """Draw ground and people.

        Returns
        -------
        pane : Pane
        people : list of Person
            Those of the result as they are seen here, in the pane's pixels.
        """
        size = (area.width, area.height)
        focal = _FOCAL * min(area.height, 1.2 * area.width)
        camera = Camera(focal, np.array([(size[0] - 1) / 2, (size[1] - 1) / 2]), size)
        pane = Pane(area, 0, 0, *size, mirrored)
        middle = np.array([0.0, 0.0, 4.0]) if self._middle is None else self._middle
        target = np.array([middle[0], self._floor - 0.9, middle[2]])
        view = view_from(viewpoint, target)
        painter.strokes(pane, self._ground(view, camera, middle))
        if result is None:
            return pane, []
        if ghost is not None:
            painter.bodies(pane, ghost[0].scene(result.raw, camera, size, ghost[1], view))
        painter.bodies(pane, self._stage.scene(result.people, camera, size, look, view))
        return pane, [seen_from(person, view, camera) for person in result.people]

    def _lowest(self, person: Person) -> float:
        points = self._skin.pose(person.rotations, person.shape, person.translation)
        return float(points[:, 1].max())

    def _ground(self, view: Array, camera: Camera, middle: Array) -> Strokes:
        centre = np.round(middle[[0, 2]] / _CELL) * _CELL
        steps = np.arange(-_CELLS, _CELLS + 1) * _CELL
        reach = _CELLS * _CELL
        lines = []
        for step in steps:
            lines.append([(step, -reach), (step, reach)])
            lines.append([(-reach, step), (reach, step)])
        flat = np.array(lines) + centre
        points = np.stack([flat[..., 0], np.full(flat.shape[:2], self._floor), flat[..., 1]], -1)
        points = _before(points @ view[:, :3].T + view[:, 3])
        ends = project(points, camera).reshape(-1, 4)
        colour = np.where(np.repeat(steps == 0, 2)[:, None], _AXIS, _GRID)
        return Strokes.of(ends, colour, 0.9 * max(1.0, camera.size[1] / 720))


def view_from(viewpoint: Viewpoint, target: Array) -> Array:
    """(3, 4) from the frame's camera to one that looks at `target` (3,) m from a viewpoint."""
    turn, tilt = np.radians(viewpoint.azimuth), np.radians(viewpoint.elevation)
    about = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    down = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    rotation = down @ about
    shift = np.array([0, 0, viewpoint.distance]) - rotation @ target
    return np.concatenate([rotation, shift[:, None]], axis=1)


def _before(lines: Array) -> Array:
    """Lines (N, 2, 3) cut off behind the camera; NaN where nothing is left."""
    start, end = lines[:, 0].copy(), lines[:, 1].copy()
    for one, other in ((start, end), (end, start)):
        behind = one[:, 2] < _NEAR
        span = other[:, 2] - one[:, 2]
        part = np.where(np.abs(span) > 1e-9, (_NEAR - one[:, 2]) / np.where(span == 0, 1, span), 0)
        cut = one + (other - one) * np.clip(part, 0, 1)[:, None]
        one[behind] = cut[behind]
    gone = (start[:, 2] < _NEAR - 1e-6) | (end[:, 2] < _NEAR - 1e-6)
    start[gone] = np.nan
    return np.stack([start, end], axis=1)


def _share(passed: float, seconds: float) -> float:
    return 1 - float(np.exp(-passed / seconds))

"""Free (3D) view: the people on a ground grid, seen from any viewpoint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, PointSet, project
from pymaf_live.rendering import OverlayStyle
from pymaf_live.rendering.scene import SceneBuilder, person_in_view
from pymaf_live.rendering.strokes import Strokes
from pymaf_live.types import Array, Camera, FrameResult, Person
from ui.canvas.display_options import DisplayOptions
from ui.canvas.painter import CanvasPainter
from ui.canvas.viewport import Area, Viewport
from ui.state.view import Viewpoint

_CELL_SIZE, _HALF_GRID = 0.5, 6
"""Side of a grid cell in metres, and number of cells on each side of the middle."""
_GRID_COLOUR, _AXIS_COLOUR = np.array([0.26, 0.29, 0.33]), np.array([0.40, 0.45, 0.52])
_NEAR = 0.2
"""Near plane of the grid in metres."""
_FOCAL_LENGTH = 1.75
"""In view heights: a person of 1.7 m fills two thirds of the height from 4 m away."""
_DEFAULT_TARGET = (0.0, 0.0, 4.0)
_TARGET_HEIGHT = 0.9
"""Height above the ground that the camera points at, in metres."""
_FOLLOW_SECONDS, _RISE_SECONDS, _SINK_SECONDS = 0.6, 1.5, 0.15
"""Time constants: the camera's target, the ground moving up, the ground moving down."""
_JUMP = 1.5
"""Metres; the view jumps instead of gliding when the people's centre moves farther in a frame."""


class FreeView:
    """Turntable view that follows the centre of the people.

    The vertical is the camera's y axis.

    Parameters
    ----------
    body : Body
    builder : SceneBuilder
    """

    def __init__(self, body: Body, builder: SceneBuilder) -> None:
        self._builder = builder
        self._skin = PointSet.vertices(body, body.sample_vertices)
        self._centre: Array | None = None
        self._floor = 0.0
        self._time = 0.0
        self._followed: FrameResult | None = None

    @property
    def floor(self) -> float:
        """Height of the ground in metres along the camera's y axis (down)."""
        return self._floor

    def follow(self, result: FrameResult) -> None:
        """Move the target and the ground with a frame's people; a repeated frame has no effect."""
        if self._followed is result or not result.people:
            return
        self._followed = result
        centre = np.mean([person.joints[0] for person in result.people], axis=0)
        lowest = max(self._lowest(person) for person in result.people)
        elapsed = result.frame.time - self._time
        self._time = result.frame.time
        jumped = self._centre is None or np.linalg.norm(centre - self._centre) > _JUMP
        if jumped or self._centre is None or not 0 <= elapsed < 1:
            self._centre, self._floor = centre, lowest
            return
        self._centre = self._centre + (centre - self._centre) * _gain(elapsed, _FOLLOW_SECONDS)
        # the ground sinks fast, so that feet do not stay below it, and rises slowly, so that a
        # jump does not lift it
        seconds = _SINK_SECONDS if lowest > self._floor else _RISE_SECONDS
        self._floor += (lowest - self._floor) * _gain(elapsed, seconds)

    def draw(
        self,
        painter: CanvasPainter,
        area: Area,
        result: FrameResult,
        options: DisplayOptions,
        ghost: tuple[SceneBuilder, OverlayStyle] | None = None,
    ) -> tuple[Viewport, list[Person]]:
        """Draw the ground and the people.

        Parameters
        ----------
        painter : CanvasPainter
        area : Area
        result : FrameResult
        options : DisplayOptions
        ghost : (SceneBuilder, OverlayStyle), optional
            How to draw the people before smoothing; None leaves them out.

        Returns
        -------
        viewport : Viewport
        people : list of Person
            The result's people in this view's camera frame and pixels.
        """
        size = (area.width, area.height)
        focal = _FOCAL_LENGTH * min(area.height, 1.2 * area.width)
        camera = Camera(focal, np.array([(size[0] - 1) / 2, (size[1] - 1) / 2]), size)
        viewport = Viewport(area, 0, 0, *size, options.mirrored)
        centre = np.array(_DEFAULT_TARGET) if self._centre is None else self._centre
        target = np.array([centre[0], self._floor - _TARGET_HEIGHT, centre[2]])
        view = view_from(options.viewpoint, target)
        if not options.green_background:
            painter.draw_strokes(viewport, self._ground(view, camera, centre))
        if ghost is not None:
            ghosts, ghost_style = ghost
            scene = ghosts.build(result.raw, camera, size, ghost_style, view)
            painter.draw_scene(viewport, scene)
        style = replace(options.style, box=False)
        scene = self._builder.build(result.people, camera, size, style, view)
        painter.draw_scene(viewport, scene)
        return viewport, [person_in_view(person, view, camera) for person in result.people]

    def _lowest(self, person: Person) -> float:
        points = self._skin.pose(person.rotations, person.shape, person.translation)
        return float(points[:, 1].max())

    def _ground(self, view: Array, camera: Camera, centre: Array) -> Strokes:
        """Return the grid lines around a point (3,) of the people's camera frame."""
        origin = np.round(centre[[0, 2]] / _CELL_SIZE) * _CELL_SIZE
        steps = np.arange(-_HALF_GRID, _HALF_GRID + 1) * _CELL_SIZE
        reach = _HALF_GRID * _CELL_SIZE
        lines = []
        for step in steps:
            lines.append([(step, -reach), (step, reach)])
            lines.append([(-reach, step), (reach, step)])
        flat = np.array(lines) + origin
        points = np.stack([flat[..., 0], np.full(flat.shape[:2], self._floor), flat[..., 1]], -1)
        points = _clip_near(points @ view[:, :3].T + view[:, 3])
        ends = project(points, camera).reshape(-1, 4)
        colour = np.where(np.repeat(steps == 0, 2)[:, None], _AXIS_COLOUR, _GRID_COLOUR)
        return Strokes.lines(ends, colour, 0.9 * max(1.0, camera.size[1] / 720))


def view_from(viewpoint: Viewpoint, target: Array) -> Array:
    """Return the view matrix of a viewpoint.

    Parameters
    ----------
    viewpoint : Viewpoint
    target : (3,) array
        Point looked at, m, in the frame's camera frame.

    Returns
    -------
    (3, 4) array
        Rotation and translation (m) from the frame's camera frame to the view's.
    """
    a, e = np.radians(viewpoint.azimuth), np.radians(viewpoint.elevation)
    azimuth = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    elevation = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    rotation = elevation @ azimuth
    shift = np.array([0, 0, viewpoint.distance]) - rotation @ target
    return np.concatenate([rotation, shift[:, None]], axis=1)


def _clip_near(lines: Array) -> Array:
    """Clip lines (N, 2, 3) at the near plane; lines entirely behind it become NaN."""
    start, end = lines[:, 0].copy(), lines[:, 1].copy()
    for one, other in ((start, end), (end, start)):
        behind = one[:, 2] < _NEAR
        span = other[:, 2] - one[:, 2]
        part = np.where(np.abs(span) > 1e-9, (_NEAR - one[:, 2]) / np.where(span == 0, 1, span), 0)
        cut = one + (other - one) * np.clip(part, 0, 1)[:, None]
        one[behind] = cut[behind]
    hidden = (start[:, 2] < _NEAR - 1e-6) | (end[:, 2] < _NEAR - 1e-6)
    start[hidden] = np.nan
    return np.stack([start, end], axis=1)


def _gain(elapsed: float, seconds: float) -> float:
    """Return the gain of an exponential filter with a time constant."""
    return 1 - float(np.exp(-elapsed / seconds))

"""Overlay drawn without a graphics card, by the software rasteriser and OpenCV."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.rendering.alpha_blend import lay_over
from pymaf_live.rendering.rasteriser import NEAR, nearest_faces
from pymaf_live.rendering.scene import Scene, Stage
from pymaf_live.rendering.strokes import Strokes, scene_strokes
from pymaf_live.rendering.style import Look, shade
from pymaf_live.types import Camera, Image, Person

_SUBPIXEL_BITS = 4


class CpuOverlay:
    """Overlay without GL; see `pymaf_live.rendering.overlay.Overlay`.

    Parameters
    ----------
    stage : Stage
    look : Look
    notice : str
        Why not GL.
    """

    name = "cpu rasteriser"

    def __init__(self, stage: Stage, look: Look, notice: str = "") -> None:
        self._stage, self._look, self.notice = stage, look, notice

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """See `Overlay.draw`."""
        drawn = np.array(image)
        height, width = drawn.shape[:2]
        scene = self._stage.scene(people, camera, (width, height), self._look)
        if scene is None:
            return drawn
        window = scene.window
        if self._look.body:
            part = drawn[window.y0 : window.y1, window.x0 : window.x1]
            lay_over(part, self._bodies(scene))
        _draw_strokes(drawn, scene_strokes(scene, self._stage.surface.body.parents))
        return drawn

    def close(self) -> None:
        """See `Overlay.close`."""

    def _bodies(self, scene: Scene) -> npt.NDArray[np.uint8]:
        """(h, w, 4) RGBA of the scene's window, colours premultiplied."""
        surface, camera = self._stage.surface, scene.camera
        corners, colours, faces, start = [], [], [], 0
        for posed in scene.people:
            vertices, normals = surface.pose(posed.mesh, posed.bones)
            corners.append(vertices)
            if scene.look.parts:
                colour = surface.part_colours
            else:
                colour = shade(vertices, normals, posed.colour)
            opacity = np.full((len(vertices), 1), scene.look.opacity * posed.presence, np.float32)
            colours.append(np.concatenate([colour * opacity, opacity], axis=1))
            faces.append(surface.faces + start)
            start += len(vertices)
        points, values = np.concatenate(corners), np.concatenate(colours)
        depth = points[:, 2]
        inverse = (1 / np.maximum(depth, NEAR)).astype(np.float32)
        origin = camera.principal_point - (scene.window.x0, scene.window.y0)
        pixels = points[:, :2] * (inverse[:, None] * camera.focal_length) + origin
        every = np.concatenate(faces)
        every = every[(depth[every] > NEAR).all(axis=1)]
        size = (scene.window.width, scene.window.height)
        pixel, lit = nearest_faces(pixels, inverse, values, every, size)

        sheet = np.zeros((scene.window.height * scene.window.width, 4), np.uint8)
        sheet[pixel] = np.rint(np.clip(lit, 0, 1) * np.float32(255))
        return sheet.reshape(scene.window.height, scene.window.width, 4)


def _draw_strokes(drawn: Image, strokes: Strokes) -> None:
    one = 1 << _SUBPIXEL_BITS
    # OpenCV's coordinates are 32-bit: keep what lies far outside from wrapping round
    farthest = 4.0 * max(drawn.shape)
    for ends, paint in zip(strokes.ends, strokes.paint, strict=True):
        if not (np.abs(ends) < farthest).all():
            continue
        radius, opacity = float(paint[3]), float(paint[4])
        # only what is fainter needs a sheet of its own to be laid over
        sheet = drawn if opacity >= 1 else drawn.copy()
        x0, y0, x1, y1 = np.rint(ends * one).astype(int).tolist()
        tone = (paint[:3] * 255).tolist()
        for colour, grow in (((26, 31, 41), 1.0), (tone, 0.62)):
            if (x0, y0) == (x1, y1):
                size = round(radius * grow * one)
                cv2.circle(sheet, (x0, y0), size, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
            else:
                thick = max(1, round(2 * radius * grow))
                cv2.line(sheet, (x0, y0), (x1, y1), colour, thick, cv2.LINE_AA, _SUBPIXEL_BITS)
        if sheet is not drawn:
            np.copyto(drawn, cv2.addWeighted(sheet, opacity, drawn, 1 - opacity, 0))

"""Overlay drawn without a graphics card, by the software rasteriser and OpenCV."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.rendering.alpha_blend import alpha_blend
from pymaf_live.rendering.rasteriser import NEAR, Floats, Ints32, nearest_faces
from pymaf_live.rendering.scene import RenderScene, SceneBuilder
from pymaf_live.rendering.strokes import INNER_PART, RIM_COLOUR, Strokes, scene_strokes
from pymaf_live.rendering.style import OverlayStyle, shade
from pymaf_live.types import Camera, Image, Person

_SUBPIXEL_BITS = 4
_EDGE_SLACK = 0.012
"""Metres by which an edge may lie behind the surface at its middle and still be drawn."""


class CpuOverlay:
    """Overlay without OpenGL; see `pymaf_live.rendering.overlay.Overlay`.

    Parameters
    ----------
    builder : SceneBuilder
    style : OverlayStyle
    notice : str
        Reason for not using OpenGL.
    """

    name = "cpu rasteriser"

    def __init__(self, builder: SceneBuilder, style: OverlayStyle, notice: str = "") -> None:
        self._builder, self._style, self.notice = builder, style, notice

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """See `Overlay.draw`."""
        drawn = np.array(image)
        height, width = drawn.shape[:2]
        scene = self._builder.build(people, camera, (width, height), self._style)
        if scene is None:
            return drawn
        if self._style.draws_mesh:
            alpha_blend(scene.region.crop(drawn), self._render_bodies(scene))
        _draw_strokes(drawn, scene_strokes(scene, self._builder.surfaces.body.parents))
        return drawn

    def close(self) -> None:
        """See `Overlay.close`."""

    def _render_bodies(self, scene: RenderScene) -> npt.NDArray[np.uint8]:
        """Return the scene's region as (h, w, 4) RGBA, colours premultiplied."""
        surface, camera, region = scene.surface, scene.camera, scene.region
        wireframe = scene.style.body == "wireframe" and not scene.style.parts
        corners, colours, faces, edges, start = [], [], [], [], 0
        for posed in scene.people:
            vertices, normals = surface.pose(posed.mesh, posed.bones)
            corners.append(vertices)
            tint = posed.paint[:, 3:]
            colour = posed.paint[:, :3] * (1 - tint + tint * posed.colour)
            if not scene.style.parts and not wireframe:
                colour = shade(vertices, normals, colour)
            alpha = scene.style.opacity * posed.visibility
            opacity = np.full((len(vertices), 1), alpha, np.float32)
            colours.append(np.concatenate([colour * opacity, opacity], axis=1))
            faces.append(surface.faces + start)
            if wireframe:
                edges.append(surface.edges + start)
            start += len(vertices)
        points, values = np.concatenate(corners), np.concatenate(colours)
        depth = points[:, 2]
        inverse = (1 / np.maximum(depth, NEAR)).astype(np.float32)
        origin = camera.principal_point - (region.x0, region.y0)
        pixels = points[:, :2] * (inverse[:, None] * camera.focal_length) + origin
        all_faces = np.concatenate(faces)
        all_faces = all_faces[(depth[all_faces] > NEAR).all(axis=1)]
        size = (region.width, region.height)
        if wireframe:
            return _edge_layer(pixels, depth, values, all_faces, np.concatenate(edges), size)
        pixel, lit = nearest_faces(pixels, inverse, values, all_faces, size)

        layer = np.zeros((region.height * region.width, 4), np.uint8)
        layer[pixel] = np.rint(np.clip(lit, 0, 1) * np.float32(255))
        return layer.reshape(region.height, region.width, 4)


def _edge_layer(
    pixels: Floats, depth: Floats, values: Floats, faces: Ints32, edges: Ints32,
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:  # fmt: skip
    """Return the edges that no surface hides as (h, w, 4) RGBA, colours premultiplied.

    Parameters
    ----------
    pixels : (V, 2) array
        Projected vertices.
    depth : (V,) array
        Metres.
    values : (V, 4) array
        RGBA 0..1, colours premultiplied.
    faces : (F, 3) array
        Surfaces in front of the camera.
    edges : (E, 2) array
    size : tuple of int
        Width and height, px.
    """
    width, height = size
    inverse = (1 / np.maximum(depth, NEAR)).astype(np.float32)
    nearest = np.full(width * height, np.inf, np.float32)
    # perspective: what is interpolated linearly in space is the depth itself
    covered, seen = nearest_faces(pixels, inverse, depth[:, None].astype(np.float32), faces, size)
    nearest[covered] = seen[:, 0]
    edges = edges[(depth[edges] > NEAR).all(axis=1)]
    middle = np.rint(pixels[edges].mean(axis=1)).astype(np.int64)
    inside = ((middle >= 0) & (middle < (width, height))).all(axis=1)
    edges, middle = edges[inside], middle[inside]
    surface = nearest[middle[:, 1] * width + middle[:, 0]]
    edges = edges[depth[edges].mean(axis=1) < surface + _EDGE_SLACK]
    layer = np.zeros((height, width, 4), np.uint8)
    ends = np.rint(pixels[edges] * (1 << _SUBPIXEL_BITS)).astype(np.int64).tolist()
    colours = np.rint(np.clip(values[edges[:, 0]], 0, 1) * 255).tolist()
    for (one, other), colour in zip(ends, colours, strict=True):
        cv2.line(layer, one, other, colour, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return layer


def _draw_strokes(drawn: Image, strokes: Strokes) -> None:
    one = 1 << _SUBPIXEL_BITS
    rim = tuple(round(255 * channel) for channel in RIM_COLOUR)
    # OpenCV's coordinates are 32-bit: skip strokes so far outside that they would wrap around
    farthest = 4.0 * max(drawn.shape)
    for ends, paint in zip(strokes.ends, strokes.paint, strict=True):
        if not (np.abs(ends) < farthest).all():
            continue
        radius, opacity = float(paint[3]), float(paint[4])
        # only translucent strokes need a layer of their own
        layer = drawn if opacity >= 1 else drawn.copy()
        x0, y0, x1, y1 = np.rint(ends * one).astype(int).tolist()
        for colour, scale in ((rim, 1.0), ((paint[:3] * 255).tolist(), INNER_PART)):
            if (x0, y0) == (x1, y1):
                size = round(radius * scale * one)
                cv2.circle(layer, (x0, y0), size, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
            else:
                thickness = max(1, round(2 * radius * scale))
                cv2.line(layer, (x0, y0), (x1, y1), colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        if layer is not drawn:
            np.copyto(drawn, cv2.addWeighted(layer, opacity, drawn, 1 - opacity, 0))

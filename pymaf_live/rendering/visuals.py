"""OpenGL visuals as gloo programs, shared by the overlay and the window.

All visuals need a current vispy context (the window's canvas or an `OffscreenContext`) and belong
to its thread. These programs are about twice as fast as vispy's scene visuals.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from vispy import gloo

from pymaf_live.rendering import style as light
from pymaf_live.rendering.scene import PosedBody, RenderScene
from pymaf_live.rendering.strokes import INNER_PART, RIM_COLOUR, Strokes
from pymaf_live.rendering.surface import BodySurface, RestMesh
from pymaf_live.types import Image

_MAX_BUFFERS = 16
_CAPSULE = np.array([[-1, -1], [1, -1], [1, 1], [-1, -1], [1, 1], [-1, 1]], np.float32)
_QUAD = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)


def _vector(values: Iterable[float]) -> str:
    return f"vec3({', '.join(f'{value:.6f}' for value in values)})"


def _squared(name: str, times: int) -> str:
    return " ".join([f"{name} *= {name};"] * times)


# GLSL 1.20 without anything that OpenGL ES 2 lacks, so that it runs on any driver
_BODY_VERTEX = """
uniform mat4 u_bones[JOINTS];
uniform vec4 u_project;  // x scale, y scale, x shift, y shift, to clip space
uniform vec2 u_depth;
attribute vec3 a_position;
attribute vec3 a_normal;
attribute vec4 a_joints;
attribute vec4 a_weights;
attribute vec4 a_paint;  // colour, share that is multiplied by the person's colour
uniform vec3 u_colour;
varying vec3 v_place;
varying vec3 v_normal;
varying vec3 v_colour;

void main() {
    mat4 skin = a_weights.x * u_bones[int(a_joints.x)];
    skin += a_weights.y * u_bones[int(a_joints.y)];
    skin += a_weights.z * u_bones[int(a_joints.z)];
    skin += a_weights.w * u_bones[int(a_joints.w)];
    vec4 place = skin * vec4(a_position, 1.0);
    v_place = place.xyz;
    v_colour = a_paint.xyz * mix(vec3(1.0), u_colour, a_paint.w);
    v_normal = (skin * vec4(a_normal, 0.0)).xyz;
    gl_Position = vec4(
        u_project.xy * place.xy + u_project.zw * place.z, u_depth.x * place.z + u_depth.y, place.z
    );
}
"""

_BODY_FRAGMENT = f"""
uniform float u_opacity;
uniform float u_flat;  // 1: colours without light
varying vec3 v_place;
varying vec3 v_normal;
varying vec3 v_colour;

void main() {{
    vec3 normal = normalize(v_normal);
    vec3 to_eye = normalize(-v_place);
    vec3 key_direction = {_vector(light.KEY_DIRECTION)};
    float facing = max(dot(normal, to_eye), 0.0);
    float key = max(dot(normal, key_direction), 0.0);
    float gloss = max(dot(normal, normalize(to_eye + key_direction)), 0.0);
    {_squared("gloss", light.GLOSS_SQUARINGS)}
    float rim = 1.0 - facing;
    {_squared("rim", light.RIM_SQUARINGS)}
    float light = {light.AMBIENT:.6f} - {light.SKY:.6f} * normal.y;
    light += {light.KEY:.6f} * key + {light.HEAD:.6f} * facing;
    light *= 1.0 - {light.RIM:.6f} * rim;
    vec3 lit = clamp(v_colour * light + {light.GLOSS:.6f} * gloss, 0.0, 1.0);
    lit = mix(lit, v_colour, u_flat);
    gl_FragColor = vec4(lit * u_opacity, u_opacity);
}}
"""

_LINE_VERTEX = """
uniform vec4 u_project;  // image pixels to clip space: scale, shift
uniform float u_soft;    // half the width of the softened edge, image pixels
attribute vec2 a_corner;
attribute vec4 a_ends;
attribute vec4 a_paint;  // colour, radius in image pixels
attribute float a_cover;
varying vec2 v_place;
varying vec4 v_ends;
varying vec4 v_paint;
varying float v_cover;

void main() {
    vec2 along = a_ends.zw - a_ends.xy;
    float size = length(along);
    along = size > 0.0001 ? along / size : vec2(1.0, 0.0);
    vec2 across = vec2(-along.y, along.x);
    float reach = a_paint.w + u_soft;
    vec2 end = a_corner.x < 0.0 ? a_ends.xy : a_ends.zw;
    v_place = end + reach * (a_corner.x * along + a_corner.y * across);
    v_ends = a_ends;
    v_paint = a_paint;
    v_cover = a_cover;
    gl_Position = vec4(v_place * u_project.xy + u_project.zw, 0.0, 1.0);
}
"""

_LINE_FRAGMENT = f"""
uniform float u_soft;
varying vec2 v_place;
varying vec4 v_ends;
varying vec4 v_paint;
varying float v_cover;

void main() {{
    vec2 along = v_ends.zw - v_ends.xy;
    vec2 from_start = v_place - v_ends.xy;
    float part = clamp(dot(from_start, along) / max(dot(along, along), 0.0001), 0.0, 1.0);
    float away = length(from_start - part * along);
    float cover = v_cover * clamp((v_paint.w - away) / (2.0 * u_soft) + 0.5, 0.0, 1.0);
    float inner = clamp(({INNER_PART:.6f} * v_paint.w - away) / (2.0 * u_soft) + 0.5, 0.0, 1.0);
    vec3 paint = mix({_vector(RIM_COLOUR)}, v_paint.xyz, inner);
    gl_FragColor = vec4(paint * cover, cover);
}}
"""

_QUAD_VERTEX = """
uniform vec4 u_place;   // x0, y0, x1, y1 in clip space
uniform vec2 u_portion;  // share of the texture shown, from its first row and column
attribute vec2 a_corner;
varying vec2 v_texture;

void main() {
    v_texture = a_corner * u_portion;
    gl_Position = vec4(mix(u_place.xy, u_place.zw, a_corner), 0.0, 1.0);
}
"""

_QUAD_FRAGMENT = """
uniform sampler2D u_texture;
varying vec2 v_texture;

void main() {
    gl_FragColor = texture2D(u_texture, v_texture);
}
"""


class BodyVisual:
    """Bodies skinned and lit on the graphics card, colours premultiplied by opacity.

    Nearer bodies replace farther ones.

    Parameters
    ----------
    surface : BodySurface
    """

    def __init__(self, surface: BodySurface) -> None:
        joints = surface.body.joint_count
        vertex = _BODY_VERTEX.replace("JOINTS", str(joints))
        self._program = gloo.Program(vertex, _BODY_FRAGMENT)
        self._program["a_joints"] = gloo.VertexBuffer(surface.joints)
        self._program["a_weights"] = gloo.VertexBuffer(surface.weights)
        self._paint: tuple[Any, Any] = (None, None)
        self._faces = _index_buffer(surface.faces, len(surface.paint))
        self._edges: Any = None
        self._surface = surface
        # vispy sets a whole array uniform only the first time: name each matrix
        self._bone_names = [f"u_bones[{joint}]" for joint in range(joints)]
        self._buffers: OrderedDict[tuple[str, int], tuple[RestMesh, Any, Any]] = OrderedDict()

    def draw(self, scene: RenderScene) -> None:
        """Draw a scene; its region fills the GL viewport with its top row at the bottom."""
        region, camera = scene.region, scene.camera
        size = np.array([region.width, region.height], float)
        corner = np.array([region.x0, region.y0], float)
        # pixel centres lie half a pixel inside the region's edges
        scale = 2 * camera.focal_length / size
        shift = 2 * (camera.principal_point + 0.5 - corner) / size - 1
        near, far = scene.near, scene.far
        span = far - near
        self._program["u_project"] = tuple(np.r_[scale, shift])
        self._program["u_depth"] = ((far + near) / span, -2 * far * near / span)
        wireframe = scene.style.body == "wireframe" and not scene.style.parts
        self._program["u_flat"] = float(scene.style.parts or wireframe)
        # the top row lies at the bottom, so the outside of a face runs clockwise
        gloo.set_state(
            depth_test=True, cull_face=True, blend=False, front_face="cw", depth_func="less"
        )
        gloo.set_cull_face("back")
        for posed in scene.people:
            self._program["u_opacity"] = scene.style.opacity * posed.visibility
            self._set_person(posed)
            if wireframe:
                self._draw_edges()
            else:
                self._program.draw("triangles", self._faces)

    def _draw_edges(self) -> None:
        """Draw the edges that no surface hides."""
        if self._edges is None:
            self._edges = _index_buffer(self._surface.edges, len(self._surface.paint))
        gloo.set_state(polygon_offset_fill=True, polygon_offset=(1.0, 2.0))
        gloo.set_color_mask(False, False, False, False)
        self._program.draw("triangles", self._faces)
        gloo.set_color_mask(True, True, True, True)
        gloo.set_state(
            polygon_offset_fill=False,
            polygon_offset=(0.0, 0.0),
            depth_func="lequal",
            line_width=1.5,
        )
        self._program.draw("lines", self._edges)
        gloo.set_state(depth_func="less")

    def _set_person(self, posed: PosedBody) -> None:
        positions, normals = self._uploaded(posed)
        program = self._program
        program["a_position"] = positions
        program["a_normal"] = normals
        if self._paint[0] is not posed.paint:
            if self._paint[1] is None:
                self._paint = (posed.paint, gloo.VertexBuffer(posed.paint))
                program["a_paint"] = self._paint[1]
            else:
                self._paint[1].set_data(posed.paint)
                self._paint = (posed.paint, self._paint[1])
        matrices = np.zeros((len(posed.bones), 4, 4), np.float32)
        # GL reads matrices column by column
        matrices[:, :, :3] = posed.bones.transpose(0, 2, 1)
        matrices[:, 3, 3] = 1
        for name, matrix in zip(self._bone_names, matrices, strict=True):
            program[name] = matrix
        program["u_colour"] = tuple(posed.colour)

    def _uploaded(self, posed: PosedBody) -> tuple[Any, Any]:
        """Return the person's vertex buffers, refilled only when the shape has changed."""
        key = posed.key
        cached = self._buffers.pop(key, None)
        if cached is None and len(self._buffers) >= _MAX_BUFFERS:
            cached = self._buffers.popitem(last=False)[1]
        if cached is None:
            positions = gloo.VertexBuffer(posed.mesh.vertices)
            normals = gloo.VertexBuffer(posed.mesh.normals)
        else:
            mesh, positions, normals = cached
            if mesh is not posed.mesh:
                positions.set_data(posed.mesh.vertices)
                normals.set_data(posed.mesh.normals)
        self._buffers[key] = (posed.mesh, positions, normals)
        return positions, normals


def _index_buffer(indices: npt.NDArray[np.int32], vertices: int) -> Any:
    small = vertices <= np.iinfo(np.uint16).max
    return gloo.IndexBuffer(indices.ravel().astype(np.uint16 if small else np.uint32))


class StrokeVisual:
    """Outlined lines and dots in image pixels, drawn over everything else."""

    def __init__(self) -> None:
        self._program = gloo.Program(_LINE_VERTEX, _LINE_FRAGMENT)
        self._corners = gloo.VertexBuffer(np.zeros((0, 2), np.float32))
        self._ends = gloo.VertexBuffer(np.zeros((0, 4), np.float32))
        self._paint = gloo.VertexBuffer(np.zeros((0, 4), np.float32))
        self._cover = gloo.VertexBuffer(np.zeros(0, np.float32))
        self._program["a_corner"] = self._corners
        self._program["a_ends"] = self._ends
        self._program["a_paint"] = self._paint
        self._program["a_cover"] = self._cover

    def draw(
        self,
        strokes: Strokes,
        part: tuple[float, float, float, float],
        pixels_per_image_pixel: float,
        *,
        upright: bool = False,
    ) -> None:
        """Draw strokes.

        Parameters
        ----------
        strokes : Strokes
        part : tuple of float
            x0, y0, x1, y1 of the image part that fills the GL viewport, in image pixels with pixel
            edges at integers.
        pixels_per_image_pixel : float
            Scale, for edges that are softened over one pixel.
        upright : bool
            Put the top row at the top, as on the screen; otherwise as `BodyVisual.draw`.
        """
        ends, paint = strokes.ends, strokes.paint
        if not len(ends):
            return
        copies = len(_CAPSULE)
        self._corners.set_data(np.tile(_CAPSULE, (len(ends), 1)))
        self._ends.set_data(np.repeat(ends, copies, axis=0))
        self._paint.set_data(np.repeat(paint[:, :4], copies, axis=0))
        self._cover.set_data(np.repeat(paint[:, 4], copies))
        size = np.array([part[2] - part[0], part[3] - part[1]], float)
        scale = 2 / size
        shift = 2 * (0.5 - np.array(part[:2])) / size - 1
        if upright:
            scale[1], shift[1] = -scale[1], -shift[1]
        self._program["u_project"] = tuple(np.r_[scale, shift])
        self._program["u_soft"] = 0.5 / pixels_per_image_pixel
        gloo.set_state(
            depth_test=False, cull_face=False, blend=True,
            blend_func=("one", "one_minus_src_alpha"),
        )  # fmt: skip
        self._program.draw("triangles")


class TextureQuad:
    """Texture drawn in a rectangle; the texture's first row is the rectangle's upper edge."""

    def __init__(self, texture: Any) -> None:
        self._program = gloo.Program(_QUAD_VERTEX, _QUAD_FRAGMENT)
        self._program["a_corner"] = gloo.VertexBuffer(_QUAD)
        self._program["u_texture"] = texture

    def draw(
        self, place: tuple[float, float, float, float], portion: tuple[float, float], *, blend: bool
    ) -> None:
        """Draw the texture.

        Parameters
        ----------
        place : tuple of float
            Left, top, right and bottom in clip space.
        portion : tuple of float
            Share of the texture's width and height to show, from its first row and column.
        blend : bool
            Blend over what is there (premultiplied colours) instead of replacing it.
        """
        self._program["u_place"] = place
        self._program["u_portion"] = portion
        gloo.set_state(
            depth_test=False, cull_face=False, blend=blend,
            blend_func=("one", "one_minus_src_alpha"),
        )  # fmt: skip
        self._program.draw("triangle_strip")


class ImageVisual:
    """Image behind the bodies; the texture is reused while the size stays the same."""

    def __init__(self) -> None:
        self._texture = gloo.Texture2D(
            np.zeros((2, 2, 3), np.uint8), interpolation="linear", wrapping="clamp_to_edge"
        )
        self._quad = TextureQuad(self._texture)

    def set_image(self, image: Image) -> None:
        """Set the image (H, W, 3), RGB."""
        self._texture.set_data(np.ascontiguousarray(image))

    def draw(self, place: tuple[float, float, float, float]) -> None:
        """Draw in clip-space `place`: left, top, right, bottom."""
        self._quad.draw(place, (1.0, 1.0), blend=False)

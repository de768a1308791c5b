"""Off-screen texture that holds one rendered scene, for blending over an image."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from vispy import gloo
from vispy.gloo import gl

from pymaf_live.body import Body
from pymaf_live.rendering.scene import RenderScene
from pymaf_live.rendering.strokes import scene_strokes
from pymaf_live.rendering.surface import BodySurface
from pymaf_live.rendering.visuals import BodyVisual, StrokeVisual, TextureQuad

_STEP = 64
_MAX_TEXTURE_SIZE = 0x0D33


class TextureLayer:
    """Transparent layer with the bodies of one scene, colours premultiplied by opacity.

    Within the layer nearer surfaces replace farther ones, so overlapping bodies do not add up their
    opacities.

    Parameters
    ----------
    body : Body
    """

    def __init__(self, body: Body) -> None:
        self._bodies: dict[BodySurface, BodyVisual] = {}
        self._strokes = StrokeVisual()
        self._parents = body.parents
        self._capacity = (_STEP, _STEP)
        self._texture = gloo.Texture2D(
            shape=(_STEP, _STEP, 4), format="rgba", interpolation="linear",
            wrapping="clamp_to_edge",
        )  # fmt: skip
        self._depth = gloo.RenderBuffer((_STEP, _STEP), "depth")
        self._buffer = gloo.FrameBuffer(color=self._texture, depth=self._depth)
        self._quad = TextureQuad(self._texture)
        self._size = (0, 0)
        self._pixels = np.empty(0, np.uint8)
        self._read = _gl_read_pixels()

    @staticmethod
    def max_size() -> int:
        """Return the greatest side length in pixels that the graphics card supports."""
        # storage grows in steps, and one line beyond the scene is kept clear
        return int(gl.glGetParameter(_MAX_TEXTURE_SIZE)) - _STEP

    def render(self, scene: RenderScene, size: tuple[int, int]) -> None:
        """Render the scene's region at `size` (width, height) px."""
        # `draw` interpolates: one line beyond the scene must be clear, not left from a larger scene
        cleared = (size[0] + 1, size[1] + 1)
        self._grow(cleared)
        self._size = size
        with self._buffer:
            gloo.set_viewport(0, 0, *size)
            gloo.set_scissor(0, 0, *cleared)
            gloo.set_state(scissor_test=True, depth_mask=True)
            gloo.clear(color=(0.0, 0.0, 0.0, 0.0), depth=True)
            if scene.style.draws_mesh:
                if scene.surface not in self._bodies:
                    self._bodies[scene.surface] = BodyVisual(scene.surface)
                self._bodies[scene.surface].draw(scene)
            region = scene.region
            self._strokes.draw(
                scene_strokes(scene, self._parents),
                (region.x0, region.y0, region.x1, region.y1),
                size[0] / region.width,
            )
            gloo.set_state(scissor_test=False)

    def read(self) -> npt.NDArray[np.uint8]:
        """Return the rendered (h, w, 4) RGBA pixels, top row first; valid until the next `read`."""
        width, height = self._size
        needed = width * height * 4
        if len(self._pixels) < needed:
            self._pixels = np.empty(needed, np.uint8)
        with self._buffer:
            gloo.finish()
            # gloo.read_pixels() makes two copies, which take longer than the transfer itself
            self._read(0, 0, width, height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, self._pixels.ctypes)
        return self._pixels[:needed].reshape(height, width, 4)

    def draw(self, place: tuple[float, float, float, float]) -> None:
        """Blend the layer over the current frame buffer.

        Parameters
        ----------
        place : tuple of float
            Left, top, right and bottom in clip space.
        """
        portion = (self._size[0] / self._capacity[0], self._size[1] / self._capacity[1])
        self._quad.draw(place, portion, blend=True)

    def _grow(self, size: tuple[int, int]) -> None:
        if size[0] <= self._capacity[0] and size[1] <= self._capacity[1]:
            return
        width, height = (
            max(have, -(-need // _STEP) * _STEP)
            for have, need in zip(self._capacity, size, strict=True)
        )
        self._capacity = (width, height)
        self._texture.resize((height, width, 4))
        self._depth.resize((height, width))


def _gl_read_pixels() -> Callable[..., None]:
    """Return ``glReadPixels`` of the library that gloo has loaded."""
    c_int, c_uint = ctypes.c_int, ctypes.c_uint
    function: Callable[..., None] = gl.gl2._get_gl_func(
        "glReadPixels", None, (c_int, c_int, c_int, c_int, c_uint, c_uint, ctypes.c_void_p)
    )
    return function

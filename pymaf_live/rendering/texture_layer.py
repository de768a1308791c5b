"""Bodies drawn into a texture of their own, to be laid over a picture once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from vispy import gloo
from vispy.gloo import gl

from pymaf_live.rendering.scene import Scene
from pymaf_live.rendering.strokes import scene_strokes
from pymaf_live.rendering.surface import Surface
from pymaf_live.rendering.visuals import BodyVisual, StrokeVisual, TextureQuad

_STEP = 64
_MAX_TEXTURE_SIZE = 0x0D33


class BodyLayer:
    """A transparent sheet with the bodies of one scene, colours premultiplied by opacity.

    Within the sheet nearer surfaces replace farther ones, so however many overlap, the picture is
    covered once.

    Parameters
    ----------
    surface : Surface
    """

    def __init__(self, surface: Surface) -> None:
        self._bodies = BodyVisual(surface)
        self._strokes = StrokeVisual()
        self._parents = surface.body.parents
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
    def greatest_side() -> int:
        """Most pixels along a side that this graphics card allows."""
        # storage grows in steps, and a line beyond what is drawn is kept clear
        return int(gl.glGetParameter(_MAX_TEXTURE_SIZE)) - _STEP

    def render(self, scene: Scene, size: tuple[int, int]) -> None:
        """Draw the scene's window at `size` (width, height) px."""
        # `draw` interpolates: a line beyond the sheet must be empty, not of an earlier, larger one
        cleared = (size[0] + 1, size[1] + 1)
        self._grow(cleared)
        self._size = size
        with self._buffer:
            gloo.set_viewport(0, 0, *size)
            gloo.set_scissor(0, 0, *cleared)
            gloo.set_state(scissor_test=True, depth_mask=True)
            gloo.clear(color=(0.0, 0.0, 0.0, 0.0), depth=True)
            if scene.look.body:
                self._bodies.draw(scene)
            window = scene.window
            self._strokes.draw(
                scene_strokes(scene, self._parents),
                (window.x0, window.y0, window.x1, window.y1),
                size[0] / window.width,
            )
            gloo.set_state(scissor_test=False)

    def read(self) -> npt.NDArray[np.uint8]:
        """(h, w, 4) RGBA of what `render` drew, top row first; valid until the next `read`."""
        width, height = self._size
        needed = width * height * 4
        if len(self._pixels) < needed:
            self._pixels = np.empty(needed, np.uint8)
        with self._buffer:
            gloo.finish()
            # gloo.read_pixels() makes two new copies, which take longer than the reading
            self._read(0, 0, width, height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, self._pixels.ctypes)
        return self._pixels[:needed].reshape(height, width, 4)

    def draw(self, place: tuple[float, float, float, float]) -> None:
        """Lay the sheet over the current frame buffer, in clip-space `place` (l, t, r, b)."""
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
    """``glReadPixels`` itself, of the library that gloo has loaded."""
    c_int, c_uint = ctypes.c_int, ctypes.c_uint
    function: Callable[..., None] = gl.gl2._get_gl_func(
        "glReadPixels", None, (c_int, c_int, c_int, c_int, c_uint, c_uint, ctypes.c_void_p)
    )
    return function

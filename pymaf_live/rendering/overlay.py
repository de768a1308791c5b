"""Bodies drawn over images, by OpenGL or by the CPU rasteriser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import ModelError
from pymaf_live.rendering.alpha_blend import alpha_blend
from pymaf_live.rendering.cpu_overlay import CpuOverlay
from pymaf_live.rendering.scene import SceneBuilder
from pymaf_live.rendering.style import OverlayStyle
from pymaf_live.rendering.surface import Surfaces
from pymaf_live.types import Camera, Image, Person

_SUPERSAMPLING = 2
"""Samples per pixel along each axis where that is cheap; smooths edges."""
_MAX_SUPERSAMPLES = 2_000_000
_MAX_SAMPLES = 16_000_000


class Overlay(Protocol):
    """Draws bodies over images. Open, draw and close it in one thread."""

    @property
    def name(self) -> str:
        """Renderer in use, such as ``vispy egl (llvmpipe ...)`` or ``cpu rasteriser``."""

    @property
    def notice(self) -> str:
        """Reason for not using OpenGL; empty when it is used. May change while drawing."""

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """Draw people over an image.

        Parameters
        ----------
        image : (H, W, 3) uint8 array
            RGB; the size may change from call to call.
        people : sequence of Person
            In any order; people behind the camera or outside the image are allowed.
        camera : Camera
            Camera of this image.

        Returns
        -------
        (H, W, 3) uint8 array
            A new image; equal to `image` where there is no body.
        """

    def close(self) -> None:
        """Release all resources. Closing twice is harmless."""


def open_overlay(
    body: Body,
    size: tuple[int, int],
    prefer: Literal["auto", "gl", "cpu"] = "auto",
    style: OverlayStyle | None = None,
) -> Overlay:
    """Open the best overlay that this machine supports.

    An OpenGL context belongs to the thread that opens it: open, draw and close in one thread.

    Parameters
    ----------
    body : Body
    size : tuple of int
        Width and height in pixels of the first images; other sizes may follow.
    prefer : {'auto', 'gl', 'cpu'}
        'auto' draws with OpenGL and falls back to the CPU, at the start or in the middle of a run;
        `Overlay.notice` then states the reason. 'gl' requires OpenGL.
    style : OverlayStyle, optional

    Raises
    ------
    ModelError
        If OpenGL is required and not available.
    """
    builder, style = SceneBuilder(Surfaces(body)), style or OverlayStyle()
    if prefer == "cpu":
        return CpuOverlay(builder, style)
    try:
        gl = OpenGLOverlay(builder, style, size)
    except Exception as error:
        # drivers fail in more ways than can be listed, and drawing must never end the main job
        reason = _reason(error)
        if prefer == "gl":
            raise ModelError(f"Off-screen OpenGL is not available: {reason}") from error
        return CpuOverlay(builder, style, f"Overlay drawn without OpenGL ({reason})")
    return gl if prefer == "gl" else FallbackOverlay(gl, builder, style)


class OpenGLOverlay:
    """Overlay drawn by vispy in an off-screen OpenGL context.

    Parameters
    ----------
    builder : SceneBuilder
    style : OverlayStyle
    size : tuple of int
        Width and height in pixels.

    Raises
    ------
    OpenGLUnavailable
        If no context can be created.
    """

    notice = ""

    def __init__(self, builder: SceneBuilder, style: OverlayStyle, size: tuple[int, int]) -> None:
        from pymaf_live.rendering.offscreen import OffscreenContext

        self._builder, self._style = builder, style
        self._context = OffscreenContext()
        try:
            from pymaf_live.rendering.texture_layer import TextureLayer

            self._context.make_current()
            self._layer = TextureLayer(builder.surfaces.body)
            self._max_size = TextureLayer.max_size()
        except Exception:
            self._context.close()
            raise
        self.name = f"vispy {self._context.kind} ({self._context.renderer})"

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """See `Overlay.draw`."""
        drawn = np.array(image)
        height, width = drawn.shape[:2]
        scene = self._builder.build(people, camera, (width, height), self._style)
        if scene is None:
            return drawn
        self._context.make_current()
        self._layer.render(scene, self._render_size(scene.region.width, scene.region.height))
        alpha_blend(scene.region.crop(drawn), self._layer.read())
        return drawn

    def _render_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to render a region of `width` x `height` pixels at."""
        if width * height * _SUPERSAMPLING**2 <= _MAX_SUPERSAMPLES:
            scale = float(_SUPERSAMPLING)
        else:
            scale = min(1.0, (_MAX_SAMPLES / (width * height)) ** 0.5)
        scale = min(scale, self._max_size / max(width, height))
        return max(1, int(width * scale)), max(1, int(height * scale))

    def close(self) -> None:
        """See `Overlay.close`."""
        self._context.close()


class FallbackOverlay:
    """Draws with OpenGL until it fails once, and on the CPU from then on.

    Parameters
    ----------
    gl : Overlay
    builder : SceneBuilder
    style : OverlayStyle
    """

    def __init__(self, gl: Overlay, builder: SceneBuilder, style: OverlayStyle) -> None:
        self._overlay, self._builder, self._style = gl, builder, style

    @property
    def name(self) -> str:
        """See `Overlay.name`."""
        return self._overlay.name

    @property
    def notice(self) -> str:
        """See `Overlay.notice`."""
        return self._overlay.notice

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """See `Overlay.draw`."""
        if not isinstance(self._overlay, CpuOverlay):
            try:
                return self._overlay.draw(image, people, camera)
            except Exception as error:
                # lost context or driver error: keep the frames drawn so far and continue
                notice = f"OpenGL failed; overlay drawn without it ({_reason(error)})"
                failed = self._overlay
                self._overlay = CpuOverlay(self._builder, self._style, notice)
                _close_quietly(failed)
        return self._overlay.draw(image, people, camera)

    def close(self) -> None:
        """See `Overlay.close`."""
        self._overlay.close()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _close_quietly(overlay: Overlay) -> None:
    try:
        overlay.close()
    except Exception:
        return

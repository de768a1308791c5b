"""Bodies drawn over pictures, with or without a graphics card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import ModelError
from pymaf_live.rendering.alpha_blend import lay_over
from pymaf_live.rendering.cpu_overlay import CpuOverlay
from pymaf_live.rendering.scene import Stage
from pymaf_live.rendering.style import Look
from pymaf_live.rendering.surface import Surface
from pymaf_live.types import Camera, Image, Person

_FINE = 2
"""Samples a pixel along each axis, where that is cheap: smooth edges."""
_MOST_FINE_SAMPLES = 2_000_000
_MOST_SAMPLES = 16_000_000


class Overlay(Protocol):
    """Draws bodies over pictures. Open, draw and close in one thread."""

    @property
    def name(self) -> str:
        """What draws, such as ``vispy egl (llvmpipe ...)`` or ``cpu rasteriser``."""

    @property
    def notice(self) -> str:
        """Why not the better way; empty when all is well. May change while drawing."""

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """Draw people over a picture.

        Parameters
        ----------
        image : (H, W, 3) uint8 array
            RGB; of any size from picture to picture.
        people : sequence of Person
            In any order; behind or outside the picture too.
        camera : Camera
            Of this picture.

        Returns
        -------
        (H, W, 3) uint8 array
            A new picture; equal to `image` where no body is.
        """

    def close(self) -> None:
        """Give everything back; twice does no harm."""


def open_overlay(
    body: Body,
    size: tuple[int, int],
    prefer: Literal["auto", "gl", "cpu"] = "auto",
    look: Look | None = None,
) -> Overlay:
    """Open the best overlay that this machine has.

    A GL context belongs to the thread that opens it: open, draw and close in one thread.

    Parameters
    ----------
    body : Body
    size : tuple of int
        Width, height in pixels of the first pictures; others may follow.
    prefer : {'auto', 'gl', 'cpu'}
        'auto' draws by GL and falls back to the processor, at the start or in the middle of a
        run, and says so in `notice`; 'gl' insists.
    look : Look, optional
        Opacity, and what is shown.

    Raises
    ------
    ModelError
        If GL is insisted on and there is none.
    """
    stage, look = Stage(Surface(body)), look or Look()
    if prefer == "cpu":
        return CpuOverlay(stage, look)
    try:
        gl = GlOverlay(stage, look, size)
    except Exception as error:
        # drivers fail in more ways than can be listed, and drawing must never end the main job
        reason = " ".join(str(error).split()) or type(error).__name__
        if prefer == "gl":
            raise ModelError(f"no OpenGL without a window on this machine: {reason}") from error
        return CpuOverlay(stage, look, f"overlay drawn without OpenGL ({reason})")
    return gl if prefer == "gl" else FallingBackOverlay(gl, stage, look)


class GlOverlay:
    """Overlay by vispy in an off-screen GL context.

    Parameters
    ----------
    stage : Stage
    look : Look
    size : tuple of int
        Width, height in pixels.

    Raises
    ------
    NoGraphics
        If no context can be had.
    """

    notice = ""

    def __init__(self, stage: Stage, look: Look, size: tuple[int, int]) -> None:
        from pymaf_live.rendering.offscreen import OffscreenContext

        self._stage, self._look = stage, look
        self._context = OffscreenContext()
        try:
            from pymaf_live.rendering.texture_layer import BodyLayer

            self._context.make_current()
            self._layer = BodyLayer(stage.surface)
            self._greatest = BodyLayer.greatest_side()
        except Exception:
            self._context.close()
            raise
        self.name = f"vispy {self._context.kind} ({self._context.renderer})"

    def draw(self, image: Image, people: Sequence[Person], camera: Camera) -> Image:
        """See `Overlay.draw`."""
        drawn = np.array(image)
        height, width = drawn.shape[:2]
        scene = self._stage.scene(people, camera, (width, height), self._look)
        if scene is None:
            return drawn
        window = scene.window
        part = drawn[window.y0 : window.y1, window.x0 : window.x1]
        self._context.make_current()
        self._layer.render(scene, self._samples(window.width, window.height))
        lay_over(part, self._layer.read())
        return drawn

    def _samples(self, width: int, height: int) -> tuple[int, int]:
        fine = width * height * _FINE**2 <= _MOST_FINE_SAMPLES
        scale = float(_FINE) if fine else min(1.0, (_MOST_SAMPLES / (width * height)) ** 0.5)
        scale = min(scale, self._greatest / max(width, height))
        return max(1, int(width * scale)), max(1, int(height * scale))

    def close(self) -> None:
        """See `Overlay.close`."""
        self._context.close()


class FallingBackOverlay:
    """GL as long as it works; the processor from the first failure on.

    Parameters
    ----------
    gl : Overlay
    stage : Stage
    look : Look
    """

    def __init__(self, gl: Overlay, stage: Stage, look: Look) -> None:
        self._overlay, self._stage, self._look = gl, stage, look

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
                # a lost context, a driver's fault: the frames already drawn stay, the rest go on
                reason = " ".join(str(error).split()) or type(error).__name__
                failed = self._overlay
                self._overlay = CpuOverlay(
                    self._stage, self._look, f"OpenGL failed, overlay drawn without it ({reason})"
                )
                _close_quietly(failed)
        return self._overlay.draw(image, people, camera)

    def close(self) -> None:
        """See `Overlay.close`."""
        self._overlay.close()


def _close_quietly(overlay: Overlay) -> None:
    try:
        overlay.close()
    except Exception:
        return

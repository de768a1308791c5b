"""Off-screen OpenGL context: EGL without a display server, otherwise OSMesa.

vispy's own off-screen back-ends never release their context and open the default display, which
needs an X server on some machines; so the context is created here and vispy's gloo draws in it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Callable
from typing import Any

_EGL_PLATFORM_SURFACELESS = 0x31DD
_EGL_NONE = 0x3038
_EGL_OPENGL_API = 0x30A2
_EGL_CONFIG = [
    0x3024, 8, 0x3023, 8, 0x3022, 8, 0x3021, 8,  # red, green, blue, alpha
    0x3033, 0x0001,  # surface type: pbuffer
    0x3040, 0x0008,  # renderable type: OpenGL
    _EGL_NONE,
]  # fmt: skip
_GL_RGBA, _GL_UNSIGNED_BYTE, _GL_RENDERER = 0x1908, 0x1401, 0x1F01
_SIDE = 16
"""Pixels of the context's own surface; all drawing goes to frame buffer objects."""


class OpenGLUnavailable(Exception):  # noqa: N818 - an expected state of the machine
    """No OpenGL context can be created; the message states the reason."""


class OffscreenContext:
    """Current OpenGL context for gloo.

    Create, use and close it in one thread. gloo has one current canvas per process, so no other
    vispy canvas may be drawn while this one draws.

    Raises
    ------
    OpenGLUnavailable
        If neither EGL nor OSMesa provides a context.
    """

    def __init__(self) -> None:
        reasons = []
        for name, open_one in (("EGL", _open_egl), ("OSMesa", _open_osmesa)):
            try:
                self._make_current, self._release = open_one()
                break
            except (OSError, AttributeError, OpenGLUnavailable) as error:
                reasons.append(f"{name}: {error}")
        else:
            raise OpenGLUnavailable("; ".join(reasons))
        self.kind = name.lower()
        self._closed = False
        try:
            self._make_current()
            self._bind_gloo()
        except Exception as error:
            self.close()
            raise OpenGLUnavailable(f"{name}: {error}") from error

    def _bind_gloo(self) -> None:
        missing = "no GL library"
        if not ctypes.util.find_library("GL") and not os.environ.get("VISPY_GL_LIB"):
            # a server may have libOpenGL but not libGL, which belongs to X
            library = ctypes.util.find_library("OpenGL")
            if library is None:
                raise OpenGLUnavailable(missing)
            os.environ["VISPY_GL_LIB"] = library
        from vispy.gloo import gl
        from vispy.gloo.context import FakeCanvas

        make_canvas: Callable[[], Any] = FakeCanvas
        self.canvas = make_canvas()
        renderer = gl.glGetParameter(_GL_RENDERER)
        if not renderer:
            raise OpenGLUnavailable(missing)
        self.renderer = str(renderer)
        """Name of the graphics card or the software renderer."""

    def make_current(self) -> None:
        """Make gloo draw in this context."""
        from vispy.gloo.context import set_current_canvas

        self._make_current()
        set_current_canvas(self.canvas)

    def close(self) -> None:
        """Release the context. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        canvas: Any = getattr(self, "canvas", None)
        if canvas is not None:
            from vispy.gloo import context

            forget_canvas: Callable[[Any], None] = context.forget_canvas
            forget_canvas(canvas)
        self._release()


def _open_egl() -> tuple[Callable[[], None], Callable[[], None]]:
    library = ctypes.util.find_library("EGL")
    if library is None:
        raise OpenGLUnavailable("no library")
    egl = ctypes.CDLL(library)
    pointer = ctypes.c_void_p
    for function in (
        "eglGetDisplay", "eglCreatePbufferSurface", "eglCreateContext", "eglGetProcAddress",
    ):  # fmt: skip
        getattr(egl, function).restype = pointer
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    egl.eglGetDisplay.argtypes = [pointer]
    egl.eglInitialize.argtypes = [pointer, pointer, pointer]
    egl.eglChooseConfig.argtypes = [pointer, pointer, pointer, ctypes.c_int, pointer]
    egl.eglCreatePbufferSurface.argtypes = [pointer] * 3
    egl.eglCreateContext.argtypes = [pointer] * 4
    egl.eglMakeCurrent.argtypes = [pointer] * 4
    egl.eglDestroyContext.argtypes = [pointer] * 2
    egl.eglDestroySurface.argtypes = [pointer] * 2

    display = _egl_display(egl)
    attributes = (ctypes.c_int * len(_EGL_CONFIG))(*_EGL_CONFIG)
    config, count = pointer(), ctypes.c_int()
    egl.eglChooseConfig(display, attributes, ctypes.byref(config), 1, ctypes.byref(count))
    if not count.value or not egl.eglBindAPI(_EGL_OPENGL_API):
        raise OpenGLUnavailable("no OpenGL without a window")
    surface = egl.eglCreatePbufferSurface(
        display, config, (ctypes.c_int * 5)(0x3057, _SIDE, 0x3056, _SIDE, _EGL_NONE)
    )
    context = egl.eglCreateContext(display, config, None, (ctypes.c_int * 1)(_EGL_NONE))
    if not surface or not context:
        raise OpenGLUnavailable("no context")

    def make_current() -> None:
        # the API is bound per thread, and MediaPipe in the same process binds OpenGL ES
        egl.eglBindAPI(_EGL_OPENGL_API)
        if not egl.eglMakeCurrent(display, surface, surface, context):
            raise OpenGLUnavailable("the context cannot be made current in this thread")

    def release() -> None:
        egl.eglMakeCurrent(display, None, None, None)
        egl.eglDestroyContext(display, context)
        egl.eglDestroySurface(display, surface)

    return make_current, release


def _egl_display(egl: ctypes.CDLL) -> int:
    """Return the first display that initialises: without a display server, then the default."""
    candidates: list[Callable[[], int | None]] = []
    address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if address:
        platform_display: Callable[..., int | None] = ctypes.CFUNCTYPE(
            ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p
        )(address)
        candidates.append(lambda: platform_display(_EGL_PLATFORM_SURFACELESS, None, None))
    candidates.append(lambda: egl.eglGetDisplay(None))
    for candidate in candidates:
        display = candidate()
        if display and egl.eglInitialize(display, None, None):
            return int(display)
    raise OpenGLUnavailable("no display")


def _open_osmesa() -> tuple[Callable[[], None], Callable[[], None]]:
    library = ctypes.util.find_library("OSMesa")
    if library is None:
        raise OpenGLUnavailable("no library")
    if "vispy.gloo.gl" in sys.modules and os.environ.get("VISPY_GL_LIB") != library:
        # OSMesa has GL functions of its own, and gloo already uses those of another library
        raise OpenGLUnavailable("another GL library is in use")
    osmesa = ctypes.CDLL(library)
    osmesa.OSMesaCreateContextExt.restype = ctypes.c_void_p
    osmesa.OSMesaCreateContextExt.argtypes = [ctypes.c_uint, *[ctypes.c_int] * 3, ctypes.c_void_p]
    osmesa.OSMesaMakeCurrent.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_int,
    ]  # fmt: skip
    osmesa.OSMesaDestroyContext.argtypes = [ctypes.c_void_p]
    context = osmesa.OSMesaCreateContextExt(_GL_RGBA, 24, 0, 0, None)
    if not context:
        raise OpenGLUnavailable("no context")
    pixels = (ctypes.c_ubyte * (_SIDE * _SIDE * 4))()
    os.environ["VISPY_GL_LIB"] = library

    def make_current() -> None:
        if not osmesa.OSMesaMakeCurrent(context, pixels, _GL_UNSIGNED_BYTE, _SIDE, _SIDE):
            raise OpenGLUnavailable("the context cannot be made current")

    def release() -> None:
        osmesa.OSMesaDestroyContext(context)

    return make_current, release

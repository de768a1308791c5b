"""Check for a display before Qt is loaded, which would abort the process without one."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

_ALTERNATIVE = "`pymaf-live process VIDEO --out DIR` works without a display"


def display_error(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return why no window can be opened, in one line; None if it can.

    Parameters
    ----------
    environment : mapping
        Environment variables of the process.
    """
    if not sys.platform.startswith("linux") or environment.get("QT_QPA_PLATFORM"):
        return None  # other systems have a display; a chosen Qt platform may not need one
    if environment.get("WAYLAND_DISPLAY"):
        return None
    display = environment.get("DISPLAY")
    if not display:
        return f"there is no display to open the window on; {_ALTERNATIVE}"
    try:
        ctypes.CDLL("libxcb-cursor.so.0")
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        library = str(error).partition(":")[0]
        return (
            f"the window needs the system library {library} "
            f"(Debian, Ubuntu: apt install libxcb-cursor0); {_ALTERNATIVE}"
        )
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    refused = xcb.xcb_connection_has_error(connection) != 0
    xcb.xcb_disconnect(connection)
    return f"the display {display} cannot be reached; {_ALTERNATIVE}" if refused else None

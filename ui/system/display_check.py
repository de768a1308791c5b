"""Whether there is a screen to open a window on; asked before Qt, which would abort the process."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

_INSTEAD = "`pymaf-live process VIDEO --out DIR` works without a screen"


def screen_complaint(environment: Mapping[str, str] = os.environ) -> str | None:
    """Why no window can be opened, in one line; None if one can.

    Parameters
    ----------
    environment : mapping
        The process's environment variables.
    """
    if not sys.platform.startswith("linux") or environment.get("QT_QPA_PLATFORM"):
        return None  # elsewhere there is a screen; and who chose Qt's platform knows best
    if environment.get("WAYLAND_DISPLAY"):
        return None
    display = environment.get("DISPLAY")
    if not display:
        return f"there is no screen to open the window on; {_INSTEAD}"
    try:
        ctypes.CDLL("libxcb-cursor.so.0")
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        library = str(error).partition(":")[0]
        return (
            f"the window needs the system library {library} "
            f"(Debian, Ubuntu: apt install libxcb-cursor0); {_INSTEAD}"
        )
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    refused = xcb.xcb_connection_has_error(connection) != 0
    xcb.xcb_disconnect(connection)
    return f"the screen {display} cannot be reached; {_INSTEAD}" if refused else None

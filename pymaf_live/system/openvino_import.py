"""Import of OpenVINO without its telemetry, and without its effect on signal handling.

Importing `openvino` also loads `openvino_telemetry`, which sends usage figures over the network
unless the user has opted out, and leaves a thread behind. This program makes no network request
that its user did not ask for. If the telemetry package appears to be missing, OpenVINO uses its own
stub.
"""

from __future__ import annotations

import sys
from typing import Any

from pymaf_live.system.signal_stack import preserved_signal_stack


def import_openvino() -> Any:
    """Import and return the module `openvino`.

    Raises
    ------
    ImportError
        If it is not installed or its native library cannot be loaded.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def open_core() -> Any:
    """Return a new `openvino.Core` with its CPU plugin loaded.

    Loading the plugin replaces the thread's signal stack; see `system.signal_stack`.

    Raises
    ------
    ImportError
        If OpenVINO is not installed or its native library cannot be loaded.
    """
    openvino = import_openvino()
    with preserved_signal_stack():
        core = openvino.Core()
        core.get_property("CPU", "FULL_DEVICE_NAME")
    return core

"""Import of OpenVINO without its telemetry.

Importing `openvino` also loads `openvino_telemetry`, which sends usage figures over the network
unless the user has opted out, and leaves a thread behind. This program makes no network request
that its user did not ask for. If the telemetry package appears to be missing, OpenVINO uses its own
stub.
"""

from __future__ import annotations

import sys
from typing import Any


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

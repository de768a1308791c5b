"""OpenVINO without its reports to its makers.

Importing `openvino` also loads `openvino_telemetry`, which sends usage figures over the network
unless the user has opted out, and leaves a thread behind. This program asks the network for nothing
that its user did not ask for; with the package made out to be missing, OpenVINO uses its own stub.
"""

from __future__ import annotations

import sys
from typing import Any


def import_openvino() -> Any:
    """The module `openvino`.

    Raises
    ------
    ImportError
        If it is not installed or its native library cannot be loaded.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino

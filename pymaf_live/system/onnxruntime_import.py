"""Import of ONNX Runtime without its telemetry.

ONNX Runtime's packages send usage events to Microsoft and store a device identifier in the user's
cache folder, unless this variable is set before the library starts
(https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md). This program makes no network
request that its user did not ask for.
"""

from __future__ import annotations

import os
from typing import Any

_VARIABLE = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> Any:
    """Import and return the module `onnxruntime`.

    Raises
    ------
    ImportError
        If it is not installed or its native library cannot be loaded.
    """
    # whatever the user's environment says: the library reads it once, when it is loaded
    os.environ[_VARIABLE] = "1"
    import onnxruntime  # noqa: TID251

    return onnxruntime

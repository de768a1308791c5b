"""The two TensorRT libraries, whose interfaces are alike."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from typing import Any

from pymaf_live.errors import ModelError
from pymaf_live.inference.cuda import find_device

PACKAGES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
"""Python module of each back-end."""

_TITLES = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT for RTX"}
_REQUIRED_NAMES = ("Builder", "OnnxParser", "Runtime", "Logger", "IProgressMonitor")
_MIN_VERSION = 10
"""First release of `tensorrt` with the calls used here; `tensorrt_rtx` has all of them."""


@dataclass(frozen=True)
class Library:
    """A loaded TensorRT library."""

    flavour: str
    """A key of `PACKAGES`."""
    module: Any
    """`tensorrt` or `tensorrt_rtx`."""

    @property
    def title(self) -> str:
        """Name for display, with the version."""
        return f"{_TITLES[self.flavour]} {self.version}"

    @property
    def version(self) -> str:
        """Version of the library."""
        return str(self.module.__version__)

    @property
    def for_rtx(self) -> bool:
        """True if engines are built for named GPUs without one, and completed where they run."""
        return self.flavour == "tensorrt-rtx"


def load_library(flavour: str) -> Library:
    """Load a TensorRT library; no GPU is needed.

    Parameters
    ----------
    flavour : str
        A key of `PACKAGES`.

    Raises
    ------
    ImportError
        If it is missing or incomplete; the message is one line.
    """
    reason = missing_reason(flavour)
    if reason:
        raise ImportError(reason)
    try:
        module = importlib.import_module(PACKAGES[flavour])
        lacking = [name for name in _REQUIRED_NAMES if not hasattr(module, name)]
        importlib.import_module("onnx")
    except Exception as error:  # each release fails over missing libraries in its own way
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ImportError(f"installation incomplete ({line}); {_install(flavour)}") from error
    if lacking:
        raise ImportError(
            f"installation incomplete (without {', '.join(lacking)}); {_install(flavour)}"
        )
    version = str(getattr(module, "__version__", "0"))
    major = int(version.partition(".")[0]) if version.partition(".")[0].isdigit() else 0
    if flavour == "tensorrt" and major < _MIN_VERSION:
        raise ImportError(f"version {version} is too old; {_install(flavour)}")
    return Library(flavour, module)


def missing_reason(flavour: str) -> str:
    """Return why a library cannot be loaded, without loading it; empty if it is installed."""
    package = PACKAGES[flavour]
    try:
        found = importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a name that was removed from sys.modules by hand
        found = False
    return "" if found else f"not installed; {_install(flavour)}"


def unavailable_reason(flavour: str) -> str:
    """Return why a back-end cannot be used here, in one line; empty if it can be tried."""
    reason = missing_reason(flavour)
    if reason:
        return reason
    try:
        # first the device: that costs nothing, and the libraries are hundreds of megabytes
        find_device()
        load_library(flavour)
    except ImportError as error:
        return str(error).splitlines()[0]
    except ModelError as error:
        return str(error)
    return ""


def fingerprint(flavour: str) -> str:
    """Return package versions and device that a measured run time depends on; empty if no GPU."""
    try:
        device = find_device()
        return f"{flavour} {_installed(flavour)} on {device.identity} {device.driver}"
    except (ImportError, ModelError):
        return ""


def _install(flavour: str) -> str:
    return f"pip install 'pymaf-live[{flavour}]'"


def _installed(flavour: str) -> str:
    names = importlib.metadata.packages_distributions().get(PACKAGES[flavour], [])
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in sorted(set(names)))

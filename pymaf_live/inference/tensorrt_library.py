"""The two TensorRT libraries, whose interfaces are alike, and the device they run on."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from typing import Any

from pymaf_live.errors import ModelError

PACKAGES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
"""Module of each back-end."""

_TITLES = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT for RTX"}
_NEEDED = ("Builder", "OnnxParser", "Runtime", "Logger", "IProgressMonitor")
_OLDEST = 10
"""First release of `tensorrt` with the calls used here; `tensorrt_rtx` has all of them."""


class NoDeviceError(ModelError):
    """There is no NVIDIA GPU, or its driver is missing: nothing is wrong with the program."""


class DeviceError(ModelError):
    """The device failed at work: out of memory, lost, an engine that it cannot run."""


@dataclass(frozen=True)
class Device:
    """The GPU that engines run on."""

    name: str
    capability: tuple[int, int]
    """Such as (8, 6)."""
    driver: str
    """CUDA version of the driver, as the driver counts."""
    identity: str
    """Of the piece of hardware."""
    memory: int
    """Bytes."""


@dataclass(frozen=True)
class Library:
    """A TensorRT library, loaded."""

    flavour: str
    module: Any
    """`tensorrt` or `tensorrt_rtx`."""

    @property
    def title(self) -> str:
        """For reading, with the version."""
        return f"{_TITLES[self.flavour]} {self.version}"

    @property
    def version(self) -> str:
        """Of the library."""
        return str(self.module.__version__)

    @property
    def for_rtx(self) -> bool:
        """Whether engines are made for named GPUs without one, and finished where they run."""
        return self.flavour == "tensorrt-rtx"


def load_library(flavour: str) -> Library:
    """Load a TensorRT library; no GPU is needed for that.

    Parameters
    ----------
    flavour : str
        A key of `PACKAGES`.

    Raises
    ------
    ImportError
        If it is not installed, or only in part; with one line that says which.
    """
    complaint = missing(flavour)
    if complaint:
        raise ImportError(complaint)
    try:
        module = importlib.import_module(PACKAGES[flavour])
        lacking = [name for name in _NEEDED if not hasattr(module, name)]
        importlib.import_module("onnx")
    except Exception as error:  # each release fails over missing libraries in its own way
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ImportError(f"installed in part ({line}); {_how(flavour)}") from error
    if lacking:
        raise ImportError(f"installed in part (without {', '.join(lacking)}); {_how(flavour)}")
    version = str(getattr(module, "__version__", "0"))
    major = int(version.partition(".")[0]) if version.partition(".")[0].isdigit() else 0
    if flavour == "tensorrt" and major < _OLDEST:
        raise ImportError(f"version {version} is too old; {_how(flavour)}")
    return Library(flavour, module)


def missing(flavour: str) -> str:
    """Why a library cannot even be tried, told without loading it; empty where it can."""
    package = PACKAGES[flavour]
    try:
        found = importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a name that was taken out of sys.modules by hand
        found = False
    return "" if found else f"not installed; {_how(flavour)}"


def _how(flavour: str) -> str:
    return f"pip install 'pymaf-live[{flavour}]'"


def find_device() -> Device:
    """The first GPU.

    Raises
    ------
    NoDeviceError
        If there is none or its driver does not answer.
    ImportError
        If the package ``cuda-bindings`` is missing.
    """
    from pymaf_live.inference.cuda import Cuda

    return Cuda().device()


def complaint(flavour: str) -> str:
    """Why a back-end cannot be used here, in one line; empty where it can be tried."""
    why = missing(flavour)
    if why:
        return why
    try:
        # first the device: asking costs nothing, and the libraries are hundreds of megabytes
        find_device()
        load_library(flavour)
    except ImportError as error:
        return str(error).splitlines()[0]
    except ModelError as error:
        return str(error)
    return ""


def identity(flavour: str) -> str:
    """Package versions and device that a measured time hangs on; empty without a device."""
    try:
        device = find_device()
        return f"{flavour} {_installed(flavour)} on {device.identity} {device.driver}"
    except (ImportError, ModelError):
        return ""


def _installed(flavour: str) -> str:
    names = importlib.metadata.packages_distributions().get(PACKAGES[flavour], [])
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in sorted(set(names)))

"""PyMAF Live: 3D human body motion from video.

The public Python API. Importing the package loads neither NumPy nor torch, Qt, vispy, MediaPipe,
OpenVINO or OpenCV; each function loads its libraries at its first call.

>>> import pymaf_live as pl
>>> take = pl.process("dance.mp4")  # doctest: +SKIP
>>> pl.export(take, "dance.fbx", rig="mixamo")  # doctest: +SKIP
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymaf_live.errors import (
        InputError,
        Interrupted,
        ModelError,
        OutputError,
        PymafLiveError,
        UsageError,
    )
    from pymaf_live.takes.take import Take
    from pymaf_live.types import FrameResult, Person
    from pymaf_live.workflows.api import estimate, export, load, process
    from pymaf_live.workflows.track import Tracking, track

# NumPy and SciPy read it when they load. The program's matrices are small: with several threads the
# refinement of a take needs seven times the processor time, mostly spent waiting.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.2.0"

__all__ = [
    "FrameResult",
    "InputError",
    "Interrupted",
    "ModelError",
    "OutputError",
    "Person",
    "PymafLiveError",
    "Take",
    "Tracking",
    "UsageError",
    "__version__",
    "estimate",
    "export",
    "load",
    "process",
    "track",
]

_ERRORS = "pymaf_live.errors"
_API = "pymaf_live.workflows.api"
_MODULES = {
    "FrameResult": "pymaf_live.types",
    "InputError": _ERRORS,
    "Interrupted": _ERRORS,
    "ModelError": _ERRORS,
    "OutputError": _ERRORS,
    "Person": "pymaf_live.types",
    "PymafLiveError": _ERRORS,
    "Take": "pymaf_live.takes.take",
    "Tracking": "pymaf_live.workflows.track",
    "UsageError": _ERRORS,
    "estimate": _API,
    "load": _API,
    "process": _API,
    "track": "pymaf_live.workflows.track",
}
"""Module of each public name, imported when the name is first used."""


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name == "export":
        # the sub-package of this name, which is callable; importing it sets the attribute
        return import_module("pymaf_live.export")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})

"""filterpy's Kalman filter without the rest of filterpy.

`import filterpy.kalman` loads a dozen kinds of filters and, for them, all of SciPy's statistics:
half a second of processor time at every start. The one that is used here needs none of that; only
its likelihoods would, which nobody asks for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

_PACKAGES = ("filterpy", "filterpy.kalman", "filterpy.common")
_LOADING = threading.Lock()
_loaded: list[Any] = []


def kalman_filter_class() -> Any:
    """The class `filterpy.kalman.KalmanFilter`.

    Raises
    ------
    ImportError
        If filterpy is not installed.
    """
    with _LOADING:
        if not _loaded:
            _loaded.append(_found())
        return _loaded[0]


def _found() -> Any:
    if "filterpy" not in sys.modules:
        try:
            return _alone()
        except (ImportError, AttributeError):
            pass  # laid out otherwise than the release that we know
    return importlib.import_module("filterpy.kalman").KalmanFilter


def _alone() -> Any:
    try:
        for name in _PACKAGES:
            # the folder without what its __init__ imports
            sys.modules[name] = _shell(name)
        sys.modules["filterpy.stats"] = _statistics()
        # its other parts load SciPy's linear algebra
        helpers = importlib.import_module("filterpy.common.helpers")
        for name in ("pretty_str", "reshape_z"):
            setattr(sys.modules["filterpy.common"], name, getattr(helpers, name))
        return importlib.import_module("filterpy.kalman.kalman_filter").KalmanFilter
    finally:
        # who imports filterpy after this gets the whole of it
        for name in [name for name in sys.modules if name.partition(".")[0] == "filterpy"]:
            del sys.modules[name]


def _shell(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(f"there is no {name}")
    return importlib.util.module_from_spec(spec)


def _statistics() -> ModuleType:
    statistics = ModuleType("filterpy.stats")

    def logpdf(*arguments: Any, **named: Any) -> Any:
        return importlib.import_module("filterpy.stats").logpdf(*arguments, **named)

    statistics.logpdf = logpdf  # type: ignore[attr-defined]
    return statistics

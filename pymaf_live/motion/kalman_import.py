"""Import of filterpy's Kalman filter without the rest of filterpy.

`import filterpy.kalman` loads a dozen kinds of filters and, for them, all of SciPy's statistics:
half a second of processor time at every start. The one filter used here needs the statistics only
for its likelihoods, which this program never computes.
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
    """Return the class `filterpy.kalman.KalmanFilter`.

    Raises
    ------
    ImportError
        If filterpy is not installed.
    """
    with _LOADING:
        if not _loaded:
            _loaded.append(_import())
        return _loaded[0]


def _import() -> Any:
    if "filterpy" not in sys.modules:
        try:
            return _import_filter_only()
        except (ImportError, AttributeError):
            pass  # another layout than that of the known release
    return importlib.import_module("filterpy.kalman").KalmanFilter


def _import_filter_only() -> Any:
    try:
        for name in _PACKAGES:
            # the package without what its __init__ imports
            sys.modules[name] = _empty_package(name)
        sys.modules["filterpy.stats"] = _lazy_statistics()
        # the other parts of filterpy.common load SciPy's linear algebra
        helpers = importlib.import_module("filterpy.common.helpers")
        for name in ("pretty_str", "reshape_z"):
            setattr(sys.modules["filterpy.common"], name, getattr(helpers, name))
        return importlib.import_module("filterpy.kalman.kalman_filter").KalmanFilter
    finally:
        # a later import of filterpy gets the whole package
        for name in list(sys.modules):  # a copy: other threads are importing at the same time
            if name.partition(".")[0] == "filterpy":
                del sys.modules[name]


def _empty_package(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(f"there is no {name}")
    return importlib.util.module_from_spec(spec)


def _lazy_statistics() -> ModuleType:
    statistics = ModuleType("filterpy.stats")

    def logpdf(*arguments: Any, **named: Any) -> Any:
        return importlib.import_module("filterpy.stats").logpdf(*arguments, **named)

    statistics.logpdf = logpdf  # type: ignore[attr-defined]
    return statistics

"""Import of filterpy's Kalman filter without the rest of filterpy.

`import filterpy.kalman` loads a dozen kinds of filters and, for them, all of SciPy's statistics:
half a second of processor time at every start. The one filter used here needs the statistics only
for its likelihoods, which this program never computes.

Its two modules run as private copies whose imports of filterpy lead to each other. Nothing that
other threads could see changes meanwhile: neither `sys.modules` nor the import system.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

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
        except (ImportError, AttributeError, OSError):
            pass  # another layout than that of the known release
    return importlib.import_module("filterpy.kalman").KalmanFilter


def _import_filter_only() -> Any:
    spec = importlib.util.find_spec("filterpy")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("there is no filterpy")
    folder = Path(spec.submodule_search_locations[0])
    # the other parts of filterpy.common load SciPy's linear algebra
    helpers = _private_copy("filterpy.common.helpers", folder / "common" / "helpers.py", {})
    replacements = {"filterpy.common": helpers, "filterpy.stats": _lazy_statistics()}
    path = folder / "kalman" / "kalman_filter.py"
    return _private_copy("filterpy.kalman.kalman_filter", path, replacements).KalmanFilter


def _private_copy(name: str, path: Path, replacements: dict[str, ModuleType]) -> ModuleType:
    """Run a module that is not registered anywhere; its imports use `replacements` first."""

    def import_(imported: str, *arguments: Any, **named: Any) -> Any:
        if imported in replacements:
            return replacements[imported]
        return builtins.__import__(imported, *arguments, **named)

    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_}
    spec.loader.exec_module(module)
    return module


def _lazy_statistics() -> ModuleType:
    statistics = ModuleType("filterpy.stats")

    def logpdf(*arguments: Any, **named: Any) -> Any:
        return importlib.import_module("filterpy.stats").logpdf(*arguments, **named)

    statistics.logpdf = logpdf  # type: ignore[attr-defined]
    return statistics

"""Cost of importing the program, and the libraries that an import must not load."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

HEAVY = {
    "cv2", "matplotlib", "mediapipe", "filterpy", "openvino", "PySide6", "torch", "trainer", "ui",
    "vispy",
}  # fmt: skip
IMPORT_SECONDS = 0.3


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after a statement."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "pymaf_live",
        "pymaf_live.cli.app",
        "pymaf_live.workflows.api",
        "pymaf_live.workflows.process",
    ],
)
def test_importing_the_runtime_loads_no_heavy_library(module: str) -> None:
    light = HEAVY if module == "pymaf_live" else HEAVY - {"cv2"}
    assert not light & loaded_by(f"import {module}")


def test_importing_the_package_does_not_even_load_numpy() -> None:
    assert "numpy" not in loaded_by("import pymaf_live")


@pytest.mark.benchmark
def test_importing_the_package_is_quick() -> None:
    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    runs = [seconds("import pymaf_live") - seconds("pass") for _ in range(7)]
    assert statistics.median(runs) < IMPORT_SECONDS


def test_openvino_is_loaded_without_its_telemetry() -> None:
    """Its telemetry package would start a thread and send usage figures over the network."""
    code = (
        "from pymaf_live.system.openvino_import import import_openvino; import_openvino();"
        "import sys, threading; print(threading.active_count());"
        "print(getattr(sys.modules['openvino_telemetry'], '__file__', None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "None"]

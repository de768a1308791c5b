"""What importing the program costs and does not load."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "PySide6", "vispy", "mediapipe", "trainer", "ui")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["pymaf_live", "pymaf_live.cli.app", "pymaf_live.pipeline.pipeline"]
)
def test_importing_the_runtime_loads_nothing_heavy(module):
    assert not set(HEAVY) & loaded_by(f"import {module}")


def test_openvino_is_loaded_without_its_telemetry():
    """Its makers' package would start a thread and send figures over the network."""
    code = (
        "from pymaf_live.system.openvino_import import import_openvino; import_openvino();"
        "import sys, threading; print(threading.active_count());"
        "print(getattr(sys.modules['openvino_telemetry'], '__file__', None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "None"]

"""Performance of the whole program with the demo and a shipped model, in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pymaf_live.errors import ModelError
from pymaf_live.resources import resource
from tests.helpers.paths import ROOT

pytestmark = [pytest.mark.window, pytest.mark.benchmark]

MAX_FIRST_BODY_SECONDS = 4.0
MIN_DRAWN_PER_SECOND = 15.0
MAX_BLOCKED_MS = 50.0
MAX_CLOSE_SECONDS = 2.0
MAX_GROWTH_MB = 20.0
MEMORY_SECONDS = float(os.environ.get("PYMAF_MEMORY_SECONDS", "40"))
"""Seconds of the looped demo at full speed; the frames of one hour take about 1800."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def measure(home: Path, *arguments: str, seconds: float = 8.0) -> dict[str, Any]:
    try:
        demo = resource("demo.mp4")
        resource("models/lite.onnx")
    except ModelError as error:
        pytest.skip(f"no shared data: {error}")
    folders = {
        f"XDG_{name}_HOME": str(home / name.lower())
        for name in ("CONFIG", "CACHE", "DATA", "STATE")
    }
    program = [sys.executable, "-m", "tests.ui.system.measured_run", str(demo)]
    done = subprocess.run(
        [*program, *arguments, "--seconds", str(seconds)],
        env={**os.environ, **folders, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds + 240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(figures)
    return figures


def is_machine_busy(figures: dict[str, Any]) -> bool:
    """Return True if other programs used too much CPU for meaningful timings."""
    return bool(figures["others_s"] > 1.0 or figures["share"] < 0.8)


def test_start_frame_rate_blocking_and_closing_are_within_limits(home: Path) -> None:
    measure(home, seconds=4.0)  # the very first run compiles and times the model
    figures = measure(home, "--page", "health")
    assert figures["threads_left"] == []
    assert list((home / "state" / "pymaf-live" / "runs").iterdir()) == []
    if is_machine_busy(figures):
        pytest.skip(f"other programs use the CPUs: {figures}")
    assert figures["closed_s"] <= MAX_CLOSE_SECONDS
    assert figures["first_body_s"] <= MAX_FIRST_BODY_SECONDS
    assert figures["drawn_per_s"] >= MIN_DRAWN_PER_SECOND
    assert figures["blocked_ms"] <= MAX_BLOCKED_MS


def test_memory_does_not_grow_over_time(home: Path) -> None:
    figures = measure(home, "--fast", "--page", "settings", seconds=MEMORY_SECONDS)
    assert figures["grown_mb"] < MAX_GROWTH_MB

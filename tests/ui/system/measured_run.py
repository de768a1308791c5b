"""Run and measure the whole program in one process: ``python -m tests.ui.system.measured_run``.

Prints one line of JSON: seconds from the start of the process to the first body on the screen,
including at least `others_s` of waiting for a CPU used by other programs; frames drawn and results
per second, with at most the fraction `share` of the required CPU time available; the longest time
that the window was blocked; the memory growth after a warm-up; the seconds to close the window; and
the threads left running.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ui import app
from ui.app import WindowParts

MEGABYTE = 1 << 20


def memory() -> int:
    """Return the resident memory of this process in bytes, without memory already freed."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # makes glibc return freed memory
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class CpuWait:
    """Time that this process waited for a CPU used by other programs (Linux).

    This is the waiting time of the thread that waited longest, an upper bound for the time that
    the window lost, whichever thread it depends on.
    """

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def seconds(self) -> float:
        """Return the seconds since the last call."""
        now = {}
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/self/task/{thread}/schedstat").read_text()
                now[thread] = int(text.split()[1]) / 1e9
        longest = max(waited - self._before.get(thread, 0.0) for thread, waited in now.items())
        self._before = now
        return longest


def process_started() -> float:
    """Return the start of this process on the clock of `time.monotonic`."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    since_boot = float(Path("/proc/uptime").read_text().split()[0])
    age = since_boot - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


class BlockMeter:
    """Longest time between two ticks of a timer, less the time that other processes took."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.longest = self.longest_wall = 0.0
        self._others = CpuWait()
        self._others.seconds()
        self._last = time.perf_counter()
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._tick)
        self.timer.start(10)

    def reset(self) -> None:
        """Restart the measurement."""
        self._tick()
        self.longest = self.longest_wall = 0.0

    def _tick(self) -> None:
        wall = time.perf_counter() - self._last
        self.longest = max(self.longest, wall - self._others.seconds())
        self.longest_wall = max(self.longest_wall, wall)
        self._last = time.perf_counter()


class Measurement:
    """Measures the assembled window and closes it after a time."""

    def __init__(
        self, parts: WindowParts, started: float, seconds: float, page: str, warm_results: int
    ) -> None:
        from PySide6.QtCore import QTimer

        self.figures: dict[str, Any] = {"assembled_s": round(time.monotonic() - started, 2)}
        self._parts, self._started, self._seconds = parts, started, seconds
        self._page = page
        self._warm_results = warm_results
        self._until = 0.0
        self._drawn = self._results = 0
        self._first: float | None = None
        self._blocks = BlockMeter()
        self._others = CpuWait()
        self._warm_memory: int | None = None
        parts.state.drawn.watch(self._on_drawn)
        parts.state.result.watch(self._on_result)
        self._timer = QTimer()
        self._timer.timeout.connect(self._check)
        self._timer.start(50)

    def _on_result(self, result: object) -> None:
        if result is not None and "first_result_s" not in self.figures:
            self.figures["first_result_s"] = round(time.monotonic() - self._started, 2)
        self._results += result is not None

    def _on_drawn(self, drawn: object) -> None:
        from PySide6.QtCore import QTimer

        result = self._parts.state.result.value
        self._drawn += drawn is not None
        if drawn is None or self._first is not None or result is None or not result.people:
            return
        self._first = time.monotonic()
        self.figures["others_s"] = round(self._others.seconds(), 2)
        self.figures["first_body_cpu_s"] = round(time.process_time(), 2)
        self.figures["first_body_s"] = round(self._first - self._started, 2)
        if self._page:  # not while the canvas is painting
            QTimer.singleShot(0, lambda: self._parts.window.side_panel.show_page(self._page))

    def _check(self) -> None:
        if self._first is None:
            return
        elapsed = time.monotonic() - self._first
        # shaders, the first layout of the panel and the pre-roll settle first
        warm = elapsed > max(2.0, 0.2 * self._seconds) and self._results >= self._warm_results
        if self._warm_memory is None and warm:
            self._warm_memory = memory()
            self._drawn = self._results = 0
            self._since = time.monotonic()
            self._others.seconds()
            self._blocks.reset()
            self._until = elapsed + 0.8 * self._seconds
        elif self._warm_memory is not None and elapsed > self._until:
            self._end()

    def _end(self) -> None:
        assert self._warm_memory is not None
        span = time.monotonic() - self._since
        share = max(0.01, 1 - self._others.seconds() / span)
        health = self._parts.state.figures.value
        self.figures |= {
            "share": round(share, 2),
            "drawn_per_s": round(self._drawn / span, 1),
            "results_per_s": round(self._results / span, 1),
            "delay_ms": None if health.delay is None else round(health.delay),
            "dropped": health.dropped,
            "blocked_ms": round(1000 * self._blocks.longest, 1),
            "blocked_wall_ms": round(1000 * self._blocks.longest_wall, 1),
            "stages_ms": {name: round(value, 1) for name, value in health.stages},
            "load": round(os.getloadavg()[0], 1),
        }
        self.figures["results"] = self._results
        self.figures["grown_mb"] = round((memory() - self._warm_memory) / MEGABYTE, 1)
        self.figures["memory_mb"] = round(memory() / MEGABYTE)
        for timer in (self._timer, self._blocks.timer):
            timer.stop()
        start = time.monotonic()
        self._parts.window.close()
        self.figures["closed_s"] = round(time.monotonic() - start, 2)
        self.figures["threads_left"] = [
            thread.name for thread in threading.enumerate() if thread.name.startswith("pymaf")
        ]


def main() -> int:
    """Run and measure the program, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--page", default="")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--fast", action="store_true", help="as fast as the network runs")
    arguments = parser.parse_args()
    started = process_started()
    if arguments.fast:
        import ui.controllers.source_session

        ui.controllers.source_session.paced = lambda source: source
    measurements: list[Measurement] = []
    assemble = app.assemble

    def assemble_and_measure(*args: Any, **kwargs: Any) -> WindowParts:
        parts = assemble(*args, **kwargs)
        warm = 800 if arguments.fast else 0  # memory pools reach their size after about 600 results
        measurements.append(Measurement(parts, started, arguments.seconds, arguments.page, warm))
        return parts

    app.assemble = assemble_and_measure
    code = app.run_window([arguments.source, "--model", arguments.model])
    print(json.dumps(measurements[0].figures))
    return code


if __name__ == "__main__":
    sys.exit(main())

"""The whole program in a process of its own, measured: ``python -m tests.ui.system.measured_run``.

Prints one line of JSON: seconds from the process's start to the first body on the screen (of these
at least `others_s` for want of a processor that other programs had), pictures a second on the
screen and results a second (with at most `share` of the time that this program wanted), the
longest time that the window was blocked, what the memory grew by after a warm-up, seconds that
closing took, threads left.
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
    """Bytes of this process that lie in memory, less what it has given up already."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # free memory that glibc keeps at hand
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class OtherWork:
    """How long this process was held up by others that had the processors (Linux).

    Of the threads of ours the one counts that was ready to run, and did not, longest: whichever the
    window waited for, it waited no longer than that for want of a processor.
    """

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def seconds(self) -> float:
        """Since the last call."""
        now = {}
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/self/task/{thread}/schedstat").read_text()
                now[thread] = int(text.split()[1]) / 1e9
        most = max(waited - self._before.get(thread, 0.0) for thread, waited in now.items())
        self._before = now
        return most


def process_started() -> float:
    """Of this process, on the clock of `time.monotonic`."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    since_boot = float(Path("/proc/uptime").read_text().split()[0])
    age = since_boot - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


class Beat:
    """Longest time between two beats of a timer, less what other processes took."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.longest = self.longest_wall = 0.0
        self._others = OtherWork()
        self._others.seconds()
        self._last = time.perf_counter()
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._beat)
        self.timer.start(10)

    def forget(self) -> None:
        """Begin anew."""
        self._beat()
        self.longest = self.longest_wall = 0.0

    def _beat(self) -> None:
        wall = time.perf_counter() - self._last
        self.longest = max(self.longest, wall - self._others.seconds())
        self.longest_wall = max(self.longest_wall, wall)
        self._last = time.perf_counter()


class Measurement:
    """Watches the assembled window and closes it after a time."""

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
        self._beat = Beat()
        self._others = OtherWork()
        self._warm_memory: int | None = None
        parts.state.drawn.watch(self._on_drawn)
        parts.state.result.watch(self._on_result)
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
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
        if self._page:  # not while the canvas paints
            QTimer.singleShot(0, lambda: self._parts.window.side_panel.show_page(self._page))

    def _look(self) -> None:
        if self._first is None:
            return
        gone = time.monotonic() - self._first
        # shaders, the panel's first layout and what is kept of the last seconds settle first
        warm = gone > max(2.0, 0.2 * self._seconds) and self._results >= self._warm_results
        if self._warm_memory is None and warm:
            self._warm_memory = memory()
            self._drawn = self._results = 0
            self._since = time.monotonic()
            self._others.seconds()
            self._beat.forget()
            self._until = gone + 0.8 * self._seconds
        elif self._warm_memory is not None and gone > self._until:
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
            "blocked_ms": round(1000 * self._beat.longest, 1),
            "blocked_wall_ms": round(1000 * self._beat.longest_wall, 1),
            "stages_ms": {name: round(value, 1) for name, value in health.stages},
            "load": round(os.getloadavg()[0], 1),
        }
        self.figures["results"] = self._results
        self.figures["grown_mb"] = round((memory() - self._warm_memory) / MEGABYTE, 1)
        self.figures["memory_mb"] = round(memory() / MEGABYTE)
        for timer in (self._timer, self._beat.timer):
            timer.stop()
        began = time.monotonic()
        self._parts.window.close()
        self.figures["closed_s"] = round(time.monotonic() - began, 2)
        self.figures["threads_left"] = [
            thread.name for thread in threading.enumerate() if thread.name.startswith("pymaf")
        ]


def main() -> int:
    """Run, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--page", default="")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--fast", action="store_true", help="as fast as the network goes")
    given = parser.parse_args()
    started = process_started()
    if given.fast:
        import ui.controllers.source_session

        ui.controllers.source_session.paced = lambda source: source
    measurements: list[Measurement] = []
    assemble = app.assemble

    def assemble_and_measure(*args: Any, **kinds: Any) -> WindowParts:
        parts = assemble(*args, **kinds)
        warm = 800 if given.fast else 0  # the pools of all threads have their size after some 600
        measurements.append(Measurement(parts, started, given.seconds, given.page, warm))
        return parts

    app.assemble = assemble_and_measure
    code = app.run_window([given.source, "--model", given.model])
    print(json.dumps(measurements[0].figures))
    return code


if __name__ == "__main__":
    sys.exit(main())

"""Long run with a camera that fails: does the program lose memory, threads or descriptors?

The program runs in a child process of its own and streams poses, as `live --vmc` does.
"""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError, Interrupted, ModelError, PymafLiveError, UsageError
from pymaf_live.system.reporter import SILENT, Reporter

MAX_SLOPE = 10.0
"""Largest growth of memory that passes, kB per minute."""
FAULT_INTERVAL_S = 20.0
_WARM_UP_SHARE = 0.25
"""Part of the run, at its start, that does not count: caches fill, and faults happen first."""
_PARTS = 20
_SAMPLE_S = 2.0
_STATUS = Path("/proc/self/status")
_DESCRIPTORS = Path("/proc/self/fd")
_CLOSE_TIMEOUT_S = 60.0


def soak(
    video: Path,
    model: str | Path,
    backend: str,
    minutes: float,
    *,
    cache: Path | None = None,
    fault_interval: float = FAULT_INTERVAL_S,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Track people live for a long time while the camera fails again and again.

    Parameters
    ----------
    video : Path
        Shown by the camera.
    model, backend : str
        As in `PipelineOptions`.
    minutes : float
        Duration.
    cache : Path, optional
        Folder for compiled models.
    fault_interval : float
        Seconds from one fault to the next.
    reporter : Reporter
        Cancelling raises `Interrupted`.

    Returns
    -------
    dict
        See `summarize`; besides, 'frames', and 'faults' by name.

    Raises
    ------
    UsageError
        On a system whose memory use is not known.
    InputError, ModelError
        If the run fails.
    """
    from pymaf_live.diagnostics.faulty_camera import FaultyCamera

    if not _STATUS.exists() or not _DESCRIPTORS.exists():
        raise UsageError("--soak reads memory and threads from /proc, which this system lacks")
    with (
        FaultyCamera(video, fault_interval) as camera,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        tempfile.TemporaryDirectory() as folder,
    ):
        receiver.bind(("127.0.0.1", 0))
        samples = Path(folder) / "samples"
        target = f"127.0.0.1:{receiver.getsockname()[1]}"
        arguments = [camera.address, target, 60 * minutes, model, backend, cache or "", samples]
        _run_child([str(each) for each in arguments], 60 * minutes, reporter)
        figures = summarize(np.loadtxt(samples, ndmin=2))
        return {**figures, "faults": camera.injected}


def summarize(samples: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Return the growth of memory and the numbers of threads and descriptors.

    Parameters
    ----------
    samples : array, (N, 5)
        Seconds, kB of private memory, threads, descriptors, frames so far.

    Returns
    -------
    dict
        Of the last three quarters of the run: 'minutes', 'memory' (kB, the least in each of 20
        parts of equal length), 'slope' of it (kB per minute; median of the slopes between any two
        parts, so that single peaks do not count), 'threads' and 'descriptors' [least, most,
        growth], where growth is the difference of the least numbers of second and first half;
        'frames' of the whole run; 'steady' if nothing grows.

    Raises
    ------
    InputError
        If there are fewer than 8 samples.
    """
    from scipy.stats import theilslopes

    counted = samples[samples[:, 0] >= _WARM_UP_SHARE * samples[-1, 0]]
    if len(counted) < 8:
        raise InputError("the run was too short to measure")
    seconds, memory = counted[:, 0], counted[:, 1]
    # images in queues come and go, megabytes each: the least of each part shows what stays
    parts = np.array_split(np.arange(len(counted)), min(_PARTS, len(counted)))
    least = np.array([memory[part].min() for part in parts])
    middle = np.array([seconds[part].mean() for part in parts])
    figures: dict[str, Any] = {
        "minutes": round(float(seconds[-1] - seconds[0]) / 60, 2),
        "slope": round(60 * float(theilslopes(least, middle)[0]), 2),
        "memory": [int(each) for each in least],
        "frames": int(samples[-1, 4]),
    }
    growth = 0
    for name, column in (("threads", 2), ("descriptors", 3)):
        numbers = counted[:, column]
        # threads that wait for a silent camera come and go: the least number shows what stays
        first, second = (int(half.min()) for half in np.array_split(numbers, 2))
        figures[name] = [int(numbers.min()), int(numbers.max()), second - first]
        growth = max(growth, second - first)
    figures["steady"] = figures["slope"] <= MAX_SLOPE and growth <= 0
    return figures


def print_soak(figures: dict[str, Any]) -> None:
    """Print the figures of `soak`."""
    before, after = figures["memory"][0], figures["memory"][-1]
    faults = ", ".join(f"{count} x {name}" for name, count in figures["faults"].items())
    print(f"{figures['frames']} frames; faults: {faults}")
    print(
        f"memory {figures['slope']:.1f} kB/min over {figures['minutes']:.1f} min "
        f"({before / 1024:.1f} -> {after / 1024:.1f} MB), limit {MAX_SLOPE:.0f}"
    )
    for name in ("threads", "descriptors"):
        least, most, growth = figures[name]
        print(f"{name} {least} to {most}, growth {growth}")
    print("steady" if figures["steady"] else "not steady")


def _run_child(arguments: Sequence[str], seconds: float, reporter: Reporter) -> None:
    command = [sys.executable, "-m", "pymaf_live.diagnostics.soak", *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        start = time.monotonic()
        try:
            while process.poll() is None:
                elapsed = time.monotonic() - start
                if reporter.cancelled():
                    raise Interrupted("cancelled")
                if elapsed > 1.5 * seconds + _CLOSE_TIMEOUT_S:
                    raise InputError("the run did not end in time")
                reporter.progress(min(1.0, elapsed / seconds))
                time.sleep(0.2)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            errors.seek(0)
            lines = errors.read().strip().splitlines() or [
                f"the run ended with code {process.returncode}"
            ]
            kind = ModelError if process.returncode == ModelError.exit_code else InputError
            raise kind(lines[-1])


def _sample(frames: int, start: float) -> str:
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    memory = int(fields["RssAnon"].split()[0])
    threads = int(fields["Threads"])
    descriptors = len(os.listdir(_DESCRIPTORS))
    return f"{time.monotonic() - start:.2f} {memory} {threads} {descriptors} {frames}\n"


class _SamplingReporter:
    """Writes a sample every two seconds, or more often in a short run, and ends the run."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._interval = min(_SAMPLE_S, seconds / 40)
        self._start = math.inf
        """Time of the first result; until then models are loaded."""
        self._next = 0.0
        self._lock = threading.Lock()

    def progress(self, fraction: float | None, detail: str = "") -> None:
        now = time.monotonic()
        frames = int(detail.split(" ", 1)[0])
        with self._lock:
            if frames == 0 or now < self._next:
                return
            self._start = min(self._start, now)
            self._next = now + self._interval
            with self._path.open("a", encoding="ascii") as file:
                file.write(_sample(frames, self._start))

    def message(self, text: str) -> None:
        pass

    def cancelled(self) -> bool:
        # by this clock: the camera's own stands still while it is silent
        return time.monotonic() - self._start > self._seconds


def _main(arguments: Sequence[str]) -> int:
    from pymaf_live.pipeline.options import PipelineOptions
    from pymaf_live.sources import open_source
    from pymaf_live.streaming import StreamTarget
    from pymaf_live.workflows.record import RecordOptions, record

    address, receiver, seconds, model, backend, cache, samples = arguments
    pipeline: Any = {"backend": backend}
    options = RecordOptions(
        streams=(StreamTarget.parse("vmc", receiver),),
        pipeline=PipelineOptions(model=model, cache=Path(cache) if cache else None, **pipeline),
    )
    try:
        result = record(
            open_source(address), options, _SamplingReporter(Path(samples), float(seconds))
        )
        if result.failure is not None:
            raise result.failure
    except PymafLiveError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    from pymaf_live.system.exit_hooks import end_process

    end_process(_main(sys.argv[1:]))

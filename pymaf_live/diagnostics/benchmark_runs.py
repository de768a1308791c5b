"""Runs that the benchmark times, each in a child process that does the program's own work.

Nothing is warm that would not be in normal use, and the peak memory is that of the run alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymaf_live.errors import InputError, ModelError, PymafLiveError

if TYPE_CHECKING:
    from pymaf_live.types import FrameResult

_TIMEOUT_SECONDS = 600
_WARM_UP_FRAMES = 5
"""Frames that do not count: MediaPipe loads its graph during the first ones."""
_LIVE_SECONDS = 4.0


def process_run(
    clip: Path,
    model: str | Path,
    backend: str,
    cache: Path | None,
    *,
    overlay: bool,
    people: int = 0,
) -> dict[str, Any]:
    """Process a clip into a temporary folder; 0 people stands for the default number."""
    with tempfile.TemporaryDirectory() as folder:
        return _run_child(
            "process", clip, folder, model, backend, cache or "", int(overlay), people
        )


def live_run(clip: Path, model: str | Path, backend: str, cache: Path | None) -> dict[str, Any]:
    """Track people in a clip that is played at its own rate, like a camera."""
    return _run_child("live", clip, model, backend, cache or "")


def mediapipe_run(clip: Path, task: Path) -> dict[str, Any]:
    """Run MediaPipe's pose landmarker over a clip, in VIDEO mode."""
    return _run_child("mediapipe", clip, task)


def _run_child(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "pymaf_live.diagnostics.benchmark_runs", *map(str, arguments)]
    try:
        done = subprocess.run(
            [*command, repr(time.time())],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"the clip takes longer than {_TIMEOUT_SECONDS} s; use a shorter one"
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["the run failed"]
        kind = ModelError if done.returncode == ModelError.exit_code else InputError
        raise kind(lines[-1].removeprefix("pymaf-live: "))
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


class _Clock:
    """Records when results arrive and the time of their stages."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.cpu_times: list[float] = []
        self.stages: dict[str, list[float]] = {}
        self.delays: list[float] = []

    def record(self, result: FrameResult) -> None:
        self.times.append(time.perf_counter())
        self.cpu_times.append(time.process_time())
        if result.frame.arrived > 0:
            self.delays.append(1000 * (time.monotonic() - result.frame.arrived))
        for name, milliseconds in result.milliseconds.items():
            self.stages.setdefault(name, []).append(milliseconds)


def _run_process(
    clip: str,
    folder: str,
    model: str,
    backend: str,
    cache: str,
    overlay: str,
    people: str,
    started: float,
) -> dict[str, Any]:
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.process import ProcessOptions, process

    clock = _Clock()
    options = ProcessOptions(
        out=Path(folder),
        name="clip",
        pipeline=_options(model, backend, cache, int(people)),
        overlay=overlay == "1",
        on_result=clock.record,
    )
    # start of the interpreter and the imports
    startup = time.time() - started
    begin = time.perf_counter()
    summary = process(open_source(clip), options).summary
    end = time.perf_counter()
    frames = len(clock.times)
    if frames < 2:
        raise InputError(f"{clip} is too short to measure")
    return {
        "frames": frames,
        # from the first result to the last, comparable with a landmarker's frames
        "frames_fps": _rate(clock.times[0], clock.times[-1], frames),
        # including the writing of take, exports and overlay, without loading
        "steady_fps": _rate(clock.times[0], end, frames),
        "fps": frames / (startup + end - begin),
        "first_result_seconds": startup + clock.times[0] - begin,
        "peak_mb": _peak_mb(),
        "intervals": _intervals(clock.times),
        # CPU time of all threads; unlike the rate it hardly depends on other load
        "processor_ms": 1000 * (clock.cpu_times[-1] - clock.cpu_times[0]) / (frames - 1),
        "processor_intervals": _intervals(clock.cpu_times),
        "stages": clock.stages,
        "means": {name: summary.milliseconds.get(name, 0.0) for name in ("draw", "write")},
        "model": summary.model,
    }


def _run_live(clip: str, model: str, backend: str, cache: str, started: float) -> dict[str, Any]:
    from pymaf_live.pipeline.pipeline import Pipeline
    from pymaf_live.sources import open_source, paced

    clock = _Clock()
    source = paced(open_source(clip, loop=True))
    with Pipeline(source, _options(model, backend, cache)) as pipeline:
        while not pipeline.ready and not pipeline.ended:
            time.sleep(0.05)
        for result in pipeline.results():
            clock.record(result)
            if clock.times[-1] - clock.times[0] > _LIVE_SECONDS:
                break
        dropped, model_name = pipeline.health.dropped, pipeline.model
    return {
        "frames_fps": _rate(clock.times[0], clock.times[-1], len(clock.times)),
        "delays": clock.delays[_WARM_UP_FRAMES:],
        "dropped": dropped,
        "model": model_name,
    }


def _options(model: str, backend: str, cache: str, people: int = 0) -> Any:
    from pymaf_live.pipeline.options import PipelineOptions

    folder = Path(cache) if cache else None
    return PipelineOptions(model=model, backend=backend, people=people or None, cache=folder)


def _run_mediapipe(clip: str, task: str, _started: float) -> dict[str, Any]:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    from pymaf_live.sources import open_source
    from pymaf_live.system.native_logs import suppress_native_logs

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=task), running_mode=vision.RunningMode.VIDEO
    )
    source = open_source(clip)
    times, cpu_times, durations = [], [], []
    with suppress_native_logs(), vision.PoseLandmarker.create_from_options(options) as landmarker:
        for frame in source.frames():
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame.image)
            start = time.perf_counter()
            landmarker.detect_for_video(image, round(frame.time * 1000))
            times.append(time.perf_counter())
            cpu_times.append(time.process_time())
            durations.append(1000 * (times[-1] - start))
    times, cpu_times = times[_WARM_UP_FRAMES:], cpu_times[_WARM_UP_FRAMES:]
    durations = durations[_WARM_UP_FRAMES:]
    if len(times) < 2:
        raise InputError(f"{clip} is too short to measure")
    return {
        "frames_fps": _rate(times[0], times[-1], len(times)),
        "intervals": _intervals(times),
        "milliseconds": sum(durations) / len(durations),
        "processor_ms": 1000 * (cpu_times[-1] - cpu_times[0]) / (len(times) - 1),
    }


def _rate(first: float, last: float, results: int) -> float:
    return (results - 1) / (last - first) if last > first else 0.0


def _intervals(times: Sequence[float]) -> list[float]:
    """Return the milliseconds between results."""
    return [1000 * (after - before) for before, after in pairwise(times)]


def _peak_mb() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


_RUNS: Mapping[str, Any] = {
    "process": _run_process,
    "live": _run_live,
    "mediapipe": _run_mediapipe,
}


def _main(arguments: Sequence[str]) -> int:
    kind, *rest, started = arguments
    try:
        figures = _RUNS[kind](*rest, float(started))
    except PymafLiveError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if kind != "mediapipe":
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(f"MediaPipe cannot process the clip: {lines[0]}", file=sys.stderr)
        return ModelError.exit_code
    print(json.dumps(figures))
    sys.stdout.flush()
    # threads of the back-ends may still run
    os._exit(0)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

"""What `bench` times, each run in a process of its own: it does what the program does.

So nothing is warm that would not be, and the peak memory is that of the job alone.
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
_WARM_UP = 5
"""Frames before MediaPipe's clock starts, as its first ones load its graph."""
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
    """Process a clip into a folder that is thrown away; 0 people are as many as usual."""
    with tempfile.TemporaryDirectory() as folder:
        kind = "overlay" if overlay else "plain"
        return _run("process", clip, folder, model, backend, cache or "", kind, people)


def live_run(clip: Path, model: str | Path, backend: str, cache: Path | None) -> dict[str, Any]:
    """Follow a clip played at its own rate, as a camera would give it."""
    return _run("live", clip, model, backend, cache or "")


def mediapipe_run(clip: Path, task: Path) -> dict[str, Any]:
    """Run MediaPipe's pose landmarker over a clip, in VIDEO mode."""
    return _run("mediapipe", clip, task)


def _run(*arguments: object) -> dict[str, Any]:
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
        raise InputError(f"the clip takes longer than {_TIMEOUT_SECONDS} s; give a shorter") from (
            error
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["the run failed"]
        kind = ModelError if done.returncode == ModelError.exit_code else InputError
        raise kind(lines[-1].removeprefix("pymaf-live: "))
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


class _Clock:
    """Notes when results come and what their stages took; stops nothing."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.worked: list[float] = []
        self.stages: dict[str, list[float]] = {}
        self.delays: list[float] = []

    def note(self, result: FrameResult) -> None:
        self.times.append(time.perf_counter())
        self.worked.append(time.process_time())
        if result.frame.arrived > 0:
            self.delays.append(1000 * (time.monotonic() - result.frame.arrived))
        for name, milliseconds in result.milliseconds.items():
            self.stages.setdefault(name, []).append(milliseconds)

    def advance(self, frames: int, fraction: float | None) -> None:
        pass

    def exporting(self, file: str, fraction: float) -> None:
        pass

    def asked_to_stop(self) -> bool:
        return False


def _process_here(
    clip: str,
    folder: str,
    model: str,
    backend: str,
    cache: str,
    kind: str,
    people: str,
    started: float,
) -> dict[str, Any]:
    from pymaf_live.sources import open_source
    from pymaf_live.workflows.process import ProcessOptions, process_input

    clock = _Clock()
    options = ProcessOptions(
        out=Path(folder),
        pipeline=_options(model, backend, cache, int(people)),
        overlay=kind == "overlay",
        told=clock.note,
    )
    # how long the interpreter and the imports took, on the clock of this process
    before = time.time() - started
    begun = time.perf_counter()
    summary = process_input(open_source(clip), clip, "clip", options, clock)
    ended = time.perf_counter()
    frames = len(clock.times)
    if frames < 2:
        raise InputError(f"{clip} is too short to measure")
    return {
        "frames": frames,
        # from the first result to the last: what a landmarker's frames are compared with
        "frames_fps": _rate(clock.times[0], clock.times[-1], frames),
        # with the writing of takes, exports and overlay at the end, without the loading
        "steady_fps": _rate(clock.times[0], ended, frames),
        "fps": frames / (before + ended - begun),
        "first_result_seconds": before + clock.times[0] - begun,
        "peak_mb": _peak_mb(),
        "intervals": _intervals(clock.times),
        # by all threads: unlike the rate it hardly hangs on what else the machine does
        "processor_ms": 1000 * (clock.worked[-1] - clock.worked[0]) / (frames - 1),
        "processor_intervals": _intervals(clock.worked),
        "stages": clock.stages,
        "means": {name: summary.milliseconds.get(name, 0.0) for name in ("draw", "write")},
        "model": summary.model,
    }


def _live_here(clip: str, model: str, backend: str, cache: str, started: float) -> dict[str, Any]:
    from pymaf_live.pipeline.pipeline import Pipeline
    from pymaf_live.sources import open_source, paced

    clock = _Clock()
    source = paced(open_source(clip, loop=True))
    with Pipeline(source, _options(model, backend, cache)) as pipeline:
        while not pipeline.ready and not pipeline.ended:
            time.sleep(0.05)
        # the first results wait for the models
        for result in pipeline.results():
            clock.note(result)
            if clock.times[-1] - clock.times[0] > _LIVE_SECONDS:
                break
        dropped, model_name = pipeline.health.dropped, pipeline.model
    return {
        "frames_fps": _rate(clock.times[0], clock.times[-1], len(clock.times)),
        "delays": clock.delays[_WARM_UP:],
        "dropped": dropped,
        "model": model_name,
    }


def _options(model: str, backend: str, cache: str, people: int = 0) -> Any:
    from pymaf_live.pipeline.options import PipelineOptions

    folder = Path(cache) if cache else None
    return PipelineOptions(model=model, backend=backend, people=people or None, cache=folder)


def _mediapipe_here(clip: str, task: str, _started: float) -> dict[str, Any]:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    from pymaf_live.sources import open_source
    from pymaf_live.system.native_logs import suppress_native_logs

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=task), running_mode=vision.RunningMode.VIDEO
    )
    source = open_source(clip)
    times, worked, spent = [], [], []
    with suppress_native_logs(), vision.PoseLandmarker.create_from_options(options) as landmarker:
        for frame in source.frames():
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame.image)
            start = time.perf_counter()
            landmarker.detect_for_video(picture, round(frame.time * 1000))
            times.append(time.perf_counter())
            worked.append(time.process_time())
            spent.append(1000 * (times[-1] - start))
    times, worked, spent = times[_WARM_UP:], worked[_WARM_UP:], spent[_WARM_UP:]
    if len(times) < 2:
        raise InputError(f"{clip} is too short to measure")
    return {
        "frames_fps": _rate(times[0], times[-1], len(times)),
        "intervals": _intervals(times),
        "milliseconds": sum(spent) / len(spent),
        "processor_ms": 1000 * (worked[-1] - worked[0]) / (len(times) - 1),
    }


def _rate(first: float, last: float, results: int) -> float:
    return (results - 1) / (last - first) if last > first else 0.0


def _intervals(times: Sequence[float]) -> list[float]:
    """Milliseconds between results."""
    return [1000 * (after - before) for before, after in pairwise(times)]


def _peak_mb() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


_HERE: Mapping[str, Any] = {
    "process": _process_here,
    "live": _live_here,
    "mediapipe": _mediapipe_here,
}


def _main(arguments: Sequence[str]) -> int:
    kind, *rest, started = arguments
    try:
        figures = _HERE[kind](*rest, float(started))
    except PymafLiveError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if kind != "mediapipe":
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(f"MediaPipe cannot run on this: {lines[0]}", file=sys.stderr)
        return ModelError.exit_code
    print(json.dumps(figures))
    sys.stdout.flush()
    # as the program ends: threads of the back-ends may still be at their last
    os._exit(0)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

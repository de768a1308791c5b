"""Figures of this machine: each stage, the whole way, the first result, memory; and a comparison.

Every run is a process of its own that does what `process` does: nothing is warm that would not be,
and the peak memory is that of the job alone.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymaf_live.errors import InputError, ModelError, PymafLiveError

_TIMEOUT_SECONDS = 600
_WARM_UP = 5
"""Frames before MediaPipe's clock starts, as its first ones load its graph."""
_MODEL_ROUNDS = 5
"""In which each shipped model is timed once; their median counts."""


def measure(
    clip: Path,
    model: str | Path,
    backend: str,
    mediapipe_task: Path | None = None,
    cache: Path | None = None,
    runs: int = 3,
) -> dict[str, Any]:
    """Measure a clip.

    Parameters
    ----------
    clip : Path
        A video.
    model : str or Path
        As `PipelineOptions` takes it.
    backend : str
        As `--backend`.
    mediapipe_task : Path, optional
        Bundle of MediaPipe's pose landmarker, which then runs on the same clip between our runs.
    cache : Path, optional
        Folder for compiled models.
    runs : int
        The median of so many counts; the first, cold run is one of them.

    Returns
    -------
    dict
        Frames a second, milliseconds a frame of each stage, seconds to the first result, MB; which
        model ran, and milliseconds a person of every shipped one.

    Raises
    ------
    InputError
        If the clip cannot be processed.
    ModelError
        If the model or MediaPipe's bundle cannot be used.
    """
    plain: list[dict[str, Any]] = []
    drawn: list[dict[str, Any]] = []
    theirs: list[dict[str, float]] = []
    # interleaved: a machine that gets slower or busier meanwhile does so for all
    for _ in range(runs):
        plain.append(_process(clip, model, backend, cache, overlay=False))
        drawn.append(_process(clip, model, backend, cache, overlay=True))
        if mediapipe_task is not None:
            theirs.append(_mediapipe(clip, mediapipe_task))
    figures: dict[str, Any] = {
        "clip": str(clip),
        "frames": plain[0]["frames"],
        "cores": os.cpu_count(),
        "runs": runs,
        "backend": backend,
        "model": plain[-1]["model"],
        "models": model_times(backend, cache),
        "milliseconds": {
            **_medians([run["milliseconds"] for run in drawn]),
            # without the drawing beside them, which takes its share of the cores
            **{f"{k} alone": v for k, v in _medians([r["milliseconds"] for r in plain]).items()},
        },
        "process --no-overlay": _summary_of(plain),
        "process": _summary_of(drawn),
    }
    if theirs:
        their_rate = statistics.median(run["steady_fps"] for run in theirs)
        figures["mediapipe"] = {
            "steady_fps": round(their_rate, 2),
            "milliseconds": round(statistics.median(r["milliseconds"] for r in theirs), 2),
        }
        ours = figures["process --no-overlay"]["steady_fps"]
        figures["ratio --no-overlay / mediapipe"] = round(ours / their_rate, 2)
        # against the landmarker's calls alone, as if its decoding cost nothing
        alone = figures["mediapipe"]["milliseconds"]
        figures["ratio --no-overlay / landmarker alone"] = round(ours * alone / 1000, 2)
        figures["ratio with overlay / mediapipe"] = round(
            figures["process"]["steady_fps"] / their_rate, 2
        )
    return figures


def model_times(backend: str, cache: Path | None = None) -> dict[str, float]:
    """Milliseconds a person of each shipped model, beside each other.

    Raises
    ------
    ModelError
        If one cannot be used.
    """
    from pymaf_live.model_choice import measured, shipped_models
    from pymaf_live.network import open_session

    sessions = {
        name: open_session(path, backend, cache=cache) for name, path in shipped_models().items()
    }
    try:
        # in turn, as the runs of a clip are
        rounds = [
            {name: measured(session).milliseconds for name, session in sessions.items()}
            for _ in range(_MODEL_ROUNDS)
        ]
    finally:
        for session in sessions.values():
            session.close()
    return _medians(rounds)


def print_figures(figures: Mapping[str, Any]) -> None:
    """Print what `measure` gave, for reading."""
    print(
        f"{figures['clip']}: {figures['frames']} frames, {figures['cores']} cores, "
        f"model {figures['model']}"
    )
    for name in ("process --no-overlay", "process"):
        run = figures[name]
        print(
            f"{name:<22} {run['steady_fps']:6.1f} frames/s steady, "
            f"{run['fps']:6.1f} with the start, first result after "
            f"{run['first_result_seconds']:.2f} s, peak {run['peak_mb']:.0f} MB"
        )
    for name, value in figures["milliseconds"].items():
        print(f"  {name:<20} {value:7.2f} ms a frame")
    fastest = min(figures["models"].values(), default=0.0)
    for name, value in figures["models"].items():
        print(f"  {'model ' + name:<20} {value:7.2f} ms a person, {value / fastest:.2f} x")
    if "mediapipe" in figures:
        theirs = figures["mediapipe"]
        print(
            f"{'MediaPipe, VIDEO mode':<22} {theirs['steady_fps']:6.1f} frames/s steady, "
            f"decoding and detecting; landmarker {theirs['milliseconds']:.1f} ms"
        )
        for name in (name for name in figures if name.startswith("ratio")):
            print(f"  {name:<40} {figures[name]:5.2f}")


def _process(
    clip: Path, model: str | Path, backend: str, cache: Path | None, *, overlay: bool
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pymaf_live.bench", "process", str(clip), folder, str(model),
            backend, str(cache or ""), "overlay" if overlay else "plain",
        ]  # fmt: skip
        return _run(command)


def _mediapipe(clip: Path, task: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "pymaf_live.bench", "mediapipe", str(clip), str(task)]
    return _run(command)


def _run(command: Sequence[str]) -> dict[str, Any]:
    started = time.time()
    try:
        done = subprocess.run(
            [*command, repr(started)],
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


def _summary_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = ("steady_fps", "fps", "first_result_seconds", "peak_mb")
    return {name: round(statistics.median(run[name] for run in runs), 2) for name in names}


def _medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}


class _Clock:
    """Notes when results come; stops nothing."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def advance(self, frames: int, fraction: float | None) -> None:
        self.times.append(time.perf_counter())

    def asked_to_stop(self) -> bool:
        return False


def _process_here(
    clip: str, folder: str, model: str, backend: str, cache: str, overlay: str, started: float
) -> dict[str, Any]:
    from pymaf_live.pipeline import PipelineOptions
    from pymaf_live.processing import ProcessOptions, process_input
    from pymaf_live.sources import open_source

    options = ProcessOptions(
        out=Path(folder),
        pipeline=PipelineOptions(
            model=model, backend=backend, people=1, cache=Path(cache) if cache else None
        ),
        overlay=overlay == "overlay",
    )
    clock = _Clock()
    # how long the interpreter and the imports took, on the clock of this process
    before = time.time() - started
    begun = time.perf_counter()
    summary = process_input(open_source(clip), clip, "clip", options, clock)
    ended = time.perf_counter()
    frames = len(clock.times)
    # with the writing of what is drawn at the end, without the loading at the start
    steady = (frames - 1) / (ended - clock.times[0]) if frames > 1 else 0.0
    return {
        "frames": frames,
        "steady_fps": steady,
        "fps": frames / (before + ended - begun),
        "first_result_seconds": before + clock.times[0] - begun,
        "peak_mb": _peak_mb(),
        "milliseconds": summary.milliseconds,
        "model": summary.model,
    }


def _mediapipe_here(clip: str, task: str) -> dict[str, float]:
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    from pymaf_live.people.quiet import native_logs_dropped
    from pymaf_live.sources import open_source

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=task), running_mode=vision.RunningMode.VIDEO
    )
    source = open_source(clip)
    count, spent, begun = 0, 0.0, 0.0
    with native_logs_dropped(), vision.PoseLandmarker.create_from_options(options) as landmarker:
        for frame in source.frames():
            if frame.index == _WARM_UP:
                begun, spent = time.perf_counter(), 0.0
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame.image)
            start = time.perf_counter()
            landmarker.detect_for_video(picture, round(frame.time * 1000))
            spent += time.perf_counter() - start
            count += 1
    counted = count - _WARM_UP
    if counted < 1:
        raise InputError(f"{clip} is too short to measure")
    elapsed = time.perf_counter() - begun
    return {"steady_fps": counted / elapsed, "milliseconds": 1000 * spent / counted}


def _peak_mb() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _main(arguments: Sequence[str]) -> int:
    kind, *rest, started = arguments
    try:
        if kind == "process":
            clip, folder, model, backend, cache, overlay = rest
            figures: Mapping[str, Any] = _process_here(
                clip, folder, model, backend, cache, overlay, float(started)
            )
        else:
            clip, task = rest
            figures = _mediapipe_here(clip, task)
    except PymafLiveError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if kind == "process":
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(f"MediaPipe cannot run on this: {lines[0]}", file=sys.stderr)
        return ModelError.exit_code
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

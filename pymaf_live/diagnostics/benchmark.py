"""Figures of this machine: each stage, the whole way, the delay, the start, memory; comparisons."""

from __future__ import annotations

import json
import os
import statistics
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymaf_live.diagnostics.benchmark_runs import live_run, mediapipe_run, process_run
from pymaf_live.errors import InputError, ModelError, PymafLiveError
from pymaf_live.system.trainer_entry import run_in_trainer

_MODEL_ROUNDS = 5
"""In which each shipped model is timed once; their median counts."""
_TRAINER_SECONDS = 900
_LANDMARKERS = {"lite": 2_820_000, "full": 6_420_000, "heavy": 27_700_000}
"""Bytes of MediaPipe's landmark networks, by which a bundle's is known."""
_MOST_BYTES = 1 << 22

RATIOS = (
    "lite_over_mediapipe_full",
    "lite_over_mediapipe_lite",
    "resnet50_openvino_f32_over_torch",
    "resnet50_int8_over_torch",
)


def measure(
    clip: Path,
    model: str | Path,
    backend: str,
    cache: Path | None = None,
    runs: int = 3,
    compare: Sequence[Path] | None = None,
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
    cache : Path, optional
        Folder for compiled models.
    runs : int
        The median of so many counts; the first, cold run is one of them.
    compare : sequence of Path, optional
        Bundles of MediaPipe's pose landmarker, which then run on the same clip between our runs.
        None compares with nothing.

    Returns
    -------
    dict
        Frames a second, milliseconds a frame of each stage, seconds to the first result, MB; which
        model ran, milliseconds a person of every shipped one, and how near the network comes to
        the processor's matrix products. With comparisons 'ratios' by the names in `RATIOS`, None
        where it could not be measured, and why under 'ratios_missing'.

    Raises
    ------
    InputError
        If the clip cannot be processed.
    ModelError
        If the model or MediaPipe's bundle cannot be used.
    """
    plain: list[dict[str, Any]] = []
    drawn: list[dict[str, Any]] = []
    compared: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {kind_of(task): [] for task in compare or ()}
    # interleaved: a machine that gets slower or busier meanwhile does so for all
    for _ in range(runs):
        plain.append(process_run(clip, model, backend, cache, overlay=False))
        drawn.append(process_run(clip, model, backend, cache, overlay=True))
        if compare:
            # one person, as the landmarkers follow
            lite = process_run(clip, "lite", backend, cache, overlay=False, people=1)
            compared.append(lite)
        for task in compare or ():
            theirs[kind_of(task)].append(mediapipe_run(clip, task))
    figures: dict[str, Any] = {
        "clip": str(clip),
        "frames": plain[0]["frames"],
        "cores": os.cpu_count(),
        "runs": runs,
        "backend": backend,
        "model": plain[-1]["model"],
        "models": model_times(backend, cache),
        "stages": _stages(plain),
        "stages with overlay": _stages(drawn),
        "process --no-overlay": _summary_of(plain),
        "process": _summary_of(drawn),
        "live": _live(live_run(clip, model, backend, cache)),
        "network": _network(),
    }
    if compare is not None:
        lite_rate = _median(compared, "frames_fps") if compared else 0.0
        figures["mediapipe"] = {
            name: {
                "frames_fps": round(_median(found, "frames_fps"), 2),
                "milliseconds": round(_median(found, "milliseconds"), 2),
                "processor_ms": round(_median(found, "processor_ms"), 2),
                "frame": _spread(_together(found, "intervals")),
            }
            for name, found in theirs.items()
        }
        figures["lite"] = {
            "frames_fps": round(lite_rate, 2),
            "processor_ms": round(_median(compared, "processor_ms"), 2) if compared else 0.0,
        }
        figures["ratios"], figures["ratios_missing"] = _ratios(lite_rate, figures["mediapipe"])
    return figures


def model_times(backend: str, cache: Path | None = None) -> dict[str, float]:
    """Milliseconds a person of each shipped model, beside each other.

    Raises
    ------
    ModelError
        If one cannot be used.
    """
    from pymaf_live.inference import open_session
    from pymaf_live.pipeline.model_selection import measured, shipped_models

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
    return {name: round(statistics.median(r[name] for r in rounds), 2) for name in sessions}


def kind_of(task: Path) -> str:
    """'lite', 'full' or 'heavy': which of MediaPipe's landmark networks a bundle holds.

    Raises
    ------
    ModelError
        If it is no such bundle.
    """
    try:
        with zipfile.ZipFile(task) as archive:
            size = archive.getinfo("pose_landmarks_detector.tflite").file_size
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{task} is no bundle of MediaPipe's pose landmarker") from error
    return min(_LANDMARKERS, key=lambda name: abs(_LANDMARKERS[name] - size))


def read_figures(path: Path) -> dict[str, Any]:
    """Figures that were printed as JSON before.

    Raises
    ------
    InputError
        If the file holds none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        figures = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} holds no figures of `bench --json`: {error}") from error
    if not isinstance(figures, dict) or not isinstance(figures.get("process"), dict):
        raise InputError(f"{path} holds no figures of `bench --json`")
    return figures


def changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, list[float]]:
    """Every number that both have, by its path: before, now, and now as a part of before."""
    old = _numbers(before)
    return {
        name: [old[name], value, round(value / old[name], 3)]
        for name, value in _numbers(now).items()
        if old.get(name)
    }


def print_figures(figures: Mapping[str, Any]) -> None:
    """Print what `measure` gave, for reading."""
    print(
        f"{figures['clip']}: {figures['frames']} frames, {figures['cores']} cores, "
        f"model {figures['model']}"
    )
    for name in ("process --no-overlay", "process"):
        run = figures[name]
        print(
            f"{name:<22} {run['frames_fps']:6.1f} frames/s, {run['steady_fps']:6.1f} with the "
            f"files, {run['fps']:6.1f} with the start, first result after "
            f"{run['first_result_seconds']:.2f} s, peak {run['peak_mb']:.0f} MB"
        )
        frame = run["frame"]
        print(
            f"  {'a frame':<20} {frame['median']:7.2f} ms, p99 {frame['p99']:.2f}, "
            f"of all threads {run['processor_ms']:.2f} ms of processor time"
        )
    live = figures["live"]
    print(
        f"{'live':<22} {live['frames_fps']:6.1f} frames/s, {live['dropped']} dropped, delay "
        f"{live['delay']['median']:.1f} ms, p99 {live['delay']['p99']:.1f}"
    )
    for heading in ("stages", "stages with overlay"):
        print(heading)
        for name, stage in figures[heading].items():
            print(f"  {name:<20} {stage['median']:7.2f} ms, p99 {stage['p99']:.2f}")
    fastest = min(figures["models"].values(), default=0.0)
    for name, value in figures["models"].items():
        print(f"  {'model ' + name:<20} {value:7.2f} ms a person, {value / fastest:.2f} x")
    for name, lines in figures["network"].items():
        for line in lines:
            print(
                f"  {'roofline ' + name:<20} {line['operations'] / 1e9:.2f} G operations, "
                f"{line['threads']} thread(s) {line['precision']}: {line['milliseconds']:.2f} ms = "
                f"{line['share']:.0%} of a matrix product's {line['peak'] / 1e9:.0f} G/s"
            )
    if "ratios" in figures:
        _print_comparison(figures)


def print_changes(found: Mapping[str, Sequence[float]]) -> None:
    """Print what `changes` gave."""
    print("before -> now")
    for name, (before, now, ratio) in found.items():
        print(f"  {name:<48} {before:10.2f} -> {now:10.2f}  {ratio:6.2f} x")


def _print_comparison(figures: Mapping[str, Any]) -> None:
    lite = figures["lite"]
    print(
        f"{'lite, no overlay':<22} {lite['frames_fps']:6.1f} frames/s, "
        f"{lite['processor_ms']:.1f} ms of processor time a frame"
    )
    for name, run in figures["mediapipe"].items():
        print(
            f"{'MediaPipe ' + name:<22} {run['frames_fps']:6.1f} frames/s in VIDEO mode with "
            f"decoding, landmarker {run['milliseconds']:.1f} ms, p99 {run['frame']['p99']:.1f}, "
            f"{run['processor_ms']:.1f} ms of processor time a frame"
        )
    for name, value in figures["ratios"].items():
        told = f"{value:.2f}" if value is not None else figures["ratios_missing"][name]
        print(f"  {name:<36} {told}")


def _ratios(
    lite: float, theirs: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float | None], dict[str, str]]:
    """The ratios by `RATIOS`, and why some are missing."""
    ratios: dict[str, float | None] = dict.fromkeys(RATIOS)
    missing: dict[str, str] = {}
    for kind in ("full", "lite"):
        name = f"lite_over_mediapipe_{kind}"
        if kind in theirs:
            ratios[name] = round(lite / theirs[kind]["frames_fps"], 3)
        else:
            missing[name] = f"no bundle of MediaPipe's {kind} was given by --mediapipe-task"
    found, why = _published_ratios()
    for name in RATIOS[2:]:
        ratios[name] = found.get(name)
        if ratios[name] is None:
            missing[name] = why or "the trainer did not measure it"
    return ratios, missing


def _published_ratios() -> tuple[dict[str, float], str]:
    """Return the ratios of PyMAF's published network by name, and why they are missing."""
    try:
        ratios = run_in_trainer("published_speed", {}, timeout=_TRAINER_SECONDS)
    except PymafLiveError as error:
        return {}, str(error)
    return {name: round(float(value), 3) for name, value in ratios.items() if value}, ""


def _network() -> dict[str, list[dict[str, Any]]]:
    """How near each shipped network comes to the machine's matrix products."""
    from pymaf_live.diagnostics.roofline import roofline_of
    from pymaf_live.pipeline.model_selection import shipped_models
    from pymaf_live.system.cpu import available_cores

    cores = available_cores()
    threads = sorted({1, *(count for count in (2, 4) if count <= cores)})
    found: dict[str, list[dict[str, Any]]] = {}
    for name, path in shipped_models().items():
        lines = [roofline_of(path, count) for count in threads]
        found[name] = [
            {
                "threads": line.threads,
                "precision": line.precision,
                "operations": line.operations,
                "milliseconds": round(line.milliseconds, 3),
                "peak": round(line.peak),
                "share": round(line.share, 3),
            }
            for line in lines
        ]
    return found


def _summary_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = (
        "frames_fps", "steady_fps", "fps", "first_result_seconds", "peak_mb", "processor_ms"
    )  # fmt: skip
    figures: dict[str, Any] = {name: round(_median(runs, name), 2) for name in names}
    return {**figures, "frame": _spread(_together(runs, "intervals"))}


def _live(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "frames_fps": round(run["frames_fps"], 2),
        "dropped": run["dropped"],
        "delay": _spread(run["delays"]),
        "model": run["model"],
    }


def _stages(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    names = {name: None for run in runs for name in run["stages"]}
    found = {
        name: _spread([value for run in runs for value in run["stages"].get(name, ())])
        for name in names
    }
    for name in ("draw", "write"):
        means = [run["means"].get(name, 0.0) for run in runs]
        if any(means):
            middle = round(statistics.median(means), 3)
            found[name] = {"median": middle, "p99": round(max(means), 3)}
    return found


def _median(runs: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(run[name] for run in runs))


def _together(runs: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [value for run in runs for value in run[name]]


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, ms."""
    if not values:
        return {"median": 0.0, "p99": 0.0}
    ordered = sorted(values)
    worst = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {"median": round(statistics.median(ordered), 3), "p99": round(worst, 3)}


def _numbers(figures: Mapping[str, Any], before: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in figures.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping):
            found |= _numbers(value, path + " / ")
        elif isinstance(value, list):
            found |= _numbers({str(n): each for n, each in enumerate(value)}, path + " / ")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[path] = float(value)
    return found

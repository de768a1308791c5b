"""Measurements of this machine: stages, throughput, latency, start, memory, and comparisons."""

from __future__ import annotations

import os
import statistics
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymaf_live.diagnostics.benchmark_runs import live_run, mediapipe_run, process_run
from pymaf_live.errors import ModelError, PymafLiveError
from pymaf_live.system.trainer_entry import run_in_trainer

RATIOS = (
    "lite_over_mediapipe_full",
    "lite_over_mediapipe_lite",
    "resnet50_openvino_f32_over_torch",
    "resnet50_int8_over_torch",
)

_MODEL_ROUNDS = 5
"""Number of times each shipped model is timed; the median counts."""
_TRAINER_SECONDS = 900
_LANDMARK_MODEL_BYTES = {"lite": 2_820_000, "full": 6_420_000, "heavy": 27_700_000}
"""Sizes of MediaPipe's landmark networks, which identify the network in a bundle."""


def measure(
    clip: Path,
    model: str | Path,
    backend: str,
    cache: Path | None = None,
    runs: int = 3,
    compare: Sequence[Path] | None = None,
) -> dict[str, Any]:
    """Measure the program on a clip.

    Parameters
    ----------
    clip : Path
        Video.
    model : str or Path
        Model as in `PipelineOptions`.
    backend : str
        Back-end as in `PipelineOptions`.
    cache : Path, optional
        Folder for compiled models.
    runs : int
        Number of runs whose median counts; the first, cold run is one of them.
    compare : sequence of Path, optional
        Bundles of MediaPipe's pose landmarker that run on the same clip between our runs. None
        compares with nothing.

    Returns
    -------
    dict
        Frames per second, milliseconds per frame of each stage, seconds to the first result and
        MB; the model that ran, milliseconds per person of every shipped model, and the share of
        the CPU's peak rate that each network reaches. With comparisons 'ratios' by the names in
        `RATIOS`, None where one could not be measured, and the reasons under 'ratios_missing'.

    Raises
    ------
    InputError
        If the clip cannot be processed.
    ModelError
        If the model or a MediaPipe bundle cannot be used.
    """
    plain: list[dict[str, Any]] = []
    with_overlay: list[dict[str, Any]] = []
    lite: list[dict[str, Any]] = []
    mediapipe: dict[str, list[dict[str, Any]]] = {
        landmark_model(task): [] for task in compare or ()
    }
    # interleaved, so that a machine that becomes slower or busier affects all of them
    for _ in range(runs):
        plain.append(process_run(clip, model, backend, cache, overlay=False))
        with_overlay.append(process_run(clip, model, backend, cache, overlay=True))
        if compare:
            # one person, as the landmarkers track
            lite.append(process_run(clip, "lite", backend, cache, overlay=False, people=1))
        for task in compare or ():
            mediapipe[landmark_model(task)].append(mediapipe_run(clip, task))
    figures: dict[str, Any] = {
        "clip": str(clip),
        "frames": plain[0]["frames"],
        "cores": os.cpu_count(),
        "runs": runs,
        "backend": backend,
        "model": plain[-1]["model"],
        "models": model_times(backend, cache),
        "stages": _stage_times(plain),
        "stages with overlay": _stage_times(with_overlay),
        "process --no-overlay": _summarize(plain),
        "process": _summarize(with_overlay),
        "live": _summarize_live(live_run(clip, model, backend, cache)),
        "network": _rooflines(),
    }
    if compare is not None:
        figures |= _comparison(lite, mediapipe)
    return figures


def model_times(backend: str, cache: Path | None = None) -> dict[str, float]:
    """Return the milliseconds per person of each shipped model, timed alternately.

    Raises
    ------
    ModelError
        If a model cannot be used.
    """
    from pymaf_live.inference import open_session
    from pymaf_live.pipeline.latency import measure_latency
    from pymaf_live.pipeline.model_selection import shipped_models

    sessions = {
        name: open_session(path, backend, cache=cache) for name, path in shipped_models().items()
    }
    try:
        rounds = [
            {name: measure_latency(session).milliseconds for name, session in sessions.items()}
            for _ in range(_MODEL_ROUNDS)
        ]
    finally:
        for session in sessions.values():
            session.close()
    return {name: round(statistics.median(r[name] for r in rounds), 2) for name in sessions}


def landmark_model(task: Path) -> str:
    """Return the landmark network of a MediaPipe bundle: 'lite', 'full' or 'heavy'.

    Raises
    ------
    ModelError
        If the file is not such a bundle.
    """
    try:
        with zipfile.ZipFile(task) as archive:
            size = archive.getinfo("pose_landmarks_detector.tflite").file_size
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{task} is not a bundle of MediaPipe's pose landmarker") from error
    return min(_LANDMARK_MODEL_BYTES, key=lambda name: abs(_LANDMARK_MODEL_BYTES[name] - size))


def _comparison(
    lite: Sequence[Mapping[str, Any]], mediapipe: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    lite_fps = _median(lite, "frames_fps") if lite else 0.0
    peers = {
        name: {
            "frames_fps": round(_median(runs, "frames_fps"), 2),
            "milliseconds": round(_median(runs, "milliseconds"), 2),
            "processor_ms": round(_median(runs, "processor_ms"), 2),
            "frame": _distribution(_concatenated(runs, "intervals")),
        }
        for name, runs in mediapipe.items()
    }
    ratios, missing = _ratios(lite_fps, peers)
    return {
        "mediapipe": peers,
        "lite": {
            "frames_fps": round(lite_fps, 2),
            "processor_ms": round(_median(lite, "processor_ms"), 2) if lite else 0.0,
        },
        "ratios": ratios,
        "ratios_missing": missing,
    }


def _ratios(
    lite_fps: float, mediapipe: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the ratios in `RATIOS`, and the reasons for missing ones."""
    ratios: dict[str, float | None] = dict.fromkeys(RATIOS)
    missing: dict[str, str] = {}
    for kind in ("full", "lite"):
        name = f"lite_over_mediapipe_{kind}"
        if kind in mediapipe:
            ratios[name] = round(lite_fps / mediapipe[kind]["frames_fps"], 3)
        else:
            missing[name] = f"no bundle with MediaPipe's {kind} network (--mediapipe-task)"
    published, reason = _published_ratios()
    for name in RATIOS[2:]:
        ratios[name] = published.get(name)
        if ratios[name] is None:
            missing[name] = reason or "the trainer did not measure it"
    return ratios, missing


def _published_ratios() -> tuple[dict[str, float], str]:
    """Return the ratios of PyMAF's published network by name, and why they are missing."""
    try:
        ratios = run_in_trainer("published_speed", {}, timeout=_TRAINER_SECONDS)
    except PymafLiveError as error:
        return {}, str(error)
    return {name: round(float(value), 3) for name, value in ratios.items() if value}, ""


def _rooflines() -> dict[str, list[dict[str, Any]]]:
    """Measure each shipped network against the CPU's peak rate, by number of threads."""
    from pymaf_live.diagnostics.roofline import measure_roofline
    from pymaf_live.pipeline.model_selection import shipped_models
    from pymaf_live.system.cpu import available_cores

    cores = available_cores()
    threads = sorted({1, *(count for count in (2, 4) if count <= cores)})
    found: dict[str, list[dict[str, Any]]] = {}
    for name, path in shipped_models().items():
        rooflines = [measure_roofline(path, count) for count in threads]
        found[name] = [
            {
                "threads": each.threads,
                "precision": each.precision,
                "operations": each.operations,
                "milliseconds": round(each.milliseconds, 3),
                "peak": round(each.peak),
                "share": round(each.share, 3),
            }
            for each in rooflines
        ]
    return found


def _summarize(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = (
        "frames_fps", "steady_fps", "fps", "first_result_seconds", "peak_mb", "processor_ms"
    )  # fmt: skip
    figures: dict[str, Any] = {name: round(_median(runs, name), 2) for name in names}
    return {**figures, "frame": _distribution(_concatenated(runs, "intervals"))}


def _summarize_live(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "frames_fps": round(run["frames_fps"], 2),
        "dropped": run["dropped"],
        "delay": _distribution(run["delays"]),
        "model": run["model"],
    }


def _stage_times(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    names = {name: None for run in runs for name in run["stages"]}
    times = {
        name: _distribution([value for run in runs for value in run["stages"].get(name, ())])
        for name in names
    }
    for name in ("draw", "write"):
        means = [run["means"].get(name, 0.0) for run in runs]
        if any(means):
            median = round(statistics.median(means), 3)
            times[name] = {"median": median, "p99": round(max(means), 3)}
    return times


def _median(runs: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(run[name] for run in runs))


def _concatenated(runs: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [value for run in runs for value in run[name]]


def _distribution(values: Sequence[float]) -> dict[str, float]:
    """Return median and 99th percentile in milliseconds."""
    if not values:
        return {"median": 0.0, "p99": 0.0}
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {"median": round(statistics.median(ordered), 3), "p99": round(p99, 3)}

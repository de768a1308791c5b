"""Printing benchmark figures, and comparing them with those of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymaf_live.errors import InputError

_MAX_BYTES = 1 << 22


def read_figures(path: Path) -> dict[str, Any]:
    """Read the JSON figures of an earlier run.

    Raises
    ------
    InputError
        If the file contains none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        figures = json.loads(content) if len(content) <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} contains no benchmark figures: {error}") from error
    if not isinstance(figures, dict) or not isinstance(figures.get("process"), dict):
        raise InputError(f"{path} contains no benchmark figures")
    return figures


def compare_figures(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return every number that both have, by its path: before, now, and now / before."""
    earlier = _flatten(before)
    return {
        name: [earlier[name], value, round(value / earlier[name], 3)]
        for name, value in _flatten(now).items()
        if earlier.get(name)
    }


def print_figures(figures: Mapping[str, Any]) -> None:
    """Print the figures of `benchmark.measure`."""
    print(
        f"{figures['clip']}: {figures['frames']} frames, {figures['cores']} cores, "
        f"model {figures['model']}"
    )
    for name in ("process --no-overlay", "process"):
        _print_run(name, figures[name])
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
        print(f"  {'model ' + name:<20} {value:7.2f} ms per person, {value / fastest:.2f} x")
    for name, rooflines in figures["network"].items():
        for each in rooflines:
            print(
                f"  {'roofline ' + name:<20} {each['operations'] / 1e9:.2f} G operations, "
                f"{each['threads']} thread(s) {each['precision']}: {each['milliseconds']:.2f} ms = "
                f"{each['share']:.0%} of a matrix product's {each['peak'] / 1e9:.0f} G/s"
            )
    if "ratios" in figures:
        _print_peers(figures)


def print_changes(changes: Mapping[str, Sequence[float]]) -> None:
    """Print the result of `compare_figures`."""
    print("before -> now")
    for name, (before, now, ratio) in changes.items():
        print(f"  {name:<48} {before:10.2f} -> {now:10.2f}  {ratio:6.2f} x")


def _print_run(name: str, run: Mapping[str, Any]) -> None:
    print(
        f"{name:<22} {run['frames_fps']:6.1f} frames/s, {run['steady_fps']:6.1f} including the "
        f"files, {run['fps']:6.1f} including the start, first result after "
        f"{run['first_result_seconds']:.2f} s, peak {run['peak_mb']:.0f} MB"
    )
    frame = run["frame"]
    print(
        f"  {'per frame':<20} {frame['median']:7.2f} ms, p99 {frame['p99']:.2f}, "
        f"{run['processor_ms']:.2f} ms of CPU time in all threads"
    )


def _print_peers(figures: Mapping[str, Any]) -> None:
    lite = figures["lite"]
    print(
        f"{'lite, no overlay':<22} {lite['frames_fps']:6.1f} frames/s, "
        f"{lite['processor_ms']:.1f} ms of CPU time per frame"
    )
    for name, run in figures["mediapipe"].items():
        print(
            f"{'MediaPipe ' + name:<22} {run['frames_fps']:6.1f} frames/s in VIDEO mode with "
            f"decoding, landmarker {run['milliseconds']:.1f} ms, p99 {run['frame']['p99']:.1f}, "
            f"{run['processor_ms']:.1f} ms of CPU time per frame"
        )
    for name, value in figures["ratios"].items():
        text = f"{value:.2f}" if value is not None else figures["ratios_missing"][name]
        print(f"  {name:<36} {text}")


def _flatten(figures: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return all numbers of nested figures by their path, such as 'live / delay / p99'."""
    numbers: dict[str, float] = {}
    for name, value in figures.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            numbers |= _flatten(value, path + " / ")
        elif isinstance(value, list):
            numbers |= _flatten({str(n): each for n, each in enumerate(value)}, path + " / ")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers[path] = float(value)
    return numbers

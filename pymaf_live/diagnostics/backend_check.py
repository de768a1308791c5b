"""Comparison of an inference back-end with OpenVINO: outputs and speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.types import Array, Estimate

MAX_VERTEX_ERROR_MM = 3.0
"""Limit for agreement: mean error over the vertices of a body, in the crop with the largest."""

_ROUNDS = 30
_WARM_UP = 5
_BATCHES = (1, 2, 8)


def check_backend(path: Path, backend: str, cache: Path | None = None) -> dict[str, Any]:
    """Run a back-end and OpenVINO on the same crops and compare them.

    Parameters
    ----------
    path : Path
        Model file.
    backend : str
        Name of the back-end; 'auto' is the best that works.
    cache : Path, optional
        Folder for compiled models.

    Returns
    -------
    dict
        Largest difference of each output, ``vertex_mm`` (mean vertex error of the crop with the
        largest), ``agrees``, median milliseconds of both for one person, and their ratio.

    Raises
    ------
    ModelError
        If either back-end cannot run the model.
    """
    from pymaf_live.inference import open_session

    tested = open_session(path, backend, cache=cache)
    try:
        standard = open_session(path, "openvino", cache=cache)
        try:
            return _compare(path, tested, standard)
        finally:
            standard.close()
    finally:
        tested.close()


def print_comparisons(comparisons: Sequence[Mapping[str, Any]]) -> None:
    """Print results of `check_backend`."""
    for each in comparisons:
        verdict = "agrees with" if each["agrees"] else "DIFFERS from"
        print(f"{each['model']}: {each['backend']} {verdict} {each['standard']}")
        for text in each["notices"]:
            print(f"  {text}")
        for name, value in each["differences"].items():
            print(f"  {name:<20} {value:9.2e} at most")
        print(f"  {'vertices':<20} {each['vertex_mm']:9.3f} mm (mean of the worst crop)")
        print(
            f"  {'time per person':<20} {each['milliseconds']:9.2f} ms against "
            f"{each['standard_milliseconds']:.2f} ms, {each['ratio']:.2f} times as fast"
        )


def _compare(path: Path, tested: Any, standard: Any) -> dict[str, Any]:
    if tested.metadata != standard.metadata:
        raise ModelError(f"{tested.backend} reads other metadata from {path}")
    differences: dict[str, float] = {}
    vertex = 0.0
    random = np.random.default_rng(0)
    for batch in _BATCHES:
        images = _crops(random, batch, tested.metadata.input_size)
        for ours, theirs in zip(tested.run(images), standard.run(images), strict=True):
            for level, (a, b) in enumerate(zip(ours, theirs, strict=True), start=1):
                end = "" if level == len(ours) else f"_{level}"
                for name, value in _output_differences(a, b).items():
                    differences[name + end] = max(differences.get(name + end, 0.0), value)
                vertex = max(vertex, mean_vertex_error(a, b))
    one = _crops(random, 1, tested.metadata.input_size)
    mine, other = _milliseconds({"a": lambda: tested.run(one), "b": lambda: standard.run(one)})
    return {
        "model": str(path),
        "backend": tested.backend,
        "standard": standard.backend,
        "notices": [*tested.passed_over, *([tested.notice] if tested.notice else [])],
        "differences": differences,
        "vertex_mm": round(vertex, 4),
        "agrees": vertex < MAX_VERTEX_ERROR_MM,
        "milliseconds": round(mine, 3),
        "standard_milliseconds": round(other, 3),
        "ratio": round(other / mine, 2),
    }


def mean_vertex_error(one: Estimate, other: Estimate) -> float:
    """Return the mean distance of the body's vertices in mm, both pelvises at the origin."""
    from pymaf_live.body import PointSet, default_body

    vertices = PointSet.vertices(default_body())
    first, second = (vertices.pose(each.rotations, each.shape) for each in (one, other))
    return float(1000 * np.linalg.norm(first - second, axis=-1).mean())


def _output_differences(one: Estimate, other: Estimate) -> dict[str, float]:
    pairs: dict[str, tuple[Array, Array]] = {
        name: (np.asarray(getattr(one, name)), np.asarray(getattr(other, name)))
        for name in ("rotations", "shape", "camera", "score", "joint_score")
    }
    return {name: float(np.abs(a - b).max()) for name, (a, b) in pairs.items()}


def _crops(random: np.random.Generator, count: int, size: int) -> Any:
    """Return smooth crops with an upright shape in the middle; noise would exercise no feature."""
    y, x = np.mgrid[0:size, 0:size] / size
    crops = np.empty((count, 3, size, size), dtype=np.float32)
    for crop in crops:
        width, height = random.uniform(0.08, 0.2), random.uniform(0.25, 0.42)
        figure = ((x - 0.5) / width) ** 2 + ((y - 0.5) / height) ** 2 < 1
        for channel in crop:
            ground, tone = random.uniform(0, 1, 2)
            waves = 0.1 * np.sin(random.uniform(2, 30) * x + random.uniform(2, 30) * y)
            channel[:] = np.clip(np.where(figure, tone, ground) + waves, 0, 1)
    return crops


def _milliseconds(sides: Mapping[str, Callable[[], object]]) -> list[float]:
    """Return the median time of each side, run alternately so that other load affects both."""
    timings: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(_WARM_UP + _ROUNDS):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            if number >= _WARM_UP:
                timings[name].append(1000 * (time.perf_counter() - start))
    return [float(np.median(times)) for times in timings.values()]

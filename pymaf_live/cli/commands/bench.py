"""The command `bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pymaf_live.cli.options import BackendOption, JsonOption, ModelOption
from pymaf_live.errors import InputError, ModelError, PymafLiveError, UsageError
from pymaf_live.resources import cache_folder


def bench(
    clip: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Video. Default: the shipped demo.")
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Also measure MediaPipe's pose landmarker, and the published network in torch.",
        ),
    ] = False,
    mediapipe_task: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="MediaPipe bundle (.task) for --compare, besides the shipped lite one.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare with an earlier run's --json output."),
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, max=99, help="Number of runs; medians are printed.")
    ] = 3,
    model: ModelOption = "auto",
    backend: BackendOption = "auto",
    self_test: Annotated[
        bool,
        typer.Option("--self-test", help="Compare a back-end's outputs and speed with OpenVINO's."),
    ] = False,
    soak: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            min=0.05,
            max=100_000,
            help="Track a failing camera for this time; report growth of memory and threads.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Measure this machine: time per stage, frames per second, first result, memory."""
    if self_test:
        return _self_test(model, backend, as_json)
    if soak is not None:
        return _soak(clip, model, backend, soak, as_json)
    from pymaf_live.diagnostics.benchmark import measure
    from pymaf_live.diagnostics.benchmark_report import (
        compare_figures,
        print_changes,
        print_figures,
        read_figures,
    )
    from pymaf_live.pipeline.model_selection import resolve_model
    from pymaf_live.resources import resource

    if mediapipe_task and not compare:
        raise UsageError("--mediapipe-task needs --compare")
    for path in (clip, against, *(mediapipe_task or ())):
        if path is not None and not path.is_file():
            raise InputError(f"{path} does not exist")
    before = None if against is None else read_figures(against)
    figures = measure(
        clip or resource("demo.mp4"),
        resolve_model(model),
        backend,
        cache_folder(),
        runs,
        [resource("detector/person.task"), *(mediapipe_task or ())] if compare else None,
    )
    if before is not None:
        figures["against"] = compare_figures(figures, before)
    if as_json:
        print(json.dumps(figures, indent=2))
        return 0
    print_figures(figures)
    if before is not None:
        print_changes(figures["against"])
    return 0


def _soak(clip: Path | None, model: str, backend: str, minutes: float, as_json: bool) -> int:
    from pymaf_live.cli.progress import TerminalReporter, stop_on_signals
    from pymaf_live.diagnostics.soak import print_soak, soak
    from pymaf_live.pipeline.model_selection import resolve_model
    from pymaf_live.resources import resource

    if clip is not None and not clip.is_file():
        raise InputError(f"{clip} does not exist")
    with stop_on_signals() as stop, TerminalReporter("soak", stop) as reporter:
        figures = soak(
            clip or resource("demo.mp4"),
            resolve_model(model),
            backend,
            minutes,
            cache=cache_folder(),
            reporter=reporter,
        )
    if as_json:
        print(json.dumps(figures, indent=2))
    else:
        print_soak(figures)
    return 0 if figures["steady"] else PymafLiveError.exit_code


def _self_test(model: str, backend: str, as_json: bool) -> int:
    from pymaf_live.diagnostics.backend_check import check_backend, print_comparisons
    from pymaf_live.pipeline.model_selection import AUTO, model_path, shipped_models

    models = list(shipped_models().values()) if model == AUTO else [model_path(model)]
    comparisons = [check_backend(path, backend, cache_folder()) for path in models]
    if as_json:
        print(json.dumps(comparisons, indent=2))
    else:
        print_comparisons(comparisons)
    return 0 if all(each["agrees"] for each in comparisons) else ModelError.exit_code

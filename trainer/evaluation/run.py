"""Evaluation of a model on data that it was not trained on, protocol by protocol."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymaf_live.errors import InputError, UsageError
from pymaf_live.system.reporter import SILENT, Reporter
from trainer.evaluation.network import open_network
from trainer.evaluation.protocols import PROTOCOLS, EvaluationContext, EvaluationData
from trainer.evaluation.report import print_table, write_json, write_markdown


def evaluate(
    model: Path,
    data: EvaluationData,
    *,
    protocols: Sequence[str] | None = None,
    sheets: Path | None = None,
    results: Path | None = None,
    out: Path | None = None,
    markdown: Path | None = None,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Measure a run's averaged weights, rounded as in its exported file, or an exported file.

    Parameters
    ----------
    model : Path
        ``checkpoint.safetensors``: every level. ``.onnx``: the levels that it was exported with.
    data : EvaluationData
        Where the data are stored.
    protocols : sequence of str, optional
        Keys of `PROTOCOLS`, whose data must exist. By default all that depend on the model and
        have their data.
    sheets : Path, optional
        Folder for contact sheets: the worst, random, and the best estimates.
    results : Path, optional
        Folder for result files of external evaluations (COCO's JSON).
    out : Path, optional
        JSON file for the figures.
    markdown : Path, optional
        Markdown file for the table of a model card.
    reporter : Reporter

    Returns
    -------
    dict
        ``model``; ``protocols``: name -> figures (a list has one value per level, the finest
        last); ``not_measured``: name -> reason.

    Raises
    ------
    UsageError
        If a protocol does not exist.
    InputError, ModelError
        If a requested protocol lacks its data, or the model is unusable.
    """
    unknown = [name for name in protocols or () if name not in PROTOCOLS]
    if unknown:
        raise UsageError(f"no protocol {unknown[0]!r}; choose from {', '.join(PROTOCOLS)}")
    evaluated = open_network(model, data.landmarks)
    if protocols is None:
        data = data.existing()
    context = EvaluationContext(evaluated, data, sheets, results, reporter)
    figures: dict[str, Any] = {}
    not_measured: dict[str, str] = {}
    report = {
        "model": _describe(model, evaluated.network.levels),
        "protocols": figures,
        "not_measured": not_measured,
    }
    for name, protocol in PROTOCOLS.items():
        if name not in protocols if protocols is not None else not protocol.by_default:
            continue
        missing = [need for need in protocol.needs if getattr(data, need) is None]
        if missing:
            not_measured[name] = f"no data: --{missing[0].replace('_', '-')}"
            if protocols is not None:
                raise InputError(f"{name} has {not_measured[name]}")
            continue
        started = time.monotonic()
        figures[name] = protocol.run(context)
        reporter.message(f"{name}: {time.monotonic() - started:.0f} s")
        if out is not None:
            # finished protocols are kept if a later one fails
            write_json(out, report)
    print_table(report)
    if out is not None:
        write_json(out, report)
    if markdown is not None:
        write_markdown(markdown, report)
    return report


def _describe(model: Path, levels: int) -> dict[str, Any]:
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    return {"file": model.name, "sha256": digest, "levels": levels}

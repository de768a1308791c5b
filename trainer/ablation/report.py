"""Ablation report: a Markdown page and a plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.system.atomic_write import atomic_write
from trainer.ablation.variants import PAPER_LEVELS, STARTS, TABLES, VARIANTS, Table

Results = Mapping[str, Sequence[dict[str, Any]]]
"""Figures of each seed, by the variant's name."""

_SIGNIFICANT = 2.0
"""Standard errors from which a difference counts as more than chance."""
_FIGURES = (
    ("pck", "PCK", 100.0, "%"),
    ("mpjpe_to_fits_mm", "MPJPE", 1.0, "mm"),
    ("pa_mpjpe_to_fits_mm", "PA-MPJPE", 1.0, "mm"),
)
"""Name in the results, title, factor, unit."""


def markdown(results: Results, budget: Mapping[str, Any], plot: str) -> str:
    """Return the page; variants without a result have empty rows."""
    counts = sorted({len(found) for found in results.values() if found} or {0})
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    lines = [
        "# The paper's comparisons under one equal budget",
        "",
        f"Every variant trained on the same {budget['pictures']:,} images in the same order, "
        f"which is {budget['minutes']:g} minutes of one {budget['device']} for the slowest "
        f"(`{budget['slowest']}`); {seeds} seed{'s' if counts[-1] != 1 else ''}.",
        "",
        f"LSPET, {budget['people']:,} people and their mirror images, with fitted bodies; measured "
        f"on {budget['held_out']} held-out people, against annotated joints (PCK within "
        "0.2 torso lengths) and fitted bodies (MPJPE, PA-MPJPE). BlazePose lite's trunk is frozen; "
        "a small pyramid of 8x8, 16x16 and 32x32 over its maps is trained with the loop. No "
        "landmarks are fed. Mean ± standard deviation over seeds, last level. The paper's figures "
        "are MPJPE / PA-MPJPE on Human3.6M.",
    ]
    for table in TABLES:
        lines += ["", f"## {table.title}", "", *_rows(table, results)]
        lines += ["", *_verdicts(table, results)]
    lines += ["", "## Table 6: where the first level reads, and every level", "", *_levels(results)]
    lines += ["", f"![Figures of all variants]({plot})", ""]
    return "\n".join(lines)


def _rows(table: Table, results: Results) -> list[str]:
    lines = [
        "| variant | PCK % | MPJPE mm | paper's MPJPE | PA-MPJPE mm | paper's PA-MPJPE |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in table.rows:
        cells = [_spread(_values(results, name, figure), scale) for figure, _, scale, _ in _FIGURES]
        # printed as MPJPE / PA-MPJPE, or as MPJPE alone
        plain, _, aligned = table.paper.get(name, "").partition(" / ")
        pck, mpjpe, pa_mpjpe = cells
        lines.append(
            f"| {VARIANTS[name].title} | {pck} | {mpjpe} | {plain} | {pa_mpjpe} | {aligned} |"
        )
    return lines


def _verdicts(table: Table, results: Results) -> list[str]:
    """Return one line per pair of the paper's order: confirmed, contradicted or within chance."""
    lines = []
    for better, worse in table.order:
        verdicts = []
        for figure, title, scale, unit in _FIGURES:
            first, second = (_values(results, name, figure) for name in (better, worse))
            if len(first) and len(second):
                higher = figure == "pck"
                verdicts.append(_compare(first * scale, second * scale, title, unit, higher=higher))
        if verdicts:
            titles = f"{VARIANTS[better].title} before {VARIANTS[worse].title}"
            lines.append(f"- *{titles}*: {'; '.join(verdicts)}.")
    return lines


def _compare(first: np.ndarray, second: np.ndarray, title: str, unit: str, *, higher: bool) -> str:
    gain = float(first.mean() - second.mean()) * (1 if higher else -1)
    verdict = f"{title} {abs(gain):.1f} {unit} {'better' if gain > 0 else 'worse'}"
    if min(len(first), len(second)) < 2:
        return f"{verdict} (one seed)"
    error = math.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    if abs(gain) < _SIGNIFICANT * error:
        return f"{verdict}, within chance"
    return f"{verdict}, {'as the paper' if gain > 0 else '**against the paper**'}"


def _levels(results: Results) -> list[str]:
    lines = [
        "| first level reads | figure | mean pose | level 1 | level 2 | level 3 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, where in zip(STARTS, ("grid", "mean pose's mesh"), strict=True):
        for figure, title, scale, unit in _FIGURES:
            found = results.get(name, ())
            if not found:
                continue
            levels = np.array([one[figure] for one in found]).T
            cells = [_spread(values, scale) for values in levels]
            lines.append(f"| {where} | {title} {unit} | {' | '.join(cells)} |")
    paper = " | ".join(f"{value:.1f}" for value in PAPER_LEVELS)
    lines.append(f"| the paper (grid) | MPJPE mm, Human3.6M | {paper} |")
    return lines


def _values(results: Results, name: str, figure: str) -> np.ndarray:
    return np.array([found[figure][-1] for found in results.get(name, ())], dtype=np.float64)


def _spread(values: np.ndarray, scale: float) -> str:
    if not len(values):
        return ""
    middle = f"{values.mean() * scale:.1f}"
    return middle if len(values) < 2 else f"{middle} ± {values.std(ddof=1) * scale:.1f}"


def draw(results: Results, path: Path) -> None:
    """Plot the PCK of all variants and the error after each level as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in VARIANTS if results.get(name)]
    figure, (bars, levels) = pyplot.subplots(1, 2, figsize=(13, 5), layout="constrained")
    places = np.arange(len(names))[::-1]
    means = [100 * _values(results, name, "pck").mean() for name in names]
    spreads = [100 * _values(results, name, "pck").std() for name in names]
    colours = [f"C{index}" for index in range(len(names))]
    bars.barh(places, means, xerr=spreads, color=colours, capsize=3)
    bars.set_yticks(places, [VARIANTS[name].title for name in names])
    if names:
        bars.set_xlim(max(0.0, min(means) - 8), max(means) + 4)
    bars.set_xlabel("PCK within 0.2 torso lengths, last level, %")
    for name, colour in zip(names, colours, strict=True):
        found = np.array([one["mpjpe_to_fits_mm"] for one in results[name]]).mean(axis=0)
        levels.plot(range(len(found)), found, marker="o", color=colour, label=VARIANTS[name].title)
    levels.set_xticks(range(4), ["mean pose", "level 1", "level 2", "level 3"])
    levels.set_ylabel("MPJPE to fitted bodies, mm")
    levels.grid(alpha=0.3)
    if names:
        levels.legend(fontsize=8)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)

"""Evaluation report: a table on the terminal, JSON, and Markdown for the model card."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from pymaf_live.system.atomic_write import atomic_write

Figures = Mapping[str, Any]
"""Name of a figure -> a number, or a list with one per level, the finest last."""

_ONE_DECIMAL_FROM = 100.0
"""Numbers from here on have one decimal."""

_OTHER_COLUMNS = 70
"""Characters of a row of the printed table beside the name of the figure."""


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON; NaN and infinity become null."""
    text = json.dumps(_plain(report), indent=2, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_markdown(path: Path, report: Mapping[str, Any]) -> None:
    """Write the table of a model card."""
    with atomic_write(path) as temporary:
        temporary.write_text(markdown(report), encoding="utf-8")


def markdown(report: Mapping[str, Any]) -> str:
    """Return the figures as a Markdown table: one row per figure, one column per level."""
    protocols: Mapping[str, Figures] = report["protocols"]
    levels = _levels(protocols)
    head = ["protocol", "figure", *_level_names(levels)]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    for protocol, figures in protocols.items():
        for index, (name, value) in enumerate(figures.items()):
            first = protocol if index == 0 else ""
            cells = [first, f"`{name}`", *_cells(value, levels)]
            lines.append("| " + " | ".join(cells) + " |")
    for protocol, reason in report.get("not_measured", {}).items():
        lines.append(f"\nNot measured: {protocol} ({reason}).")
    return "\n".join(lines) + "\n"


def print_table(report: Mapping[str, Any]) -> None:
    """Print the figures on the terminal."""
    protocols: Mapping[str, Figures] = report["protocols"]
    levels = _levels(protocols)
    names = [name for figures in protocols.values() for name in figures]
    widest = max((len(name) for name in names), default=0)
    # a figure is read by its whole name, on a narrow terminal over several lines
    table = Table("", Column("figure", overflow="fold"), *_level_names(levels))
    for protocol, figures in protocols.items():
        for index, (name, value) in enumerate(figures.items()):
            table.add_row(protocol if index == 0 else "", name, *_cells(value, levels))
        table.add_section()
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, widest + _OTHER_COLUMNS)
    console.print(table)
    for protocol, reason in report.get("not_measured", {}).items():
        console.print(f"not measured: {protocol} ({reason})", soft_wrap=True, highlight=False)


def _levels(protocols: Mapping[str, Figures]) -> int:
    lengths = [
        len(value) for figures in protocols.values() for value in figures.values()
        if isinstance(value, list)
    ]  # fmt: skip
    return max(lengths, default=1)


def _level_names(levels: int) -> list[str]:
    return [*(f"level {level}" for level in range(1, levels)), "last"]


def _cells(value: object, levels: int) -> list[str]:
    values = value if isinstance(value, list) else [value]
    # a figure without levels goes into the last column
    return [*[""] * (levels - len(values)), *(_short(one) for one in values)]


def _short(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{value:.1f}" if abs(value) >= _ONE_DECIMAL_FROM else f"{value:.4g}"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value

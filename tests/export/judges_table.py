"""Print the table of docs/exports.md from the figures of the judges.

Run after the tests have written them::

    PYMAF_LIVE_JUDGES_FIGURES=figures.jsonl python -m pytest -m interop tests/export
    python -m tests.export.judges_table figures.jsonl
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from pymaf_live.export.options import RIGS


def table(lines: list[str]) -> str:
    """Return the table in Markdown; millimetres, rounded up."""
    figures: dict[tuple[str, str], dict[str, float]] = {}
    for line in lines:
        client, suffix, rig, distance = json.loads(line)
        row = figures.setdefault((client, suffix), {})
        row[rig] = max(distance, row.get(rig, 0.0))
    rows = [f"| read by | file | {' | '.join(f'`{rig}`' for rig in RIGS)} |"]
    rows.append("| --- | --- |" + " --- |" * len(RIGS))
    for (client, suffix), row in sorted(figures.items()):
        cells = [f"{math.ceil(1000 * row[rig]) / 1000:.3f}" if rig in row else "-" for rig in RIGS]
        rows.append(f"| {client} | {suffix} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()))

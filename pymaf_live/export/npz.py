"""Export of the take itself (docs/take-format.md)."""

from __future__ import annotations

from pathlib import Path

from pymaf_live.body import Body
from pymaf_live.export.options import ExportedFile, ExportOptions
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.takes.npz_file import require_body, write_take
from pymaf_live.takes.take import Take


def export_npz(
    take: Take, body: Body, path: Path, options: ExportOptions, *, force: bool, reporter: Reporter
) -> list[ExportedFile]:
    """Write the take's npz file; implements `formats.Writer`."""
    require_body(take, body)
    write_take(path, take, force=force)
    report_progress(reporter, 1.0)
    return [ExportedFile(path, rate=float(take.frame_rate))]

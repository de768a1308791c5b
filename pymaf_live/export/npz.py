"""The take itself as an export."""

from __future__ import annotations

from pathlib import Path

from pymaf_live.body import Body
from pymaf_live.export.options import Exported, ExportOptions, Watch
from pymaf_live.takes.npz_file import require_body, write_take
from pymaf_live.takes.take import Take


def write_npz(take: Take, body: Body, path: Path, *, force: bool = False) -> list[Path]:
    """Write the take's npz (docs/take-format.md); arguments and errors as `write_bvh`."""
    require_body(take, body)
    write_take(path, take, force=force)
    return [path]


def export_npz(
    take: Take, body: Body, path: Path, options: ExportOptions, *, force: bool, watch: Watch
) -> list[Exported]:
    """As `formats.Writer`."""
    files = write_npz(take, body, path, force=force)
    watch(1.0)
    return [Exported(file, rate=float(take.frame_rate)) for file in files]

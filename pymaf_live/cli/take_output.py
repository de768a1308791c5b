"""Writing a take from the command line and printing what was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.cli.output import print_note
from pymaf_live.cli.progress import TerminalReporter
from pymaf_live.system.reporter import SilentReporter

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.export.options import ExportedFile, ExportOptions
    from pymaf_live.takes.take import Take


def write_take_to(
    take: Take, body: Body, target: Path, options: ExportOptions | None = None, *, force: bool
) -> None:
    """Write a take with a progress display, and print one line per file."""
    from pymaf_live.export.formats import format_for_path

    # without a StopRequest: Ctrl-C interrupts at once, and incomplete files are removed
    with TerminalReporter() as display:
        files = format_for_path(target).write(
            take, body, target, options, force=force, reporter=_FileReporter(display, target.name)
        )
    for file in files:
        print(_file_line(file))
        if file.note:
            print_note(f"{file.path.name}: {file.note}")
    if not files:
        print_note(f"{take.source} contains no people; {target} was not written")


class _FileReporter(SilentReporter):
    """Reporter of one file's progress to the display."""

    def __init__(self, display: TerminalReporter, file: str) -> None:
        self._display, self._file = display, file

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Show the fraction that is done."""
        self._display.exporting(self._file, fraction or 0.0)


def check_text(check: dict[str, float]) -> str:
    """Format the figures from reading a file back, to print after its name."""
    parts = []
    if "joint_error_mm" in check:
        parts.append(f"joints within {check['joint_error_mm']:.3f} mm")
    if "rate" in check:
        parts.append(f"{check['rate']:.6g} frames/s")
    return f"  ({', '.join(parts)})" if parts else ""


def _file_line(file: ExportedFile) -> str:
    check: dict[str, float] = {}
    if file.joint_error is not None:
        check["joint_error_mm"] = file.joint_error * 1000
    if file.rate is not None:
        check["rate"] = file.rate
    return f"{file.path}{check_text(check)}"

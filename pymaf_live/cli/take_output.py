"""Lines about exported files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymaf_live.cli.output import print_error, print_note
from pymaf_live.takes.legs import rest_note

if TYPE_CHECKING:
    from pymaf_live.takes.take import Take
    from pymaf_live.workflows.export import ExportResult


def print_exported(take: Take, exported: ExportResult) -> int:
    """Print one line per exported file, and notes to stderr; return the exit code.

    It is 1 if a file was not written because the take has no people.
    """
    for file in exported.files:
        check: dict[str, float] = {}
        if file.joint_error is not None:
            check["joint_error_mm"] = file.joint_error * 1000
        if file.rate is not None:
            check["rate"] = file.rate
        print(f"{file.path}{check_text(check)}")
        if file.note:
            print_note(f"{file.path.name}: {file.note}")
    note = rest_note(take)
    if note:
        print_note(note)
    if exported.too_short:
        numbers = ", ".join(map(str, exported.too_short))
        print_note(f"left out for being seen too briefly: person {numbers}")
    for target in exported.empty:
        print_error(f"{take.source} contains no people; {target} was not written")
    return 1 if exported.empty else 0


def check_text(check: dict[str, float]) -> str:
    """Format the figures from reading a file back, to print after its name."""
    parts = []
    if "joint_error_mm" in check:
        parts.append(f"joints within {check['joint_error_mm']:.3f} mm")
    if "rate" in check:
        parts.append(f"{check['rate']:.6g} frames/s")
    return f"  ({', '.join(parts)})" if parts else ""

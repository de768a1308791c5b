"""The command `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pymaf_live.cli.option_groups import expand_option_groups
from pymaf_live.cli.options import FootLockOption, ForceOption, MotionOptions
from pymaf_live.cli.progress import TerminalReporter
from pymaf_live.cli.take_output import print_exported
from pymaf_live.errors import UsageError


@expand_option_groups
def export(
    *,
    paths: Annotated[list[Path], typer.Argument(metavar="TAKE.npz", help="Take to export.")],
    to: Annotated[
        list[Path],
        typer.Option(metavar="FILE...", help="Files to write; the suffix selects the format."),
    ],
    motion: MotionOptions,
    foot_lock: FootLockOption = "never",
    body_name: Annotated[
        str | None,
        typer.Option(
            "--body",
            metavar="NAME",
            help="Retarget to another body first: open, an imported body, or a body file.",
        ),
    ] = None,
    force: ForceOption = False,
) -> int:
    """Export a take to other formats, or to another body."""
    from pymaf_live.export.formats import format_for_path
    from pymaf_live.takes import read_take
    from pymaf_live.workflows.export import ExportRequest
    from pymaf_live.workflows.export import export as export_take

    # typer reads `--to a.bvh b.npz` as one option and one more argument
    take_path, targets = paths[0], (*to, *paths[1:])
    for target in targets:
        if target.resolve() == take_path.resolve():
            raise UsageError(f"{target} is the take itself")
    request = ExportRequest(
        targets,
        motion.export_options(tuple(format_for_path(target).name for target in targets)),
        foot_lock=foot_lock,
        body=body_name,
        force=force,
    )
    take = read_take(take_path)
    # without a StopRequest: Ctrl-C interrupts at once, and incomplete files are removed
    with TerminalReporter() as reporter:
        exported = export_take(take, request, reporter)
    error = exported.retarget_error
    if error is not None and len(error):
        mean, largest = 1000 * error.mean(), 1000 * error.max()
        print(f"retargeted to {body_name}: mean joint error {mean:.1f} mm, largest {largest:.1f}")
    return print_exported(take, exported)

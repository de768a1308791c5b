"""The command `export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pymaf_live.cli.option_groups import expand_option_groups
from pymaf_live.cli.options import FootLockOption, ForceOption, MotionOptions
from pymaf_live.cli.take_output import write_take_to
from pymaf_live.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.takes.take import Take


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
    from pymaf_live.body.registry import body_by_hash
    from pymaf_live.export.formats import format_for_path
    from pymaf_live.motion import lock_feet
    from pymaf_live.takes import read_take, trimmed

    # typer reads `--to a.bvh b.npz` as one option and one more argument
    take_path, targets = paths[0], [*to, *paths[1:]]
    for target in targets:
        format_for_path(target)
        if target.resolve() == take_path.resolve():
            raise UsageError(f"{target} is the take itself")
    options = motion.export_options(tuple(format_for_path(target).name for target in targets))
    existing = [target for target in targets if target.exists()]
    if existing and not force:
        raise OutputExistsError(existing[0])
    take = trimmed(read_take(take_path))
    body = body_by_hash(take.body_sha256)
    if body_name is not None:
        take, body = _retarget(take, body, body_name)
    if foot_lock != "never":
        take = lock_feet(take, body, foot_lock)
    for target in targets:
        write_take_to(take, body, target, options, force=force)
    return 0


def _retarget(take: Take, body: Body, body_name: str) -> tuple[Take, Body]:
    """Return the take on another body, and print the joint error."""
    from pymaf_live.body.registry import body_by_name
    from pymaf_live.takes.retarget import retargeted_take

    target = body_by_name(body_name)
    retargeted, error = retargeted_take(take, body, target)
    if len(error):
        mean, largest = 1000 * error.mean(), 1000 * error.max()
        print(f"retargeted to {body_name}: mean joint error {mean:.1f} mm, largest {largest:.1f}")
    return retargeted, target

"""The command `export`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pymaf_live.cli.option_groups import expand_option_groups
from pymaf_live.cli.options import FootLockOption, ForceOption, MotionOptions, parse_path
from pymaf_live.cli.progress import TerminalReporter
from pymaf_live.cli.take_output import print_exported
from pymaf_live.errors import UsageError

if TYPE_CHECKING:
    from pymaf_live.characters.retarget import Retargeter
    from pymaf_live.export.options import ExportOptions
    from pymaf_live.takes.selection import TakeSelection


@dataclass(frozen=True)
class SelectionOptions:
    """Options that select people and a time range of a take."""

    person: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Export this person only; may be repeated.", show_default=False),
    ] = None
    merge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Merge these numbers of one person into the first; may be repeated.",
            show_default=False,
        ),
    ] = None
    min_seen: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Leave out people who were seen for a shorter time."
        ),
    ] = 0.0
    start: Annotated[
        float | None,
        typer.Option("--from", min=0, metavar="SECONDS", help="Begin at this time of the take."),
    ] = None
    end: Annotated[
        float | None,
        typer.Option("--until", min=0, metavar="SECONDS", help="End at this time of the take."),
    ] = None

    def take_selection(self) -> TakeSelection:
        """Return the selection.

        Raises
        ------
        UsageError
            If a group of numbers is not valid.
        """
        from pymaf_live.takes.selection import TakeSelection

        return TakeSelection(
            people=tuple(self.person or ()),
            merge=tuple(_numbers(text) for text in self.merge or ()),
            min_seen=self.min_seen,
            start=self.start,
            end=self.end,
        )


@dataclass(frozen=True)
class CharacterOptions:
    """Options of an export on a character."""

    character: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Put the motion on a character: a .vrm, .glb, .gltf or .fbx file, or alex.",
            show_default=False,
        ),
    ] = None
    bone_map: Annotated[
        Path | None,
        typer.Option(
            parser=parse_path,
            metavar="FILE.json",
            help="Bone mapping of the character, instead of the saved one.",
            show_default=False,
        ),
    ] = None

    def export_options(self, motion: MotionOptions, targets: tuple[Path, ...]) -> ExportOptions:
        """Return the options of the files.

        Raises
        ------
        UsageError
            If an option does not apply, or an ending belongs to no format.
        """
        from pymaf_live.export.formats import format_for_path

        if self.character is not None:
            return motion.character_options()
        if self.bone_map is not None:
            raise UsageError("--bone-map needs --character")
        return motion.export_options(tuple(format_for_path(target).name for target in targets))

    def opened(self) -> Retargeter | None:
        """Return the character, None without one.

        Raises
        ------
        InputError
            If it cannot be used.
        """
        from pymaf_live.workflows.character import open_character

        return None if self.character is None else open_character(self.character, self.bone_map)


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) < 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--merge needs the numbers of people, such as 2,5, not {text!r}")
    return tuple(int(part) for part in parts)


@expand_option_groups
def export(
    *,
    paths: Annotated[
        list[Path],
        typer.Argument(parser=parse_path, metavar="TAKE.npz", help="Take to export."),
    ],
    to: Annotated[
        list[Path],
        typer.Option(
            parser=parse_path,
            metavar="FILE...",
            help="Files to write; the suffix selects the format.",
        ),
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
    character: CharacterOptions,
    selection: SelectionOptions,
    smoothing: Annotated[
        Literal["off", "offline"],
        typer.Option(help="Smooth a take that was measured with --smoothing off."),
    ] = "off",
    force: ForceOption = False,
) -> int:
    """Export a take to other formats, or to another body."""
    from pymaf_live.takes import read_take
    from pymaf_live.workflows.export import ExportRequest
    from pymaf_live.workflows.export import export as export_take

    # typer reads `--to a.bvh b.npz` as one option and one more argument
    take_path, targets = paths[0], (*to, *paths[1:])
    for target in targets:
        if os.path.realpath(target) == os.path.realpath(take_path):
            raise UsageError(f"{target} is the take itself")
    request = ExportRequest(
        targets,
        character.export_options(motion, targets),
        character=character.opened(),
        foot_lock=foot_lock,
        selection=selection.take_selection(),
        smoothing=smoothing,
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

"""Export a take to files of one or several formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pymaf_live.errors import Interrupted, OutputError, OutputExistsError, UsageError
from pymaf_live.export.options import ExportedFile, ExportOptions
from pymaf_live.system.atomic_write import exists
from pymaf_live.system.reporter import SILENT, Reporter, StepReporter, report_progress
from pymaf_live.takes.editing import trimmed
from pymaf_live.takes.selection import TakeSelection, select
from pymaf_live.takes.take import Take
from pymaf_live.types import Array
from pymaf_live.workflows.recoverable import finished_take

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.characters.retarget import Retargeter

FootLock = Literal["auto", "always", "never"]


@dataclass(frozen=True)
class ExportRequest:
    """Files to write from a take."""

    targets: tuple[Path, ...]
    """Files to write; the ending selects the format."""
    options: ExportOptions = field(default_factory=ExportOptions)
    """Each format uses those that it supports."""
    foot_lock: FootLock = "never"
    """Hold standing feet still: where contact is certain, always, or never."""
    selection: TakeSelection = field(default_factory=TakeSelection)
    """People and time range; all by default."""
    smoothing: Literal["off", "offline"] = "off"
    """'offline' smooths a take that was measured without smoothing."""
    character: Retargeter | None = None
    """Character to write instead of the body, from `workflows.character.open_character`."""
    body: str | None = None
    """Name or file of the body to retarget to first; None keeps the take's own."""
    force: bool = False
    """Replace existing files."""
    keep_going: bool = False
    """Write the other files where one cannot be written; the result names it. The take (npz) is
    written first."""


@dataclass(frozen=True)
class ExportResult:
    """Files that an export has written."""

    files: tuple[ExportedFile, ...] = ()
    """Files with the figures from reading them back."""
    empty: tuple[Path, ...] = ()
    """Targets that were not written because the take has no people."""
    not_written: tuple[Path, ...] = ()
    """Targets left out because the user cancelled."""
    too_short: tuple[int, ...] = ()
    """Numbers of the people left out because they were seen for too short a time."""
    failed: tuple[tuple[Path, OutputError], ...] = ()
    """Targets that could not be written, where `ExportRequest.keep_going` is true."""
    retarget_error: Array | None = None
    """(R,) m, mean joint error of each row after retargeting; None without retargeting."""

    @property
    def interrupted(self) -> bool:
        """True if the user cancelled before all targets were written."""
        return bool(self.not_written)


def export_targets(stem: Path, formats: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files of a take called `stem` in the given formats, such as 'bvh' and 'npz'."""
    from pymaf_live.export.formats import FORMATS

    return tuple(FORMATS[name].target(stem) for name in formats)


def export(take: Take, request: ExportRequest, reporter: Reporter = SILENT) -> ExportResult:
    """Write a take to files; every file is complete and read back, or not there.

    Parameters
    ----------
    take : Take
        Frames outside its trim are left out.
    request : ExportRequest
    reporter : Reporter
        Cancelling keeps the files that are complete; the result lists the others.

    Raises
    ------
    UsageError
        If an ending belongs to no format, a body's name is unknown, the selection names people or
        times that are not in the take, or a smoothed take is to be smoothed.
    OutputExistsError
        If a target exists and `request.force` is false; nothing is written then.
    OutputError
        If a file cannot be written or does not pass its check, and `request.keep_going` is false.
    InputError
        If the body of the take is not installed.
    """
    from pymaf_live.motion import lock_feet

    writers = [_writer(target, request) for target in request.targets]
    existing = [target for target in request.targets if exists(target)]
    if existing and not request.force and not request.keep_going:
        raise OutputExistsError(existing[0], others=len(existing) - 1)
    selected = select(take, request.selection)
    take, body, retarget_error = _on_body(selected.take, request)
    if request.foot_lock != "never":
        take = lock_feet(take, body, request.foot_lock)
    files: dict[Path, list[ExportedFile]] = {}
    failed: list[tuple[Path, OutputError]] = []
    order = list(zip(request.targets, writers, strict=True))
    if request.keep_going and request.character is None:
        # the take's own file first: the others can be made of it again
        order.sort(key=lambda pair: not _is_take(pair[0]))
    not_written: tuple[Path, ...] = ()
    for index, (target, write) in enumerate(order):
        step = StepReporter(
            reporter, index / len(order), (index + 1) / len(order), f"writing {target.name}"
        )
        try:
            report_progress(step, 0.0)
            files[target] = write(
                take, body, target, request.options, force=request.force, reporter=step
            )
        except Interrupted:
            not_written = tuple(target for target, _ in order[index:])
            break
        except OutputError as error:
            if not request.keep_going:
                raise
            failed.append((target, error))
    written = [target for target in request.targets if target in files]
    return ExportResult(
        tuple(file for target in written for file in files[target]),
        tuple(target for target in written if not files[target]),
        not_written,
        selected.too_short,
        tuple(failed),
        retarget_error,
    )


def _is_take(target: Path) -> bool:
    from pymaf_live.export.formats import format_for_path

    return format_for_path(target).name == "npz"


def _writer(target: Path, request: ExportRequest) -> Callable[..., list[ExportedFile]]:
    """Return the function that writes a target; its arguments are those of `Format.write`.

    Raises
    ------
    UsageError
        If the ending belongs to no format, or to none that can hold the character.
    """
    if request.character is None:
        from pymaf_live.export.formats import format_for_path

        return format_for_path(target).write
    from pymaf_live.export.character import export_character, require_character_format

    require_character_format(target, request.character.character)
    return partial(export_character, retargeter=request.character)


class LateCancelReporter:
    """Reporter that ignores a cancellation from before it was created.

    For exporting what a workflow has done until the user stopped it: only a later cancellation
    stops the export too.

    Parameters
    ----------
    reporter : Reporter
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._ignored = reporter.cancelled()

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Pass the progress on."""
        self._reporter.progress(fraction, detail)

    def message(self, text: str) -> None:
        """Pass the message on."""
        self._reporter.message(text)

    def cancelled(self) -> bool:
        """Return True for a cancellation that came later."""
        return not self._ignored and self._reporter.cancelled()


def _on_body(take: Take, request: ExportRequest) -> tuple[Take, Body, Array | None]:
    """Return the finished, trimmed take on the chosen body, that body, and the retargeting error.

    Each person has one shape, estimated over the whole take, so that all formats agree. The error
    is (R,) m.
    """
    from pymaf_live.body.registry import body_by_hash, body_by_name
    from pymaf_live.takes.retarget import retarget_take

    body = body_by_hash(take.body_sha256)
    if request.smoothing == "offline" and take.smoothing != "off":
        raise UsageError(f"the take of {take.source} is smoothed already ({take.smoothing})")
    take = trimmed(finished_take(take, request.smoothing, body))
    name = request.body
    if name is None:
        return take, body, None
    target = body_by_name(name)
    retargeted, error = retarget_take(take, body, target)
    return retargeted, target, error

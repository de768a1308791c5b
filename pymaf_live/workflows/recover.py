"""Recover recordings that an interrupted run left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pymaf_live.body.registry import body_by_hash
from pymaf_live.system.reporter import SILENT, Reporter, StepReporter
from pymaf_live.takes.journal import read_journal
from pymaf_live.takes.library import JOURNAL, TakeLibrary, UnfinishedRecording
from pymaf_live.takes.take import Take
from pymaf_live.workflows.export import ExportRequest, ExportResult, export
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from pymaf_live.workflows.recoverable import finished_take
from pymaf_live.workflows.result_names import result_stem


@dataclass(frozen=True)
class RecoverOptions:
    """Folder and smoothing of recovered recordings."""

    out: Path
    """Folder of the results; created if missing."""
    force: bool = False
    """Replace existing files."""
    smoothing_strength: float = 0.5
    """Strength 0..1 of the offline smoothing, where the recording was to have it."""


@dataclass(frozen=True)
class RecoverResult:
    """A recovered recording."""

    take: Take
    exported: ExportResult


def unfinished_recordings(library: TakeLibrary | None = None) -> tuple[UnfinishedRecording, ...]:
    """Return the recordings that an interrupted run left in the take library, oldest first."""
    return (library or TakeLibrary()).unfinished()


def recover(
    recording: UnfinishedRecording,
    options: RecoverOptions,
    reporter: Reporter = SILENT,
    library: TakeLibrary | None = None,
) -> RecoverResult:
    """Write an unfinished recording as ``NAME.npz``, then remove it.

    A recording of the window also becomes a take of the library, as it would have been.

    Parameters
    ----------
    recording : UnfinishedRecording
        From `unfinished_recordings`.
    options : RecoverOptions
    reporter : Reporter
    library : TakeLibrary, optional
        The user's by default.

    Returns
    -------
    RecoverResult

    Raises
    ------
    InputError
        If the recording has no frame, or its body is not installed.
    OutputExistsError
        If the file exists and `options.force` is false; the recording is kept.
    OutputError
        If the file cannot be written; the recording is kept.
    """
    library = library or TakeLibrary()
    recorded = read_journal(library.folder(recording.id) / JOURNAL)
    body = body_by_hash(recorded.take.body_sha256)
    take = finished_take(recorded.take, recorded.smoothing, body, options.smoothing_strength)
    target = options.out / f"{result_stem(recorded.take.source)}.npz"
    request = ExportRequest((target,), force=options.force)
    exported = export(take, request, StepReporter(reporter, 0.0, 0.5))
    if exported.interrupted:
        return RecoverResult(take, exported)
    if recording.about.temporary:
        library.delete(recording.id)
    else:
        finalize(
            library,
            recording.id,
            FinalizeOptions(options.smoothing_strength, body),
            StepReporter(reporter, 0.5, 1.0),
        )
    reporter.progress(1.0)
    return RecoverResult(take, exported)


def discard(recording: UnfinishedRecording, library: TakeLibrary | None = None) -> None:
    """Remove an unfinished recording for good.

    Raises
    ------
    OutputError
        If it cannot be removed.
    """
    (library or TakeLibrary()).delete(recording.id)

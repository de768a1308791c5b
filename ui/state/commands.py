"""Calls that widgets make to controllers: one protocol per controller, and all of them together.

Widgets and canvas depend on these protocols, never on the controllers. Every method may be called
from the window's thread only and returns at once; what comes of it appears in the `WindowState`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from pymaf_live.export.options import ExportOptions
from pymaf_live.types import Array
from ui.state.source import SourceChoice
from ui.state.take import Smoothing


class SourceCommands(Protocol):
    """Open and close sources."""

    def open(self, choice: SourceChoice) -> None:
        """Open a source in place of the current one; a running recording is finished and kept.

        A camera or stream that cannot be opened is retried until `stop_reconnecting`.
        """

    def open_files(self, paths: Sequence[Path]) -> None:
        """Open the first of several files and folders and queue the others."""

    def step_file(self, step: int) -> None:
        """Open the next (1) or the previous (-1) file of the queue."""

    def close(self) -> None:
        """Close the source or take and return to the start page."""

    def stop_reconnecting(self) -> None:
        """Stop retrying a camera or stream that is away."""

    def find_cameras(self) -> None:
        """List the cameras again."""


class PlaybackCommands(Protocol):
    """Pause and resume what is shown: a file or the open take."""

    def pause(self) -> None:
        """Hold the current frame."""

    def resume(self) -> None:
        """Continue after a pause, or replay after the end."""

    def seek(self, seconds: float) -> None:
        """Continue the open video at a time of the file."""

    def step(self, frames: int) -> None:
        """Pause and move by a number of frames; negative is backwards."""


class RecordingCommands(Protocol):
    """Record the open source, and recover recordings of an interrupted run."""

    def record(self) -> None:
        """Start a recording, after the countdown if one is set; during the countdown, cancel it."""

    def stop(self) -> None:
        """Finish the recording and keep it as a take; cancel a running countdown."""

    def recover(self, take_id: str) -> None:
        """Make a take of an interrupted recording."""

    def discard(self, take_id: str) -> None:
        """Delete an interrupted recording."""


class ExportCommands(Protocol):
    """Write the current take to files."""

    def start(
        self,
        stem: Path,
        formats: tuple[str, ...],
        force: bool,
        options: ExportOptions | None = None,
        takes: tuple[str, ...] = (),
        *,
        video: bool = False,
        transparent_video: bool = False,
    ) -> None:
        """Write the take as `stem` with the ending of each format.

        Parameters
        ----------
        stem : Path
        formats : tuple of str
            Keys of `pymaf_live.export.formats.FORMATS`.
        force : bool
            Replace existing files.
        options : ExportOptions, optional
        takes : tuple of str
            Ids of the takes to write; by default the open one, else the latest recording. Several
            are written into the folder of `stem`, each by its own name.
        """

    def cancel(self) -> None:
        """Cancel the export; completed files stay."""


class TakeCommands(Protocol):
    """Open and manage the takes of the library."""

    def open(self, take_id: str) -> None:
        """Open a take in place of the current source."""

    def open_latest(self) -> None:
        """Open the most recent take."""

    def open_file(self, path: Path) -> None:
        """Add a take file (npz) to the library and open it in place of the current source."""

    def rename(self, take_id: str, name: str) -> None:
        """Rename a take; can be undone."""

    def delete(self, take_id: str) -> None:
        """Delete a take for good."""


class TakeReviewCommands(Protocol):
    """Move through the open take."""

    def seek(self, frame: int) -> None:
        """Show a frame."""

    def step(self, frames: int) -> None:
        """Pause and move by a number of frames; negative is backwards."""

    def go_to_doubt(self, *, forward: bool) -> None:
        """Pause at the next or previous place where the motion is doubtful."""


class MotionCommands(Protocol):
    """Process the measurement of the open take again; can be undone."""

    def set_smoothing(self, smoothing: Smoothing) -> None:
        """Refine or smooth the take, or show the measurement."""

    def lock_feet(self, locked: bool) -> None:
        """Hold standing feet still, or not."""


class TakeEditCommands(Protocol):
    """Edit the open take; every edit can be undone."""

    def trim(self, first: int, last: int) -> None:
        """Keep only the frames from `first` to `last`, both included."""

    def set_start(self) -> None:
        """Trim what comes before the current frame."""

    def set_end(self) -> None:
        """Trim what comes after the current frame."""

    def reset_trim(self) -> None:
        """Restore the whole take."""

    def add_marker(self, name: str) -> None:
        """Set a marker at the current frame; replaces the name of an existing one."""

    def remove_marker(self, frame: int) -> None:
        """Remove the marker of a frame."""

    def move_marker(self, frame: int, to: int) -> None:
        """Move the marker of a frame to another frame."""

    def select_span(self, first: int, last: int) -> None:
        """Select the frames from `first` to `last`, both included."""

    def start_span(self) -> None:
        """Start the selected span at the current frame."""

    def end_span(self) -> None:
        """End the selected span at the current frame."""

    def hold_span(self) -> None:
        """Hold people still from the start of the selected span to its end."""

    def delete_span(self) -> None:
        """Remove people from the selected span."""

    def undo(self) -> None:
        """Undo the last edit."""

    def redo(self) -> None:
        """Redo the edit that was undone last."""


class CorrectionCommands(Protocol):
    """Re-estimate a person of the open take."""

    def reestimate(self, box: Array) -> None:
        """Re-estimate from the current frame on; can be undone.

        Parameters
        ----------
        box : (4,) array
            x0, y0, x1, y1 around the person in the current frame, pixels.
        """

    def cancel(self) -> None:
        """Cancel the re-estimation; the take stays as it is."""


class PeopleCommands(Protocol):
    """Edit the people of the source or take."""

    def name(self, person: int, name: str) -> None:
        """Name a person; can be undone in a take."""

    def merge(self, person: int, into: int) -> None:
        """Merge a person of the open take into another; can be undone."""

    def keep_only(self, person: int) -> None:
        """Remove everybody else from the open take; can be undone."""


class ModelCommands(Protocol):
    """Choose, add and import models."""

    def refresh(self) -> None:
        """List models and back-ends; loads the libraries of the back-ends in a thread."""

    def choose_model(self, key: str) -> None:
        """Run another model: 'auto', the name of a shipped one, or an added file."""

    def choose_backend(self, key: str) -> None:
        """Run the model on another back-end."""

    def add(self, path: Path) -> None:
        """Check a model file; if it works, list and choose it."""

    def remove(self, key: str) -> None:
        """Remove an added file from the list; the file itself stays."""

    def cancel_build(self) -> None:
        """Cancel an engine build or an import."""

    def import_body(self, path: Path) -> None:
        """Import an SMPL body file into the user's folder of bodies."""

    def import_checkpoint(self, checkpoint: Path, smpl: Path) -> None:
        """Convert a published PyMAF checkpoint and its body to a model file, and choose it."""


class CaptureCommands(Protocol):
    """Capture the whole video that is open, or that the open take was recorded from."""

    def start(self) -> None:
        """Measure every frame in the background; the take is opened when it is done."""

    def cancel(self) -> None:
        """Stop the capture; what was captured is kept, and can be continued."""

    def resume(self, video: Path) -> None:
        """Continue the interrupted capture of a video."""


class ReportCommands(Protocol):
    """Collect what a report of a problem needs."""

    def collect(self) -> None:
        """Run the checks of this computer; the text appears in the state."""


class BatchCommands(Protocol):
    """Process files in the background."""

    def add(self, paths: Iterable[Path]) -> None:
        """Append files and image folders; waiting duplicates are skipped."""

    def start(self) -> None:
        """Process the waiting files, and those added later, until `stop`."""

    def stop(self) -> None:
        """Finish the running file with what is done of it, and start no other."""

    def cancel(self, number: int) -> None:
        """Remove a waiting or finished file from the list; stop a running one."""

    def retry(self, number: int) -> None:
        """Queue a failed or stopped file again."""

    def clear(self) -> None:
        """Remove finished files from the list; their results stay."""


class LiveOutCommands(Protocol):
    """Stream the motion to other programs."""

    def start(self) -> None:
        """Stream to the address in the state."""

    def stop(self) -> None:
        """Stop streaming."""

    def set_origin(self) -> None:
        """Make the person's current position the receiver's origin."""


class Commands(Protocol):
    """All calls of the window, grouped by controller."""

    @property
    def sources(self) -> SourceCommands:
        """Sources."""

    @property
    def playback(self) -> PlaybackCommands:
        """Pause and resume."""

    @property
    def recording(self) -> RecordingCommands:
        """Recording."""

    @property
    def export(self) -> ExportCommands:
        """Export."""

    @property
    def takes(self) -> TakeCommands:
        """Library of takes."""

    @property
    def review(self) -> TakeReviewCommands:
        """Position in the open take."""

    @property
    def editing(self) -> TakeEditCommands:
        """Edits of the open take."""

    @property
    def motion(self) -> MotionCommands:
        """Smoothing of the open take."""

    @property
    def correction(self) -> CorrectionCommands:
        """Re-estimation."""

    @property
    def people(self) -> PeopleCommands:
        """People."""

    @property
    def models(self) -> ModelCommands:
        """Models and back-ends."""

    @property
    def batch(self) -> BatchCommands:
        """Batch processing."""

    @property
    def capture(self) -> CaptureCommands:
        """Capture of whole videos."""

    @property
    def report(self) -> ReportCommands:
        """Report of a problem."""

    @property
    def live_out(self) -> LiveOutCommands:
        """Live streaming."""

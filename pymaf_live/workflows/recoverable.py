"""Recordings that survive a crash: a journal in the take library until the results are written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from pymaf_live.body import Body
from pymaf_live.errors import Interrupted, OutputError, PymafLiveError
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.takes.ground import with_ground
from pymaf_live.takes.journal import Smoothing, TakeJournal, read_journal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.takes.shape import with_one_shape
from pymaf_live.takes.take import Take
from pymaf_live.types import FrameResult, Legs, SourceFacts


class RecoverableRecording:
    """Records frame results for a workflow that writes its own files.

    The journal lies in the take library as an unfinished recording, created with the first frame.
    A killed program leaves it behind; the next start offers to recover it. Used as a context
    manager: when the block ends normally the results are written, and the journal is removed; when
    it ends by an error the journal stays, unless the user gave up.

    Parameters
    ----------
    body : Body
    facts : SourceFacts
    smoothing : {'off', 'live', 'offline', 'refine'}
        See `TakeJournal`.
    library : TakeLibrary, optional
        The user's by default. Where it cannot be written a temporary folder is used, which is not
        searched at the next start; `notice` then says so.
    repeatable : bool
        The source can be processed again, so that giving up (Ctrl-C) removes the journal.
    legs : {'auto', 'standing', 'seated', 'measured'}
        See `finished_take`.
    """

    def __init__(
        self,
        body: Body,
        facts: SourceFacts,
        smoothing: Smoothing,
        library: TakeLibrary | None = None,
        *,
        repeatable: bool = True,
        legs: Legs = "auto",
    ) -> None:
        self._legs: Legs = legs
        self._body = body
        self._facts = facts
        self._smoothing = smoothing
        self._library = library or TakeLibrary()
        self._given_up = (Interrupted, KeyboardInterrupt) if repeatable else (Interrupted,)
        self._folder: Path | None = None
        self._journal: TakeJournal | None = None
        self.notice = ""
        """Reason why a crash could not be recovered from; empty where it could."""

    @property
    def frames(self) -> int:
        """Number of frames recorded so far."""
        return self._journal.frames if self._journal is not None else 0

    @property
    def seconds(self) -> float:
        """Time between the first and the last recorded frame."""
        return self._journal.seconds if self._journal is not None else 0.0

    def add(self, result: FrameResult, model: str) -> None:
        """Record a result of the network called `model`.

        Raises
        ------
        InputError
            If the frame's size differs from the first one's.
        OutputError
            If the journal cannot be written.
        """
        if self._journal is None:
            self._folder = self._make_folder()
            self._journal = TakeJournal(
                self._folder / JOURNAL,
                self._body,
                self._facts,
                model=model,
                smoothing=self._smoothing,
            )
        self._journal.add(result)

    def take(
        self, reporter: Reporter = SILENT, prepare: Callable[[Take], Take] = lambda take: take
    ) -> Take | None:
        """Return the take recorded so far, smoothed if chosen; None before the first frame.

        Parameters
        ----------
        reporter : Reporter
            Only its progress is used.
        prepare : callable
            Applied to the recorded take before it is smoothed.

        Raises
        ------
        InputError
            If the journal cannot be read back.
        """
        if self._folder is None or not self.frames:
            return None
        content = read_journal(self._folder / JOURNAL)
        return finished_take(
            prepare(content.take),
            content.smoothing,
            self._body,
            reporter=reporter,
            legs=self._legs,
        )

    def __enter__(self) -> Self:
        """Return the recording."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """Close the journal; remove it unless an error ended the block."""
        journal, folder = self._journal, self._folder
        if journal is None or folder is None:
            return
        with suppress(PymafLiveError):
            # not marked complete: whatever is left behind was interrupted
            journal.close(complete=False)
        if kind is None or issubclass(kind, self._given_up) or not journal.frames:
            shutil.rmtree(folder, ignore_errors=True)

    def _make_folder(self) -> Path:
        facts = self._facts
        name = facts.path.name if facts.path is not None else facts.name
        try:
            entry = self._library.begin(name, facts.path, temporary=True)
        except OutputError as error:
            self.notice = f"an interrupted run could not be recovered: {error}"
            return Path(tempfile.mkdtemp(prefix="pymaf-live-"))
        return self._library.folder(entry)


def finished_take(
    recorded: Take,
    smoothing: Smoothing,
    body: Body,
    strength: float = 0.5,
    reporter: Reporter = SILENT,
    legs: Legs = "auto",
) -> Take:
    """Return a recorded take with one shape per person and one ground, smoothed as recorded.

    The ground is estimated before the smoothing, so that it is the same for every kind. With the
    smoothing, legs that are not seen are put to rest (`motion.rest_legs`).

    Raises
    ------
    InputError
        If the take was made with another body.
    """
    # before the smoothing, which would otherwise smooth the depth's jumps between the shapes
    take = with_ground(with_one_shape(recorded, body), body)
    if smoothing not in ("offline", "refine") or not len(take.frame) or strength <= 0:
        return take
    from pymaf_live.motion import refine_take, rest_legs, smooth_offline

    if smoothing == "refine":
        take = refine_take(take, body, strength, reporter)
    else:
        take = smooth_offline(take, body, strength)
    return rest_legs(take, body, legs)

"""Streams what plays to other programs; the controller owns it and hands it the pipelines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from pymaf_live.errors import PymafLiveError
from pymaf_live.streaming import Address, VmcStream, parse_address
from pymaf_live.types import FrameResult
from ui.state.live_out import LiveOutPhase, LiveOutState, LiveOutStatus
from ui.system.task_runner import TaskRunner

_FIGURES_EVERY = 0.25


class Followed(Protocol):
    """What results come from."""

    def subscribe(self, follower: Callable[[FrameResult], None]) -> Callable[[], None]:
        """Have every result handed to `follower`; gives what ends it."""


class LiveOut:
    """Switches the stream on and off, whatever source plays or comes to play.

    Parameters
    ----------
    state : LiveOutState
        Written here.
    tasks : TaskRunner
        Looking a name up may take seconds.
    open_stream : callable
        Of the body that is shown; in a thread.
    """

    def __init__(
        self,
        state: LiveOutState,
        tasks: TaskRunner,
        open_stream: Callable[[Address], VmcStream],
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._open_stream = open_stream
        self._stream: VmcStream | None = None
        self._pipeline: Followed | None = None
        self._leave: Callable[[], None] | None = None
        self._person: int | None = None
        self._wish = 0
        """Number of the last wish; a stream that answers an older one is let go."""
        self._next_figures = 0.0

    def start(self) -> None:
        """Stream to the state's address."""
        self._end()
        self._wish += 1
        wish = self._wish
        try:
            address = parse_address(self._state.address.value)
        except PymafLiveError as error:
            self._state.status.set(LiveOutStatus(complaint=_sentence(error)))
            return
        self._state.status.set(LiveOutStatus(LiveOutPhase.OPENING, str(address)))

        def opened(stream: VmcStream) -> None:
            if wish != self._wish:
                stream.close()
                return
            self._stream = stream
            stream.select_person(self._person)
            self._state.status.set(LiveOutStatus(LiveOutPhase.WAITING, str(address)))
            self._join()

        def failed(error: Exception) -> None:
            if wish == self._wish:
                self._state.status.set(LiveOutStatus(complaint=_sentence(error)))

        self._tasks.submit("live out", lambda: self._open_stream(address), opened, failed)

    def stop(self) -> None:
        """Send nothing more."""
        self._end()
        self._wish += 1
        self._state.status.set(LiveOutStatus())

    def set_origin(self) -> None:
        """Make the place where the person stands now the receiver's origin."""
        if self._stream is not None:
            self._stream.set_origin()

    def choose(self, person: int | None) -> None:
        """Stream one person alone; None: the one followed longest."""
        self._person = person
        if self._stream is not None:
            self._stream.select_person(person)

    def attach(self, pipeline: Followed) -> None:
        """Another pipeline's results are what there is to send."""
        self.detach()
        self._pipeline = pipeline
        self._join()

    def detach(self) -> None:
        """The pipeline is no more."""
        if self._leave is not None:
            self._leave()
        self._leave = self._pipeline = None

    def tick(self) -> None:
        """Bring the state up to date; called with the window's timer, never blocks."""
        stream, now = self._stream, time.monotonic()
        if stream is None or now < self._next_figures:
            return
        self._next_figures = now + _FIGURES_EVERY
        rate = round(stream.rate, 1)
        phase = LiveOutPhase.SENDING if rate > 0 else LiveOutPhase.WAITING
        complaint = f"Nothing gets out: {stream.failure}." if stream.failure else ""
        self._state.status.set(LiveOutStatus(phase, str(stream.address), rate, complaint))

    def close(self) -> None:
        """End it for good."""
        self._wish += 1
        self.detach()
        self._end()

    def _join(self) -> None:
        if self._stream is not None and self._pipeline is not None and self._leave is None:
            self._leave = self._pipeline.subscribe(self._stream.send)

    def _end(self) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text[:1].upper() + text[1:] + "."

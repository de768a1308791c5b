"""Stream the motion of the open source to other programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from pymaf_live.errors import PymafLiveError
from pymaf_live.streaming import LiveStream, StreamTarget
from pymaf_live.types import FrameResult
from ui.controllers.source_session import SourceSession
from ui.state.commands import LiveOutCommands
from ui.state.live_out import LiveOutPhase, LiveOutState, LiveOutStatus
from ui.system.error_text import error_text, sentence
from ui.system.task_runner import TaskRunner

_STATUS_INTERVAL = 0.25
"""Seconds between two updates of the status."""


class ResultPublisher(Protocol):
    """Part of `Pipeline` that a stream needs."""

    def subscribe(self, subscriber: Callable[[FrameResult], None]) -> Callable[[], None]:
        """Pass every result to `subscriber`; return the function that ends it."""


class LiveOutController(LiveOutCommands):
    """Starts and stops the stream, independently of which source is open.

    Parameters
    ----------
    state : LiveOutState
        Written here: `status`.
    tasks : TaskRunner
        Resolving a host name may take seconds.
    open_stream : callable
        Opens a stream to a target; called in a thread.
    """

    def __init__(
        self,
        state: LiveOutState,
        tasks: TaskRunner,
        open_stream: Callable[[StreamTarget], LiveStream],
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._open_stream = open_stream
        self._stream: LiveStream | None = None
        self._pipeline: ResultPublisher | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._person: int | None = None
        self._latest_request = 0
        """Number of the last request; streams opened for older ones are closed."""
        self._next_status = 0.0

    def start(self) -> None:
        """See `LiveOutCommands.start`."""
        self._end()
        self._latest_request += 1
        request_id = self._latest_request
        try:
            target = self._state.target()
        except PymafLiveError as error:
            self._state.status.set(LiveOutStatus(error=error_text(error)))
            return
        self._state.status.set(LiveOutStatus(LiveOutPhase.OPENING, str(target)))

        def opened(stream: LiveStream) -> None:
            if request_id != self._latest_request:
                stream.close()
                return
            self._stream = stream
            stream.select_person(self._person)
            self._state.status.set(LiveOutStatus(LiveOutPhase.WAITING, str(target), url=stream.url))
            self._subscribe()

        def failed(error: Exception) -> None:
            if request_id == self._latest_request:
                self._state.status.set(LiveOutStatus(error=error_text(error)))

        self._tasks.submit("live out", lambda: self._open_stream(target), opened, failed)

    def stop(self) -> None:
        """See `LiveOutCommands.stop`."""
        self._end()
        self._latest_request += 1
        self._state.status.set(LiveOutStatus())

    def set_origin(self) -> None:
        """See `LiveOutCommands.set_origin`."""
        if self._stream is not None:
            self._stream.set_origin()

    def choose(self, person: int | None) -> None:
        """Stream one person; None streams the one tracked longest."""
        self._person = person
        if self._stream is not None:
            self._stream.select_person(person)

    def attach_session(self, session: SourceSession) -> None:
        """Stream the results of a new source."""
        self.attach(session.pipeline)

    def attach(self, pipeline: ResultPublisher) -> None:
        """Stream the results of a pipeline."""
        self.detach()
        self._pipeline = pipeline
        self._subscribe()

    def detach(self) -> None:
        """Stop taking results: the source is being closed."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._unsubscribe = self._pipeline = None

    def tick(self) -> None:
        """Update the status when it is due; never blocks."""
        stream, now = self._stream, time.monotonic()
        if stream is None or now < self._next_status:
            return
        self._next_status = now + _STATUS_INTERVAL
        rate = round(stream.rate, 1)
        phase = LiveOutPhase.SENDING if rate > 0 else LiveOutPhase.WAITING
        error = f"Nothing can be sent: {sentence(stream.failure)}" if stream.failure else ""
        self._state.status.set(
            LiveOutStatus(
                phase, self._state.status.value.address, rate, stream.lost, stream.url, error
            )
        )

    def close(self) -> None:
        """End the stream: the window is closing."""
        self._latest_request += 1
        self.detach()
        self._end()

    def _subscribe(self) -> None:
        if self._stream is not None and self._pipeline is not None and self._unsubscribe is None:
            self._unsubscribe = self._pipeline.subscribe(self._stream.send)

    def _end(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

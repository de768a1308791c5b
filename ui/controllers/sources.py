"""Open, play and close sources: cameras, streams and files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pymaf_live.body import Body
from pymaf_live.errors import InputError
from pymaf_live.pipeline.model_selection import body_for_model
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.types import FrameResult
from ui.controllers.messages import Messages
from ui.controllers.open_paths import choices_of
from ui.controllers.reconnect import Reconnector
from ui.controllers.source_discovery import SourceDiscovery
from ui.controllers.source_playback import SourcePlayback
from ui.controllers.source_session import OpenedSource, SessionOpener, SourceSession
from ui.state.commands import SourceCommands
from ui.state.source import FileQueue
from ui.state.window import Figures, Phase, SourceChoice, WindowState
from ui.system.error_text import error_text
from ui.system.task_runner import TaskRunner

_log = logging.getLogger(__name__)

Reconfigured = Callable[[Exception | None], None]


class SourceController(SourceCommands):
    """Owns the open source, its pipeline and the pipeline options.

    Parameters
    ----------
    state : WindowState
        Written here: `phase`, `source`, `sources`, `live`, `mirror`, `result` and `body`.
    tasks : TaskRunner
    options : PipelineOptions
        Options of the pipelines to open.
    opener : SessionOpener
    discovery : SourceDiscovery
    messages : Messages
    """

    def __init__(
        self,
        state: WindowState,
        tasks: TaskRunner,
        options: PipelineOptions,
        opener: SessionOpener,
        discovery: SourceDiscovery,
        messages: Messages,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self.options = options
        """Options in use, and of the pipelines to open."""
        self._opener = opener
        self._discovery = discovery
        self._messages = messages
        self.on_opened: list[Callable[[SourceSession], None]] = []
        """Called with each session once its pipeline runs."""
        self.on_closed: list[Callable[[], None]] = []
        """Called before a source, or a take in its place, is closed."""
        self.session: SourceSession | None = None
        self.playback = SourcePlayback(state, lambda: self.session, self.open)
        self.on_result: list[Callable[[FrameResult], None]] = [self.playback.shown]
        """Called with each result before it is shown."""
        self._latest_request = 0
        """Number of the last request to open something; results of older ones are closed."""
        self._reconnector = Reconnector(tasks, self._on_reconnected, self._on_still_away)

    def find_cameras(self) -> None:
        """See `SourceCommands.find_cameras`."""
        self._discovery.find_cameras()

    def open_files(self, paths: Sequence[Path]) -> None:
        """See `SourceCommands.open_files`."""

        def done(choices: tuple[SourceChoice, ...]) -> None:
            self._open(choices[0], FileQueue(choices))

        self._tasks.submit("list files", lambda: choices_of(paths), done, self._messages.error)

    def step_file(self, step: int) -> None:
        """See `SourceCommands.step_file`."""
        queue = self._state.sources.queue.value
        choice = queue.next if step > 0 else queue.previous
        if choice is not None:
            self._open(choice, replace(queue, index=queue.index + step))

    def stop_reconnecting(self) -> None:
        """See `SourceCommands.stop_reconnecting`."""
        if self.session is not None:
            self.close()
        else:
            self._reconnector.stop()
            self._state.sources.outage.set("")

    def open(self, choice: SourceChoice) -> None:
        """See `SourceCommands.open`."""
        self._open(choice, FileQueue())

    def close(self) -> None:
        """See `SourceCommands.close`."""
        before = self._leave()
        self._state.sources.queue.set(FileQueue())
        self._state.phase.set(Phase.EMPTY)
        self._state.source.set(None)
        _close_in_background(self._tasks, before)

    def reconfigure(self, options: PipelineOptions, done: Reconfigured | None) -> None:
        """Use other options for the sources to open and, with `done`, for the open one.

        Parameters
        ----------
        options : PipelineOptions
        done : callable, optional
            Called in any thread with None, or with the error if the open source continues with
            the old options. None leaves the open source as it is.
        """
        self.options = options
        if done is None:
            return
        session = self.session
        if session is None:
            done(None)
            return

        def found(body: Body) -> None:
            if self.session is not session:
                done(None)
            elif body.sha256 == session.body.sha256:
                session.pipeline.reconfigure(options, done)
            else:
                # recording, smoothing and stream have one body: open the source again
                done(None)
                self._open(session.choice, self._state.sources.queue.value, keep=False)

        self._tasks.submit("find body", lambda: body_for_model(options.model), found, done)

    def update_parameters(self, options: PipelineOptions) -> None:
        """Apply the smoothing and the field of view of `options` from the next frame on."""
        self.options = options
        if self.session is not None:
            self.session.pipeline.update_parameters(options)

    def tick(self) -> None:
        """Retry what is away; show the newest result; notice the end of the source."""
        self._reconnector.tick()
        session = self.session
        if session is None:
            return
        opening = self._state.phase.value is Phase.OPENING
        if opening and session.playback is not None and session.pipeline.ready:
            session.playback.resume()  # earlier, frames would be played before they can be shown
        try:
            ended = session.pipeline.ended  # read first: results until then are taken below
            result = session.pipeline.latest_result()
        except Exception as error:
            self._on_end(error)
            return
        if result is not None:
            self._show(result)
        elif ended:
            self._on_end()

    def shut_down(self) -> None:
        """Close the source for good: the window is closing."""
        last_started = self._opener.close()
        before = self._leave()
        if before is not None:
            before.pipeline.close()
        elif last_started is not None:
            last_started.close()  # it runs, but its session was not processed yet

    def _open(self, choice: SourceChoice, queue: FileQueue, *, keep: bool = True) -> None:
        """Open a source; with `keep`, what is open stays until the new source has been opened."""
        if self._opener.closed:
            return
        self._messages.clear()
        if keep and _can_stay_open(self._state, self.session, choice):
            self._open_beside(choice, queue)
        else:
            before = self._replace(choice, queue)
            self._start(choice, before, lambda: self._open_source(choice))

    def _open_beside(self, choice: SourceChoice, queue: FileQueue) -> None:
        """Open a source while another one plays, which stays where the new one is unusable."""
        self._latest_request += 1
        request_id = self._latest_request
        self._state.sources.opening.set(choice)

        def done(opened: OpenedSource) -> None:
            if request_id != self._latest_request:
                self._tasks.submit("close", opened.source.close, lambda _: None, _log_failure)
                return
            self._start(choice, self._replace(choice, queue), lambda: opened)

        def failed(error: Exception) -> None:
            if request_id == self._latest_request:
                self._state.sources.opening.set(None)
                self._messages.error(error)

        self._tasks.submit("open beside", lambda: self._open_source(choice), done, failed)

    def _replace(self, choice: SourceChoice, queue: FileQueue) -> SourceSession | None:
        """Leave what is open for a source that is about to play; return the session to close."""
        before = self._leave()
        self._state.sources.queue.set(queue)
        self._state.source.set(choice)
        self._state.phase.set(Phase.OPENING)
        return before

    def _start(
        self,
        choice: SourceChoice,
        before: SourceSession | None,
        open_source: Callable[[], OpenedSource],
    ) -> None:
        """Start the pipeline of a source once the session before it is closed."""
        request_id = self._latest_request

        def work() -> SourceSession | None:
            if before is not None:
                before.pipeline.close()  # a camera can be opened only once
            return self._session(open_source(), request_id)

        def failed(error: Exception) -> None:
            self._on_open_failed(choice, error, request_id)

        self._tasks.submit("open", work, self._on_opened, failed)

    def _open_source(self, choice: SourceChoice) -> OpenedSource:
        return self._opener.open_source(choice, loop=self._state.loop.value)

    def _session(self, opened: OpenedSource, request_id: int) -> SourceSession | None:
        return self._opener.start(
            opened,
            self.options,
            request_id=request_id,
            is_wanted=lambda: request_id == self._latest_request,
        )

    def _on_opened(self, session: SourceSession | None) -> None:
        if session is None:
            return
        if session.request_id != self._latest_request:
            _close_in_background(self._tasks, session)
            return
        self.session = session
        self._state.body.set(session.body)
        for callback in self.on_opened:
            callback(session)
        started, current = session.pipeline.options, self.options
        wanted = (current.model, current.backend, current.people)
        if (started.model, started.backend, started.people) != wanted:  # changed meanwhile
            session.pipeline.reconfigure(current)
        self.playback.apply(session)

    def _on_open_failed(self, choice: SourceChoice, error: Exception, request_id: int) -> None:
        if request_id != self._latest_request:
            return
        self._state.phase.set(Phase.EMPTY)
        self._state.source.set(None)
        if choice.live and isinstance(error, InputError):
            self._reconnector.start(
                choice, lambda: self._session(self._open_source(choice), request_id)
            )
            self._on_still_away(choice, error)
        else:
            self._messages.error(error)

    def _on_still_away(self, choice: SourceChoice, error: Exception) -> None:
        if isinstance(error, InputError):
            self._state.sources.outage.set(
                f"{error_text(error)} {choice.title} opens automatically once it is available."
            )
        else:
            self._reconnector.stop()
            self._state.sources.outage.set("")
            self._messages.error(error)

    def _on_reconnected(self, choice: SourceChoice, session: SourceSession | None) -> None:
        if session is not None and session.request_id == self._latest_request:
            self._state.sources.outage.set("")
            self._state.source.set(choice)
            self._state.phase.set(Phase.OPENING)
        self._on_opened(session)

    def _show(self, result: FrameResult) -> None:
        if self._state.phase.value is Phase.OPENING:
            self._state.phase.set(Phase.PLAYING)
        for callback in self.on_result:
            callback(result)
        self._state.result.set(result)

    def _on_end(self, error: Exception | None = None) -> None:
        """Go on to the next file, or keep the last frame; without any frame, close the source."""
        if error is None and self._state.sources.queue.value.next is not None:
            queue = self._state.sources.queue.value
            following = replace(queue, index=queue.index + 1)
            self._open(following.choices[following.index], following, keep=False)
            return
        shown = self._state.result.value is not None
        before = self._leave(keep_image=shown)
        self._state.phase.set(Phase.ENDED if shown else Phase.EMPTY)
        if error is not None:
            if not shown:
                self._state.source.set(None)
            self._messages.error(error)
        elif not shown:
            self._messages.error_line("The source has no frames.")
        _close_in_background(self._tasks, before)

    def _leave(self, *, keep_image: bool = False) -> SourceSession | None:
        """Detach the open source from the window and return it for closing."""
        for callback in self.on_closed:
            callback()
        self._latest_request += 1
        self._reconnector.stop()
        self._state.sources.outage.set("")
        self._state.sources.opening.set(None)
        session, self.session = self.session, None
        if not keep_image:
            self._state.result.set(None)
            self._state.drawn.set(None)
            self._state.figures.set(Figures())
        return session


def _close_in_background(tasks: TaskRunner, session: SourceSession | None) -> None:
    if session is not None:
        tasks.submit("close", session.pipeline.close, lambda _: None, _log_failure)


def _log_failure(error: Exception) -> None:
    _log.error("a source could not be closed", exc_info=error)


def _can_stay_open(state: WindowState, session: SourceSession | None, choice: SourceChoice) -> bool:
    """Return True if what is open can stay while a source is opened."""
    if state.phase.value not in (Phase.PLAYING, Phase.PAUSED, Phase.ENDED):
        return False
    # one camera at a time: it may be the same one in another mode
    return session is None or {choice.kind, session.choice.kind} != {"camera"}

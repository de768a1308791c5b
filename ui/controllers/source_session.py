"""Open sources and start their pipelines in a task's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from pymaf_live.body import Body
from pymaf_live.pipeline.model_selection import body_for_model
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import Source, open_source, paced
from pymaf_live.sources.looping import LoopingSource
from pymaf_live.types import SourceFacts
from ui.state.source import SourceChoice

OpenPipeline = Callable[[Source, PipelineOptions], Pipeline]


@dataclass(frozen=True)
class OpenedSource:
    """An open source that no pipeline reads yet."""

    choice: SourceChoice
    source: Source
    playback: LoopingSource | None
    """Pause and loop of a file; None for cameras and streams."""


@dataclass(frozen=True)
class SourceSession:
    """An open source with its running pipeline."""

    request_id: int
    """Number of the request that opened it."""
    choice: SourceChoice
    pipeline: Pipeline
    playback: LoopingSource | None
    """Pause and loop of a file; None for cameras and streams."""
    facts: SourceFacts
    body: Body
    """Body of the model."""


class SessionOpener:
    """Opens sessions, and knows which one was started last.

    Parameters
    ----------
    open_pipeline : callable
        Creates the pipeline of an open source without starting it.
    """

    def __init__(self, open_pipeline: OpenPipeline) -> None:
        self.open_pipeline = open_pipeline
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._last_started: Pipeline | None = None

    @property
    def closed(self) -> bool:
        """True once `close` was called."""
        return self._closed.is_set()

    @staticmethod
    def open_source(choice: SourceChoice, *, loop: bool) -> OpenedSource:
        """Open a source without reading it; blocks.

        Parameters
        ----------
        choice : SourceChoice
        loop : bool
            Restart a file at its end.

        Raises
        ------
        InputError
            If the source cannot be opened.
        """
        if choice.live:
            return OpenedSource(choice, open_source(choice.text, reconnect_forever=True), None)
        playback = LoopingSource(lambda: open_source(choice.text), loop=loop)
        return OpenedSource(choice, paced(playback), playback)

    def start(
        self,
        opened: OpenedSource,
        options: PipelineOptions,
        *,
        request_id: int,
        is_wanted: Callable[[], bool],
    ) -> SourceSession | None:
        """Start the pipeline of an open source; blocks.

        Parameters
        ----------
        opened : OpenedSource
            Closed if it is not started.
        options : PipelineOptions
        request_id : int
        is_wanted : callable
            Returns False once another source was requested instead; the result is None then.
        """
        try:
            pipeline = self.open_pipeline(opened.source, options)
        except BaseException:
            opened.source.close()
            raise
        with self._lock:  # `close` must see every pipeline that was started
            wanted = not self.closed and is_wanted()
            if wanted:
                pipeline.start()
                self._last_started = pipeline
        if not wanted:
            pipeline.close()
            return None
        body = body_for_model(pipeline.options.model)
        facts = opened.source.facts
        return SourceSession(request_id, opened.choice, pipeline, opened.playback, facts, body)

    def close(self) -> Pipeline | None:
        """Start no more pipelines; return the one that was started last."""
        with self._lock:
            self._closed.set()
            return self._last_started

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

    def open(
        self,
        choice: SourceChoice,
        options: PipelineOptions,
        *,
        loop: bool,
        request_id: int,
        is_wanted: Callable[[], bool],
    ) -> SourceSession | None:
        """Open a source and start its pipeline; blocks.

        Parameters
        ----------
        choice : SourceChoice
        options : PipelineOptions
        loop : bool
            Restart a file at its end.
        request_id : int
        is_wanted : callable
            Returns False once another source was requested instead; the result is None then.

        Raises
        ------
        InputError
            If the source cannot be opened.
        """
        playback: LoopingSource | None = None
        source: Source
        if choice.live:
            source = open_source(choice.text, reconnect_forever=True)
        else:
            playback = LoopingSource(lambda: open_source(choice.text), loop=loop)
            source = paced(playback)
        try:
            pipeline = self.open_pipeline(source, options)
        except BaseException:
            source.close()
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
        return SourceSession(request_id, choice, pipeline, playback, source.facts, body)

    def close(self) -> Pipeline | None:
        """Start no more pipelines; return the one that was started last."""
        with self._lock:
            self._closed.set()
            return self._last_started

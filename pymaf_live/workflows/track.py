"""Live tracking for the public Python API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pymaf_live.pipeline.health import Health
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.types import FrameResult, Legs
from pymaf_live.workflows.api_arguments import (
    Backend,
    SourceLike,
    open_source_like,
    pipeline_options,
)

_POLL_SECONDS = 0.1


def track(
    source: SourceLike = 0,
    *,
    people: int | None = None,
    fov: float | None = None,
    model: str | Path = "auto",
    backend: Backend = "auto",
    smoothing: Literal["live", "off"] = "live",
    legs: Legs = "auto",
    realtime: bool = False,
) -> Tracking:
    """Track the people in a camera, a file or a stream, frame by frame.

    The result is an iterator. Its threads end when the loop ends: at the end of the source, on
    ``break``, on an exception and on Ctrl-C. In a ``with`` block they end with the block, so that
    a second loop may continue.

    Parameters
    ----------
    source : str, path or int
        Camera number or device, stream address, video, image or folder of images.
    people : int, optional
        Maximum number of people to track, the nearest first; 1 live and 4 in files by default.
    fov : float, optional
        Diagonal field of view of the camera in degrees; 53 by default.
    model, backend : str
        As in `process`.
    smoothing : {'live', 'off'}
        Filter the motion, or return the measurements.
    legs : {'auto', 'standing', 'seated', 'measured'}
        As in `process`.
    realtime : bool
        Play files at their own rate and drop frames as a camera does; by default every frame of a
        file is returned.

    Returns
    -------
    Tracking
        Iterator over `FrameResult`; a live source drops frames where the loop is slower.

    Raises
    ------
    InputError
        If the source cannot be opened.
    ModelError
        If the model or the back-end cannot be used.

    Examples
    --------
    >>> import pymaf_live as pl
    >>> from pymaf_live.resources import resource
    >>> for result in pl.track(resource("demo.mp4"), model="lite"):
    ...     for person in result.people:
    ...         hip_height = person.joints[0, 1]
    ...     if result.frame.index == 3:
    ...         break
    >>> with pl.track(resource("demo.mp4"), model="lite") as tracking:
    ...     first = next(tracking)
    >>> first.people[0].joints.shape
    (24, 3)
    """
    options = pipeline_options(people, fov, model, backend, smoothing, None, legs)
    opened = open_source_like(source)
    if realtime:
        from pymaf_live.sources import paced

        opened = paced(opened)
    return Tracking(Pipeline(opened, options))


class Tracking:
    """Running tracker: an iterator over `FrameResult`, and a context manager.

    Created by `track`.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._in_block = False
        pipeline.start()

    def __iter__(self) -> Iterator[FrameResult]:
        """Iterate over the results; outside a ``with`` block the end of the loop closes."""
        try:
            yield from _results(self._pipeline)
        finally:
            if not self._in_block:
                self.close()

    def __next__(self) -> FrameResult:
        """Return the next result.

        Raises
        ------
        StopIteration
            At the end of the source, and after `close`.
        PymafLiveError
            If the source, the model or the back-end fails.
        """
        return next(_results(self._pipeline))

    def __enter__(self) -> Self:
        """Keep the threads until the end of the block."""
        self._in_block = True
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self._in_block = False
        self.close()

    def __del__(self) -> None:
        """Close, unless the interpreter has: no thread could start any more."""
        if not sys.is_finalizing():
            self.close()

    @property
    def health(self) -> Health:
        """Frame rate, time per stage, dropped frames, model and back-end of the running tracker."""
        return self._pipeline.health

    def close(self) -> None:
        """End the threads and close the source, within 2 s; may be called several times."""
        self._pipeline.close()


def _results(pipeline: Pipeline) -> Iterator[FrameResult]:
    """Iterate over the results; waits in steps, so that Ctrl-C is handled."""
    while True:
        result = pipeline.next_result(_POLL_SECONDS)
        if result is not None:
            yield result
        elif pipeline.ended:
            return

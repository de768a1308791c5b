"""Arguments that the functions of the public Python API share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pymaf_live.errors import Interrupted
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.resources import cache_folder
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.types import Array, Legs

if TYPE_CHECKING:
    from pymaf_live.sources import Source

SourceLike = str | os.PathLike[str] | int
"""Camera number, path of a video, image or folder, file pattern, or stream address."""
Backend = Literal["auto", "openvino", "onnxruntime", "tensorrt", "tensorrt-rtx"]
Progress = Callable[[float | None, str], None]
"""Receives the finished part of the work, 0..1 or None where unknown, and the current step."""


class CallbackReporter(SilentReporter):
    """Reporter that passes progress to a function; an exception in it cancels the work.

    A context manager that raises the exception at its end.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._error: BaseException | None = None

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Call the function."""
        if self._progress is None:
            return
        try:
            self._progress(fraction, detail)
        except BaseException as error:
            self._error = error
            raise Interrupted("the progress callback raised an exception") from error

    def __enter__(self) -> Self:
        """Return the reporter."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Raise the exception of the callback."""
        if self._error is not None:
            raise self._error


def open_source_like(source: SourceLike) -> Source:
    """Open the source of an API call.

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    from pymaf_live.sources import open_source

    return open_source(os.fspath(source) if not isinstance(source, int) else str(source))


def pipeline_options(
    people: int | None,
    fov: float | None,
    model: str | Path,
    backend: Backend,
    smoothing: Literal["live", "off"],
    boxes: Mapping[str, Array] | None,
    legs: Legs = "auto",
) -> PipelineOptions:
    """Return the options of a pipeline that uses the user's cache of compiled models.

    Raises
    ------
    ModelError
        If the model does not exist.
    """
    from pymaf_live.pipeline.model_selection import resolve_model

    return PipelineOptions(
        model=resolve_model(model),
        backend=backend,
        people=people,
        fov=fov,
        smoothing=smoothing,
        boxes=boxes,
        legs=legs,
        cache=cache_folder(),
    )

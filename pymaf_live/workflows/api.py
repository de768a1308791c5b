"""Public Python API: motion from videos, images and cameras in a few lines.

The functions are attributes of the package: ``import pymaf_live as pl``, then `pl.process`,
`pl.track`, `pl.estimate`, `pl.load` and `pl.export`.

The functions raise the errors of `pymaf_live.errors`, all of which derive from
`pymaf_live.PymafLiveError`. They keep no state between calls, may be called from any thread and
several times at once, and end their threads on Ctrl-C.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from pymaf_live.errors import EndlessSourceError, InputError, Interrupted, UsageError
from pymaf_live.pipeline.health import Health
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.resources import cache_folder
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Frame, FrameResult, Image, Person, SourceFacts

if TYPE_CHECKING:
    from pymaf_live.export.options import Rig, Unit, World
    from pymaf_live.sources import Source

SourceLike = str | os.PathLike[str] | int
"""Camera number, path of a video, image or folder, file pattern, or stream address."""
Backend = Literal["auto", "openvino", "onnxruntime", "tensorrt", "tensorrt-rtx"]
Progress = Callable[[float | None, str], None]
"""Receives the finished part of the work, 0..1 or None where unknown, and what is being done."""

_POLL_SECONDS = 0.1


def process(
    source: SourceLike,
    *,
    people: int | None = None,
    fov: float | None = None,
    model: str | Path = "auto",
    backend: Backend = "auto",
    smoothing: Literal["offline", "live", "off"] = "offline",
    foot_lock: Literal["auto", "always", "never"] = "auto",
    boxes: Mapping[str, Array] | None = None,
    progress: Progress | None = None,
) -> Take:
    """Estimate the people in a video, an image or a folder of images.

    Parameters
    ----------
    source : str, path or int
        Video, image, folder of images or pattern such as ``shots/*.jpg``.
    people : int, optional
        Maximum number of people to track, the nearest first; 4 by default.
    fov : float, optional
        Diagonal field of view of the camera in degrees; 53 by default.
    model : str or Path
        'auto' (the most accurate model that keeps up with the source), the name of a shipped
        model, or an ONNX file.
    backend : str
        Inference back-end.
    smoothing : {'offline', 'live', 'off'}
        'offline' smooths the finished take with all of it in view, 'live' filters frame by frame.
        Separate images are never smoothed.
    foot_lock : {'auto', 'always', 'never'}
        Hold standing feet still: where contact is certain, always, or never.
    boxes : mapping, optional
        Boxes of people instead of detecting them: (N, 4) arrays of x0, y0, x1, y1 in pixels by
        image name or by frame index as text.
    progress : callable, optional
        Called with the finished part of the work (0..1, None where unknown) and a text. An
        exception that it raises ends the work and is passed on.

    Returns
    -------
    Take

    Raises
    ------
    InputError
        If the source cannot be read.
    UsageError
        If the source is live and so has no end; use `track`.
    ModelError
        If the model or the back-end cannot be used.

    Examples
    --------
    >>> import pymaf_live as pl
    >>> from pymaf_live.resources import resource
    >>> take = pl.process(resource("demo.mp4"), people=1, model="lite")
    >>> len(take.frame_time), take.joint_names[:3]
    (210, ('pelvis', 'left_hip', 'right_hip'))
    """
    from pymaf_live.workflows.process import ProcessOptions
    from pymaf_live.workflows.process import process as process_source

    options = ProcessOptions(
        pipeline=_pipeline_options(people, fov, model, backend, "live", boxes),
        smoothing=smoothing,
        foot_lock=foot_lock,
    )
    try:
        with _Callback(progress) as reporter:
            take = process_source(_open(source), options, reporter).take
    except EndlessSourceError as error:
        raise UsageError(f"{error}; use track() instead of process()") from error
    if take is None:
        raise InputError(f"{source} contains no readable frames")
    return take


def track(
    source: SourceLike = 0,
    *,
    people: int | None = None,
    fov: float | None = None,
    model: str | Path = "auto",
    backend: Backend = "auto",
    smoothing: Literal["live", "off"] = "live",
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
    options = _pipeline_options(people, fov, model, backend, smoothing, None)
    opened = _open(source)
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
        """Close."""
        self.close()

    @property
    def health(self) -> Health:
        """Frame rate, time per stage, dropped frames, model and back-end of the running tracker."""
        return self._pipeline.health

    def close(self) -> None:
        """End the threads and close the source, within 2 s; may be called several times."""
        self._pipeline.close()


def estimate(
    image: Image,
    *,
    people: int | None = None,
    fov: float | None = None,
    model: str | Path = "auto",
    backend: Backend = "auto",
    boxes: Array | None = None,
) -> list[Person]:
    """Estimate the people in one image.

    Loads the model for every call; for many images `process` a folder, which loads it once.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        RGB, upright.
    people : int, optional
        Maximum number of people; 4 by default.
    fov : float, optional
        Diagonal field of view of the camera in degrees; 53 by default.
    model, backend : str
        As in `process`.
    boxes : (N, 4) array, optional
        Boxes of the people, x0, y0, x1, y1 in pixels, instead of detecting them.

    Returns
    -------
    list of Person
        Joints and translations in metres in the camera frame, key points in pixels.

    Raises
    ------
    InputError
        If the array is not an image.
    ModelError
        If the model or the back-end cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> import pymaf_live as pl
    >>> pl.estimate(np.zeros((480, 640, 3), np.uint8))
    []
    """
    from pymaf_live.pipeline.estimator_factory import open_estimator

    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            "the image must be an (H, W, 3) array of uint8 in RGB order, not "
            f"{image.shape} of {image.dtype}"
        )
    by_frame = None if boxes is None else {"0": np.asarray(boxes, dtype=np.float64)}
    options = _pipeline_options(people, fov, model, backend, "off", by_frame)
    height, width = image.shape[:2]
    facts = SourceFacts("images", "array", (width, height), None, 1, None, live=False)
    estimator = open_estimator(facts, options)
    try:
        return list(estimator.estimate(Frame(0, 0.0, np.ascontiguousarray(image))).people)
    finally:
        estimator.close()


def load(path: str | os.PathLike[str]) -> Take:
    """Load a take from its npz file.

    Raises
    ------
    InputError
        If the file is missing or is not a take.

    Examples
    --------
    >>> import tempfile
    >>> import pymaf_live as pl
    >>> from pymaf_live.resources import resource
    >>> take = pl.process(resource("demo.mp4"), people=1, model="lite")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = pl.export(take, f"{folder}/dance.npz")
    ...     pl.load(files[0]).joints.shape
    (210, 24, 3)
    """
    from pymaf_live.takes import read_take

    return read_take(Path(path))


def export(
    take: Take,
    path: str | os.PathLike[str],
    *,
    rate: Fraction | float | str | None = None,
    unit: Unit | None = None,
    rig: Rig = "smpl",
    world: World = "ground",
    in_place: bool = False,
    rest_first: bool = False,
    mesh: bool = True,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a take in a format of other programs, and check the file by reading it back.

    Parameters
    ----------
    take : Take
    path : str or path
        File to write; its suffix selects the format: .bvh, .fbx, .glb, .npz, .csv, .amass.npz,
        .usd, or a name that ends in _masks. Formats with one person per file add the person's
        number or name for every person but the first.
    rate : Fraction, float or str, optional
        Frames per second to resample to, such as 30 or '30000/1001'; the take's own by default.
    unit : {'m', 'cm'}, optional
        Unit of length; the usual one of the format by default.
    rig : {'smpl', 'mixamo', 'unreal', 'unity', 'vrm'}
        Convention of bone names, rest pose and bone axes.
    world : {'ground', 'camera'}
        'ground': upright, the floor at 0, the start at the origin. 'camera': the camera's frame.
    in_place : bool
        Remove the movement over the ground.
    rest_first : bool
        Insert the rest pose before the first frame.
    mesh : bool
        Include the skinned mesh, or only the skeleton.
    force : bool
        Replace existing files.
    progress : callable, optional
        Called with the finished part of the work (0..1) and the file's name. An exception that it
        raises ends the export and is passed on; no incomplete file remains.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    UsageError
        If the suffix is unknown or an option does not apply to the format.
    OutputError
        If a file exists without `force`, cannot be written, or fails its check.
    InputError
        If the body of the take is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import pymaf_live as pl
    >>> from pymaf_live.resources import resource
    >>> take = pl.process(resource("demo.mp4"), people=1, model="lite")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in pl.export(take, f"{folder}/dance.bvh", rig="mixamo")]
    ['dance.bvh']
    """
    from pymaf_live.export.formats import format_for_path, unsupported_options
    from pymaf_live.export.options import ExportOptions, parse_rate
    from pymaf_live.workflows.export import ExportRequest
    from pymaf_live.workflows.export import export as export_take

    target = Path(path)
    chosen = format_for_path(target)
    options = ExportOptions(
        rate=rate if isinstance(rate, Fraction) or rate is None else parse_rate(str(rate)),
        unit=unit,
        rig=rig,
        world=world,
        in_place=in_place,
        rest_first=rest_first,
        mesh=mesh,
    )
    unsupported = unsupported_options(options, [chosen])
    if unsupported:
        raise UsageError(f"{chosen.name} files have no option {', '.join(unsupported)}")
    with _Callback(progress) as reporter:
        exported = export_take(take, ExportRequest((target,), options, force=force), reporter)
    return [file.path for file in exported.files]


class _Callback(SilentReporter):
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


def _open(source: SourceLike) -> Source:
    from pymaf_live.sources import open_source

    return open_source(os.fspath(source) if not isinstance(source, int) else str(source))


def _pipeline_options(
    people: int | None,
    fov: float | None,
    model: str | Path,
    backend: Backend,
    smoothing: Literal["live", "off"],
    boxes: Mapping[str, Array] | None,
) -> PipelineOptions:
    from pymaf_live.pipeline.model_selection import given_model

    return PipelineOptions(
        model=given_model(model),
        backend=backend,
        people=people,
        fov=fov,
        smoothing=smoothing,
        boxes=boxes,
        cache=cache_folder(),
    )


def _results(pipeline: Pipeline) -> Iterator[FrameResult]:
    """Iterate over the results; waits in steps, so that Ctrl-C is handled."""
    while True:
        result = pipeline.next_result(_POLL_SECONDS)
        if result is not None:
            yield result
        elif pipeline.ended:
            return

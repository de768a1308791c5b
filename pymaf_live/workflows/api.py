"""Public Python API: motion from videos, images and cameras in a few lines.

The functions are attributes of the package: ``import pymaf_live as pl``, then `pl.process`,
`pl.track`, `pl.estimate`, `pl.load` and `pl.export`.

The functions raise the errors of `pymaf_live.errors`, all of which derive from
`pymaf_live.PymafLiveError`. They keep no state between calls, may be called from any thread and
several times at once, and end their threads on Ctrl-C.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pymaf_live.errors import EndlessSourceError, InputError, UsageError
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Frame, Image, Legs, Person, SourceFacts
from pymaf_live.workflows.api_arguments import (
    Backend,
    CallbackReporter,
    Progress,
    SourceLike,
    open_source_like,
    pipeline_options,
)

if TYPE_CHECKING:
    from pymaf_live.export.options import ExportOptions, Rig, Unit, World
    from pymaf_live.workflows.export import ExportRequest


def process(
    source: SourceLike,
    *,
    people: int | None = None,
    fov: float | None = None,
    model: str | Path = "auto",
    backend: Backend = "auto",
    smoothing: Literal["refine", "offline", "live", "off"] = "refine",
    foot_lock: Literal["auto", "always", "never"] = "auto",
    legs: Legs = "auto",
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
        'auto' (the most accurate one), the name of a shipped model, or an ONNX file.
    backend : str
        Inference back-end.
    smoothing : {'refine', 'offline', 'live', 'off'}
        'refine' optimises the finished take as a whole, 'offline' smooths it with all of it in
        view, 'live' filters frame by frame.
        Separate images are never smoothed.
    foot_lock : {'auto', 'always', 'never'}
        Hold standing feet still: where contact is certain, always, or never.
    legs : {'auto', 'standing', 'seated', 'measured'}
        Pose of legs that are not seen: standing or seated, as the thighs suggest, always one of
        them, or as the network guesses them. Their joints then have the score 0.
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
        pipeline=pipeline_options(people, fov, model, backend, "live", boxes, legs),
        smoothing=smoothing,
        foot_lock=foot_lock,
    )
    try:
        with CallbackReporter(progress) as reporter:
            take = process_source(open_source_like(source), options, reporter).take
    except EndlessSourceError as error:
        raise UsageError(f"{error}; use track() instead of process()") from error
    if take is None:
        raise InputError(f"{source} contains no readable frames")
    return take


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
    options = pipeline_options(people, fov, model, backend, "off", by_frame)
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
    camera: bool = False,
    one_file: bool = False,
    character: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a take in a format of other programs, and check the file by reading it back.

    Parameters
    ----------
    take : Take
    path : str or path
        File to write; its suffix selects the format (.bvh, .fbx, .glb, .npz, .csv, .trc, .c3d,
        .amass.npz, .smpl.npz, .vrma, .usd, .usda, .usdz, _masks). If each person has a file, the
        number or name is added for every person but the first.
    rate : Fraction, float or str, optional
        Frames per second to resample to, such as 30 or '30000/1001'; the take's own by default.
    unit : {'m', 'cm', 'mm'}, optional
        Unit of length; the usual one of the format by default.
    rig : {'smpl', 'mixamo', 'mixamo-plain', 'unreal', 'unity', 'vrm'}
        Convention of bone names, rest pose and bone axes.
    world : {'ground', 'camera'}
        'ground': upright, the floor at 0, the start at the origin. 'camera': the camera's frame.
    in_place, rest_first : bool
        Remove the movement over the ground; insert the rest pose before the first frame.
    mesh, camera : bool
        Include the skinned mesh; include the camera, to render the person over the video.
    one_file : bool
        Write all people into one file instead of one each.
    character : str or path, optional
        Character to put the motion on: a .vrm, .glb, .gltf or .fbx file, or 'alex' (shipped). The
        suffix is then .glb, .vrm, .vrma or .fbx; `rate`, `world` and `in_place` apply.
    force : bool
        Replace existing files.
    progress : callable, optional
        Called with the finished part of the work (0..1) and the file's name; its exceptions end the
        export.

    Returns
    -------
    list of Path

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
    from pymaf_live.export.options import ExportOptions
    from pymaf_live.workflows.export import export as export_take

    choices = (_parse_rate(rate), unit, rig, world, in_place, rest_first, mesh, camera, one_file)
    request = _export_request(Path(path), ExportOptions(*choices), character, force=force)
    with CallbackReporter(progress) as reporter:
        exported = export_take(take, request, reporter)
    return [file.path for file in exported.files]


def _export_request(
    target: Path, options: ExportOptions, character: str | os.PathLike[str] | None, *, force: bool
) -> ExportRequest:
    from pymaf_live.workflows.character import open_character
    from pymaf_live.workflows.export import ExportRequest

    _require_supported(options, target, with_character=character is not None)
    opened = None if character is None else open_character(os.fspath(character))
    return ExportRequest((target,), options, character=opened, force=force)


def _parse_rate(rate: Fraction | float | str | None) -> Fraction | None:
    from pymaf_live.export.options import parse_rate

    return rate if isinstance(rate, Fraction) or rate is None else parse_rate(str(rate))


def _require_supported(options: ExportOptions, target: Path, *, with_character: bool) -> None:
    from pymaf_live.export.character import OPTIONS
    from pymaf_live.export.formats import format_for_path, unsupported_options

    if with_character:
        if unknown := sorted(options.changed() - OPTIONS):
            raise UsageError(f"characters have no option {', '.join(unknown)}")
        return
    chosen = format_for_path(target)
    unsupported = unsupported_options(options, [chosen])
    if unsupported:
        raise UsageError(f"{chosen.name} files have no option {', '.join(unsupported)}")

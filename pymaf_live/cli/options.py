"""Options that several commands share, each declared once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pymaf_live.errors import UsageError

if TYPE_CHECKING:
    from pymaf_live.export.options import ExportOptions

ModelOption = Annotated[
    str,
    typer.Option(
        metavar="auto|lite|full|FILE",
        help="Shipped model, ONNX file, or auto: the most accurate model that keeps up with the "
        "source.",
    ),
]
BackendOption = Annotated[
    Literal["auto", "openvino", "onnxruntime", "tensorrt", "tensorrt-rtx"],
    typer.Option(help="Inference back-end."),
]
FootLockOption = Annotated[
    Literal["auto", "always", "never"],
    typer.Option(help="Hold standing feet still: where contact is certain, always, or never."),
]
LegsOption = Annotated[
    Literal["auto", "standing", "seated", "measured"],
    typer.Option(
        help="Legs that are not seen: standing or seated, whichever the thighs suggest, always one "
        "of them, or as the network guesses them. Has no effect with --smoothing off."
    ),
]
_FLAGS = {"mesh": "--no-mesh"}
"""Flags that are not called as their option."""

ForceOption = Annotated[bool, typer.Option("--force", help="Replace existing results.")]
InsecureOption = Annotated[
    bool,
    typer.Option("--insecure", help="Accept any certificate of an https or rtsps address."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


@dataclass(frozen=True)
class EstimationOptions:
    """Options of every command that estimates people in a source."""

    people: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=32,
            help="Maximum number of people to track, the nearest first. Default: 1 live, 4 in "
            "files.",
            show_default=False,
        ),
    ] = None
    fov: Annotated[
        float | None,
        typer.Option(
            min=1, max=179, help="Diagonal field of view of the camera, degrees. Default: 53."
        ),
    ] = None
    model: ModelOption = "auto"
    backend: BackendOption = "auto"
    legs: LegsOption = "auto"


@dataclass(frozen=True)
class MotionOptions:
    """Options of exported motion; each format accepts some of them."""

    rate: Annotated[
        str,
        typer.Option(
            metavar="source|N|N/M", help="Frames per second of the motion; 30000/1001 is exact."
        ),
    ] = "source"
    unit: Annotated[
        Literal["m", "cm", "mm"] | None,
        typer.Option(help="Unit of length. Default: the usual unit of the format."),
    ] = None
    rig: Annotated[
        Literal["smpl", "mixamo", "mixamo-plain", "unreal", "unity", "vrm"],
        typer.Option(help="Rig convention: bone names, rest pose and bone axes."),
    ] = "smpl"
    world: Annotated[
        Literal["ground", "camera"],
        typer.Option(
            help="ground: upright, floor at 0, start at the origin. camera: the camera's frame."
        ),
    ] = "ground"
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Remove the movement over the ground.")
    ] = False
    rest_first: Annotated[
        bool, typer.Option("--rest-first", help="Insert the rest pose before the first frame.")
    ] = False
    mesh: Annotated[
        bool,
        typer.Option("--mesh/--no-mesh", help="Include the skinned mesh, or only the skeleton."),
    ] = True

    camera: Annotated[
        bool, typer.Option("--camera", help="Include the camera, to render over the video.")
    ] = False
    one_file: Annotated[
        bool,
        typer.Option("--one-file", help="Write all people into one file instead of one each."),
    ] = False

    def export_options(self, formats: tuple[str, ...]) -> ExportOptions:
        """Return the options for an export into `formats`.

        Raises
        ------
        UsageError
            If the frame rate is not valid, or no format of `formats` has one of the options.
        """
        from pymaf_live.export.formats import FORMATS, unsupported_options

        options = self._options()
        unsupported = unsupported_options(options, [FORMATS[name] for name in formats])
        if unsupported:
            names = ", ".join(formats) or "no format"
            raise UsageError(f"{_flags(unsupported)} has no effect on {names}")
        return options

    def character_options(self) -> ExportOptions:
        """Return the options for an export of a character.

        Raises
        ------
        UsageError
            If the frame rate is not valid, or an option does not apply to characters.
        """
        from pymaf_live.export.character import OPTIONS

        options = self._options()
        unsupported = tuple(sorted(options.changed() - OPTIONS))
        if unsupported:
            raise UsageError(f"{_flags(unsupported)} has no effect on a character")
        return options

    def _options(self) -> ExportOptions:
        from pymaf_live.export.options import ExportOptions, parse_rate

        return ExportOptions(**{**asdict(self), "rate": parse_rate(self.rate)})


def _flags(names: tuple[str, ...]) -> str:
    return ", ".join(_FLAGS.get(name, f"--{name.replace('_', '-')}") for name in names)


def parse_path(text: str | Path) -> Path:
    """Return a path of the command line; an empty text would mean the current folder.

    A default, which is a path already, is returned unchanged.

    Raises
    ------
    typer.BadParameter
        If the text is empty or has a character that no path can have.
    """
    if isinstance(text, Path):
        return text
    if not text.strip() or "\0" in text:
        raise typer.BadParameter("the path is empty" if not text.strip() else "not a path")
    return Path(text)


def parse_formats(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of export formats.

    Raises
    ------
    UsageError
        If a format is unknown.
    """
    from pymaf_live.export.formats import FORMATS

    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"unknown export format {name!r}; known are {', '.join(FORMATS)}")
    return names


def parse_image_rate(text: str | None) -> Fraction | None:
    """Return the frame rate of numbered images; None for separate ones.

    Raises
    ------
    UsageError
        If it is not a number of frames per second.
    """
    from pymaf_live.export.options import parse_rate

    rate = None if text is None else parse_rate(text)
    if text is not None and rate is None:
        raise UsageError("--image-rate needs a number of frames per second, such as 30")
    return rate

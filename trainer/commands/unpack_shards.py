"""``python -m trainer unpack-shards``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import OutFolder


def unpack_shards(
    packed: Annotated[Path, typer.Argument(help="Folder of the shards and their index.")],
    out: OutFolder,
) -> None:
    """Restore the data of packed shards.

    Prints where each named set is.
    """
    from trainer.packaging.shards import unpack

    for name, location in sorted(unpack(packed, out).items()):
        print(f"{name}: {location}")

"""``python -m trainer unpack``."""

from __future__ import annotations

from trainer.commands.options import LspetFolder, OutFolder
from trainer.data.locations import LSPET


def unpack(out: OutFolder, lspet: LspetFolder = LSPET) -> None:
    """Write the held-out images and boxes as files.

    The files are input for main.py process --boxes.
    """
    from trainer.evaluation.held_out import unpack_held_out

    print(f"{unpack_held_out(lspet, out)} images in {out}")

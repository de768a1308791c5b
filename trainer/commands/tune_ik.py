"""``python -m trainer tune-ik``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import (
    LandmarkFolder,
    LspetFolder,
    OutFile,
)
from trainer.data.locations import BLAZEPOSE, LSPET


def tune_ik(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a trained network.")],
    out: OutFile,
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
) -> None:
    """Tune the IK steps of a trained network.

    The weights of the last level's IK steps are chosen on training images.
    """
    from trainer.training.checkpoint import checkpoint_landmark_file
    from trainer.training.ik_gain import tune_checkpoint

    scores = tune_checkpoint(
        checkpoint, out, lspet=lspet, landmark_file=checkpoint_landmark_file(checkpoint, landmarks)
    )
    for gain, score in scores.items():
        print(f"image x{gain.image:g}, momentum +{gain.momentum:g}: PCK {score:.4f}")

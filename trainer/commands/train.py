"""``python -m trainer train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import (
    CcpFolder,
    Device,
    FitsFile,
    LandmarkFolder,
    LspetFolder,
    NamedData,
    SyntheticFolder,
    named_data,
)
from trainer.commands.progress import TerminalReporter
from trainer.data.locations import BLAZEPOSE, CCP, FITS, LSPET, RUNS, SYNTHETIC, landmark_file


def train(
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="Configuration (TOML), see trainer/configs.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the run; runs/NAME if not given."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Checkpoint or exported .onnx whose weights a new run starts from."
        ),
    ] = None,
    packed: Annotated[
        Path | None,
        typer.Option(
            "--pack", metavar="FOLDER", help="Shards written by pack, used for the data they hold."
        ),
    ] = None,
    device: Device = "cpu",
    minutes: Annotated[
        float | None,
        typer.Option(help="Time budget: the run ends fully annealed after this many minutes."),
    ] = None,
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
    fits: FitsFile = FITS,
    ccp: CcpFolder = CCP,
    synthetic: SyntheticFolder = SYNTHETIC,
    data: NamedData = None,
) -> None:
    """Train a network, or resume a run that stopped."""
    from trainer.packaging.shards import unpack
    from trainer.train import train as run_training
    from trainer.training.config import read_config_file
    from trainer.training.datasets import Locations
    from trainer.training.threads import use_free_cores

    _, run_config = read_config_file(config)
    is_main = os.environ.get("RANK", "0") == "0"
    locations = {"lspet": lspet, "fits": fits, "ccp": ccp, "synthetic": synthetic}
    locations |= named_data(data)
    if packed is not None:
        locations |= unpack(packed, packed / "unpacked")
    with TerminalReporter(enabled=is_main) as reporter:
        use_free_cores()
        run_training(
            config,
            out=out or RUNS / run_config.name,
            locations=Locations(locations),
            landmark_file=landmark_file(
                run_config.network.encoder, locations.get("landmarks", landmarks)
            ),
            start=start or locations.get("start"),
            device=device,
            minutes=minutes,
            reporter=reporter,
        )

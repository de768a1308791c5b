"""``python -m trainer ablate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Device, FitsFile, LandmarkFolder, LspetFolder, OutFolder
from trainer.commands.progress import TerminalReporter
from trainer.data.locations import BLAZEPOSE, LSPET, NATURAL_FITS


def ablate(
    minutes: Annotated[float, typer.Option(help="Training time of the slowest variant.")],
    out: OutFolder,
    seeds: Annotated[int, typer.Option(help="Runs of each variant.")] = 3,
    variants: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Variants; all if not given.")
    ] = None,
    people: Annotated[
        int | None, typer.Option(help="Train on only this many people, the first ones.")
    ] = None,
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
    fits: FitsFile = NATURAL_FITS,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Common configuration; trainer/configs/ablation.toml if not given."
        ),
    ] = None,
    device: Device = "cpu",
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
) -> None:
    """Compare the paper's variants under one budget.

    Finished results in --out are kept, so a run that was stopped continues.
    """
    from trainer.ablation.run import CONFIG, Comparison
    from trainer.ablation.run import ablate as run_ablation
    from trainer.ablation.variants import VARIANTS

    names = tuple(variants.split(",")) if variants else tuple(VARIANTS)
    with TerminalReporter() as reporter:
        page = run_ablation(
            Comparison(minutes, seeds, names, people),
            out=out,
            config_file=config or CONFIG,
            lspet=lspet,
            fits=fits,
            landmark_file=landmarks / "pose_landmark_lite.tflite",
            device=device,
            threads=threads,
            reporter=reporter,
        )
    print(page)

"""``python -m trainer pack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import (
    CcpFolder,
    FitsFile,
    LandmarkFolder,
    LspetFolder,
    NamedData,
    OutFolder,
    SyntheticFolder,
    named_data,
)
from trainer.data.locations import BLAZEPOSE, CCP, FITS, LSPET, SYNTHETIC


def pack(
    out: OutFolder,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Configuration of the run whose data are packed."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Checkpoint or exported .onnx whose weights are packed too."
        ),
    ] = None,
    mib: Annotated[float, typer.Option(help="Largest size of a shard in MiB.")] = 24.0,
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
    fits: FitsFile = FITS,
    ccp: CcpFolder = CCP,
    synthetic: SyntheticFolder = SYNTHETIC,
    data: NamedData = None,
) -> None:
    """Pack the data of a run into shards.

    The shards are small enough to carry to a machine without network access.
    """
    from trainer.packaging.collect import pack_run

    named = named_data(data)
    locations = {"lspet": lspet, "fits": fits, "ccp": ccp, "synthetic": synthetic} | named
    pack_run(
        out,
        locations,
        named=named.keys(),
        config_file=config,
        start=start,
        landmarks=landmarks,
        largest=int(mib * 2**20),
    )

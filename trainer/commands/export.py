"""``python -m trainer export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from trainer.commands.options import LandmarkFolder, LspetFolder
from trainer.commands.progress import TerminalReporter
from trainer.data.locations import BLAZEPOSE, LSPET


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(help="Checkpoint of a run; with --tensorrt also an exported .onnx."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH", help="ONNX file to write; folder for the engines if given an .onnx."
        ),
    ],
    landmarks: LandmarkFolder = BLAZEPOSE,
    weights: Annotated[
        Literal["f16", "int8"],
        typer.Option(help="How the file stores them; int8 halves it and needs --lspet."),
    ] = "f16",
    lspet: LspetFolder = LSPET,
    levels: Annotated[
        Literal["last", "all"], typer.Option(help="Pyramid levels whose estimates are outputs.")
    ] = "last",
    version: Annotated[str, typer.Option(help="Version in the file's metadata.")] = "1",
    tensorrt: Annotated[
        str | None,
        typer.Option(
            metavar="SM80,SM86,...",
            help="Also build engines for these GPUs with TensorRT for RTX; needs no GPU.",
        ),
    ] = None,
    precision: Annotated[
        Literal["f16", "f32"], typer.Option(help="Precision of the engines.")
    ] = "f16",
) -> None:
    """Export a checkpoint to ONNX."""
    from trainer.export.tensorrt import build_engines, parse_capabilities

    # options are checked before the long work
    capabilities = parse_capabilities(tensorrt) if tensorrt is not None else ()
    if checkpoint.suffix == ".onnx" and capabilities:
        with TerminalReporter() as reporter:
            build_engines(checkpoint, out, capabilities, precision, reporter)
        return
    calibration = lspet if weights == "int8" else None
    _export_model(
        checkpoint, out, landmarks, calibration, all_levels=levels == "all", version=version
    )
    if capabilities:
        with TerminalReporter() as reporter:
            build_engines(out, out.parent / "engines", capabilities, precision, reporter)


def _export_model(
    checkpoint: Path,
    out: Path,
    landmarks: Path,
    calibration: Path | None,
    *,
    all_levels: bool,
    version: str,
) -> None:
    from trainer.export.onnx import export as export_onnx
    from trainer.training.checkpoint import checkpoint_landmark_file

    difference = export_onnx(
        checkpoint,
        out,
        landmark_file=checkpoint_landmark_file(checkpoint, landmarks),
        all_levels=all_levels,
        version=version,
        calibration=calibration,
    )
    print(f"{out}: largest difference from torch {difference:.1e}")

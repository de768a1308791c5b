"""``python -m trainer evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import (
    CcpFolder,
    FitsFile,
    LandmarkFolder,
    LspetFolder,
    SyntheticFolder,
)
from trainer.commands.progress import TerminalReporter
from trainer.data.locations import (
    BLAZEPOSE,
    CCP,
    COCO,
    DRESSED_TEST,
    FITS,
    LSPET,
    SYNTHETIC_TEST,
    VIDEOS,
)


def evaluate(
    model: Annotated[
        Path, typer.Argument(help="checkpoint.safetensors of a run, or an exported .onnx.")
    ],
    protocols: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help="Protocols to run; all that have their data if not given."
        ),
    ] = None,
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
    fits: FitsFile = FITS,
    ccp: CcpFolder = CCP,
    coco: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder of the packed COCO persons.")
    ] = COCO,
    synthetic: SyntheticFolder = SYNTHETIC_TEST,
    dressed: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Synthetic test set of dressed people, in groups."),
    ] = DRESSED_TEST,
    videos: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of videos.")] = VIDEOS,
    people: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Test set of 3DPW or Human3.6M in SPIN's npz layout."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the images of --people.")
    ] = None,
    smpl_body: Annotated[
        bool,
        typer.Option("--smpl-body", help="The body is SMPL: poses of --people are ground truth."),
    ] = False,
    lsp: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="LSP: images and joints.mat.")
    ] = None,
    lsp_parts: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="UP-3D's part maps of LSP.")
    ] = None,
    sheets: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for contact sheets.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for COCO's result files (JSON).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file for the figures.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Markdown file for a model card's table.")
    ] = None,
) -> None:
    """Measure a model on data that it was not trained on."""
    from trainer.evaluation.protocols import EvaluationData
    from trainer.evaluation.run import evaluate as run_evaluation

    locations = EvaluationData(
        lspet=lspet,
        fits=fits,
        ccp=ccp,
        coco=coco,
        synthetic=synthetic,
        dressed=dressed,
        videos=videos,
        lsp=lsp,
        lsp_parts=lsp_parts,
        smpl_body=smpl_body,
        people=people,
        pictures=pictures,
        landmarks=landmarks,
    )
    with TerminalReporter() as reporter:
        run_evaluation(
            model,
            locations,
            protocols=None if protocols is None else protocols.split(","),
            sheets=sheets,
            results=results,
            out=out,
            markdown=markdown,
            reporter=reporter,
        )

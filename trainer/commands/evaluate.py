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
    require_given_locations,
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

_LOCATIONS = (
    "lspet", "landmarks", "fits", "ccp", "coco", "synthetic", "dressed", "videos", "people",
    "pictures", "lsp", "lsp_parts", "coco_val",
)  # fmt: skip
"""Parameters of the command that are locations of data."""

_Model = Annotated[
    Path, typer.Argument(help="checkpoint.safetensors of a run, or an exported .onnx.")
]
_Protocols = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...", help="Protocols to run; all that have their data if not given."
    ),
]
_Coco = Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the packed COCO persons.")]
_Dressed = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Synthetic test set of dressed people, in groups.")
]
_Videos = Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of videos.")]
_People = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Test set of 3DPW or Human3.6M in SPIN's npz layout."),
]
_Pictures = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder of the images of --people.")
]
_SmplBody = Annotated[
    bool, typer.Option("--smpl-body", help="The body is SMPL: poses of --people are ground truth.")
]
_MaleBody = Annotated[
    str | None,
    typer.Option("--male-body", metavar="NAME", help="Imported SMPL body of the men in --people."),
]
_FemaleBody = Annotated[
    str | None,
    typer.Option("--female-body", metavar="NAME", help="The same of the women."),
]
_CocoVal = Annotated[
    Path | None,
    typer.Option("--coco-val", metavar="FOLDER", help="COCO with annotations and val2017."),
]
_Lsp = Annotated[Path | None, typer.Option(metavar="FOLDER", help="LSP: images and joints.mat.")]
_LspParts = Annotated[Path | None, typer.Option(metavar="FOLDER", help="UP-3D's part maps of LSP.")]
_Sheets = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Folder for contact sheets.")]
_Results = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder for COCO's result files (JSON).")
]
_Out = Annotated[Path | None, typer.Option(metavar="FILE", help="JSON file for the figures.")]
_Markdown = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Markdown file for a model card's table.")
]


def evaluate(
    context: typer.Context,
    model: _Model,
    protocols: _Protocols = None,
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
    fits: FitsFile = FITS,
    ccp: CcpFolder = CCP,
    coco: _Coco = COCO,
    synthetic: SyntheticFolder = SYNTHETIC_TEST,
    dressed: _Dressed = DRESSED_TEST,
    videos: _Videos = VIDEOS,
    people: _People = None,
    pictures: _Pictures = None,
    smpl_body: _SmplBody = False,
    male_body: _MaleBody = None,
    female_body: _FemaleBody = None,
    coco_val: _CocoVal = None,
    lsp: _Lsp = None,
    lsp_parts: _LspParts = None,
    sheets: _Sheets = None,
    results: _Results = None,
    out: _Out = None,
    markdown: _Markdown = None,
) -> None:
    """Measure a model on data that it was not trained on."""
    from trainer.evaluation.protocols import EvaluationData
    from trainer.evaluation.run import evaluate as run_evaluation

    require_given_locations(context, _LOCATIONS)
    locations = EvaluationData(
        lspet=lspet,
        fits=fits,
        ccp=ccp,
        coco=coco,
        coco_val=coco_val,
        synthetic=synthetic,
        dressed=dressed,
        videos=videos,
        lsp=lsp,
        lsp_parts=lsp_parts,
        smpl_body=smpl_body,
        people=people,
        pictures=pictures,
        landmarks=landmarks,
        genders={k: v for k, v in (("m", male_body), ("f", female_body)) if v is not None},
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

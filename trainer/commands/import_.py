"""``python -m trainer import``: licensed bodies and published checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pymaf_live.body.smpl_file import DEFAULT_SHAPE_COUNT
from trainer.commands.progress import TerminalReporter

app = typer.Typer(
    rich_markup_mode=None, help="Import a licensed body or a published checkpoint.",
)  # fmt: skip


@app.command()
def smpl(
    file: Annotated[
        Path, typer.Argument(help="SMPL as .pkl or .npz (SMPL-H, SMPL-X: skinning only).")
    ],
    name: Annotated[str, typer.Option(help="Name of the imported body.")] = "smpl",
    shapes: Annotated[int, typer.Option(help="Shape coefficients to keep.")] = DEFAULT_SHAPE_COUNT,
) -> None:
    """Import an SMPL body."""
    from pymaf_live.body.registry import import_body, user_body_path

    body = import_body(file, name, shapes)
    print(
        f"{user_body_path(name)}: {len(body.template)} vertices, {body.joint_count} joints, "
        f"{body.shape_count} shapes; use it with PYMAF_LIVE_BODY={name}"
    )


@app.command()
def pymaf(
    checkpoint: Annotated[Path, typer.Argument(help="PyMAF's published checkpoint.")],
    smpl: Annotated[
        Path, typer.Option(metavar="FILE", help="SMPL's neutral body, which it was trained with.")
    ],
    mean: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Mean pose, shape and camera (npz).")
    ] = None,
    downsampling: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Downsampling of the mesh (npz).")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model and of its body.")] = "pymaf",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="ONNX file to write; in the user's data folder if not given."
        ),
    ] = None,
) -> None:
    """Import PyMAF's published checkpoint as an ONNX model."""
    from trainer.importers.pymaf import import_pymaf

    with TerminalReporter() as reporter:
        path, difference = import_pymaf(
            checkpoint,
            smpl=smpl,
            mean=mean,
            downsampling=downsampling,
            name=name,
            out=out,
            reporter=reporter,
        )
    print(
        f"{path}: largest difference from torch {difference:.1e}; "
        f"use it with main.py process --model {path}"
    )

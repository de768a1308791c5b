"""``python -m trainer synthesize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pymaf_live.errors import UsageError
from trainer.commands.options import OutFolder
from trainer.data.locations import NATURAL_FITS, SHARED_DATA


def synthesize(
    out: OutFolder,
    count: Annotated[int, typer.Option(help="Number of images.")],
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    clean: Annotated[
        bool, typer.Option("--clean", help="Use only sources free for commercial use.")
    ] = False,
    test: Annotated[
        bool, typer.Option("--test", help="Make the test set, from sources never trained on.")
    ] = False,
    dressed: Annotated[
        bool, typer.Option("--dressed", help="Textured clothes, hair and shoes; needs --clothes.")
    ] = False,
    clothes: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder of the clothes for --dressed.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Longer side of the images in pixels [288; with --dressed 352]."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Number of processes.")] = 1,
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder of the packed sets.")
    ] = SHARED_DATA,
    fits: Annotated[
        Path, typer.Option(metavar="FILE", help="Fits of LSPET to take poses from.")
    ] = NATURAL_FITS,
    so_far: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Only copy the finished shards of --out here, as a set."
        ),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Contact sheet of the first images.")
    ] = None,
) -> None:
    """Render a set of synthetic people with exact ground truth."""
    from trainer.synthesis.generate import SynthesisOptions, take_finished
    from trainer.synthesis.generate import synthesize as generate

    if dressed != (clothes is not None):
        missing = "--clothes FOLDER" if dressed else "--dressed"
        raise UsageError(f"{'--dressed' if dressed else '--clothes'} needs {missing}")
    options = SynthesisOptions(
        count=count,
        seed=seed,
        clean=clean,
        test=test,
        size=size or (352 if dressed else 288),
        data=str(data),
        fits=str(fits),
        clothes=str(clothes) if clothes is not None else "",
    )
    if so_far is not None:
        print(f"{take_finished(out, options, so_far)} images in {so_far}")
        return
    generate(out, options, workers=workers)
    if sheet is not None:
        from trainer.rendering.contact_sheet import write_synthetic_sheet

        write_synthetic_sheet(sheet, out)
    print(f"{count} images in {out}")

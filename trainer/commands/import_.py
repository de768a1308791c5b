"""``python -m trainer import``: bring a licensed body or a published checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from pymaf_live.body.registry import adopt, body_file
from pymaf_live.body.smpl_file import USUAL_SHAPES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The kinds of things that can be imported, each with its own options."""
    kinds = parser.add_subparsers(required=True, metavar="KIND")

    smpl = kinds.add_parser("smpl", help="SMPL's .pkl or .npz (SMPL-H, SMPL-X: skinning only)")
    smpl.add_argument("file", type=Path)
    smpl.add_argument("--name", default="smpl", help="to call the body by (default: smpl)")
    smpl.add_argument("--shapes", type=int, default=USUAL_SHAPES, help="coefficients to keep")
    smpl.set_defaults(run=_smpl)

    pymaf = kinds.add_parser("pymaf", help="PyMAF's published checkpoint, as ONNX")
    pymaf.add_argument("checkpoint", type=Path)
    pymaf.add_argument("--smpl", type=Path, required=True, help="SMPL's neutral body")
    pymaf.add_argument("--mean", type=Path, help="npz of the mean pose, shape and camera")
    pymaf.add_argument("--downsampling", type=Path, help="npz of the mesh's downsampling")
    pymaf.add_argument("--name", default="pymaf", help="of the model and of its body")
    pymaf.add_argument("--out", type=Path, help="ONNX file (default: in the user's data folder)")
    pymaf.set_defaults(run=_pymaf)


def _smpl(options: argparse.Namespace) -> None:
    body = adopt(options.file, options.name, options.shapes)
    print(
        f"{body_file(options.name)}: {len(body.template)} vertices, {body.joint_count} joints, "
        f"{body.shape_count} shapes; PYMAF_LIVE_BODY={options.name} makes it the program's"
    )


def _pymaf(options: argparse.Namespace) -> None:
    from trainer.importers.pymaf import import_pymaf

    out, difference = import_pymaf(
        options.checkpoint,
        smpl=options.smpl,
        mean=options.mean,
        downsampling=options.downsampling,
        name=options.name,
        out=options.out,
    )
    print(f"{out}: within {difference:.1e} of torch; main.py process --model {out}")

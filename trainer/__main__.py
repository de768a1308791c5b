"""The trainer's command line: ``python -m trainer COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pymaf_live.errors import OutputError, PymafLiveError, UsageError
from pymaf_live.inference.metadata import LOWER_PRECISIONS

_LSPET = Path("../shared/data/lspet")
_CCP = Path("../shared/data/ccp")
_COCO = Path("../shared/data/coco_mini")
_VIDEOS = Path("../shared/data/videos")
_SYNTHETIC = Path("runs/synthetic_test")
_LANDMARKS = Path("../shared/assets/blazepose")
_FITS = Path("runs/fits_lspet.npz")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; one line to stderr and an exit code where it cannot."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except PymafLiveError as error:
        print(f"trainer: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"trainer: cannot write: {error}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt:
        print("trainer: stopped; what was saved is whole", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fit = commands.add_parser("fit", help="fit bodies to annotated pictures: pseudo labels")
    _add_data(fit)
    _add_fit(fit)

    train = commands.add_parser("train", help="train a network, or go on where a run stopped")
    _add_data(train)
    train.add_argument("--config", type=Path, required=True, help="TOML, see trainer/configs")
    train.add_argument("--out", type=Path, help="the run's folder (default: runs/NAME)")
    train.add_argument("--start", type=Path, help="checkpoint whose weights a new run begins with")
    _add_places(train)
    train.add_argument("--pack", type=Path, help="shards of `pack`, in place of what they hold")
    train.add_argument("--device", default="cpu", help="torch's name; cuda = each process's own")
    train.add_argument("--minutes", type=float, help="end, fully annealed, after so long")
    train.set_defaults(run=_train)

    packing = commands.add_parser("pack", help="what a run reads, in shards to carry elsewhere")
    _add_pack(packing)

    unpacking = commands.add_parser("unpack-shards", help="what was packed, as it was")
    unpacking.add_argument("packed", type=Path, help="folder of shards and index")
    unpacking.add_argument("--out", type=Path, required=True)
    unpacking.set_defaults(run=_unpack_shards)

    _add_evaluate(commands.add_parser("evaluate", help="figures on what was never trained on"))

    unpack = commands.add_parser(
        "unpack", help="held-out pictures and their boxes as files, for main.py process --boxes"
    )
    unpack.add_argument("--lspet", type=Path, default=_LSPET)
    unpack.add_argument("--out", type=Path, required=True)
    unpack.set_defaults(run=_unpack)

    export = commands.add_parser("export", help="a checkpoint to ONNX with fp16 weights")
    export.add_argument(
        "checkpoint", type=Path, help="or, with --tensorrt, an .onnx; --out is then their folder"
    )
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--landmarks", type=Path, default=_LANDMARKS)
    export.add_argument("--levels", choices=["last", "all"], default="last")
    export.add_argument("--version", default="1")
    export.add_argument(
        "--tensorrt",
        metavar="SM80,SM86,...",
        help="and engines for these GPUs beside it, by TensorRT for RTX; no GPU is needed",
    )
    export.add_argument("--precision", choices=["f16", "f32"], default="f16", help="of the engines")
    export.set_defaults(run=_export)

    quantise = commands.add_parser("quantise", help="an exported model with its encoder in int8")
    quantise.add_argument("model", type=Path, help="an exported .onnx")
    quantise.add_argument("--lspet", type=Path, default=_LSPET, help="the packed LSPET set")
    quantise.add_argument("--out", type=Path, required=True)
    quantise.set_defaults(run=_quantise)

    precision = commands.add_parser(
        "precision", help="let an exported model count in bf16, where its bodies stay in place"
    )
    precision.add_argument("model", type=Path, help="an exported .onnx; its metadata are changed")
    precision.add_argument("--allow", choices=LOWER_PRECISIONS, default=LOWER_PRECISIONS[0])
    precision.add_argument("--lspet", type=Path, default=_LSPET, help="the packed LSPET set")
    precision.set_defaults(run=_precision)

    speed = commands.add_parser("speed", help="the paper's network here, as ratios to torch")
    speed.add_argument("--threads", type=int, default=2)
    speed.add_argument("--rounds", type=int, default=15)
    speed.add_argument(
        "--json", nargs="?", type=Path, const=Path("-"), metavar="FILE", help="default: the output"
    )
    speed.set_defaults(run=_speed)

    synthesize = commands.add_parser("synthesize", help="make pictures of people with exact truth")
    _add_synthesize(synthesize)

    ablate = commands.add_parser("ablate", help="the paper's comparisons under one equal budget")
    _add_data(ablate)
    _add_ablate(ablate)

    importing = commands.add_parser("import", help="a licensed body, or a published checkpoint")
    _add_import(importing)

    demo = commands.add_parser("demo", help="make the demo video and its truth")
    _add_demo(demo)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lspet", type=Path, default=_LSPET, help="the packed LSPET set")
    parser.add_argument(
        "--landmarks", type=Path, default=_LANDMARKS, help="folder of BlazePose's .tflite files"
    )


def _add_fit(parser: argparse.ArgumentParser) -> None:
    from trainer.commands import fit

    fit.add_arguments(parser)
    parser.set_defaults(run=fit.run)


def _train(options: argparse.Namespace) -> None:
    from trainer.packaging.shards import unpack
    from trainer.train import train
    from trainer.training.config import read_config_file
    from trainer.training.datasets import Locations

    _, config = read_config_file(options.config)
    places = _places(options)
    if options.pack is not None:
        places |= unpack(options.pack, options.pack / "unpacked")
    train(
        options.config,
        out=options.out or Path("runs") / config.name,
        locations=Locations(places),
        landmark_file=_landmark_file(
            config.network.encoder, places.get("landmarks", options.landmarks)
        ),
        start=options.start or places.get("start"),
        device=options.device,
        minutes=options.minutes,
    )


def _add_pack(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    _add_places(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for shards and index")
    parser.add_argument("--config", type=Path, help="pack what a run of it reads")
    parser.add_argument("--start", type=Path, help="and the averaged weights of a checkpoint")
    parser.add_argument("--mib", type=float, default=24.0, help="of a shard, at most")
    parser.set_defaults(run=_pack)


def _pack(options: argparse.Namespace) -> None:
    from trainer.packaging.collect import pack_run

    named = {argument.partition("=")[0] for argument in options.data}
    pack_run(
        options.out,
        _places(options),
        named=named,
        config_file=options.config,
        start=options.start,
        landmarks=options.landmarks,
        largest=int(options.mib * 2**20),
    )


def _unpack_shards(options: argparse.Namespace) -> None:
    from trainer.packaging.shards import unpack

    for name, place in sorted(unpack(options.packed, options.out).items()):
        print(f"{name}: {place}")


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fits", type=Path, default=_FITS)
    parser.add_argument("--ccp", type=Path, default=_CCP, help="for crops without people")
    parser.add_argument(
        "--synthetic", type=Path, default=Path("runs/synthetic"), help="set of synthetic people"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="what a path in the configuration that begins with NAME stands for",
    )


def _places(options: argparse.Namespace) -> dict[str, Path]:
    """Names of data in configurations, and where they lie."""
    names = {name: getattr(options, name) for name in ("lspet", "fits", "ccp", "synthetic")}
    for given in options.data:
        name, _, place = given.partition("=")
        if not (name and place):
            raise UsageError(f"--data {given} is not NAME=FOLDER")
        names[name] = Path(place)
    return names


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("model", type=Path, help="checkpoint.safetensors, or an exported .onnx")
    parser.add_argument("--protocols", help="by comma; all that have their data by default")
    parser.add_argument("--fits", type=Path, default=_FITS)
    parser.add_argument("--ccp", type=Path, default=_CCP, help="the packed CCP set")
    parser.add_argument("--coco", type=Path, default=_COCO, help="the packed COCO persons")
    parser.add_argument("--synthetic", type=Path, default=_SYNTHETIC, help="the synthetic test set")
    parser.add_argument("--videos", type=Path, default=_VIDEOS, help="folder of videos")
    parser.add_argument("--people", type=Path, help="SPIN's npz of 3DPW's or Human3.6M's test")
    parser.add_argument("--pictures", type=Path, help="folder of the npz' pictures")
    parser.add_argument(
        "--smpl-body", action="store_true", help="the body is SMPL: the npz' poses are truth"
    )
    parser.add_argument("--lsp", type=Path, help="LSP: images and joints.mat")
    parser.add_argument("--lsp-parts", type=Path, help="UP-3D's part maps of LSP")
    parser.add_argument("--sheets", type=Path, help="folder for sheets of overlays")
    parser.add_argument("--results", type=Path, help="folder for COCO's JSON")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--markdown", type=Path, help="file for the table of a model card")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.evaluation.run import Places, evaluate

    given = options.protocols
    evaluate(
        options.model,
        Places(
            lspet=options.lspet,
            fits=options.fits,
            ccp=options.ccp,
            coco=options.coco,
            synthetic=options.synthetic,
            videos=options.videos,
            lsp=options.lsp,
            lsp_parts=options.lsp_parts,
            smpl_body=options.smpl_body,
            people=options.people,
            pictures=options.pictures,
            landmarks=options.landmarks,
        ),
        protocols=None if given is None else given.split(","),
        sheets=options.sheets,
        results=options.results,
        out=options.out,
        markdown=options.markdown,
    )


def _unpack(options: argparse.Namespace) -> None:
    from trainer.evaluation.run import unpack_held_out

    print(f"{unpack_held_out(options.lspet, options.out)} pictures in {options.out}")


def _export(options: argparse.Namespace) -> None:
    from trainer.export.tensorrt import build_engines, named_capabilities

    # what is wrong with the wish is told before the work
    capabilities = named_capabilities(options.tensorrt) if options.tensorrt is not None else ()
    if options.checkpoint.suffix == ".onnx" and capabilities:
        build_engines(options.checkpoint, options.out, capabilities, options.precision)
        return
    _export_model(options)
    if capabilities:
        build_engines(options.out, options.out.parent / "engines", capabilities, options.precision)


def _export_model(options: argparse.Namespace) -> None:
    from trainer.export.onnx import export
    from trainer.training.checkpoint import read_progress
    from trainer.training.config import read_run_config

    text = read_progress(options.checkpoint).config
    encoder = read_run_config(text, str(options.checkpoint)).network.encoder
    difference = export(
        options.checkpoint,
        options.out,
        landmark_file=_landmark_file(encoder, options.landmarks),
        all_levels=options.levels == "all",
        version=options.version,
    )
    print(f"{options.out}: within {difference:.1e} of torch")


def _quantise(options: argparse.Namespace) -> None:
    from trainer.export.quantize import quantise

    if not options.model.is_file():
        raise UsageError(f"there is no model file {options.model}")
    apart = quantise(options.model, options.out, options.lspet)
    print(f"{options.out}: mean vertices within {apart:.2f} mm of f32")


def _precision(options: argparse.Namespace) -> None:
    from trainer.export.quantize import allow_precision

    if not options.model.is_file():
        raise UsageError(f"there is no model file {options.model}")
    apart = allow_precision(options.model, options.allow, options.lspet)
    print(f"{options.model}: mean vertices in {options.allow} within {apart:.2f} mm of f32")


def _speed(options: argparse.Namespace) -> None:
    import json

    from trainer.evaluation.speed import measure, write

    if options.threads < 1 or options.rounds < 1:
        raise UsageError("--threads and --rounds are 1 or more")
    figures = measure(options.threads, options.rounds)
    if options.json is None:
        for name, value in figures["ratios"].items():
            print(f"{name}: {value:.2f}")
    elif options.json == Path("-"):
        print(json.dumps(figures, indent=1))
    else:
        write(figures, options.json)


def _add_synthesize(parser: argparse.ArgumentParser) -> None:
    from trainer.synthesis import generate

    generate.add_arguments(parser)
    parser.set_defaults(run=generate.run)


def _add_ablate(parser: argparse.ArgumentParser) -> None:
    # loads torch, as its command does
    def run(options: argparse.Namespace) -> None:
        from trainer.ablation import run

        run.run(options)

    parser.add_argument(
        "--minutes", type=float, required=True, help="that the slowest variant may learn"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="folder; what it has is kept")
    parser.add_argument("--variants", help="some of them, with commas between (default: all)")
    parser.add_argument("--people", type=int, help="learn from the first so many only")
    parser.add_argument("--fits", type=Path, default=Path("runs/fits_lspet_natural.npz"))
    parser.add_argument("--config", type=Path, help="what all have in common")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU")
    parser.set_defaults(run=run)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    from trainer.synthesis import demo_clip

    demo_clip.add_arguments(parser)
    parser.set_defaults(run=demo_clip.run)


def _add_import(parser: argparse.ArgumentParser) -> None:
    from trainer.commands import import_

    import_.add_arguments(parser)


def _landmark_file(encoder: str, folder: Path) -> Path | None:
    if not encoder.startswith("blazepose_"):
        return None
    return folder / f"pose_landmark_{encoder.removeprefix('blazepose_')}.tflite"


if __name__ == "__main__":
    sys.exit(main())

"""The trainer's command line: ``python -m trainer COMMAND``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pymaf_live.errors import OutputError, PymafLiveError, UsageError

_LSPET = Path("../shared/data/lspet")
_CCP = Path("../shared/data/ccp")
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
    train.add_argument("--fits", type=Path, default=_FITS)
    train.add_argument("--ccp", type=Path, default=_CCP, help="for crops without people")
    train.add_argument(
        "--synthetic", type=Path, default=Path("runs/synthetic"), help="set of synthetic people"
    )
    train.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="what a path in the configuration that begins with NAME stands for",
    )
    train.add_argument("--device", default="cpu", help="torch's name; cuda = each process's own")
    train.add_argument("--minutes", type=float, help="end, fully annealed, after so long")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="figures on the held-out pictures")
    _add_data(evaluate)
    evaluate.add_argument("checkpoint", type=Path)
    evaluate.add_argument("--fits", type=Path, default=_FITS)
    evaluate.add_argument("--landmarkers", action="store_true", help="BlazePose's own beside it")
    evaluate.add_argument("--program", type=Path, help="folder that process --boxes wrote to")
    evaluate.add_argument("--ccp", type=Path, help="the packed CCP set, for the score head")
    evaluate.add_argument("--sheets", type=Path, help="folder for sheets of overlays")
    evaluate.add_argument("--out", type=Path, help="JSON file for the figures")
    evaluate.set_defaults(run=_evaluate)

    unpack = commands.add_parser(
        "unpack", help="held-out pictures and their boxes as files, for main.py process --boxes"
    )
    unpack.add_argument("--lspet", type=Path, default=_LSPET)
    unpack.add_argument("--out", type=Path, required=True)
    unpack.set_defaults(run=_unpack)

    export = commands.add_parser("export", help="a checkpoint to ONNX with fp16 weights")
    export.add_argument("checkpoint", type=Path)
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--landmarks", type=Path, default=_LANDMARKS)
    export.add_argument("--levels", choices=["last", "all"], default="last")
    export.add_argument("--version", default="1")
    export.set_defaults(run=_export)

    synthesize = commands.add_parser("synthesize", help="make pictures of people with exact truth")
    _add_synthesize(synthesize)

    demo = commands.add_parser("demo", help="make the demo video and its truth")
    _add_demo(demo)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lspet", type=Path, default=_LSPET, help="the packed LSPET set")
    parser.add_argument(
        "--landmarks", type=Path, default=_LANDMARKS, help="folder of BlazePose's .tflite files"
    )


def _add_fit(parser: argparse.ArgumentParser) -> None:
    from trainer import fit_command

    fit_command.add_arguments(parser)
    parser.set_defaults(run=fit_command.run)


def _train(options: argparse.Namespace) -> None:
    from trainer.run_config import read_config_file
    from trainer.sources import Locations
    from trainer.train import train

    _, config = read_config_file(options.config)
    train(
        options.config,
        out=options.out or Path("runs") / config.name,
        locations=Locations(_places(options)),
        landmark_file=_landmark_file(config.network.encoder, options.landmarks),
        start=options.start,
        device=options.device,
        minutes=options.minutes,
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


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.checkpoint import read_progress
    from trainer.evaluate import evaluate
    from trainer.run_config import read_run_config

    text = read_progress(options.checkpoint).config
    encoder = read_run_config(text, str(options.checkpoint)).network.encoder
    evaluate(
        options.checkpoint,
        lspet=options.lspet,
        fits=options.fits,
        landmark_file=_landmark_file(encoder, options.landmarks),
        landmark_folder=options.landmarks if options.landmarkers else None,
        takes=options.program,
        ccp=options.ccp,
        sheets=options.sheets,
        out=options.out,
    )


def _unpack(options: argparse.Namespace) -> None:
    from trainer.evaluate import unpack_held_out

    print(f"{unpack_held_out(options.lspet, options.out)} pictures in {options.out}")


def _export(options: argparse.Namespace) -> None:
    from trainer.checkpoint import read_progress
    from trainer.export import export
    from trainer.run_config import read_run_config

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


def _add_synthesize(parser: argparse.ArgumentParser) -> None:
    from trainer import synthesize

    synthesize.add_arguments(parser)
    parser.set_defaults(run=synthesize.run)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    from trainer import demo

    demo.add_arguments(parser)
    parser.set_defaults(run=demo.run)


def _landmark_file(encoder: str, folder: Path) -> Path | None:
    if not encoder.startswith("blazepose_"):
        return None
    return folder / f"pose_landmark_{encoder.removeprefix('blazepose_')}.tflite"


if __name__ == "__main__":
    sys.exit(main())

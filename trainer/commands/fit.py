"""``python -m trainer fit``: bodies for any set of annotated people, in one round or two."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pymaf_live.body import Body, load_body
from pymaf_live.errors import InputError, UsageError
from trainer.data.base import PeopleSet
from trainer.data.factory import Kind, SetConfig, open_set
from trainer.data.fits import Fits, describe, read_fits, write_fits
from trainer.data.fitted import FittedPeople
from trainer.data.lspet import VALIDATION, read_joint_set

if TYPE_CHECKING:
    from trainer.fitting.pose_prior import PosePrior

_FITS = Path("runs/fits_lspet.npz")
_MOCAP = Path("../shared/data/mocap")
_KINDS: dict[str, Kind] = {"lspet": "lspet", "lsp": "lsp", "mpii": "mpii", "coco": "coco"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `run` reads, beside the folders of LSPET and of BlazePose's files."""
    parser.add_argument(
        "--set",
        metavar="KIND=FOLDER",
        help="another set than LSPET: lspet, lsp, mpii or coco, and its folder",
    )
    parser.add_argument(
        "--part", default="train2017", help="which part of a set in COCO's layout (--set coco=...)"
    )
    parser.add_argument("--out", type=Path, default=_FITS, help="npz for the fits")
    parser.add_argument("--teacher", type=Path, help="kept landmarks (default: beside --out)")
    parser.add_argument("--steps", type=int, default=None, help="of the first round")
    parser.add_argument(
        "--from",
        dest="checkpoint",
        type=Path,
        help="a second round, which starts from this network's estimates too",
    )
    parser.add_argument("--network", type=Path, help="kept estimates (default: beside --out)")
    parser.add_argument("--first", type=Path, help="the first round's fits of this set")
    parser.add_argument(
        "--prior",
        type=Path,
        help="LSPET's kept fits to learn the pose prior from (default: --first)",
    )
    parser.add_argument("--mocap", type=Path, default=_MOCAP, help="clips for the pose prior")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets to look at")


def run(options: argparse.Namespace) -> None:
    """Fit, write the file, print its figures.

    Raises
    ------
    UsageError
        If the options do not go together.
    InputError
        If a file is missing, unsound or of another set.
    """
    from trainer.fitting.fit import FitOptions, fit
    from trainer.fitting.targets import annotated_people
    from trainer.fitting.teacher import read_teaching, teach, write_teaching
    from trainer.rendering.contact_sheet import sheets_of_fits

    if options.steps is not None and options.steps < 1:
        raise UsageError("--steps is at least 1")
    body, people = load_body(), _people(options)
    annotated = annotated_people(people)
    # what can be wrong with the files is found before the long work
    before = None if options.first is None else read_fits(options.first, len(people))
    kept = options.teacher or options.out.with_name(f"teacher_{options.out.stem}.npz")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        heavy = options.landmarks / "pose_landmark_heavy.tflite"
        write_teaching(kept, teach(annotated.frame_from_crop, people.picture, heavy))
    teaching = read_teaching(kept, len(people))
    settings = FitOptions()
    if options.steps is not None:
        settings = replace(settings, steps=options.steps)
    fits = before if before is not None else fit(body, annotated, teaching, settings)
    if options.checkpoint is not None:
        from trainer.fitting.refinement import (
            fit_again,
            predict,
            read_predictions,
            write_predictions,
        )

        looked = options.network or options.out.with_name(f"network_{options.out.stem}.npz")
        if not looked.exists():
            landmark_file = _landmark_file(options.checkpoint, options.landmarks)
            found = predict(options.checkpoint, landmark_file, annotated, people.picture)
            write_predictions(looked, found)
        predictions = read_predictions(looked, body, len(people))
        prior = learned_prior(body, options.prior, fits, options.mocap)
        print("before:", describe(fits), "after:", sep="\n")
        fits = fit_again(body, annotated, teaching, fits, predictions, prior, settings)
    write_fits(options.out, fits)
    print(describe(fits))
    if options.sheets is not None:
        sheets_of_fits(options.sheets, body, people.picture, fits, before)


def learned_prior(body: Body, path: Path | None, fits: Fits, mocap: Path) -> PosePrior:
    """The pose prior of LSPET's kept fits, without the held-out rows, and motion capture."""
    from trainer.fitting.pose_prior import learn_prior, mocap_rotations, poses_with_mirrors

    if path is not None:
        fits = read_fits(path)
    shown = fits.kept.copy()
    shown[-VALIDATION:] = False
    rotations = [fits.rotations[shown], mocap_rotations(body, mocap)]
    return learn_prior(np.concatenate([poses_with_mirrors(body, r) for r in rotations]))


def _people(options: argparse.Namespace) -> PeopleSet:
    if options.set is None:
        return FittedPeople(read_joint_set(options.lspet))
    kind, _, folder = options.set.partition("=")
    if kind not in _KINDS or not folder:
        raise UsageError(f"--set {options.set} is not KIND=FOLDER, KIND of {', '.join(_KINDS)}")
    chosen = SetConfig(kind=_KINDS[kind], folder=Path(folder), rows="all", part=options.part)
    return open_set(chosen, load_body())


def _landmark_file(checkpoint: Path, folder: Path) -> Path | None:
    from trainer.training.checkpoint import read_progress
    from trainer.training.config import read_run_config

    if not checkpoint.is_file():
        raise InputError(f"there is no {checkpoint}")
    encoder = read_run_config(read_progress(checkpoint).config, str(checkpoint)).network.encoder
    if not encoder.startswith("blazepose_"):
        return None
    return folder / f"pose_landmark_{encoder.removeprefix('blazepose_')}.tflite"

"""``python -m trainer fit``: bodies for any set of annotated people, in one round or two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from pymaf_live.errors import UsageError
from trainer.commands.options import LandmarkFolder, LspetFolder, checkpoint_landmark_file
from trainer.data.locations import BLAZEPOSE, FITS, LSPET, MOCAP

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from trainer.data.base import PeopleSet
    from trainer.data.factory import Kind
    from trainer.data.fits import Fits
    from trainer.fitting.fit import FitOptions
    from trainer.fitting.pose_prior import PosePrior
    from trainer.fitting.targets import CropAnnotations
    from trainer.fitting.teacher import TeacherLandmarks

_KINDS: dict[str, Kind] = {"lspet": "lspet", "lsp": "lsp", "mpii": "mpii", "coco": "coco"}


def fit(
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
    data_set: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="KIND=FOLDER",
            help="Another set than LSPET; KIND is lspet, lsp, mpii or coco.",
        ),
    ] = None,
    part: Annotated[
        str, typer.Option(help="Part of a set in COCO's layout (--set coco=FOLDER).")
    ] = "train2017",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Fits to write (npz).")] = FITS,
    teacher: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Cached landmarks; beside --out if not given."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the first round.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="CHECKPOINT",
            help="Run a second round that also starts from this network's estimates.",
        ),
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Cached estimates; beside --out if not given."),
    ] = None,
    first: Annotated[
        Path | None, typer.Option(metavar="FILE", help="First round's fits of this set.")
    ] = None,
    prior: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Fits of LSPET to learn the pose prior from; --first if not given."
        ),
    ] = None,
    mocap: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Motion capture clips for the pose prior.")
    ] = MOCAP,
    sheets: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for contact sheets.")
    ] = None,
) -> None:
    """Fit bodies to annotated images, as pseudo labels."""
    from pymaf_live.body import default_body
    from trainer.data.fits import describe, read_fits, write_fits
    from trainer.fitting.fit import FitOptions
    from trainer.fitting.fit import fit as fit_first_round
    from trainer.fitting.targets import crop_annotations
    from trainer.fitting.teacher import read_teacher_landmarks, run_teacher, write_teacher_landmarks
    from trainer.rendering.contact_sheet import sheets_of_fits

    if steps is not None and steps < 1:
        raise UsageError("--steps must be at least 1")
    options = FitOptions() if steps is None else replace(FitOptions(), steps=steps)
    body, people = default_body(), _open_people(data_set, part, lspet)
    annotated = crop_annotations(people)
    # files are checked before the long work
    before = None if first is None else read_fits(first, len(people))
    cache = teacher or out.with_name(f"teacher_{out.stem}.npz")
    out.parent.mkdir(parents=True, exist_ok=True)
    if not cache.exists():
        heavy = landmarks / "pose_landmark_heavy.tflite"
        write_teacher_landmarks(cache, run_teacher(annotated.frame_from_crop, people.image, heavy))
    teacher_landmarks = read_teacher_landmarks(cache, len(people))
    fits = (
        before
        if before is not None
        else fit_first_round(body, annotated, teacher_landmarks, options)
    )
    if checkpoint is not None:
        fits = _second_round(
            body,
            people,
            annotated,
            teacher_landmarks,
            fits,
            options,
            checkpoint=checkpoint,
            landmark_file=checkpoint_landmark_file(checkpoint, landmarks),
            cache=network or out.with_name(f"network_{out.stem}.npz"),
            prior=_learn_prior(body, fits if prior is None else read_fits(prior), mocap),
        )
    write_fits(out, fits)
    print(describe(fits))
    if sheets is not None:
        sheets_of_fits(sheets, body, people.image, fits, before)


def _second_round(
    body: Body,
    people: PeopleSet,
    annotated: CropAnnotations,
    teacher_landmarks: TeacherLandmarks,
    fits: Fits,
    options: FitOptions,
    *,
    checkpoint: Path,
    landmark_file: Path | None,
    cache: Path,
    prior: PosePrior,
) -> Fits:
    """Refine fits with a network's estimates, which are cached in a file, and a pose prior."""
    from trainer.data.fits import describe
    from trainer.fitting.refinement import (
        predict,
        read_predictions,
        refine_fits,
        write_predictions,
    )

    if not cache.exists():
        write_predictions(cache, predict(checkpoint, landmark_file, annotated, people.image))
    predictions = read_predictions(cache, body, len(people))
    print("before:", describe(fits), "after:", sep="\n")
    return refine_fits(body, annotated, teacher_landmarks, fits, predictions, prior, options)


def _learn_prior(body: Body, fits: Fits, mocap: Path) -> PosePrior:
    """Learn the pose prior of LSPET's fits, without the held-out rows, and motion capture."""
    from trainer.data.lspet import VALIDATION
    from trainer.fitting.pose_prior import learn_prior, mocap_rotations, poses_with_mirrors

    used = fits.kept.copy()
    used[-VALIDATION:] = False
    rotations = [fits.rotations[used], mocap_rotations(body, mocap)]
    return learn_prior(np.concatenate([poses_with_mirrors(body, r) for r in rotations]))


def _open_people(data_set: str | None, part: str, lspet: Path) -> PeopleSet:
    from pymaf_live.body import default_body
    from trainer.data.factory import DatasetConfig, open_dataset
    from trainer.data.fitted import FittedPeople
    from trainer.data.lspet import read_joint_set

    if data_set is None:
        return FittedPeople(read_joint_set(lspet))
    kind, _, folder = data_set.partition("=")
    if kind not in _KINDS or not folder:
        raise UsageError(f"--set {data_set} is not KIND=FOLDER; KIND is {', '.join(_KINDS)}")
    config = DatasetConfig(kind=_KINDS[kind], folder=Path(folder), rows="all", part=part)
    return open_dataset(config, default_body())

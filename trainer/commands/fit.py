"""``python -m trainer fit``: bodies for any set of annotated people, in one round or two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from pymaf_live.errors import InputError, ModelError, UsageError
from trainer.commands.options import LandmarkFolder, LspetFolder
from trainer.commands.progress import TerminalReporter
from trainer.data.locations import BLAZEPOSE, FITS, LSPET, MOCAP

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.system.reporter import Reporter
    from trainer.data.base import PersonDataset
    from trainer.data.factory import Kind
    from trainer.data.fits import Fits
    from trainer.fitting.fitter import FitOptions
    from trainer.fitting.lifter import Lifter
    from trainer.fitting.pose_prior import PosePrior
    from trainer.fitting.targets import CropAnnotations

_TEACHER = "pose_landmark_heavy.tflite"
_KINDS: dict[str, Kind] = {"lspet": "lspet", "lsp": "lsp", "mpii": "mpii", "coco": "coco"}


@dataclass(frozen=True)
class _SecondRound:
    """Files of the second round."""

    checkpoint: Path
    cache: Path
    """The network's estimates."""
    prior: Fits | None
    """LSPET's fits for the pose prior; None = the fits to refine."""
    mocap: Path


@dataclass(frozen=True)
class _Evidence:
    """Annotation and lifter of the first round."""

    annotated: CropAnnotations
    lifter: Lifter | None


def fit(
    lspet: LspetFolder = LSPET,
    landmarks: LandmarkFolder = BLAZEPOSE,
    data_set: Annotated[
        str | None,
        typer.Option("--set", metavar="KIND=FOLDER", help=f"Another set: {', '.join(_KINDS)}."),
    ] = None,
    part: Annotated[
        str, typer.Option(help="Part of a set in COCO's layout (--set coco=FOLDER).")
    ] = "train2017",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Fits to write (npz).")] = FITS,
    teacher: Annotated[
        Path | None, typer.Option(help="Cached landmarks; beside --out if not given.")
    ] = None,
    lifter: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Lifter of `train-lifter` that gives the depth."),
    ] = None,
    second_teacher: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Votes of a second teacher on LSPET's joints (npz)."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the first round.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--from", help="Second round: start from this network too.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(help="Cached estimates; beside --out if not given.")
    ] = None,
    first: Annotated[Path | None, typer.Option(help="First round's fits of this set.")] = None,
    prior: Annotated[
        Path | None, typer.Option(help="LSPET's fits, for the pose prior; --first if not given.")
    ] = None,
    mocap: Annotated[Path, typer.Option(help="Folder of clips for the pose prior.")] = MOCAP,
    sheets: Annotated[Path | None, typer.Option(help="Folder for contact sheets.")] = None,
) -> None:
    """Fit bodies to annotated images, as pseudo labels."""
    from pymaf_live.body import default_body
    from trainer.data.fits import describe, read_fits, write_fits
    from trainer.data.image_check import BlankedDataset, check_images
    from trainer.fitting.fitter import LIFTED_OPTIONS, FitOptions
    from trainer.rendering.contact_sheet import write_fit_sheets
    from trainer.training.checkpoint import checkpoint_landmark_file
    from trainer.training.threads import use_free_cores

    if steps is not None and steps < 1:
        raise UsageError("--steps must be at least 1")
    options = FitOptions() if lifter is None else LIFTED_OPTIONS
    if steps is not None:
        options = replace(options, steps=steps)
    body = default_body()
    people = _open_people(data_set, part, lspet, body)
    # files are checked before the long work
    before = None if first is None else read_fits(first, len(people))
    evidence = _read_evidence(people, lifter, second_teacher)
    second = None
    if checkpoint is not None:
        cache = network or out.with_name(f"network_{out.stem}.npz")
        prior_fits = None if prior is None else read_fits(prior)
        second = _SecondRound(checkpoint, cache, prior_fits, mocap)
        checkpoint_landmark_file(checkpoint, landmarks)
        if not mocap.is_dir():
            raise InputError(f"there is no folder {mocap}")
    cache = teacher or out.with_name(f"teacher_{out.stem}.npz")
    if not cache.exists() and not (landmarks / _TEACHER).is_file():
        raise ModelError(f"the landmark file {landmarks / _TEACHER} does not exist")
    out.parent.mkdir(parents=True, exist_ok=True)
    use_free_cores()
    with TerminalReporter() as reporter:
        broken = check_images([people], reporter)[0]
        people = BlankedDataset(people, broken)
        fits = _fit(body, people, cache, landmarks, before, evidence, second, options, reporter)
    # a body fitted without its image has no evidence of its depth
    fits.kept[broken] = False
    write_fits(out, fits)
    print(describe(fits))
    if sheets is not None:
        write_fit_sheets(sheets, body, people.image, fits, before)


def _read_evidence(
    people: PersonDataset, lifter: Path | None, second_teacher: Path | None
) -> _Evidence:
    from trainer.data.lspet import VALIDATION_COUNT
    from trainer.fitting.lifter import read_lifter
    from trainer.fitting.second_teacher import read_second_teacher, repaired_annotations
    from trainer.fitting.targets import crop_annotations

    annotated = crop_annotations(people)
    if second_teacher is not None:
        if people.name != "lspet":
            raise UsageError("--second-teacher has votes on LSPET's joints only")
        votes = read_second_teacher(second_teacher, len(people))
        annotated = repaired_annotations(annotated, votes, VALIDATION_COUNT)
    return _Evidence(annotated, None if lifter is None else read_lifter(lifter)[0])


def _fit(
    body: Body,
    people: PersonDataset,
    teacher_cache: Path,
    landmarks: Path,
    before: Fits | None,
    evidence: _Evidence,
    second: _SecondRound | None,
    options: FitOptions,
    reporter: Reporter,
) -> Fits:
    """Run the first round unless its fits exist (`before`), and the second if it is wanted."""
    from trainer.data.fits import describe
    from trainer.fitting.fit import fit as fit_first_round
    from trainer.fitting.predictions import predict, read_predictions, write_predictions
    from trainer.fitting.refinement import refine_fits
    from trainer.fitting.teacher import read_teacher_landmarks, run_teacher_once
    from trainer.training.checkpoint import checkpoint_landmark_file

    annotated = evidence.annotated
    heavy = landmarks / _TEACHER
    run_teacher_once(teacher_cache, annotated.frame_from_crop, people.image, heavy, reporter)
    teaching = read_teacher_landmarks(teacher_cache, len(people))
    fits = before
    if fits is None:
        fits = fit_first_round(
            body, annotated, teaching, options, lifter=evidence.lifter, reporter=reporter
        )
    if second is None:
        return fits
    if not second.cache.exists():
        file = checkpoint_landmark_file(second.checkpoint, landmarks)
        estimates = predict(second.checkpoint, file, annotated, people.image, reporter)
        write_predictions(second.cache, estimates)
    predictions = read_predictions(second.cache, body, len(people))
    prior = _learn_prior(body, fits if second.prior is None else second.prior, second.mocap)
    print("before:", describe(fits), "after:", sep="\n")
    return refine_fits(body, annotated, teaching, fits, predictions, prior, options, reporter)


def _learn_prior(body: Body, fits: Fits, mocap: Path) -> PosePrior:
    """Learn the pose prior of LSPET's kept fits, without the held-out rows, and motion capture."""
    from trainer.data.lspet import VALIDATION_COUNT
    from trainer.fitting.pose_prior import fit_pose_prior, mocap_rotations, poses_with_mirrors

    used = fits.kept.copy()
    used[-VALIDATION_COUNT:] = False
    rotations = [fits.rotations[used], mocap_rotations(body, mocap)]
    return fit_pose_prior(np.concatenate([poses_with_mirrors(body, r) for r in rotations]))


def _open_people(data_set: str | None, part: str, lspet: Path, body: Body) -> PersonDataset:
    from trainer.data.factory import DatasetConfig, open_dataset
    from trainer.data.fitted import FittedDataset
    from trainer.data.lspet import read_joint_set

    if data_set is None:
        return FittedDataset(read_joint_set(lspet))
    kind, _, folder = data_set.partition("=")
    if kind not in _KINDS or not folder:
        raise UsageError(f"--set {data_set} is not KIND=FOLDER; KIND is {', '.join(_KINDS)}")
    config = DatasetConfig(kind=_KINDS[kind], folder=Path(folder), rows="all", part=part)
    return open_dataset(config, body)

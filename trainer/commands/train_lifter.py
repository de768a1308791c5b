"""``python -m trainer train-lifter``: the network that gives pseudo labels their depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pymaf_live.errors import InputError, UsageError
from trainer.commands.options import LandmarkFolder
from trainer.commands.progress import TerminalReporter
from trainer.data.locations import BLAZEPOSE, LIFTER, MOCAP

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.system.reporter import Reporter
    from pymaf_live.types import Array
    from trainer.data.synthetic import SyntheticDataset
    from trainer.fitting.taught_people import TaughtPeople


def train_lifter(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Lifter to write.")] = LIFTER,
    mocap: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of clips.")] = MOCAP,
    fits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Fits of LSPET to take poses from too.")
    ] = None,
    poses: Annotated[int, typer.Option(help="Number of poses.")] = 120_000,
    synthetic: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Synthetic training set whose images a teacher sees."),
    ] = None,
    landmarks: LandmarkFolder = BLAZEPOSE,
    steps: Annotated[int, typer.Option(help="Steps of 384 people each.")] = 16_000,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Train a network from 2D key points to 3D poses; an interrupted training continues."""
    from pymaf_live.body import default_body
    from trainer.fitting.lifter import LifterConfig
    from trainer.fitting.lifter_poses import make_pose_bank, read_pose_bank, write_pose_bank
    from trainer.fitting.lifter_training import LifterTraining
    from trainer.fitting.lifter_training import train_lifter as train

    if steps < 1 or poses < 1 or seed < 0:
        raise UsageError("--steps and --poses must be at least 1, --seed at least 0")
    if not mocap.is_dir():
        raise InputError(f"there is no folder {mocap}")
    body = default_body()
    people = None if synthetic is None else _open_taught(synthetic, body)
    rotations = None if fits is None else _kept_rotations(fits)
    out.parent.mkdir(parents=True, exist_ok=True)
    cache = out.with_name(f"{out.stem}_poses.npz")
    with TerminalReporter() as reporter:
        taught = None
        if people is not None:
            seen = out.with_name(f"{out.stem}_teacher.npz")
            taught = _teach(body, people, seen, landmarks, reporter)
        if not cache.exists():
            bank = make_pose_bank(body, mocap, poses, fits=rotations, seed=seed, reporter=reporter)
            write_pose_bank(cache, bank)
        training = LifterTraining(steps=steps, seed=seed)
        train(out, read_pose_bank(cache), LifterConfig(), training, taught, reporter=reporter)
    print(out)


def _open_taught(folder: Path, body: Body) -> SyntheticDataset:
    from trainer.data.factory import DatasetConfig, open_dataset
    from trainer.data.synthetic import read_synthetic

    # refuses test sets
    open_dataset(DatasetConfig(kind="synthetic", folder=folder), body)
    return read_synthetic(folder, body)


def _teach(
    body: Body, people: SyntheticDataset, cache: Path, landmarks: Path, reporter: Reporter
) -> TaughtPeople:
    from trainer.fitting.targets import crop_annotations
    from trainer.fitting.taught_people import taught_people
    from trainer.fitting.teacher import read_teacher_landmarks, run_teacher_once

    frames, heavy = (
        crop_annotations(people).frame_from_crop,
        landmarks / "pose_landmark_heavy.tflite",
    )
    run_teacher_once(cache, frames, people.image, heavy, reporter)
    return taught_people(body, people, read_teacher_landmarks(cache, len(people)))


def _kept_rotations(path: Path) -> Array:
    """Return the rotations of LSPET's kept fits without the held-out rows."""
    from trainer.data.fits import read_fits
    from trainer.data.lspet import VALIDATION_COUNT

    fits = read_fits(path)
    kept = fits.kept.copy()
    kept[-VALIDATION_COUNT:] = False
    return fits.rotations[kept]

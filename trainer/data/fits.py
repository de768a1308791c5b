"""Bodies fitted to the people of a data set: arrays, file format and statistics."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.types import Array, Mask

_MAX_HYPEREXTENSION = 0.2


@dataclass(frozen=True)
class Fits:
    """Fitted bodies of N people in the frames of their annotated crops."""

    rotations: Array
    """(N, J, 3, 3)"""
    shape: Array
    """(N, S)"""
    camera: Array
    """(N, 3) s, tx, ty in crop units."""
    frame_from_crop: Array
    """(N, 2, 3) for crops of 256 pixels."""
    joint_trust: Array
    """(N, J) 0..1 confidence of a joint's depth."""
    residual_2d: Array
    """(N,) mean distance to the annotated joints, crop units."""
    residual_torso: Array
    """(N,) fraction of annotated limb joints within 0.2 torso lengths; NaN without a torso."""
    residual_3d: Array
    """(N,) trust-weighted mean distance to the teacher's limb landmarks, m."""
    residual_3d_all: Array
    """(N,) `residual_3d` with equal weights, m."""
    kept: Mask
    """(N,) True if the fit is good enough to train rotations with."""


def bends_naturally(body: Body, rotations: Array) -> Mask:
    """Return a mask (N,) of poses (N, J, 3, 3) without hyperextension over 0.2 rad.

    Tested are knees and elbows.
    """
    names, natural = list(body.joint_names), np.ones(len(rotations), bool)
    for name, axis, sign in (
        ("left_knee", 0, 1), ("right_knee", 0, 1), ("left_elbow", 1, -1), ("right_elbow", 1, 1),
    ):  # fmt: skip
        angle = sign * axis_angle_from_matrix(rotations[:, names.index(name)])[:, axis]
        natural &= angle > -_MAX_HYPEREXTENSION
    return natural


def write_fits(path: Path, fits: Fits) -> None:
    """Write fits to an npz file (no pickle)."""
    with atomic_write(path) as temporary:
        arrays = {name: np.asarray(a) for name, a in asdict(fits).items()}
        small: dict[str, Any] = {
            k: a if a.dtype == bool else a.astype(np.float32) for k, a in arrays.items()
        }
        np.savez_compressed(temporary, **small)


def read_fits(path: Path, count: int | None = None) -> Fits:
    """Read the fits of `count` people, or of any number if it is None.

    Raises
    ------
    InputError
        If the file is missing, belongs to another set, or its arrays do not describe bodies.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            fits = Fits(**{field.name: file[field.name] for field in fields(Fits)})
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{path} contains no fits: {error}") from error
    people = fits.kept.size
    if count is not None and people != count:
        raise InputError(f"{path} has fits of {people} people, the set has {count}")
    joints, shapes = fits.joint_trust.shape[-1:], fits.shape.shape[-1:]
    sizes: dict[str, tuple[int, ...]] = {
        "rotations": (*joints, 3, 3), "shape": shapes, "camera": (3,), "frame_from_crop": (2, 3),
        "joint_trust": joints,
    }  # fmt: skip
    for field in fields(Fits):
        array: Array = getattr(fits, field.name)
        if array.shape != (people, *sizes.get(field.name, ())):
            raise InputError(f"{path}: {field.name} {array.shape} does not fit {people} people")
        # NaN where the torso is not annotated
        if field.name != "residual_torso" and not np.isfinite(array).all():
            raise InputError(f"{path}: {field.name} is not finite")
    if fits.kept.dtype != bool:
        raise InputError(f"{path}: kept is {fits.kept.dtype}, not true or false")
    return fits


def describe(fits: Fits) -> str:
    """Return a summary of the residuals, a few lines of text."""
    kept = fits.kept

    def line(name: str, values: Array, unit: str, scale: float) -> str:
        return (
            f"{name}: all {scale * np.nanmean(values):.1f} {unit} "
            f"(median {scale * np.nanmedian(values):.1f}), "
            f"kept {scale * np.nanmean(values[kept]):.1f} {unit}"
        )

    return "\n".join(
        [
            f"{len(kept)} people, {int((~kept).sum())} left out ({100 * (~kept).mean():.1f} %)",
            line("2D to the annotation, of half the crop", fits.residual_2d, "%", 100),
            line("annotated limb joints within 0.2 torso", fits.residual_torso, "%", 100),
            line("3D to the teacher, weighted by trust", fits.residual_3d, "cm", 100),
            line("3D to the teacher, all limb joints alike", fits.residual_3d_all, "cm", 100),
        ]
    )

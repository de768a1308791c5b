"""Open a data set from the configuration of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pymaf_live.body import Body
from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError, UsageError
from trainer.data.annotated import DatasetSubset
from trainer.data.base import PersonDataset
from trainer.data.ccp import HELD_OUT_COUNT, open_ccp
from trainer.data.coco import open_coco, open_packed_coco
from trainer.data.fits import read_fits
from trainer.data.fitted import DatasetWithFits, FittedDataset, TaughtDataset
from trainer.data.lsp import LSP_TRAINING_COUNT, read_lsp, read_original_lspet
from trainer.data.lspet import VALIDATION_COUNT, JointSet, read_joint_set
from trainer.data.mpii import open_mpii
from trainer.data.second_teacher import read_second_teacher
from trainer.data.spin_npz import SpinDataset
from trainer.data.synthetic import read_synthetic

Kind = Literal[
    "lspet", "lsp", "mpii", "coco", "h36m", "mpi_inf_3dhp", "3dpw", "eft", "synthetic", "ccp"
]
Rows = Literal["train", "held_out", "all"]

_MIN_CCP_JOINTS = 8
"""Joints that both teachers agree on; pictures with fewer are left out."""

LICENCES: dict[str, str] = {
    "lspet": "none stated; research use, images are their owners'",
    "lsp": "none stated; research use, images are their owners'",
    "mpii": "labels Simplified BSD; images from YouTube, research use",
    "coco": "labels CC BY 4.0; images from Flickr, each with its own licence",
    "h36m": "academic, non-commercial",
    "mpi_inf_3dhp": "academic, non-commercial",
    "3dpw": "academic, non-commercial",
    "eft": "labels CC BY-NC 4.0; images as in their set",
    "ccp": "repository Apache-2.0; photographs from the web",
    "synthetic": "our own, with the terms of the motion clips and backgrounds used",
}
"""Kind of data set -> its terms, for model cards."""


class DatasetConfig(BaseModel):
    """One data set of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    folder: Path
    """Folder of the set; for sets in SPIN's layout, of its images."""
    fits: Path | None = None
    """Bodies fitted to the set (LSPET, LSP, MPII, COCO)."""
    labels: Path | None = None
    """The npz file of a set in SPIN's layout (h36m, mpi_inf_3dhp, 3dpw, eft)."""
    teacher: Path | None = None
    """`second_teacher.npz` of the packed set (lspet, ccp): repaired joints and landmarks."""
    part: str = "train2017"
    """Part of COCO, the folder name of its images."""
    rows: Rows = "train"
    """Held out are the last 500 rows of LSPET and the second thousand of LSP; a synthetic set is
    either a training or a test set; the other sets have no held-out rows here."""
    smpl_body: bool = False
    """True if the body of the run is SMPL, so that SMPL poses are valid labels for it."""
    ratio: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Fraction of the run's crops, relative to the other sets."""


def open_dataset(config: DatasetConfig, body: Body) -> PersonDataset:
    """Open a data set.

    Parameters
    ----------
    config : DatasetConfig
    body : Body
        Body of the run.

    Raises
    ------
    InputError
        If the set is missing or invalid.
    UsageError
        If the set does not support the configuration.
    """
    kind, folder = config.kind, config.folder
    if config.fits is not None and kind not in ("lspet", "lsp", "mpii", "coco"):
        raise UsageError(f"the set {kind} does not support fits")
    if config.teacher is not None and kind not in ("lspet", "ccp"):
        raise UsageError(f"the set {kind} has no second teacher")
    if kind in ("lspet", "lsp"):
        return _fitted(config)
    if kind == "ccp":
        return _ccp(config)
    if kind == "synthetic":
        return _synthetic(config, body)
    if config.rows == "held_out":
        raise UsageError(f"the set {kind} has no held-out rows of its own")
    if kind in ("mpii", "coco"):
        return _annotated(config)
    if config.labels is None:
        raise UsageError(f"the set {kind} needs its npz file (labels)")
    return SpinDataset(config.labels, folder, body, kind, smpl_body=config.smpl_body)


def _annotated(config: DatasetConfig) -> PersonDataset:
    folder = config.folder
    if config.kind == "mpii":
        people = open_mpii(folder)
    elif (folder / "labels.npz").is_file():
        people = open_packed_coco(folder)
    else:
        people = open_coco(folder, config.part)
    if config.fits is None:
        return people
    return DatasetWithFits(people, read_fits(config.fits, len(people)))


def _ccp(config: DatasetConfig) -> PersonDataset:
    """Open CCP's pictures with the key points that two teachers agree on."""
    if config.teacher is None:
        raise UsageError("the set ccp has no key points of its own: give its teacher")
    if config.rows != "train":
        raise UsageError("the set ccp is for training; its held-out pictures have masks only")
    pictures = open_ccp(config.folder)
    teacher = read_second_teacher(config.teacher, len(pictures))
    known = (teacher.keypoints[:, : len(LSP_NAMES), 2] > 0).sum(axis=1) >= _MIN_CCP_JOINTS
    rows = np.flatnonzero(known[: max(len(pictures) - HELD_OUT_COUNT, 0)])
    if not len(rows):
        raise InputError(f"{config.folder} has no picture with joints that both teachers agree on")
    return TaughtDataset("ccp", teacher, pictures.image, rows.tolist())


def _synthetic(config: DatasetConfig, body: Body) -> PersonDataset:
    people = read_synthetic(config.folder, body)
    people.check_body(body.sha256)
    try:
        test = bool(json.loads(people.table.settings)["test"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{config.folder} does not state its purpose, training or test: {error}"
        ) from error
    if config.rows != "all" and test != (config.rows == "held_out"):
        raise UsageError(f"{config.folder} is a {'test' if test else 'training'} set")
    return people


def _fitted(config: DatasetConfig) -> PersonDataset:
    folder, packed = config.folder, (config.folder / "labels.npz").is_file()
    if config.kind == "lsp":
        joint_set = read_lsp(folder)
    else:
        joint_set = read_joint_set(folder) if packed else read_original_lspet(folder)
    fits = None
    if config.fits is not None:
        fits = read_fits(config.fits, len(joint_set))
    teacher = None
    if config.teacher is not None:
        teacher = read_second_teacher(config.teacher, len(joint_set))
    people = FittedDataset(joint_set, fits, config.kind, teacher)
    if config.rows == "all":
        return people
    return DatasetSubset(people, _rows(config, joint_set))


def _rows(config: DatasetConfig, joint_set: JointSet) -> range:
    count = len(joint_set)
    first_held = (
        min(LSP_TRAINING_COUNT, count) if config.kind == "lsp" else max(count - VALIDATION_COUNT, 0)
    )
    rows = range(first_held) if config.rows == "train" else range(first_held, count)
    if not rows:
        raise InputError(f"{config.folder} has {count} people, so no {config.rows} rows")
    return rows

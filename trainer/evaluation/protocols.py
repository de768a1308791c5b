"""Evaluation protocols by name, and the data that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array
from trainer.data.fits import Fits, read_fits
from trainer.data.lspet import VALIDATION_COUNT, ImageStore, JointSet, read_joint_set
from trainer.data.spin_npz import SpinDataset
from trainer.data.synthetic import SyntheticDataset, read_synthetic
from trainer.evaluation.calibration import measure_calibration
from trainer.evaluation.coco import estimate_boxed, measure_coco, read_coco_mini
from trainer.evaluation.coco_val import measure_coco_val, read_coco_val
from trainer.evaluation.end_to_end import run_program
from trainer.evaluation.genders import gendered_bodies
from trainer.evaluation.held_out import write_held_out
from trainer.evaluation.inference import CropEstimates
from trainer.evaluation.jitter import measure_jitter
from trainer.evaluation.landmarkers import KINDS, measure_landmarkers_on_people
from trainer.evaluation.lsp_parts import measure_lsp_parts
from trainer.evaluation.lspet import (
    estimate_annotated,
    measure_landmarkers,
    measure_lspet,
    measure_program,
)
from trainer.evaluation.masks import (
    estimate_masked,
    measure_masks,
    read_masked_people,
    silhouette,
)
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer
from trainer.evaluation.metrics import ConfusionMatrix, normalized_errors
from trainer.evaluation.network import EvaluatedModel
from trainer.evaluation.oracle import measure_oracle
from trainer.evaluation.pose3d import estimate_people, measure_groups, measure_people
from trainer.evaluation.truncated import measure_truncated
from trainer.evaluation.videos import measure_videos
from trainer.rendering.contact_sheet import write_estimate_sheets

_STILL_PEOPLE = 6
_VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm")
_MAX_ERROR = 3.0
"""Torso lengths at which a joint's error is clipped when images are ranked: a torso seen from its
end makes every error large, and so does one lost limb."""


@dataclass(frozen=True)
class EvaluationData:
    """Locations of the data; protocols whose data are None are reported as not measured."""

    lspet: Path | None = None
    """Folder of the packed joint set."""
    fits: Path | None = None
    """Fits of LSPET, for 3D errors."""
    ccp: Path | None = None
    """Folder of the packed images with masks."""
    coco: Path | None = None
    """Folder of the packed COCO persons."""
    coco_val: Path | None = None
    """Folder with COCO's annotations and val2017."""
    synthetic: Path | None = None
    """Folder of the synthetic test set."""
    dressed: Path | None = None
    """Folder of the synthetic test set of dressed people, in groups."""
    videos: Path | None = None
    """Folder of videos."""
    lsp: Path | None = None
    """Folder with LSP's images and joints.mat."""
    lsp_parts: Path | None = None
    """Folder of UP-3D's part maps of LSP."""
    people: Path | None = None
    """npz of people with ground truth in SPIN's layout (3DPW, Human3.6M)."""
    pictures: Path | None = None
    """Folder that the npz' image names are relative to."""
    smpl_body: bool = False
    """The current body is SMPL, so that the npz' poses are ground truth for it."""
    genders: Mapping[str, str] = field(default_factory=dict)
    """'f', 'm' -> name of SMPL's imported body of that gender."""
    landmarks: Path = Path("blazepose")
    """Folder of BlazePose's ``.tflite`` files."""

    def existing(self) -> EvaluationData:
        """Return the locations that exist, the others None."""
        missing: dict[str, Any] = {
            name: None
            for name, path in vars(self).items()
            if isinstance(path, Path) and name != "landmarks" and not path.exists()
        }
        return replace(self, **missing)


@dataclass(frozen=True)
class EvaluationContext:
    """Model, data and outputs that the protocols share; data are read once, when first used."""

    model: EvaluatedModel
    data: EvaluationData
    sheets: Path | None = None
    """Folder for contact sheets."""
    results: Path | None = None
    """Folder for result files of external evaluations."""
    reporter: Reporter = SILENT

    @cached_property
    def bodies(self) -> BodyPoser:
        """Poser of the model's body."""
        return BodyPoser(self.model.body)

    @cached_property
    def joint_set(self) -> JointSet:
        """LSPET."""
        return read_joint_set(require(self.data.lspet))

    @property
    def rows(self) -> range:
        """Held-out rows of LSPET."""
        return range(max(len(self.joint_set) - VALIDATION_COUNT, 0), len(self.joint_set))

    @cached_property
    def lspet(self) -> CropEstimates:
        """Estimates of the held-out rows' annotated crops."""
        return estimate_annotated(self.model.network, self.joint_set, self.rows, self.reporter)

    @cached_property
    def fits(self) -> Fits | None:
        """Fits of LSPET, if their file is known."""
        path = self.data.fits
        return None if path is None else read_fits(path, len(self.joint_set))

    def write_sheets(
        self, name: str, found: CropEstimates, image: Callable[[int], Any], errors: Array
    ) -> None:
        """Write contact sheets of estimates ranked by their errors (N,), if they are wanted."""
        if self.sheets is not None:
            write_estimate_sheets(self.sheets, name, found, image, errors, self.model.body)


def _lspet(context: EvaluationContext) -> dict[str, Any]:
    # a fault of the fits is found before the long pass
    fits = context.fits
    found, joint_set, rows = context.lspet, context.joint_set, context.rows
    figures = measure_lspet(found, joint_set, rows, context.bodies, fits)
    images = ImageStore(joint_set)
    errors = _image_errors(context, found, joint_set.joints[list(rows)])
    context.write_sheets("lspet", found, lambda index: images[rows[index]], errors)
    return figures


def _program(context: EvaluationContext) -> dict[str, Any]:
    with TemporaryDirectory() as name, context.model.file() as model:
        folder = Path(name)
        write_held_out(context.joint_set, context.rows, folder)
        options = ["--boxes", str(folder / "boxes.json")]
        run_program([folder / "pictures"], folder / "out", model, options)
        take = folder / "out" / "pictures.npz"
        return measure_program(context.joint_set, context.rows, take, context.model.body)


def _landmarkers(context: EvaluationContext) -> dict[str, Any]:
    folder = context.data.landmarks
    return measure_landmarkers(context.joint_set, context.rows, folder, KINDS)


def _calibration(context: EvaluationContext) -> dict[str, Any]:
    return measure_calibration(
        context.model.network,
        context.lspet,
        context.joint_set,
        context.rows,
        context.bodies,
        require(context.data.ccp),
        context.reporter,
    )


def _truncated(context: EvaluationContext) -> dict[str, Any]:
    network, joint_set = context.model.network, context.joint_set
    return measure_truncated(network, joint_set, context.rows, context.bodies, context.reporter)


def _ccp(context: EvaluationContext) -> dict[str, Any]:
    people = read_masked_people(require(context.data.ccp))
    passes = estimate_masked(context.model.network, people, context.bodies, context.reporter)
    if context.sheets is not None:
        renderer, errors = PartRenderer(context.bodies), []
        for row, mask in enumerate(people.masks):
            matrix = ConfusionMatrix(2)
            found = silhouette(passes[1], row, renderer, -1, mask.shape)
            matrix.add(found, mask.astype(np.int64))
            errors.append(1 - float(matrix.f1[1]))
        context.write_sheets("ccp", passes[1], people.images.__getitem__, np.array(errors))
    return measure_masks(passes, people, context.bodies)


def _ccp_oracle(context: EvaluationContext) -> dict[str, Any]:
    people = read_masked_people(require(context.data.ccp))
    _, second = estimate_masked(context.model.network, people, context.bodies, context.reporter)
    return measure_oracle(second, people, context.bodies, reporter=context.reporter)


def _coco(context: EvaluationContext) -> dict[str, Any]:
    people = read_coco_mini(require(context.data.coco))
    passes = estimate_boxed(context.model.network, people, context.bodies, context.reporter)
    images, joints = ImageStore(people.joint_set), people.joint_set.joints
    distances = np.linalg.norm(passes[1].points(context.bodies, "coco") - joints[..., :2], axis=-1)
    distances = np.where(joints[..., 2] > 0, distances, np.nan) / np.sqrt(people.area)[:, None]
    context.write_sheets("coco", passes[1], images.__getitem__, _mean_of_known(distances))
    return measure_coco(passes, people, context.bodies, context.results)


def _coco_val(context: EvaluationContext) -> dict[str, Any]:
    people = read_coco_val(require(context.data.coco_val))
    network, bodies = context.model.network, context.bodies
    return measure_coco_val(network, people, bodies, context.results, context.reporter)


def _synthetic(context: EvaluationContext) -> dict[str, Any]:
    people = _open_synthetic(context, context.data.synthetic)
    return _measure_set(context, people, "synthetic")


def _dressed(context: EvaluationContext) -> dict[str, Any]:
    people = _open_synthetic(context, context.data.dressed)
    return _measure_set(context, people, "dressed")


def _synthetic_landmarkers(context: EvaluationContext) -> dict[str, Any]:
    return _measure_landmarkers(context, _open_synthetic(context, context.data.synthetic))


def _dressed_landmarkers(context: EvaluationContext) -> dict[str, Any]:
    return _measure_landmarkers(context, _open_synthetic(context, context.data.dressed))


def _open_synthetic(context: EvaluationContext, folder: Path | None) -> SyntheticDataset:
    people = read_synthetic(require(folder), context.model.body)
    people.check_body(context.model.body.sha256)
    return people


def _measure_landmarkers(context: EvaluationContext, people: SyntheticDataset) -> dict[str, Any]:
    groups, folder = people.table.group.tolist(), context.data.landmarks
    return measure_landmarkers_on_people(people, groups, folder, reporter=context.reporter)


def _people(context: EvaluationContext) -> dict[str, Any]:
    data = context.data
    path, images = require(data.people), require(data.pictures)
    people = SpinDataset(path, images, context.model.body, path.stem, smpl_body=data.smpl_body)
    truth, as_neutral = gendered_bodies(
        people.genders() if data.smpl_body else (), context.bodies, data.genders, context.reporter
    )
    found, known = estimate_people(context.model.network, people, context.reporter)
    joints = np.stack([one.keypoints[:14] for one in known])
    context.write_sheets("people", found, people.image, _image_errors(context, found, joints))
    return measure_people(found, known, context.bodies, truth) | as_neutral


def _measure_set(context: EvaluationContext, people: SyntheticDataset, name: str) -> dict[str, Any]:
    groups = people.table.group.tolist()
    found, known = estimate_people(context.model.network, people, context.reporter)
    joints = np.stack([one.keypoints[:14] for one in known])
    context.write_sheets(name, found, people.image, _image_errors(context, found, joints))
    return measure_groups(found, known, groups, context.bodies)


def _lsp_parts(context: EvaluationContext) -> dict[str, Any]:
    return measure_lsp_parts(
        context.model.network,
        require(context.data.lsp),
        require(context.data.lsp_parts),
        context.bodies,
        reporter=context.reporter,
    )


def _still(context: EvaluationContext) -> dict[str, Any]:
    people = read_masked_people(require(context.data.ccp))
    with context.model.file() as model:
        return measure_jitter(people.images[:_STILL_PEOPLE], model, context.model.body)


def _videos(context: EvaluationContext) -> dict[str, Any]:
    folder = require(context.data.videos)
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEO_SUFFIXES)
    if not videos:
        raise InputError(f"there is no video in {folder}")
    heavy = context.data.landmarks / "pose_landmark_heavy.tflite"
    with context.model.file() as model:
        return measure_videos(
            videos, model, context.model.body, heavy, context.sheets, context.reporter
        )


@dataclass(frozen=True)
class Protocol:
    """One evaluation protocol."""

    run: Callable[[EvaluationContext], dict[str, Any]]
    needs: tuple[str, ...]
    """Fields of `EvaluationData`."""
    by_default: bool = True


PROTOCOLS = {
    "lspet": Protocol(_lspet, ("lspet",)),
    "program": Protocol(_program, ("lspet",)),
    "calibration": Protocol(_calibration, ("lspet", "ccp")),
    "ccp": Protocol(_ccp, ("ccp",)),
    "synthetic": Protocol(_synthetic, ("synthetic",)),
    "dressed": Protocol(_dressed, ("dressed",)),
    "coco": Protocol(_coco, ("coco",)),
    "coco_val": Protocol(_coco_val, ("coco_val",)),
    "truncated": Protocol(_truncated, ("lspet",)),
    "still": Protocol(_still, ("ccp",)),
    "videos": Protocol(_videos, ("videos",)),
    "people": Protocol(_people, ("people", "pictures")),
    "lsp_parts": Protocol(_lsp_parts, ("lsp", "lsp_parts")),
    # results that depend on the model hardly or not at all
    "ccp_oracle": Protocol(_ccp_oracle, ("ccp",), by_default=False),
    "landmarkers": Protocol(_landmarkers, ("lspet",), by_default=False),
    "synthetic_landmarkers": Protocol(_synthetic_landmarkers, ("synthetic",), by_default=False),
    "dressed_landmarkers": Protocol(_dressed_landmarkers, ("dressed",), by_default=False),
}
"""Protocols by name, in the order of the report."""


def require(path: Path | None) -> Path:
    """Return a location that a protocol needs.

    Raises
    ------
    InputError
        If it is None.
    """
    if path is None:
        raise InputError("a protocol was run without its data")
    return path


def _image_errors(context: EvaluationContext, found: CropEstimates, joints: Array) -> Array:
    """Return the mean clipped error of each image's known limb joints, in torso lengths."""
    errors = normalized_errors(found.points(context.bodies, "lsp"), joints)
    return _mean_of_known(np.minimum(errors, _MAX_ERROR))


def _mean_of_known(values: Array) -> Array:
    """Return the mean of the known values of each row (N, K); NaN for rows without any."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / known.sum(axis=1))

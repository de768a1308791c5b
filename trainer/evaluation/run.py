"""Figures of a model on everything that was never trained on, protocol by protocol."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from pymaf_live.errors import InputError, UsageError
from pymaf_live.types import Array
from trainer.data.base import PeopleSet
from trainer.data.fits import Fits, read_fits
from trainer.data.lspet import VALIDATION, ImageStore, JointSet, read_joint_set
from trainer.data.spin_npz import SpinPeople
from trainer.data.synthetic import read_synthetic
from trainer.evaluation.calibration import measure_calibration
from trainer.evaluation.coco import estimate_boxed, measure_coco, read_coco_mini
from trainer.evaluation.contact_sheets import write_sheets
from trainer.evaluation.end_to_end import run_program
from trainer.evaluation.inference import CropEstimates
from trainer.evaluation.jitter import measure_jitter
from trainer.evaluation.lsp_parts import measure_lsp_parts
from trainer.evaluation.lspet import (
    estimate_annotated,
    held_out_boxes,
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
from trainer.evaluation.network import EvaluatedModel, open_network
from trainer.evaluation.oracle import measure_oracle
from trainer.evaluation.pose3d import estimate_people, measure_people
from trainer.evaluation.report import print_table, write_json, write_markdown
from trainer.evaluation.truncated import measure_truncated
from trainer.evaluation.videos import measure_videos

_STILL_PEOPLE = 6
_VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm")


@dataclass(frozen=True)
class Places:
    """Where the data lie; None = not there, the protocol is then named as not measured."""

    lspet: Path | None = None
    """The packed joint set."""
    fits: Path | None = None
    """Fits of LSPET, for 3D errors to them."""
    ccp: Path | None = None
    """The packed pictures with masks."""
    coco: Path | None = None
    """The packed COCO persons."""
    synthetic: Path | None = None
    """Folder of the synthetic test set."""
    videos: Path | None = None
    """Folder of videos."""
    lsp: Path | None = None
    """LSP's pictures and joints.mat."""
    lsp_parts: Path | None = None
    """UP-3D's part maps of LSP."""
    people: Path | None = None
    """An npz of people with truth in SPIN's layout (3DPW, Human3.6M)."""
    pictures: Path | None = None
    """The folder that the npz' picture names are in."""
    smpl_body: bool = False
    """Whether the running body is SMPL, so that the npz' poses are truth for it."""
    landmarks: Path = Path("blazepose")
    """BlazePose's ``.tflite`` files."""


@dataclass(frozen=True)
class _Work:
    """What the protocols share: opened once, looked at once."""

    measured: EvaluatedModel
    places: Places
    sheets: Path | None
    results: Path | None

    @cached_property
    def bodies(self) -> BodyPoser:
        return BodyPoser(self.measured.body)

    @cached_property
    def joint_set(self) -> JointSet:
        return read_joint_set(_there(self.places.lspet))

    @property
    def rows(self) -> range:
        return range(max(len(self.joint_set) - VALIDATION, 0), len(self.joint_set))

    @cached_property
    def lspet(self) -> CropEstimates:
        return estimate_annotated(self.measured.network, self.joint_set, self.rows)

    @cached_property
    def fits(self) -> Fits | None:
        path = self.places.fits
        return None if path is None else read_fits(path, len(self.joint_set))


def _lspet(work: _Work) -> dict[str, Any]:
    figures = measure_lspet(work.lspet, work.joint_set, work.rows, work.bodies, work.fits)
    if work.sheets is not None:
        pictures, joints = ImageStore(work.joint_set), work.joint_set.joints[list(work.rows)]
        # a torso seen from its end makes every miss large; so does one lost limb: half torsos
        bad = _mean_known(
            np.minimum(normalized_errors(work.lspet.points(work.bodies, "lsp"), joints), 3.0)
        )
        write_sheets(
            work.sheets,
            "lspet",
            work.lspet,
            lambda index: pictures[work.rows[index]],
            bad,
            work.measured.body,
        )
    return figures


def _program(work: _Work) -> dict[str, Any]:
    with TemporaryDirectory() as name, work.measured.file() as model:
        folder = Path(name)
        unpack(work.joint_set, work.rows, folder)
        options = ["--boxes", str(folder / "boxes.json")]
        run_program([folder / "pictures"], folder / "out", model, options)
        take = folder / "out" / "pictures.npz"
        return measure_program(work.joint_set, work.rows, take, work.measured.body)


def _landmarkers(work: _Work) -> dict[str, Any]:
    kinds = ("lite", "full", "heavy")
    return measure_landmarkers(work.joint_set, work.rows, work.places.landmarks, kinds)


def _calibration(work: _Work) -> dict[str, Any]:
    return measure_calibration(
        work.measured.network,
        work.lspet,
        work.joint_set,
        work.rows,
        work.bodies,
        _there(work.places.ccp),
    )


def _truncated(work: _Work) -> dict[str, Any]:
    return measure_truncated(work.measured.network, work.joint_set, work.rows, work.bodies)


def _ccp(work: _Work) -> dict[str, Any]:
    people = read_masked_people(_there(work.places.ccp))
    looks = estimate_masked(work.measured.network, people, work.bodies)
    if work.sheets is not None:
        painter, bad = PartRenderer(work.bodies), []
        for row, mask in enumerate(people.masks):
            count = ConfusionMatrix(2)
            found = silhouette(looks[1], row, painter, -1, mask.shape)
            count.add(found, mask.astype(np.int64))
            bad.append(1 - float(count.f1[1]))
        write_sheets(
            work.sheets,
            "ccp",
            looks[1],
            people.pictures.__getitem__,
            np.array(bad),
            work.measured.body,
        )
    return measure_masks(looks, people, work.bodies)


def _ccp_oracle(work: _Work) -> dict[str, Any]:
    people = read_masked_people(_there(work.places.ccp))
    _, second = estimate_masked(work.measured.network, people, work.bodies)
    return measure_oracle(second, people, work.bodies)


def _coco(work: _Work) -> dict[str, Any]:
    people = read_coco_mini(_there(work.places.coco))
    looks = estimate_boxed(work.measured.network, people, work.bodies)
    if work.sheets is not None:
        pictures, joints = ImageStore(people.joint_set), people.joint_set.joints
        away = np.linalg.norm(looks[1].points(work.bodies, "coco") - joints[..., :2], axis=-1)
        away = np.where(joints[..., 2] > 0, away, np.nan) / np.sqrt(people.area)[:, None]
        bad = _mean_known(away)
        write_sheets(work.sheets, "coco", looks[1], pictures.__getitem__, bad, work.measured.body)
    return measure_coco(looks, people, work.bodies, work.results)


def _synthetic(work: _Work) -> dict[str, Any]:
    people = read_synthetic(_there(work.places.synthetic))
    people.check_body(work.measured.body.sha256)
    return _people(work, people, "synthetic")


def _people3d(work: _Work) -> dict[str, Any]:
    path, pictures = _there(work.places.people), _there(work.places.pictures)
    body, smpl = work.measured.body, work.places.smpl_body
    return _people(work, SpinPeople(path, pictures, body, path.stem, smpl_body=smpl), "people")


def _lsp_parts(work: _Work) -> dict[str, Any]:
    network, places = work.measured.network, work.places
    return measure_lsp_parts(network, _there(places.lsp), _there(places.lsp_parts), work.bodies)


def _people(work: _Work, people: PeopleSet, name: str) -> dict[str, Any]:
    looked, known = estimate_people(work.measured.network, people)
    if work.sheets is not None:
        joints = np.stack([one.keypoints[:14] for one in known])
        found = normalized_errors(looked.points(work.bodies, "lsp"), joints)
        bad = _mean_known(np.minimum(found, 3.0))
        write_sheets(work.sheets, name, looked, people.image, bad, work.measured.body)
    return measure_people(looked, known, work.bodies)


def _still(work: _Work) -> dict[str, Any]:
    people = read_masked_people(_there(work.places.ccp))
    with work.measured.file() as model:
        return measure_jitter(people.pictures[:_STILL_PEOPLE], model, work.measured.body)


def _videos(work: _Work) -> dict[str, Any]:
    folder = _there(work.places.videos)
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEO_SUFFIXES)
    if not videos:
        raise InputError(f"there is no video in {folder}")
    heavy = work.places.landmarks / "pose_landmark_heavy.tflite"
    with work.measured.file() as model:
        return measure_videos(videos, model, work.measured.body, heavy, work.sheets)


@dataclass(frozen=True)
class _Protocol:
    run: Callable[[_Work], dict[str, Any]]
    needs: tuple[str, ...]
    """Fields of `Places`."""
    by_default: bool = True


PROTOCOLS = {
    "lspet": _Protocol(_lspet, ("lspet",)),
    "program": _Protocol(_program, ("lspet",)),
    "calibration": _Protocol(_calibration, ("lspet", "ccp")),
    "ccp": _Protocol(_ccp, ("ccp",)),
    "synthetic": _Protocol(_synthetic, ("synthetic",)),
    "coco": _Protocol(_coco, ("coco",)),
    "truncated": _Protocol(_truncated, ("lspet",)),
    "still": _Protocol(_still, ("ccp",)),
    "videos": _Protocol(_videos, ("videos",)),
    "people": _Protocol(_people3d, ("people", "pictures")),
    "lsp_parts": _Protocol(_lsp_parts, ("lsp", "lsp_parts")),
    # what no model changes, or hardly
    "ccp_oracle": _Protocol(_ccp_oracle, ("ccp",), by_default=False),
    "landmarkers": _Protocol(_landmarkers, ("lspet",), by_default=False),
}
"""Name -> protocol, in the order of the report."""


def evaluate(
    model: Path,
    places: Places,
    *,
    protocols: Sequence[str] | None = None,
    sheets: Path | None = None,
    results: Path | None = None,
    out: Path | None = None,
    markdown: Path | None = None,
) -> dict[str, Any]:
    """Measure a run's averaged weights, rounded as in its exported file, or the file itself.

    Parameters
    ----------
    model : Path
        ``checkpoint.safetensors``: every level. ``.onnx``: the levels that it was exported with.
    places : Places
        Where the data lie.
    protocols : sequence of str, optional
        Names of `PROTOCOLS`; all but those that no model changes by default, as far as their data
        are there. One that is asked for by name must have its data.
    sheets : Path, optional
        Folder for sheets of overlays: the worst, at random, the best.
    results : Path, optional
        Folder for files that other judges read (COCO's JSON).
    out : Path, optional
        A JSON file for the figures.
    markdown : Path, optional
        A Markdown file for the table, as a model card has it.

    Returns
    -------
    dict
        ``model``, ``protocols``: name -> figures (a list is a number a level, the finest last),
        ``not_measured``: name -> why.

    Raises
    ------
    UsageError
        If there is no such protocol.
    InputError, ModelError
        If a protocol that was asked for lacks its data, or the model is unusable.
    """
    unknown = [name for name in protocols or () if name not in PROTOCOLS]
    if unknown:
        raise UsageError(f"--protocols knows {', '.join(PROTOCOLS)}, not {unknown[0]!r}")
    measured = open_network(model, places.landmarks)
    places = places if protocols is not None else _as_far_as_there(places)
    work = _Work(measured, places, sheets, results)
    found: dict[str, Any] = {}
    lacking: dict[str, str] = {}
    content = hashlib.sha256(model.read_bytes()).hexdigest()
    report = {
        "model": {"file": model.name, "sha256": content, "levels": measured.network.levels},
        "protocols": found,
        "not_measured": lacking,
    }
    told = Console(stderr=True)
    for name, protocol in PROTOCOLS.items():
        if name not in protocols if protocols is not None else not protocol.by_default:
            continue
        missing = [need for need in protocol.needs if getattr(places, need) is None]
        if missing:
            lacking[name] = f"no data: --{missing[0].replace('_', '-')}"
            if protocols is not None:
                raise InputError(f"{name} has {lacking[name]}")
            continue
        started = time.monotonic()
        found[name] = protocol.run(work)
        told.print(f"{name}: {time.monotonic() - started:.0f} s", highlight=False)
        if out is not None:
            # what has been measured is kept, whatever happens to the next
            write_json(out, report)
    print_table(report)
    if out is not None:
        write_json(out, report)
    if markdown is not None:
        write_markdown(markdown, report)
    return report


def unpack_held_out(lspet: Path, folder: Path) -> int:
    """Write the held-out pictures as files and `boxes.json` beside them, for ``process --boxes``.

    Returns
    -------
    int
        How many.
    """
    joint_set = read_joint_set(lspet)
    return unpack(joint_set, range(len(joint_set) - VALIDATION, len(joint_set)), folder)


def unpack(joint_set: JointSet, rows: Sequence[int], folder: Path) -> int:
    """The same of any rows."""
    pictures = ImageStore(joint_set)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    boxes = held_out_boxes(joint_set, rows)
    for row in rows:
        (folder / "pictures" / joint_set.names[row]).write_bytes(pictures.encoded(row))
    (folder / "boxes.json").write_text(json.dumps(boxes), encoding="utf-8")
    return len(boxes)


def _as_far_as_there(places: Places) -> Places:
    absent: dict[str, Any] = {
        name: None
        for name, path in vars(places).items()
        if isinstance(path, Path) and name != "landmarks" and not path.exists()
    }
    return replace(places, **absent)


def _there(path: Path | None) -> Path:
    if path is None:
        raise InputError("a protocol was run without its data")
    return path


def _mean_known(values: Array) -> Array:
    """Mean over the known of each row (N, K); NaN where nothing is known."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / known.sum(axis=1))

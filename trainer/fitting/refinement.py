"""The fit's second round: from a network's own estimates, the best of several starts kept.

As SPIN (Kolotouros et al., ICCV 2019) and EFT (Joo et al., 3DV 2021) do: a network that has
learned from the first round guesses the people that the teacher misses, in the neighbourhood of
bodies that it has seen, and the fit goes on from there. Every person is fitted from the first
round's body and from the network's; the one of lower energy stays, that is: annotation, teacher as
far as it is trusted, pose prior, joint limits and shape together, never the picture alone. Limbs
that the picture leaves open are then read the other way in depth, and what lowers the energy
stays.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS, LSP_NAMES
from pymaf_live.errors import InputError
from pymaf_live.inference.preprocess import cut, network_input
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.types import Array, Crop, Mask
from trainer.body.blazepose_landmarker import SIZE
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.fits import Fits, bends_naturally
from trainer.fitting.fit import BodyFitter, FitOptions, FitParameters
from trainer.fitting.pose_prior import PosePrior
from trainer.fitting.targets import (
    LIMBS,
    TRUNK,
    CropAnnotations,
    FitTargets,
    annotation_support,
    build_fit_targets,
    by_landmark,
)
from trainer.fitting.teacher import ImageReader, TeacherLandmarks

_BATCH = 32
_FROM_FIRST, _FROM_NETWORK, _READING, _LAST = 120, 160, 40, 80
"""Steps of the descents."""
_READINGS = 3
"""How many of a person's twelve other readings are tried in earnest."""
_NEAR_NETWORK, _NETWORK_TRUNK = 0.20, 0.20
"""Metres from the network's limbs, and trust in its trunk, within which its word suffices."""
_OPEN_TRUST = 0.6
"""Limbs whose depth the teacher vouches for less are read the other way too."""
_UNKNOWN_SHARE = 0.3
"""How much of a network's word counts on a joint that is not annotated."""
_NETWORK_SHARE = 0.5
"""How much a network's word on depth weighs beside the teacher's."""


@dataclass(frozen=True)
class Predictions:
    """A network's estimates of N annotated crops."""

    rotations: Array
    """(N, J, 3, 3)"""
    shape: Array
    """(N, S)"""
    camera: Array
    """(N, 3)"""
    score: Array
    """(N,) 0..1"""
    joint_score: Array
    """(N, J) 0..1"""


@torch.no_grad()
def predict(
    checkpoint: Path,
    landmark_file: Path | None,
    people: CropAnnotations,
    picture: ImageReader,
    reporter: Reporter = SILENT,
) -> Predictions:
    """Look at every annotated crop with the network of a checkpoint.

    Parameters
    ----------
    checkpoint : Path
    landmark_file : Path, optional
        BlazePose's .tflite file of its encoder.
    people : Annotated
    picture : function
        Row to picture.
    reporter : Reporter
    """
    from trainer.export.onnx import load_network  # it brings onnx along

    model, _, _ = load_network(checkpoint, landmark_file)
    size = model.encoder.size
    found: list[list[Array]] = []
    for start in report_each(range(0, len(people), _BATCH), reporter, "network"):
        rows = range(start, min(start + _BATCH, len(people)))
        cuts = []
        for row in rows:
            crop = Crop(people.frame_from_crop[row], SIZE)
            cuts.append(cut(picture(row), _resized(crop, size)))
        output = model(torch.from_numpy(network_input(np.stack(cuts))))
        last = output.levels[-1]
        scores = torch.sigmoid(output.score)[:, 0], torch.sigmoid(output.joint_score)
        parts = last.rotations, last.shape, last.camera, *scores
        found.append([part.numpy() for part in parts])
    return Predictions(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _resized(crop: Crop, size: int) -> Crop:
    """The same square with another number of pixels."""
    if crop.size == size:
        return crop
    frame, ratio = crop.frame_from_crop.copy(), crop.size / size
    frame[:, 2] += frame[:, :2] @ np.full(2, (ratio - 1) / 2)
    frame[:, :2] *= ratio
    return Crop(frame, size)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Keep a network's estimates in an npz."""
    with atomic_write(path) as temporary:
        arrays = {name: a.astype(np.float32) for name, a in asdict(predictions).items()}
        np.savez_compressed(temporary, **arrays)


def read_predictions(path: Path, body: Body, count: int) -> Predictions:
    """Read kept estimates of `count` people.

    Raises
    ------
    InputError
        If the file is of another set or body, or not finite.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {field.name: file[field.name] for field in fields(Predictions)}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} holds no network's estimates: {error}") from error
    joints = body.joint_count
    sizes = {
        "rotations": (joints, 3, 3), "shape": (body.shape_count,), "camera": (3,), "score": (),
        "joint_score": (joints,),
    }  # fmt: skip
    for name, size in sizes.items():
        if arrays[name].shape != (count, *size):
            raise InputError(f"{path}: {name} is {arrays[name].shape}, not {(count, *size)}")
        if not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} is not finite")
    return Predictions(**arrays)


def refine_fits(
    body: Body,
    people: CropAnnotations,
    teacher: TeacherLandmarks,
    first: Fits,
    predictions: Predictions,
    prior: PosePrior,
    options: FitOptions | None = None,
    reporter: Reporter = SILENT,
) -> Fits:
    """Fit everybody from the first round's body and from a network's, and keep the better.

    Parameters
    ----------
    body : Body
    people : Annotated
        N people.
    teacher : TeacherLandmarks
    first : Fits
        The first round's.
    predictions : Predictions
        A network's.
    prior : PosePrior
    options : FitOptions, optional
        Its steps and rate are the first round's alone.
    reporter : Reporter

    Returns
    -------
    Fits
    """
    options = options or FitOptions()
    targets = build_fit_targets(people, teacher, options.trust_torso, options.trust_spread)
    fitter = BodyFitter(body, options, prior, reporter)
    guess = fitter.from_bodies(predictions.rotations, predictions.shape, predictions.camera)
    targets, said = _with_network(fitter, guess, predictions, targets, people, options)
    begun = fitter.from_bodies(first.rotations, first.shape, first.camera)
    found = fitter.optimize(begun, targets, _FROM_FIRST, 0.02, "from the first round")
    other = fitter.optimize(guess, targets, _FROM_NETWORK, 0.03, "from the network")
    _take_better(fitter, found, other, targets, torch.arange(len(people)))
    for _ in range(2):
        _read_other_ways(fitter, found, targets)
    last = fitter.optimize(found, targets, _LAST, 0.01, "at last")
    _take_better(fitter, found, last, targets, torch.arange(len(people)))
    return _judged(fitter, found, targets, people, said)


def _take_better(
    fitter: BodyFitter,
    found: FitParameters,
    other: FitParameters,
    targets: FitTargets,
    rows: Tensor,
) -> None:
    """Take the others' bodies of `rows` where their energy is lower."""
    held = targets.of(rows)
    with torch.no_grad():
        better = fitter.energy(other, held) < fitter.energy(found.of(rows), held)
    found.put(rows[better], other.of(better.nonzero()[:, 0]))


def _read_other_ways(fitter: BodyFitter, found: FitParameters, targets: FitTargets) -> None:
    limb_trust = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)].amin(0)
    rows = (limb_trust < _OPEN_TRUST).nonzero()[:, 0]
    if not len(rows):
        return
    held = targets.of(rows)
    readings = fitter.depth_alternatives(found.of(rows))
    with torch.no_grad():
        energies = torch.stack([fitter.energy(reading, held) for reading in readings])
    best = energies.argsort(dim=0)[:_READINGS]
    for place in range(_READINGS):
        tried = FitParameters(*(part.clone() for part in readings[0].parts))
        for number, reading in enumerate(readings):
            mine = (best[place] == number).nonzero()[:, 0]
            tried.put(mine, reading.of(mine))
        settled = fitter.optimize(tried, held, _READING, 0.02, "the other way")
        _take_better(fitter, found, settled, targets, rows)


@dataclass(frozen=True)
class _Said:
    """What a network says of the limbs and how far it may be believed."""

    joints: Tensor
    """(3, 14, N) m"""
    trust: Tensor
    """(14, N)"""


def _with_network(
    fitter: BodyFitter,
    guess: FitParameters,
    predictions: Predictions,
    targets: FitTargets,
    people: CropAnnotations,
    options: FitOptions,
) -> tuple[FitTargets, _Said]:
    """The evidence with the network's joints, where the teacher is not believed."""
    count = len(LSP_NAMES)
    with torch.no_grad():
        points = fitter.points(guess)[:, :count]
        flat = guess.camera[0] * (points[:2] + guess.camera[1:, None])
    missed = (flat - targets.annotated[:, :count]).norm(dim=0)[:LIMBS].T.numpy() * (SIZE / 2)
    known = people.keypoints[:, :LIMBS, 2] > 0
    support = annotation_support(missed, known, people.torso_pixels(), options.trust_torso)
    trunk = support[:, TRUNK].mean(1, keepdims=True)
    limbs = support * np.sqrt(trunk) * predictions.score[:, None]
    # where nothing is annotated the teacher's points are better than a small network's
    limbs = np.where(known, limbs, limbs * _UNKNOWN_SHARE)
    trust = torch.tensor(np.concatenate([limbs, trunk, trunk], axis=1).T, dtype=torch.float32)
    taught = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)]
    taught = torch.cat([taught, taught[TRUNK].mean(0).expand(2, -1)])
    held = replace(targets, network=points, network_trust=trust * (1 - taught))
    return held, _Said(points, trust)


def _judged(
    fitter: BodyFitter,
    found: FitParameters,
    targets: FitTargets,
    people: CropAnnotations,
    said: _Said,
) -> Fits:
    measured = fitter.measured(found, targets, people)
    with torch.no_grad():
        points = fitter.points(found)
    joints = points[:, : len(LSP_NAMES)]
    away = _apart(joints, said.joints, said.trust)
    network_trust = _NETWORK_SHARE * said.trust / (1 + (away / 0.12) ** 2)
    landmarks = points[:, -targets.world.shape[1] :]
    away_teacher = _apart(landmarks, targets.world, targets.landmark_trust)
    # a fit that went another way than the teacher is not vouched for by it
    taught = targets.landmark_trust / (1 + (away_teacher / 0.25) ** 2)
    trust = torch.maximum(taught, by_landmark(network_trust))
    kept = _worth_keeping(fitter, measured.rotations, people)
    trunk = targets.landmark_trust[list(BLAZEPOSE_LSP_LIMBS)][TRUNK].mean(0).numpy()
    by_teacher = (measured.residual_3d < 0.20) & (trunk > 0.25)
    weight = said.trust[:LIMBS]
    away_network = (weight * away[:LIMBS]).sum(0) / weight.sum(0).clamp(min=1e-6)
    by_network = away_network.numpy() < _NEAR_NETWORK
    by_network &= said.trust[TRUNK].mean(0).numpy() > _NETWORK_TRUNK
    torso = measured.residual_torso
    kept &= (measured.residual_2d < 0.08) & ~(torso < 0.75) & (by_teacher | by_network)
    return fitter.fits(measured, people, trust, kept)


def _worth_keeping(fitter: BodyFitter, rotations: Array, people: CropAnnotations) -> Mask:
    return bends_naturally(fitter.body, rotations) & ~violates_joint_limits(fitter.body, rotations)


def _apart(points: Tensor, others: Tensor, trust: Tensor) -> Tensor:
    """Distances (K, N) of points (3, K, N) when both lie about the same middle."""
    difference = points - others
    middle = (trust * difference).sum(1) / (trust.sum(0) + 1e-6)
    apart: Tensor = (difference - middle[:, None]).norm(dim=0)
    return apart

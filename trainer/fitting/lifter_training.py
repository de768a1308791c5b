"""Training of a lifter on posed bodies seen by simulated annotators and teachers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter, raise_if_cancelled
from trainer.fitting.lifter import LiftedPoses, Lifter, LifterConfig, read_lifter, write_lifter
from trainer.fitting.lifter_noise import Observations, concatenate, observe
from trainer.fitting.lifter_poses import PoseBank, ViewedPeople, draw_views
from trainer.fitting.taught_people import TaughtPeople

_LIMBS = 12
_OTHER_WEIGHT = 0.3
"""Weight of a point that is no limb joint."""
_SHARED = 0.06
"""Share of the loss that every hypothesis gets, so that none is never used."""
_SCORE_WIDTH = 0.02
"""Metres: hypotheses whose errors differ by less are equally good."""
_SCORE_WEIGHT, _SPREAD_WEIGHT = 0.02, 0.01
_MAX_GRADIENT_NORM = 1.0
_SECONDS_BETWEEN_SAVES = 60.0


@dataclass(frozen=True)
class LifterTraining:
    """Length and rate of a training."""

    steps: int = 16_000
    batch: int = 384
    learning_rate: float = 1e-3
    teacher_share: float = 0.25
    """Share of a batch whose landmarks a real teacher saw, if there are such people."""
    seed: int = 0


def train_lifter(
    out: Path,
    bank: PoseBank,
    config: LifterConfig,
    training: LifterTraining,
    taught: TaughtPeople | None = None,
    start: Path | None = None,
    reporter: Reporter = SILENT,
) -> Lifter:
    """Train a lifter, or continue the interrupted training of `out`.

    Parameters
    ----------
    out : Path
        File of the lifter. It is saved every minute with the optimizer's state.
    bank : PoseBank
    config : LifterConfig
    training : LifterTraining
    taught : TaughtPeople, optional
    start : Path, optional
        Lifter to begin with; random weights by default.
    reporter : Reporter

    Raises
    ------
    InputError
        If a file is damaged or holds a lifter of another size.
    """
    torch.manual_seed(training.seed)
    lifter = Lifter(config)
    if start is not None:
        _take(start, lifter)
    optimizer = torch.optim.AdamW(lifter.parameters(), training.learning_rate, weight_decay=1e-3)
    first = _resume(out, lifter, optimizer) if out.exists() else 0
    lifter.train()
    saved = time.monotonic()
    recent: list[float] = []
    for step in range(first, training.steps):
        raise_if_cancelled(reporter)
        # depends on the step alone, so that an interrupted training continues as it would have
        random = torch.Generator().manual_seed(training.seed * 1_000_003 + step)
        people, seen = _draw(bank, taught, training, random)
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(training, step)
        optimizer.zero_grad(set_to_none=True)
        loss, error = lifter_loss(lifter(seen), people.points)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(lifter.parameters(), _MAX_GRADIENT_NORM)
        optimizer.step()
        recent.append(float(error))
        # of what was left, so that the time left is right after an interruption
        reporter.progress((step + 1 - first) / (training.steps - first), "lifter")
        if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
            mean = 1000 * float(np.mean(recent))
            reporter.message(f"step {step + 1}: {mean:.0f} mm, hypothesis of the highest score")
            _save(out, lifter, optimizer, step + 1)
            saved, recent = time.monotonic(), []
    write_lifter(out, lifter)
    return lifter.eval()


def lifter_loss(lifted: LiftedPoses, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss and the mean error of the hypothesis of the highest score, m.

    The winner takes nearly all: the best hypothesis is pulled to the truth (Guzman-Rivera et al.,
    NIPS 2012). The score learns which one it was, the spread how far it was off (Laplace).

    Parameters
    ----------
    lifted : LiftedPoses
        Of B people.
    points : (B, P, 3) tensor
        Truth.
    """
    distance = (lifted.points - points[:, None]).norm(dim=-1)
    weight = torch.full(distance.shape[-1:], _OTHER_WEIGHT)
    weight[:_LIMBS] = 1
    error = (distance * weight).sum(-1) / weight.sum()
    best = error.argmin(1)
    rows = torch.arange(len(best))
    winner = error[rows, best].mean()
    target = (-error.detach() / _SCORE_WIDTH).softmax(1)
    score = -(target * lifted.score).sum(1).mean()
    spread = lifted.spread[rows, best]
    likelihood = (torch.log(spread) + distance.detach()[rows, best] / spread).mean()
    loss = (1 - _SHARED) * winner + _SHARED * error.mean()
    loss = loss + _SCORE_WEIGHT * score + _SPREAD_WEIGHT * likelihood
    chosen = distance.detach()[rows, lifted.score.argmax(1)]
    return loss, chosen[:, :_LIMBS].mean()


def _draw(
    bank: PoseBank, taught: TaughtPeople | None, training: LifterTraining, random: torch.Generator
) -> tuple[ViewedPeople, Observations]:
    real = 0 if taught is None else round(training.batch * training.teacher_share)
    people = draw_views(bank, training.batch - real, random)
    seen = observe(people, random)
    if taught is None or not real:
        return people, seen
    others, with_teacher = taught.draw(real, random)
    together = ViewedPeople(
        torch.cat([people.points, others.points]), torch.cat([people.flat, others.flat])
    )
    return together, concatenate([seen, with_teacher])


def _learning_rate(training: LifterTraining, step: int) -> float:
    """Return the rate of a step: it rises over 3 % of the steps and falls to zero as a cosine."""
    warm = max(1, round(0.03 * training.steps))
    if step < warm:
        return training.learning_rate * (step + 1) / warm
    share = (step - warm) / max(1, training.steps - warm)
    return float(training.learning_rate * (1 + np.cos(np.pi * share)) / 2)


def _save(out: Path, lifter: Lifter, optimizer: torch.optim.AdamW, step: int) -> None:
    tensors = {"training.step": torch.tensor(step)}
    for name, parameter in lifter.named_parameters():
        for key, value in optimizer.state[parameter].items():
            tensors[f"training.{key}.{name}"] = value
    write_lifter(out, lifter, tensors)


def _resume(out: Path, lifter: Lifter, optimizer: torch.optim.AdamW) -> int:
    """Fill lifter and optimizer from an interrupted training and return the next step."""
    tensors = _take(out, lifter)
    if "training.step" not in tensors:
        raise InputError(f"{out} is a finished lifter; choose another file or remove it")
    for name, parameter in lifter.named_parameters():
        try:
            optimizer.state[parameter] = {
                key: tensors[f"training.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
            }
        except KeyError as error:
            raise InputError(f"{out} lacks {error} of its training") from error
    return int(tensors["training.step"])


def _take(path: Path, lifter: Lifter) -> dict[str, Tensor]:
    found, tensors = read_lifter(path)
    if found.config != lifter.config:
        raise InputError(f"{path} holds a lifter of another size: {found.config}")
    lifter.load_state_dict(found.state_dict())
    return tensors

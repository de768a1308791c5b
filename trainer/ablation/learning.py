"""Training and evaluation of one variant with one seed."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.errors import PymafLiveError
from trainer.ablation.features import Features
from trainer.ablation.neck import Neck
from trainer.data.fits import Fits
from trainer.data.lspet import JointSet, annotated_crop
from trainer.evaluation.inference import CropEstimates
from trainer.evaluation.lspet import measure_lspet
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.network import Estimates
from trainer.network.config import NetworkConfig
from trainer.network.estimates import InitialEstimate, LevelEstimate
from trainer.network.pymaf import PyMAF
from trainer.training.config import RunConfig
from trainer.training.loss_module import ema_update
from trainer.training.losses import Losses
from trainer.training.optimizer import RelativeAdam
from trainer.training.schedule import learning_rates

_MAX_GRADIENT_NORM = 20.0
_CROPS_FOR_SPREAD = 64
_BATCH = 50
_LOSS_STEPS = 50
"""Last steps whose mean loss is reported."""


@dataclass(frozen=True)
class AblationSetup:
    """Everything that the variants share; people 0 .. `people` - 1 are trained on."""

    config: RunConfig
    body: Body
    start: InitialEstimate
    features: Features
    people: int
    device: str = "cpu"


class _VariantTrainer:
    """Network of a variant with its optimizer."""

    def __init__(self, setup: AblationSetup, network: NetworkConfig, seed: int, steps: int) -> None:
        torch.manual_seed(seed)
        self.setup, self.seed = setup, seed
        schedule = setup.config.schedule
        self.schedule = schedule.model_copy(update={"images": steps * schedule.batch})
        rows = np.arange(min(_CROPS_FOR_SPREAD, setup.people))
        maps, _ = setup.features.batch(rows, np.zeros_like(rows))
        model = PyMAF(network, setup.body, setup.start, encoder=Neck(maps))
        self.model = model.to(setup.device)
        self.average = copy.deepcopy(self.model).eval()
        losses = Losses(setup.body, setup.config.losses, dense=network.auxiliary != "none")
        self.losses = losses.to(setup.device)
        self.optimizer = RelativeAdam(
            [{"params": list(self.model.parameters()), "weight_decay": schedule.weight_decay}]
        )
        self._order: dict[int, np.ndarray] = {}

    def step(self, number: int) -> float:
        """Take a step and return the loss; every variant sees the same people in the same order."""
        setup, schedule = self.setup, self.schedule
        torch.manual_seed(self.seed + number)
        self.optimizer.param_groups[0]["lr"] = learning_rates(schedule, number).base
        first = number * schedule.batch
        rows = np.array([self._person(first + k) for k in range(schedule.batch)])
        mirrored = np.random.default_rng([self.seed, number, 2]).integers(2, size=len(rows))
        maps, labels = setup.features.batch(rows, mirrored, setup.device)
        self.model.train()
        output = self.model.estimate(self.model.encoder(maps))
        loss, _ = self.losses(output, labels)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), _MAX_GRADIENT_NORM)
        self.optimizer.step()
        decay = min(schedule.ema_decay, (1 + number) / (10 + number))
        ema_update(self.average, self.model, decay)
        return float(loss.detach())

    def _person(self, sample_index: int) -> int:
        epoch, index = divmod(sample_index, self.setup.people)
        if epoch not in self._order:
            random = np.random.default_rng([self.seed, epoch, 1])
            self._order = {epoch: random.permutation(self.setup.people)}
        return int(self._order[epoch][index])


def seconds_per_image(setup: AblationSetup, network: NetworkConfig, steps: int = 4) -> float:
    """Measure the training time of an image.

    On a CPU it is the process's own time, so that other load does not count.
    """
    trainer = _VariantTrainer(setup, network, 0, steps + 1)
    trainer.step(0)
    clock = time.process_time if setup.device == "cpu" else time.perf_counter
    started = clock()
    for number in range(1, steps + 1):
        trainer.step(number)
    return (clock() - started) / steps / setup.config.schedule.batch


def train_variant(
    setup: AblationSetup, network: NetworkConfig, seed: int, steps: int
) -> tuple[PyMAF, float]:
    """Train a network; return it with its averaged weights, and the mean loss of the last steps.

    Raises
    ------
    PymafLiveError
        If the loss is not finite.
    """
    trainer = _VariantTrainer(setup, network, seed, steps)
    recent: list[float] = []
    for number in range(steps):
        loss = trainer.step(number)
        if not np.isfinite(loss):
            raise PymafLiveError(f"the loss is not finite at step {number}; lower the rate")
        recent = [*recent[1 - _LOSS_STEPS :], loss]
    return trainer.average, float(np.mean(recent))


def measure_variant(
    setup: AblationSetup,
    model: PyMAF,
    joint_set: JointSet,
    fits: Fits,
    rows: Sequence[int],
    first: int,
) -> dict[str, Any]:
    """Return the figures of the start (the mean pose) and of every level.

    Parameters
    ----------
    setup : AblationSetup
    model : PyMAF
        In evaluation mode.
    joint_set, fits
        The whole set.
    rows : sequence of int
        Its held-out rows.
    first : int
        Index of the first of them among the features.
    """
    estimates = _estimates(setup, model, np.arange(first, first + len(rows)))
    crops = [annotated_crop(joint_set.joints[row], model.encoder.size) for row in rows]
    found = CropEstimates(crops, estimates)
    return measure_lspet(found, joint_set, rows, BodyPoser(setup.body), fits)


@torch.no_grad()
def _estimates(setup: AblationSetup, model: PyMAF, indices: np.ndarray) -> Estimates:
    start = setup.start
    parts: list[list[LevelEstimate]] = []
    for first in range(0, len(indices), _BATCH):
        block = indices[first : first + _BATCH]
        maps, _ = setup.features.batch(block, np.zeros_like(block), setup.device)
        mean = LevelEstimate(*(
            part.to(setup.device).expand(len(block), *part.shape)
            for part in (start.rotations, start.shape, start.camera)
        ))  # fmt: skip
        parts.append([mean, *model.estimate(model.encoder(maps)).levels])
    levels = list(zip(*parts, strict=True))

    def stacked(name: str) -> np.ndarray:
        values: list[Tensor] = [torch.cat([getattr(p, name) for p in level]) for level in levels]
        return torch.stack(values).cpu().numpy().astype(np.float64)

    zeros = np.zeros(len(indices))
    return Estimates(
        stacked("rotations"), stacked("shape"), stacked("camera"), zeros, zeros[:, None]
    )

"""One variant, one seed: learn, then measure on people never learned from."""

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

_CLIP = 20.0
_FOR_SPREAD = 64
_BATCH = 50


@dataclass(frozen=True)
class AblationSetup:
    """What all variants have in common; people 0 .. `learned` - 1 are learned from."""

    config: RunConfig
    body: Body
    start: InitialEstimate
    features: Features
    learned: int
    device: str = "cpu"


class _Learning:
    """A network that takes steps."""

    def __init__(
        self, course: AblationSetup, network: NetworkConfig, seed: int, steps: int
    ) -> None:
        torch.manual_seed(seed)
        self.course, self.seed = course, seed
        schedule = course.config.schedule
        self.schedule = schedule.model_copy(update={"images": steps * schedule.batch})
        some = np.arange(min(_FOR_SPREAD, course.learned))
        maps, _ = course.features.batch(some, np.zeros_like(some))
        model = PyMAF(network, course.body, course.start, encoder=Neck(maps))
        self.model = model.to(course.device)
        self.average = copy.deepcopy(self.model).eval()
        losses = Losses(course.body, course.config.losses, dense=network.auxiliary != "none")
        self.losses = losses.to(course.device)
        self.optimiser = RelativeAdam(
            [{"params": list(self.model.parameters()), "weight_decay": schedule.weight_decay}]
        )
        self._order: dict[int, np.ndarray] = {}

    def step(self, number: int) -> float:
        """Take a step; the same people in the same order whatever the variant."""
        course, schedule = self.course, self.schedule
        torch.manual_seed(self.seed + number)
        self.optimiser.param_groups[0]["lr"] = learning_rates(schedule, number).base
        rows = np.array([self._person(number * schedule.batch + k) for k in range(schedule.batch)])
        mirrored = np.random.default_rng([self.seed, number, 2]).integers(2, size=len(rows))
        maps, labels = course.features.batch(rows, mirrored, course.device)
        self.model.train()
        output = self.model.estimate(self.model.encoder(maps))
        loss, _ = self.losses(output, labels)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        self.optimiser.step()
        ema_update(self.average, self.model, min(schedule.ema_decay, (1 + number) / (10 + number)))
        return float(loss.detach())

    def _person(self, place: int) -> int:
        epoch, index = divmod(place, self.course.learned)
        if epoch not in self._order:
            random = np.random.default_rng([self.seed, epoch, 1])
            self._order = {epoch: random.permutation(self.course.learned)}
        return int(self._order[epoch][index])


def seconds_per_image(course: AblationSetup, network: NetworkConfig, steps: int = 4) -> float:
    """Seconds a picture; of the process' own time on a CPU, so that other work does not count."""
    learning = _Learning(course, network, 0, steps + 1)
    learning.step(0)
    clock = time.process_time if course.device == "cpu" else time.perf_counter
    started = clock()
    for number in range(1, steps + 1):
        learning.step(number)
    return (clock() - started) / steps / course.config.schedule.batch


def learned(
    course: AblationSetup, network: NetworkConfig, seed: int, steps: int
) -> tuple[PyMAF, float]:
    """Learn for some steps; the network with its averaged weights, and the last steps' loss.

    Raises
    ------
    PymafLiveError
        If the loss is not finite.
    """
    learning = _Learning(course, network, seed, steps)
    recent: list[float] = []
    for number in range(steps):
        loss = learning.step(number)
        if not np.isfinite(loss):
            raise PymafLiveError(f"the loss is not finite at step {number}; lower the rate")
        recent = [*recent[-49:], loss]
    return learning.average, float(np.mean(recent))


def measured(
    course: AblationSetup,
    model: PyMAF,
    joint_set: JointSet,
    fits: Fits,
    rows: Sequence[int],
    first: int,
) -> dict[str, Any]:
    """Figures of the start (the mean pose) and of every level.

    Parameters
    ----------
    course : Course
    model : PyMAF
        In evaluation mode.
    joint_set, fits
        The whole set.
    rows : sequence of int
        Held-out rows of it.
    first : int
        Their first place among the features.
    """
    estimates = _estimates(course, model, np.arange(first, first + len(rows)))
    crops = [annotated_crop(joint_set.joints[row], model.encoder.size) for row in rows]
    looked = CropEstimates(crops, estimates)
    return measure_lspet(looked, joint_set, rows, BodyPoser(course.body), fits)


@torch.no_grad()
def _estimates(course: AblationSetup, model: PyMAF, places: np.ndarray) -> Estimates:
    start = course.start
    parts: list[list[LevelEstimate]] = []
    for first in range(0, len(places), _BATCH):
        block = places[first : first + _BATCH]
        maps, _ = course.features.batch(block, np.zeros_like(block), course.device)
        mean = LevelEstimate(*(
            part.to(course.device).expand(len(block), *part.shape)
            for part in (start.rotations, start.shape, start.camera)
        ))  # fmt: skip
        parts.append([mean, *model.estimate(model.encoder(maps)).levels])
    levels = list(zip(*parts, strict=True))

    def stacked(name: str) -> np.ndarray:
        found: list[Tensor] = [torch.cat([getattr(p, name) for p in level]) for level in levels]
        return torch.stack(found).cpu().numpy().astype(np.float64)

    nothing = np.zeros(len(places))
    return Estimates(
        stacked("rotations"), stacked("shape"), stacked("camera"), nothing, nothing[:, None]
    )

"""Lifter: a small network from 2D key points to several 3D poses with scores.

A residual multilayer perceptron in the manner of Martinez et al. (ICCV 2017), with several
hypotheses and a score of each, because depth in one image is ambiguous: a mean of two possible
poses is none. A teacher's metric landmarks are a further, noisy input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write
from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.data.base import KEYPOINT_NAMES
from trainer.fitting.lifter_noise import Observations
from trainer.fitting.lifter_poses import POINTS, centre_hips

_LSP = 14
_INPUTS = 3 * len(KEYPOINT_NAMES) + 6 * LANDMARKS + 1
_MAX_TENSORS = 1000
_BATCH = 2048


@dataclass(frozen=True)
class LifterConfig:
    """Size of a lifter."""

    width: int = 512
    depth: int = 2
    """Number of residual blocks of two layers each."""
    hypotheses: int = 4


@dataclass(frozen=True)
class LiftedPoses:
    """Hypotheses of B people; H hypotheses, P points."""

    points: Tensor
    """(B, H, P, 3) m from the middle of the hips: x right, y down, z away."""
    score: Tensor
    """(B, H) logarithm of the probability of being the best."""
    spread: Tensor
    """(B, H, P) m, expected error of each point if the hypothesis is the best."""

    def best(self, rank: int = 0) -> tuple[Tensor, Tensor]:
        """Return points (B, P, 3) and spread (B, P) of the hypotheses of a rank by score."""
        row = self.score.argsort(dim=1, descending=True)[:, rank]
        people = torch.arange(len(row))
        return self.points[people, row], self.spread[people, row]


class Lifter(nn.Module):
    """Network from observations to hypotheses.

    Parameters
    ----------
    config : LifterConfig
    """

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Linear(_INPUTS, config.width)
        self.blocks = nn.ModuleList(_Block(config.width) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.points = nn.Linear(config.width, config.hypotheses * POINTS * 3)
        self.score = nn.Linear(config.width, config.hypotheses)
        self.spread = nn.Linear(config.width, config.hypotheses * POINTS)

    def forward(self, people: Observations) -> LiftedPoses:
        """Return the hypotheses of B people."""
        state = self.first(encode(people))
        for block in self.blocks:
            state = block(state)
        state = self.norm(state).relu()
        count, hypotheses = len(state), self.config.hypotheses
        points = self.points(state).view(count, hypotheses, POINTS, 3)
        spread = self.spread(state).view(count, hypotheses, POINTS)
        # about 0.1 m at the start
        spread = 0.1 * torch.exp(spread.clamp(-4, 3))
        return LiftedPoses(centre_hips(points), self.score(state).log_softmax(1), spread)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, state: Tensor) -> Tensor:
        change: Tensor = self.second(self.first(self.norm(state)).relu())
        return state + change


def encode(people: Observations) -> Tensor:
    """Return the network's input (B, I), independent of the unit and the origin of the image."""
    joints = people.keypoints[:, :_LSP]
    known = (joints[..., 2:] > 0).float()
    total = known.sum(1, keepdim=True).clamp(min=1)
    centre = (known * joints[..., :2]).sum(1, keepdim=True) / total
    away = known * (joints[..., :2] - centre)
    size = (away.square().sum((1, 2), keepdim=True) / total).sqrt().clamp(min=1e-6)

    def placed(points: Tensor) -> Tensor:
        weight = points[..., 2:]
        # far outliers say no more than near ones
        flat = ((points[..., :2] - centre) / size).clamp(-4, 4)
        return torch.cat([flat * (weight > 0), weight], -1).flatten(1)

    columns = [placed(people.keypoints), placed(people.landmarks)]
    columns += [3 * people.world.flatten(1), people.world_known[:, None]]
    return torch.cat(columns, 1)


@torch.no_grad()
def lift(lifter: Lifter, people: Observations) -> LiftedPoses:
    """Run a lifter on any number of people."""
    rows = torch.split(torch.arange(len(people.world_known)), _BATCH)
    parts = [lifter(people.select(block)) for block in rows]
    return LiftedPoses(
        torch.cat([part.points for part in parts]),
        torch.cat([part.score for part in parts]),
        torch.cat([part.spread for part in parts]),
    )


def write_lifter(path: Path, lifter: Lifter, extra: Mapping[str, Tensor] | None = None) -> None:
    """Write a lifter, and further tensors of its training, to a safetensors file."""
    tensors = {f"model.{name}": value for name, value in lifter.state_dict().items()}
    tensors |= dict(extra or {})
    copies = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    header = {"lifter": json.dumps(asdict(lifter.config))}
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(copies, metadata=header))


def read_lifter(path: Path) -> tuple[Lifter, dict[str, Tensor]]:
    """Read a lifter and the further tensors of its file.

    Raises
    ------
    InputError
        If the file is missing, damaged or holds no lifter.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            header = (file.metadata() or {})["lifter"]
            if len(file.keys()) > _MAX_TENSORS:
                raise ValueError(f"it has {len(file.keys())} tensors")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        lifter = Lifter(LifterConfig(**json.loads(header)))
        own = {k.removeprefix("model."): v.float() for k, v in tensors.items() if "model." in k}
        lifter.load_state_dict(own)
    except FileNotFoundError as error:
        raise InputError(f"there is no lifter {path}") from error
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} contains no lifter: {reason}") from error
    rest = {name: value for name, value in tensors.items() if not name.startswith("model.")}
    return lifter.eval(), rest

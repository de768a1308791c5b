"""How hard the last level pulls, chosen on pictures that were learned from.

The losses weigh the annotated picture against fitted 3D, which errs; learning settles where the
two balance, a little short of the landmarks. Two numbers move that point: a factor on how far the
last level's pulls trust the picture, and how much of a step is made once more by the next. They are
tried on training pictures, and the pair that places most joints is kept. Nothing held out is seen.
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from pymaf_live.body import Body
from pymaf_live.errors import ModelError, PymafLiveError
from trainer.data.lspet import VALIDATION, JointSet, read_joint_set
from trainer.evaluation.lspet import look_at_annotated
from trainer.evaluation.mesh_eval import Bodies
from trainer.evaluation.metrics import pck
from trainer.evaluation.network import TorchNetwork, landmark_file_of
from trainer.export.onnx import load_network
from trainer.network.ik_step import Pull
from trainer.network.pymaf import PyMAF
from trainer.training.checkpoint import read_progress, save_average
from trainer.training.malloc import keep_freed_memory

_PICTURE = (1.0, 1.4)
_MOMENTUM = (0.0, 0.15, 0.25)
_LOOKED_AT = 500
"""Training pictures, the last before the held-out ones."""


@dataclass(frozen=True)
class Tightness:
    """What is changed of the last level's pulls."""

    picture: float
    """Factor on the weight of every landmark's miss in the picture."""
    momentum: float
    """Added to every step but the first."""


@torch.no_grad()
def tightened(model: PyMAF, tightness: Tightness) -> PyMAF:
    """A copy of a network whose last level pulls harder.

    Raises
    ------
    ModelError
        If it has no pulls.
    """
    if not model.config.pulls:
        raise ModelError("the network has no pulls to tighten")
    other = copy.deepcopy(model)
    last = other.pulls[-1]
    assert isinstance(last, nn.ModuleList)
    for number, pull in enumerate(last):
        assert isinstance(pull, Pull)
        weight = functional.softplus(pull.picture) * tightness.picture
        # the inverse of softplus
        pull.picture.copy_(torch.log(torch.expm1(weight.clamp(min=1e-4))))
        if number:
            pull.momentum.add_(tightness.momentum)
    return other


def tighten(
    model: PyMAF, joint_set: JointSet, rows: Sequence[int], body: Body
) -> tuple[PyMAF, dict[Tightness, float]]:
    """The network with the best of the pairs, and the share of joints (PCK) that each one places.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set : JointSet
    rows : sequence of int
        Of pictures that were learned from.
    body : Body
    """
    bodies, found = Bodies(body), {}
    true = joint_set.joints[list(rows)]
    for picture in _PICTURE:
        for momentum in _MOMENTUM:
            tried = Tightness(picture, momentum)
            network = TorchNetwork(tightened(model, tried), "cpu")
            looked = look_at_annotated(network, joint_set, rows)
            found[tried] = pck(looked.points(bodies, "lsp"), true)
    return tightened(model, max(found, key=lambda tried: found[tried])), found


def main(arguments: list[str] | None = None) -> int:
    """Command line: CHECKPOINT --lspet DIR --landmarks DIR --out CHECKPOINT."""
    parser = argparse.ArgumentParser(prog="python -m trainer.commands.tune_ik", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--lspet", type=Path, required=True, metavar="DIR")
    parser.add_argument("--landmarks", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        keep_freed_memory()
        joint_set = read_joint_set(options.lspet)
        last = len(joint_set) - VALIDATION
        rows = range(max(last - _LOOKED_AT, 0), last)
        landmark_file = landmark_file_of(options.checkpoint, options.landmarks)
        model, body, _ = load_network(options.checkpoint, landmark_file)
        best, found = tighten(model, joint_set, rows, body)
        save_average(options.out, best, read_progress(options.checkpoint))
    except PymafLiveError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for tried, share in found.items():
        print(f"picture x{tried.picture:g}, momentum +{tried.momentum:g}: PCK {share:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Gain of the last level's IK steps, tuned after training.

The losses weigh the annotated image against fitted 3D, which has errors; training settles where the
two balance, a little short of the landmarks. Two numbers move that point: a factor on the image
weights of the last level's IK steps, and momentum that carries part of a step over to the next. All
pairs are tried on training images, and the one with the highest PCK is kept. Held-out images take
no part.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pymaf_live.body import Body
from pymaf_live.errors import ModelError
from trainer.data.lspet import VALIDATION_COUNT, JointSet, read_joint_set
from trainer.evaluation.lspet import estimate_annotated
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.metrics import pck
from trainer.evaluation.network import TorchNetwork
from trainer.export.onnx import load_network
from trainer.network.encoder import Encoder, EncoderOutput
from trainer.network.ik_step import IKStep
from trainer.network.pymaf import PyMAF
from trainer.training.checkpoint import read_progress, save_average
from trainer.training.malloc import keep_freed_memory

_IMAGE_FACTORS = (1.0, 1.4, 2.0, 3.0)
_MOMENTA = (0.0, 0.15, 0.25)
_TUNING_IMAGES = 500
"""Training images, the last before the held-out ones."""


@dataclass(frozen=True)
class IKGain:
    """Change of the last level's IK steps."""

    image: float
    """Factor on the weight of every landmark's error in the image."""
    momentum: float
    """Added to the momentum of every step but the first."""


class _RepeatedEncoder(Encoder):
    """Encoder that sees the same batches again and again, and computes each of them once."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder, self.size = encoder, encoder.size
        self.channels, self.summary_width = encoder.channels, encoder.summary_width
        self._outputs: list[EncoderOutput] = []
        self._next = 0

    def forward(self, image: Tensor) -> EncoderOutput:
        if self._next == len(self._outputs):
            # no level reads the heatmaps, which are half of the output
            self._outputs.append(replace(self.encoder(image), heatmaps=None))
        self._next += 1
        return self._outputs[self._next - 1]

    def restart(self) -> None:
        """Expect the first batch next."""
        self._next = 0


@torch.no_grad()
def with_ik_gain(model: PyMAF, gain: IKGain) -> PyMAF:
    """Return a copy of a network with a gain on its last level's IK steps.

    Raises
    ------
    ModelError
        If the network has no IK steps.
    """
    if model.ik is None:
        raise ModelError("the network has no IK steps to tune")
    other = copy.deepcopy(model)
    assert other.ik is not None
    last = other.ik.steps[-1]
    assert isinstance(last, nn.ModuleList)
    for number, step in enumerate(last):
        assert isinstance(step, IKStep)
        weight = functional.softplus(step.image) * gain.image
        # inverse of softplus
        step.image.copy_(torch.log(torch.expm1(weight.clamp(min=1e-4))))
        if number:
            step.momentum.add_(gain.momentum)
    return other


def tune_ik_gain(
    model: PyMAF, joint_set: JointSet, rows: Sequence[int], body: Body
) -> tuple[PyMAF, dict[IKGain, float]]:
    """Return the network with the best gain, and the PCK of every gain that was tried.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set : JointSet
    rows : sequence of int
        Rows of training images.
    body : Body
    """
    bodies, scores = BodyPoser(body), {}
    joints = joint_set.joints[list(rows)]
    encoder = _RepeatedEncoder(model.encoder)
    for image in _IMAGE_FACTORS:
        for momentum in _MOMENTA:
            gain = IKGain(image, momentum)
            other = with_ik_gain(model, gain)
            other.encoder = encoder
            inference = estimate_annotated(TorchNetwork(other, "cpu"), joint_set, rows)
            encoder.restart()
            scores[gain] = pck(inference.points(bodies, "lsp"), joints)
    return with_ik_gain(model, max(scores, key=lambda gain: scores[gain])), scores


def tune_checkpoint(
    checkpoint: Path, out: Path, *, lspet: Path, landmark_file: Path | None
) -> dict[IKGain, float]:
    """Tune the gain of a checkpoint's averaged weights and write them to another checkpoint.

    Parameters
    ----------
    checkpoint, out : Path
    lspet : Path
        Folder of the packed LSPET set.
    landmark_file : Path, optional
        BlazePose's ``.tflite`` file, for its encoders.

    Returns
    -------
    dict of IKGain to float
        PCK of every gain that was tried.
    """
    keep_freed_memory()
    joint_set = read_joint_set(lspet)
    last = len(joint_set) - VALIDATION_COUNT
    rows = range(max(last - _TUNING_IMAGES, 0), last)
    model, body, _ = load_network(checkpoint, landmark_file)
    tuned, scores = tune_ik_gain(model, joint_set, rows, body)
    save_average(out, tuned, read_progress(checkpoint))
    return scores

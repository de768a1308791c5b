"""A network and its losses as one module, so that several processes can share its backward pass."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from trainer.network.encoder import Encoded
from trainer.network.pymaf import PyMAF
from trainer.training.losses import Labels, Losses


class Learner(nn.Module):
    """From crops and labels to the loss.

    Parameters
    ----------
    model : PyMAF
    losses : Losses
    bf16 : bool
        Whether the encoder calculates in bfloat16. The heads add small corrections and the body's
        joints hang on each other, so all that follows the encoder stays in f32.
    """

    def __init__(self, model: PyMAF, losses: Losses, *, bf16: bool) -> None:
        super().__init__()
        self.model, self.losses, self.bf16 = model, losses, bf16

    def forward(
        self, image: Tensor, labels: Labels, frozen: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of (B, 3, S, S) crops and its terms; `frozen` = nothing reaches the encoder."""
        with (
            torch.set_grad_enabled(not frozen),
            torch.autocast(image.device.type, torch.bfloat16, enabled=self.bf16),
        ):
            encoded = self.model.encoder(image)
        output = self.model.estimate(_in_f32(encoded) if self.bf16 else encoded)
        loss, terms = self.losses(output, labels)
        return loss, terms


def _in_f32(encoded: Encoded) -> Encoded:
    def single(part: Any) -> Any:
        if isinstance(part, list):
            return [one.float() for one in part]
        return None if part is None else part.float()

    return replace(encoded, **{f.name: single(getattr(encoded, f.name)) for f in fields(encoded)})


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the present ones."""
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    kept, now = [], []
    for old, new in pairs:
        if old.dtype.is_floating_point:
            kept.append(old)
            now.append(new)
        else:
            old.copy_(new)
    torch._foreach_lerp_(kept, now, 1 - decay)

"""Network and losses as one module, and the moving average of the weights."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from trainer.network.encoder import EncoderOutput
from trainer.network.pymaf import PyMAF
from trainer.training.losses import Labels, Losses


class LossModule(nn.Module):
    """Compute the loss of crops and labels.

    One module for both, so that several processes can average the gradients of its backward pass.

    Parameters
    ----------
    model : PyMAF
    losses : Losses
    bf16 : bool
        Run the encoder in bfloat16. The heads add small corrections and the body's joints depend on
        each other, so everything after the encoder stays in f32.
    """

    def __init__(self, model: PyMAF, losses: Losses, *, bf16: bool) -> None:
        super().__init__()
        self.model, self.losses, self.bf16 = model, losses, bf16

    def forward(
        self, image: Tensor | EncoderOutput, labels: Labels, frozen: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of crops (B, 3, S, S) and its terms.

        Parameters
        ----------
        image : (B, 3, S, S) tensor or EncoderOutput
            Crops, or what the encoder made of them before.
        labels : Labels
        frozen : bool
            Send no gradients to the encoder.
        """
        if isinstance(image, EncoderOutput):
            loss, terms = self.losses(self.model.estimate(image), labels)
            return loss, terms
        with (
            torch.set_grad_enabled(not frozen),
            torch.autocast(image.device.type, torch.bfloat16, enabled=self.bf16),
        ):
            encoded = self.model.encoder(image)
        output = self.model.estimate(_to_f32(encoded) if self.bf16 else encoded)
        loss, terms = self.losses(output, labels)
        return loss, terms


def _to_f32(encoded: EncoderOutput) -> EncoderOutput:
    def convert(part: Any) -> Any:
        if isinstance(part, list):
            return [one.float() for one in part]
        return None if part is None else part.float()

    return replace(encoded, **{f.name: convert(getattr(encoded, f.name)) for f in fields(encoded)})


@torch.no_grad()
def ema_update(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights (exponential moving average) towards the current ones."""
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    averaged, current = [], []
    moved = set()
    for old, new in pairs:
        # a module that several levels share has several names
        if old.data_ptr() in moved and old.numel():
            continue
        moved.add(old.data_ptr())
        if old.dtype.is_floating_point:
            averaged.append(old)
            current.append(new)
        else:
            old.copy_(new)
    torch._foreach_lerp_(averaged, current, 1 - decay)

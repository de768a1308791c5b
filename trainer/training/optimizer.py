"""Adam with steps relative to the size of each channel.

BlazePose's files have batch norm folded into the weights, whose root mean square differs by four
orders of magnitude between tensors and as much between channels; one absolute step size destroys
some channels and leaves others unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from trainer.network.pymaf import PyMAF
from trainer.training.config import RunConfig
from trainer.training.schedule import LearningRates

_MAX_GRADIENT_NORM = 20.0
"""Largest norm of the gradients of everything but the encoder."""


class RelativeAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba, ICLR 2015) with decoupled weight decay and optional relative steps.

    Parameters
    ----------
    groups : iterable of dict
        `params`, `lr`, and optionally `relative` (bool) and `weight_decay`.
    betas : tuple of float
    eps : float
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(
            groups, {"lr": 1e-4, "relative": False, "weight_decay": 0.0, "betas": betas, "eps": eps}
        )
        self._sizes = {
            id(p): _channel_size(p)
            for group in self.param_groups
            if group["relative"]
            for p in group["params"]
        }

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if group["lr"] != 0 and moved:
                self._update(moved, group)

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        # lists of tensors at once: on a GPU a loop over hundreds would cost more than the rest
        states = [self._state_of(parameter) for parameter in parameters]
        gradients = [p.grad for p in parameters if p.grad is not None]
        beta1, beta2 = group["betas"]
        for state in states:
            state["step"] += 1
        counts = [float(state["step"]) for state in states]
        means, squares = [s["mean"] for s in states], [s["square"] for s in states]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - beta2)
        scales = torch._foreach_div(squares, [1 - beta2**count for count in counts])
        torch._foreach_sqrt_(scales)
        torch._foreach_add_(scales, group["eps"])
        updates = torch._foreach_div(means, [1 - beta1**count for count in counts])
        torch._foreach_div_(updates, scales)
        if group["relative"]:
            torch._foreach_mul_(updates, [state["size"] for state in states])
        elif group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, updates, alpha=-group["lr"])

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        if id(parameter) in self._sizes and "size" not in state:
            # stored with the moments: a resumed run must not measure the sizes again
            state["size"] = self._sizes[id(parameter)]
        return state


class TrainingOptimizer(RelativeAdam):
    """Optimizer of a run, with a parameter group each for encoder, IK steps and the rest."""

    def __init__(self, model: PyMAF, config: RunConfig) -> None:
        # parameters of a frozen stem get no gradients, so they are not moved until it is loose
        encoder = list(model.encoder.parameters())
        ik = list(model.ik_parameters())
        others = {id(parameter) for parameter in (*model.encoder.parameters(), *ik)}
        rest = [p for p in model.parameters() if id(p) not in others]
        super().__init__(
            [
                {"params": encoder, "relative": config.network.encoder != "resnet50"},
                {"params": rest, "weight_decay": config.schedule.weight_decay},
                {"params": ik},
            ]
        )
        self._clipped = rest + ik
        self._ik_rate_factor = config.schedule.ik_rate_factor

    def set_rates(self, rates: LearningRates) -> None:
        """Set the learning rates of the next step."""
        encoder, rest, ik = self.param_groups
        encoder["lr"] = rates.encoder
        rest["lr"] = rates.base
        ik["lr"] = rates.base * self._ik_rate_factor

    def clip_gradients(self) -> None:
        """Limit the norm of the gradients of everything but the encoder."""
        nn.utils.clip_grad_norm_(self._clipped, _MAX_GRADIENT_NORM)


def _channel_size(parameter: Tensor) -> Tensor:
    """Return the root mean square of each output channel, or of the whole tensor for biases."""
    values = parameter.detach()
    if values.ndim < 2:
        return values.square().mean().sqrt().clamp(min=1e-4).expand_as(values).clone()
    rest = tuple(range(1, values.ndim))
    size = values.square().mean(rest, keepdim=True).sqrt()
    # a channel that was never used can still train, slowly
    return size.clamp(min=float(size.mean()) * 1e-2)

"""Adam whose steps are relative to each channel's own size.

In BlazePose's files batch norm is folded into the weights, whose root mean square differs by four
orders of magnitude between tensors and as much between channels; one absolute step size destroys
some channels while it leaves others as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class RelativeAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba, ICLR 2015) with decoupled weight decay, relative where a group says so.

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
            if group["lr"] == 0:
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["step"] = torch.zeros(())
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        state["step"] += 1
        count = float(state["step"])
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].lerp_(gradient.square(), 1 - beta2)
        scale = (state["square"] / (1 - beta2**count)).sqrt_().add_(group["eps"])
        update = state["mean"] / (1 - beta1**count) / scale
        if group["relative"]:
            update *= self._sizes[id(parameter)]
        elif group["weight_decay"]:
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update, alpha=-group["lr"])


def _channel_size(parameter: Tensor) -> Tensor:
    """Root mean square of each output channel; of the whole tensor for biases."""
    values = parameter.detach()
    if values.ndim < 2:
        return values.square().mean().sqrt().clamp(min=1e-4).expand_as(values).clone()
    rest = tuple(range(1, values.ndim))
    size = values.square().mean(rest, keepdim=True).sqrt()
    # a channel that was never used may still learn, slowly
    return size.clamp(min=float(size.mean()) * 1e-2)

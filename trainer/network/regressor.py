"""One level's regressor: from features and the present estimate to a correction of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_HEAD_GAIN = 0.01


class Regressor(nn.Module):
    """Two linear layers and three heads whose outputs are added to the present estimate.

    As HMR's (Kanazawa et al., CVPR 2018); without activations, as published, or with them.

    Parameters
    ----------
    features : int
        Numbers besides the estimate.
    pose, shape : int
        Numbers of the 6D pose and of the shape.
    hidden : int
    dropout : float
    activation : bool
        Whether a ReLU follows each layer.
    """

    def __init__(
        self, features: int, pose: int, shape: int, hidden: int, dropout: float, activation: bool
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features + pose + shape + 3, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.drop = nn.Dropout(dropout)
        self.decpose = nn.Linear(hidden, pose)
        self.decshape = nn.Linear(hidden, shape)
        self.deccam = nn.Linear(hidden, 3)
        self.activation = activation
        for head in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(head.weight, gain=_HEAD_GAIN)
            nn.init.zeros_(head.bias)

    def forward(
        self, features: Tensor, pose: Tensor, shape: Tensor, camera: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The corrected pose (B, 6J), shape (B, S), camera (B, 3), and the last hidden layer.

        An estimate of one body stands for all B.
        """
        x = self._activated(self._first(features, torch.cat([pose, shape, camera], dim=-1)))
        x = self._activated(self.fc2(x))
        return (
            pose + self.decpose(x),
            shape + self.decshape(x),
            camera + self.deccam(x),
            x,
        )

    def _first(self, features: Tensor, estimate: Tensor) -> Tensor:
        if len(estimate) == len(features):
            whole: Tensor = self.fc1(torch.cat([features, estimate], dim=-1))
            return whole
        # what the start adds is the same for all, and a constant of an exported graph
        of_features, of_estimate = torch.split(
            self.fc1.weight, [int(features.shape[-1]), int(estimate.shape[-1])], dim=1
        )
        added = functional.linear(estimate, of_estimate, self.fc1.bias)
        return functional.linear(features, of_features) + added

    def _activated(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.drop(torch.relu(x) if self.activation else x)
        return dropped

"""One level's regressor: from features and the present estimate to a correction of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
        """The corrected pose (B, 6J), shape (B, S), camera (B, 3), and the last hidden layer."""
        x = self._layer(self.fc1, torch.cat([features, pose, shape, camera], dim=-1))
        x = self._layer(self.fc2, x)
        return (
            pose + self.decpose(x),
            shape + self.decshape(x),
            camera + self.deccam(x),
            x,
        )

    def _layer(self, layer: nn.Linear, x: Tensor) -> Tensor:
        x = layer(x)
        dropped: Tensor = self.drop(torch.relu(x) if self.activation else x)
        return dropped

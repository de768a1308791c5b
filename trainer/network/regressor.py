"""Regressor of one level: from features and the current estimate to a correction of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_HEAD_GAIN = 0.01


class Regressor(nn.Module):
    """Two linear layers and three heads whose outputs are added to the current estimate.

    After HMR (Kanazawa et al., CVPR 2018); without activations as published, or with them.

    Parameters
    ----------
    features : int
        Number of inputs beside the estimate.
    pose, shape : int
        Number of values of the 6D pose and of the shape.
    hidden : int
    dropout : float
    activation : bool
        Follow each layer with a ReLU.
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
        """Correct an estimate.

        Parameters
        ----------
        features : (B, F) tensor
        pose, shape, camera : (B, 6 J), (B, S) and (B, 3) tensors
            Current estimate; with a batch of 1 it is shared by all B.

        Returns
        -------
        tuple of tensors
            Corrected pose, shape and camera, and the last hidden layer (B, hidden).
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
            output: Tensor = self.fc1(torch.cat([features, estimate], dim=-1))
            return output
        # the part of a shared estimate is the same for all, and a constant of an exported graph
        feature_weight, estimate_weight = torch.split(
            self.fc1.weight, [int(features.shape[-1]), int(estimate.shape[-1])], dim=1
        )
        shared = functional.linear(estimate, estimate_weight, self.fc1.bias)
        return functional.linear(features, feature_weight) + shared

    def _activated(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.drop(torch.relu(x) if self.activation else x)
        return dropped

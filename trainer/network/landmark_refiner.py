"""Refinement of the encoder's landmarks: its depth most of all, from what it sees around them.

The encoder's metric landmarks come from one global feature and are off in depth by more than a
hand's breadth. A small network sees all landmarks at once, the finest maps at the landmarks, and
the global feature, and corrects the landmarks in the image and in metres. Lifting 2D points with a
multilayer perceptron follows Martinez et al., 'A simple yet effective baseline for 3d human pose
estimation' (ICCV 2017); the features under the points are those that the later levels sample under
the mesh.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.network.encoder import EncoderOutput
from trainer.network.point_features import sample_bilinear

_POINT_WIDTH = 16
"""Values to which the samples at a landmark are reduced."""
_MAPS = 2
"""The finest maps are sampled."""
_INPUTS = 6
"""Per landmark: x, y in the crop, x, y, z in metres, visibility."""


class LandmarkRefiner(nn.Module):
    """Residual correction of an encoder's landmarks; zero before training.

    Parameters
    ----------
    channels : int
        Channels of each map.
    summary_width : int
        Values of the global feature.
    width : int
        Of the hidden layers.
    """

    def __init__(self, channels: int, summary_width: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(_MAPS * channels, _POINT_WIDTH)
        self.summary_norm = nn.LayerNorm(summary_width)
        inputs = LANDMARKS * (_INPUTS + _POINT_WIDTH) + summary_width
        self.layers = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.change = nn.Linear(width, 5 * LANDMARKS)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, encoded: EncoderOutput) -> EncoderOutput:
        """Return the encoder's output with corrected landmarks.

        Gradients do not reach the maps, the global feature and the landmarks that are read, so
        that an encoder in training is not bent to serve the correction.
        """
        assert encoded.points is not None
        assert encoded.world is not None
        assert encoded.visibility is not None
        points, world = encoded.points.detach(), encoded.world.detach()
        samples = [sample_bilinear(one.detach(), points) for one in encoded.maps[-_MAPS:]]
        near = torch.relu(self.reduce(torch.cat(samples, dim=-1)))
        visibility = torch.sigmoid(encoded.visibility.detach())
        summary = self.summary_norm(encoded.summary.detach())
        inputs = [points.flatten(1), world.flatten(1), visibility, near.flatten(1), summary]
        change = self.change(self.layers(torch.cat(inputs, dim=-1)))
        flat, metric = torch.split(change, [2 * LANDMARKS, 3 * LANDMARKS], dim=1)
        return replace(
            encoded,
            points=encoded.points + flat.reshape(-1, LANDMARKS, 2),
            world=encoded.world + metric.reshape(-1, LANDMARKS, 3),
        )

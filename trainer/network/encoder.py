"""Encoders: from a crop to a pyramid of feature maps, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.network.blazepose import LAYOUTS, SIZE, landmark_module

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

SHARPNESS = 8.0
"""Sharpness of the softmax over a heatmap: 4 to 12 are alike on LSPET, 1 and 2 smear."""
PEAK_OFFSET = 2.0
"""Peaks, as logits, begin to count from about minus this; most limb joints peak at -1 to 1.5."""


@dataclass(frozen=True)
class EncoderOutput:
    """Features and landmarks of B crops."""

    maps: list[Tensor]
    """(B, C, H, W) a level, coarse to fine."""
    summary: Tensor
    """(B, G) global feature."""
    points: Tensor | None = None
    """(B, 33, 2) landmarks in crop units, of encoders that have them."""
    world: Tensor | None = None
    """(B, 33, 3) landmarks in metres from the hips' middle, crop frame."""
    visibility: Tensor | None = None
    """(B, 33) logits that a landmark is visible, or the peaks of its heatmap."""
    heatmaps: Tensor | None = None
    """(B, M, H, W) logits, M >= 33, of encoders that read landmarks from them."""


class Encoder(nn.Module):
    """Interface of an encoder: a crop in, `EncoderOutput` out."""

    size: int
    """Side of its crops in pixels."""
    channels: int
    """Channels of each map."""
    summary_width: int
    """Values of the global feature."""

    def freeze_stem(self, *, frozen: bool = True) -> None:
        """Exclude the high-resolution stages from training, or include them again."""
        raise NotImplementedError


class ResNet50(Encoder):
    """ResNet-50 and three transposed convolutions: 256 channels at 14x14, 28x28 and 56x56.

    He et al. (CVPR 2016), the stride of a bottleneck at its 3x3 convolution; the deconvolutions of
    Xiao et al., 'Simple baselines' (ECCV 2018). Parameter names are the usual ones, so that
    published weights can be mapped.
    """

    size = 224
    channels = 256
    summary_width = 2048
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_IMAGENET_STD).view(1, 3, 1, 1))
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _residual_layer(64, 64, 3, 1)
        self.layer2 = _residual_layer(256, 128, 4, 2)
        self.layer3 = _residual_layer(512, 256, 6, 2)
        self.layer4 = _residual_layer(1024, 512, 3, 2)
        widths = (2048, 256, 256)
        self.deconv_layers = nn.Sequential(
            *(
                layer
                for width in widths
                for layer in (
                    nn.ConvTranspose2d(width, 256, 4, 2, 1, bias=False),
                    nn.BatchNorm2d(256),
                    nn.ReLU(inplace=True),
                )
            )
        )

    def freeze_stem(self, *, frozen: bool = True) -> None:
        """Exclude the first convolution and layer from training, or include them again."""
        for part in (self.conv1, self.bn1, self.layer1):
            part.requires_grad_(requires_grad=not frozen)

    def forward(self, image: Tensor) -> EncoderOutput:
        """Encode crops (B, 3, 224, 224), RGB in 0..1."""
        x = (image - self.mean) / self.std
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        summary = x.mean((2, 3))
        maps = []
        for block in range(0, len(self.deconv_layers), 3):
            x = self.deconv_layers[block : block + 3](x)
            maps.append(x)
        return EncoderOutput(maps, summary)


class _Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def _residual_layer(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [_Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(_Bottleneck(inputs, width, stride), *rest)


class BlazePose(Encoder):
    """BlazePose's encoder, top-down pyramid and landmark outputs, weights from its .tflite file.

    Parameters
    ----------
    kind : str
        `lite`, `full` or `heavy`.
    landmark_file : Path
    heatmaps : bool
        Read landmarks from the heatmaps where these have a peak. The file's regressed landmarks
        alone place fewer joints: .549 against .616 for `lite`, .641 against .686 for `full` (PCK
        0.2 torso, last 500 of LSPET, as published).
    """

    size = SIZE

    def __init__(self, kind: str, landmark_file: Path, *, heatmaps: bool = False) -> None:
        super().__init__()
        layout = LAYOUTS[kind]
        self.channels = layout.channels
        self.summary_width = layout.trunk_channels * 4
        self.graph = landmark_module(landmark_file, kind, heatmaps=heatmaps)
        self._stem = layout.stem
        self.peaks = HeatmapPeaks(LANDMARKS) if heatmaps else None

    def freeze_stem(self, *, frozen: bool = True) -> None:
        """Exclude the high-resolution stages, which take half of a step, or include them again."""
        for number, operator in self.graph.operators.items():
            if int(number) <= self._stem:
                operator.requires_grad_(requires_grad=not frozen)

    def forward(self, image: Tensor) -> EncoderOutput:
        """Encode crops (B, 3, 256, 256), RGB in 0..1."""
        out = self.graph(image.contiguous(memory_format=torch.channels_last))
        landmarks = _rows(out["landmarks"], 5)[:, :LANDMARKS]
        # the file's landmarks are in units of pixel edges: the crop's edges are 0 and SIZE
        points, visibility = landmarks[..., :2] * (2 / SIZE) - 1, landmarks[..., 3]
        if self.peaks is not None:
            points, visibility = self.peaks(out["heatmaps"], points)
        return EncoderOutput(
            maps=[out[f"map{i}"] for i in range(3)],
            summary=out["trunk"].flatten(1),
            points=points,
            world=_rows(out["world"], 3)[:, :LANDMARKS],
            visibility=visibility,
            heatmaps=out.get("heatmaps"),
        )


class HeatmapPeaks(nn.Module):
    """Landmarks from heatmaps: the centre of a sharp softmax, if the map has a peak.

    Sun et al., 'Integral human pose regression' (ECCV 2018). A low peak (a point that is hidden or
    outside the crop) leaves the regressed landmark as it is.
    """

    gain: nn.Parameter
    offset: nn.Parameter

    def __init__(self, landmarks: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(landmarks))
        self.offset = nn.Parameter(torch.full((landmarks,), PEAK_OFFSET))

    def forward(self, heatmaps: Tensor, regressed: Tensor) -> tuple[Tensor, Tensor]:
        """Refine regressed landmarks.

        Parameters
        ----------
        heatmaps : (B, M, H, W) tensor
            Logits, M >= K; maps past K are ignored.
        regressed : (B, K, 2) tensor
            Crop units.

        Returns
        -------
        points : (B, K, 2) tensor
        peaks : (B, K) tensor
        """
        maps, height, width = (int(extent) for extent in heatmaps.shape[1:])
        # channels last, as convolutions leave them: transposing would cost a tenth of the whole
        # network's time, and so would cutting the maps off at K before the sums
        flat = heatmaps.permute(0, 2, 3, 1).reshape(-1, height * width, maps)
        peak = flat.amax(1, keepdim=True)
        weight = torch.exp(SHARPNESS * (flat - peak))
        # sums of the weights times x, times y, and alone
        sums = torch.matmul(_cells(height, width, heatmaps.device), weight)
        sums, peak = sums[..., : len(self.gain)].transpose(1, 2), peak[:, 0, : len(self.gain)]
        points = sums[..., :2] / sums[..., 2:]
        confidence = torch.sigmoid(self.gain * peak + self.offset).unsqueeze(-1)
        return regressed + confidence * (points - regressed), peak


def _cells(height: int, width: int, device: torch.device) -> Tensor:
    """Return x, y of the cells' centres in crop units and ones, (3, H * W)."""
    x = (torch.arange(width, device=device) + 0.5) * (2 / width) - 1
    y = (torch.arange(height, device=device) + 0.5) * (2 / height) - 1
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1)


def _rows(flat: Tensor, width: int) -> Tensor:
    """Reshape (B, N * width) to (B, N, width), with constant sizes in an exported graph."""
    return flat.reshape(-1, int(flat.shape[1]) // width, width)

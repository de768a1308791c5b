"""The whole network: Zhang et al., 'PyMAF: 3D human pose and shape regression with pyramidal
mesh alignment feedback loop' (ICCV 2021).

An encoder computes a pyramid of feature maps. Level 0 samples the coarsest on a grid; every further
level samples the next finer map at the projected vertices of the level before, so that it corrects
the estimate by how the body is aligned with the image. Estimates are detached between levels: each
level learns to correct, none to serve the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.errors import ModelError
from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.body.torch_body import matrix_to_6d, project_weak_perspective
from trainer.network.config import NetworkConfig
from trainer.network.dense import DenseHead, DensePrediction, dense_map
from trainer.network.encoder import BlazePose, Encoder, EncoderOutput, ResNet50
from trainer.network.estimates import InitialEstimate, LevelEstimate, NetworkOutput
from trainer.network.ik_step import TargetLandmarks, Trust
from trainer.network.joint_limits import JointLimits
from trainer.network.kinematic_chain import pose_from_columns
from trainer.network.landmark_ik import LandmarkIK
from trainer.network.landmark_refiner import LandmarkRefiner
from trainer.network.network_body import NetworkBody, PosedBody
from trainer.network.point_features import PointFeatures, sample_bilinear, sample_on_grid
from trainer.network.regressor import Regressor

_SCORE_WIDTH = 64
_JOINT_SCORE_WIDTH = 128
_LANDMARK_FEATURES = 6 + 5
"""Per landmark: x, y in the crop, x, y, z in metres, visibility, and the residuals x, y and x, y, z
of the body."""


class PyMAF(nn.Module):
    """The network.

    Parameters
    ----------
    config : NetworkConfig
    body : Body
    start : InitialEstimate
    landmark_file : Path, optional
        BlazePose's .tflite file, for its encoders.
    encoder : Encoder, optional
        Replaces the configuration's.
    """

    start_pose: Tensor
    start_shape: Tensor
    start_camera: Tensor

    def __init__(
        self,
        config: NetworkConfig,
        body: Body,
        start: InitialEstimate,
        landmark_file: Path | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder: Encoder = encoder or _make_encoder(config, landmark_file)
        self.body = NetworkBody(body, landmarks=config.landmarks)
        self.hips = _hip_landmarks(body)
        joints, shape = body.joint_count, body.shape_count
        self.joints = joints
        self.register_buffer("start_pose", matrix_to_6d(start.rotations).reshape(1, -1))
        self.register_buffer("start_shape", start.shape.reshape(1, -1))
        self.register_buffer("start_camera", start.camera.reshape(1, -1))

        self.refiner: LandmarkRefiner | None = None
        if config.refiner_width:
            encoder = self.encoder
            self.refiner = LandmarkRefiner(
                encoder.channels, encoder.summary_width, config.refiner_width
            )
        self.auxiliary: DenseHead | None = None
        if config.auxiliary != "none":
            coordinates = config.auxiliary == "dense"
            self.auxiliary = DenseHead(self.encoder.channels, coordinates=coordinates)
        self.on_grid = [
            config.features == "grid" or (level == 0 and config.start == "grid")
            for level in range(config.levels)
        ]
        self.points, widths = self._make_point_features(len(body.sample_vertices))
        if config.shared_levels:
            self.points = _repeated(self.points)
        self.narrow = nn.ModuleList(
            nn.Identity()
            if config.feature_width is None or width == 0
            else nn.Sequential(nn.Linear(width, config.feature_width), nn.ReLU())
            for width in widths
        )
        landmarks = LANDMARKS * _LANDMARK_FEATURES if config.landmarks else 0
        ik = 6 * joints if config.ik_steps else 0
        narrowed = config.feature_width
        self.regressors = nn.ModuleList(
            Regressor(
                (width if narrowed is None or width == 0 else narrowed) + landmarks + ik,
                6 * joints,
                shape,
                config.hidden,
                config.dropout,
                config.activation,
            )
            for width in widths
        )
        if config.shared_levels:
            self.narrow, self.regressors = _repeated(self.narrow), _repeated(self.regressors)
        self.ik: LandmarkIK | None = None
        if config.ik_steps:
            self.ik = LandmarkIK(body, config.ik_steps, config.hidden, self.hips)
        self.joint_limits = JointLimits(body) if config.joint_limits else None
        self.score = nn.Sequential(
            nn.Linear(self.encoder.summary_width, _SCORE_WIDTH), nn.ReLU(),
            nn.Linear(_SCORE_WIDTH, 1),
        )  # fmt: skip
        self.joint_score = nn.Sequential(
            nn.Linear(config.hidden + landmarks + _SCORE_WIDTH, _JOINT_SCORE_WIDTH), nn.ReLU(),
            nn.Linear(_JOINT_SCORE_WIDTH, joints),
        )  # fmt: skip

    def _make_point_features(self, vertices: int) -> tuple[nn.ModuleList, list[int]]:
        """Return each level's point features and the number of values that a level samples."""
        config, channels = self.config, self.encoder.channels
        if config.features in ("none", "global"):
            width = self.encoder.summary_width if config.features == "global" else 0
            return nn.ModuleList(), [width] * config.levels
        if config.read == "dense":
            assert self.auxiliary is not None
            channels = self.auxiliary.map_channels
        points = nn.ModuleList(
            PointFeatures(channels, config.point_widths, config.point_channels)
            for _ in range(config.levels)
        )
        counts = [config.grid**2 if grid else vertices for grid in self.on_grid]
        return points, [count * config.point_channels for count in counts]

    def ik_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the IK steps, which train faster than the rest."""
        if self.ik is not None:
            yield from self.ik.step_parameters()

    def forward(self, image: Tensor) -> NetworkOutput:
        """Estimate the people of crops (B, 3, S, S), RGB in 0..1."""
        return self.estimate(self.encoder(image))

    def estimate(self, encoded: EncoderOutput) -> NetworkOutput:
        """Run the feedback loop on the encoder's output."""
        # a batch of 1, so that everything that depends only on the start is constant in an export
        pose, shape, camera = self.start_pose, self.start_shape, self.start_camera
        columns = self.body.columns(pose)
        if self.refiner is not None:
            encoded = self.refiner(encoded)
        landmarks = self._target_landmarks(encoded)
        dense = self._predict_dense(encoded)
        levels: list[LevelEstimate] = []
        trust: Trust | None = None
        for index in range(self.config.levels):
            posed = self.body.posed(columns, self.body.shaped(shape))
            samples = self._sample(index, encoded, dense, posed, shape, camera)
            features = [self.narrow[index](samples)]
            if posed.points is not None:
                body_points = posed.points[:, 0, :, :3]
                features.append(landmark_features(encoded, body_points, camera, self.hips))
            if self.ik is not None and landmarks is not None:
                features.append(self.ik.pose_direction(index, landmarks, posed, camera, trust))
            pose, shape, camera, hidden = self.regressors[index](
                torch.cat(features, dim=-1), pose, shape, camera
            )
            columns = self.body.columns(pose)
            if self.ik is not None and landmarks is not None:
                trust = self.ik.trust[index](hidden)
                columns, camera = self.ik(
                    index, landmarks, self.body, columns, shape, camera, trust
                )
                trust = trust.detached()
            rotations = self.body.chain.rotations(columns)
            if self.joint_limits is not None and index == self.config.levels - 1:
                rotations = self.joint_limits(rotations)
                columns = rotations[..., :2].transpose(-1, -2)
            levels.append(LevelEstimate(rotations, shape, camera))
            columns, shape, camera = columns.detach(), shape.detach(), camera.detach()
            pose = pose_from_columns(columns)
        output = self._scored(encoded, levels, hidden, columns, shape, camera)
        return replace(output, dense=dense)

    def _target_landmarks(self, encoded: EncoderOutput) -> TargetLandmarks | None:
        if self.ik is None:
            return None
        assert encoded.points is not None
        assert encoded.world is not None
        return TargetLandmarks.from_points(encoded.points, encoded.world)

    def _sample(
        self,
        index: int,
        encoded: EncoderOutput,
        dense: DensePrediction | None,
        posed: PosedBody,
        shape: Tensor,
        camera: Tensor,
    ) -> Tensor:
        """Return the image features of a level, (B, N)."""
        if self.config.features == "none":
            return encoded.summary[:, :0]
        if self.config.features == "global":
            return encoded.summary
        feature_map = self._sampled_map(encoded, dense, index)
        if self.on_grid[index]:
            samples = sample_on_grid(feature_map, self.config.grid)
        else:
            points = project_weak_perspective(self.body.vertices(posed, shape), camera)
            if index == 0:
                # the mean body's mesh is shared
                points = points.expand(len(feature_map), -1, -1)
            samples = sample_bilinear(feature_map, points)
        features: Tensor = self.points[index](samples)
        return features

    def _predict_dense(self, encoded: EncoderOutput) -> DensePrediction | None:
        """Run the auxiliary head if the losses or the levels use it."""
        if self.auxiliary is None or not (self.training or self.config.read == "dense"):
            return None
        dense: DensePrediction = self.auxiliary(encoded.maps[-1])
        return dense

    def _sampled_map(
        self, encoded: EncoderOutput, dense: DensePrediction | None, level: int
    ) -> Tensor:
        if self.config.read == "dense":
            assert dense is not None
            return dense_map(dense)
        return encoded.maps[level if self.config.pyramid else -1]

    @torch.no_grad()
    def replace_start(self, start: InitialEstimate) -> None:
        """Start from other mean parameters without changing the network's output.

        The part of level 0's input that depends on the start is constant, so the difference goes
        into the biases of its first layer and of its heads. A network with IK steps is not linear
        in its start and keeps the one that it was trained with.
        """
        if self.ik is not None:
            return
        first = self.regressors[0]
        assert isinstance(first, Regressor)
        inputs = self._start_inputs()
        before = (self.start_pose.clone(), self.start_shape.clone(), self.start_camera.clone())
        self.start_pose.copy_(matrix_to_6d(start.rotations).reshape(1, -1))
        self.start_shape.copy_(start.shape.reshape(1, -1))
        self.start_camera.copy_(start.camera.reshape(1, -1))
        difference = (inputs - self._start_inputs())[0]
        first.fc1.bias.add_(first.fc1.weight[:, -len(difference) :] @ difference)
        after = (self.start_pose, self.start_shape, self.start_camera)
        heads = (first.decpose, first.decshape, first.deccam)
        for head, old, new in zip(heads, before, after, strict=True):
            head.bias.add_((old - new)[0])

    def _start_inputs(self) -> Tensor:
        """Return the constant part of level 0's input, (1, N), with landmarks at zero."""
        points = torch.zeros(1, LANDMARKS, 2, device=self.start_pose.device)
        world = points.new_zeros(1, LANDMARKS, 3)
        empty = EncoderOutput([], points[:, :0, 0], points, world, world[..., 0])
        columns = self.body.columns(self.start_pose)
        posed = self.body.posed(columns, self.body.shaped(self.start_shape))
        inputs = [self.start_pose, self.start_shape, self.start_camera]
        if posed.points is not None:
            body_points = posed.points[:, 0, :, :3]
            inputs.insert(0, landmark_features(empty, body_points, self.start_camera, self.hips))
        return torch.cat(inputs, dim=-1)

    def _scored(
        self,
        encoded: EncoderOutput,
        levels: list[LevelEstimate],
        hidden: Tensor,
        columns: Tensor,
        shape: Tensor,
        camera: Tensor,
    ) -> NetworkOutput:
        # the score heads send no gradients back to what they judge
        person = self.score[1](self.score[0](encoded.summary.detach()))
        inputs = [hidden.detach(), person.detach()]
        if self.config.landmarks:
            posed = self.body.posed(columns, self.body.shaped(shape))
            assert posed.points is not None
            body_points = posed.points[:, 0, :, :3]
            inputs.append(landmark_features(encoded, body_points, camera, self.hips).detach())
        joint_score = self.joint_score(torch.cat(inputs, dim=-1))
        return NetworkOutput(levels, self.score[2](person), joint_score, encoded)


def landmark_features(
    encoded: EncoderOutput, points: Tensor, camera: Tensor, hips: list[int]
) -> Tensor:
    """Return the encoder's landmarks and the body's residuals, (B, 33 * 11).

    Parameters
    ----------
    encoded : EncoderOutput
        With landmarks.
    points : (B, 33, 3) tensor
        The body's landmark points, m.
    camera : (B, 3) tensor
    hips : list of int
        Rows of the hips among the landmarks.
    """
    assert encoded.points is not None
    assert encoded.world is not None
    assert encoded.visibility is not None
    image_residual = encoded.points - project_weak_perspective(points, camera)
    middle = points[:, hips].mean(1, keepdim=True)
    metric_residual = encoded.world - (points - middle)
    parts = [encoded.points, encoded.world, image_residual, metric_residual]
    visibility = torch.sigmoid(encoded.visibility)
    return torch.cat([*(part.flatten(1) for part in parts), visibility], dim=-1)


def _repeated(modules: nn.ModuleList) -> nn.ModuleList:
    """Return the first module as many times as there are modules."""
    return nn.ModuleList([modules[0]] * len(modules)) if len(modules) else modules


def _make_encoder(config: NetworkConfig, landmark_file: Path | None) -> Encoder:
    if config.encoder == "resnet50":
        return ResNet50()
    if landmark_file is None:
        raise ModelError(f"{config.encoder} needs BlazePose's landmark file")
    kind = config.encoder.removeprefix("blazepose_")
    return BlazePose(kind, landmark_file, heatmaps=config.heatmaps)


def _hip_landmarks(body: Body) -> list[int]:
    names = list(body.keypoint_names)
    hips = [names.index("left_hip"), names.index("right_hip")]
    landmarks = body.keypoint_sets["blazepose"].tolist()
    return [landmarks.index(hip) for hip in hips]

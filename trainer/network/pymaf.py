"""The whole network: Zhang et al., 'PyMAF: 3D human pose and shape regression with pyramidal
mesh alignment feedback loop' (ICCV 2021).

An encoder gives a pyramid of maps. Level 0 reads the coarsest on a grid; every further level reads
the next finer map at the projected vertices of the level before, so that the estimate is corrected
by how the body lies on the picture. What is handed on is detached: each level learns to correct,
none to please the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.errors import ModelError
from pymaf_live.types import Array
from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.body.torch_body import projected, six_from_matrix
from trainer.network.config import NetworkConfig
from trainer.network.dense import DenseHead, DensePrediction, as_map
from trainer.network.encoder import BlazePose, Encoded, Encoder, ResNet50
from trainer.network.ik_step import (
    CameraWeights,
    Landmarks,
    Misses,
    Pull,
    Shot,
    Stance,
    Trust,
    TrustHead,
    weights_of,
)
from trainer.network.joint_limits import JointLimits
from trainer.network.kinematic_chain import (
    AnchoredPoints,
    Chain,
    SampledSkin,
    columns_of,
    pose_of,
    righted,
)
from trainer.network.point_features import PointFeatures, sampled, sampled_on_grid
from trainer.network.regressor import Regressor

_SCORE_WIDTH = 64
_JOINT_SCORE_WIDTH = 128


@dataclass(frozen=True)
class Start:
    """The mean parameters that every estimate starts from."""

    rotations: Tensor
    """(J, 3, 3), the root's turning the body upright in the crop (y down)."""
    shape: Tensor
    """(S,)"""
    camera: Tensor
    """(3,)"""

    @classmethod
    def upright(cls, body: Body) -> Start:
        """A body at rest, facing the camera, as large as the crop rule makes an upright person."""
        rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
        rotations[0] = np.diag([1.0, -1.0, -1.0])
        # the rule's side is 1.75 x the extent, its centre the middle of the extent
        height = body.template[:, 1]
        # turned about the pelvis' height p, a height y comes to 2 p - y downwards
        pelvis = float((body.joint_regressor @ body.template)[0, 1])
        middle = 2 * pelvis - (height.max() + height.min()) / 2
        camera = [2 / 1.75 / np.ptp(height), 0.0, -middle]
        return cls(
            torch.tensor(rotations, dtype=torch.float32),
            torch.zeros(body.shape_count),
            torch.tensor(camera, dtype=torch.float32),
        )

    @classmethod
    def mean(cls, rotations: Array, shape: Array, camera: Array) -> Start:
        """The mean of fitted people.

        Parameters
        ----------
        rotations : (N, J, 3, 3) array
            Their mean is the rotation nearest to the mean matrix (the chordal mean).
        shape : (N, S) array
        camera : (N, 3) array
        """
        u, _, vt = np.linalg.svd(rotations.astype(np.float64).mean(axis=0))
        u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
        parts = (u @ vt, shape.mean(axis=0), camera.mean(axis=0))
        return cls(*(torch.tensor(part, dtype=torch.float32) for part in parts))


@dataclass(frozen=True)
class Level:
    """An estimate after a level, for B crops."""

    rotations: Tensor
    """(B, J, 3, 3)"""
    shape: Tensor
    """(B, S)"""
    camera: Tensor
    """(B, 3)"""


@dataclass(frozen=True)
class Output:
    """All that the network says of B crops."""

    levels: list[Level]
    """Coarsest first."""
    score: Tensor
    """(B, 1) logit."""
    joint_score: Tensor
    """(B, J) logits."""
    encoded: Encoded
    dense: DensePrediction | None = None
    """Of the auxiliary head, where there is one; while training only, unless it is read."""


@dataclass(frozen=True)
class _Shaped:
    """What hangs on the shape alone, of B bodies."""

    shape: Tensor
    """(B, S)"""
    bones: Tensor
    """(B, J + 1, 16), for `Chain`."""
    anchors: Tensor | None
    """(B, 1, 33, 4 (J + 1)) of the landmark points; None where landmarks are not fed."""


@dataclass(frozen=True)
class _Posed:
    """B posed bodies."""

    columns: Tensor
    """(B, J, 2, 3) first two columns of each rotation relative to the parent."""
    frames: Tensor
    """(B, J + 1, 4, 4) from `Chain`."""
    points: Tensor | None
    """(B, 1, 33, 4) m and a one, the landmark points; None where landmarks are not fed."""


class PyMAF(nn.Module):
    """The network.

    Parameters
    ----------
    config : NetworkConfig
    body : Body
    start : Start
    landmark_file : Path, optional
        BlazePose's .tflite file, for its encoders.
    encoder : Encoder, optional
        In place of the configuration's.
    """

    start_pose: Tensor
    start_shape: Tensor
    start_camera: Tensor

    def __init__(
        self,
        config: NetworkConfig,
        body: Body,
        start: Start,
        landmark_file: Path | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.encoder: Encoder = encoder or _make_encoder(config, landmark_file)
        self.chain = Chain(body)
        self.sample = SampledSkin(body, body.sample_vertices)
        self.landmark_points = AnchoredPoints(body, body.keypoint_rows("blazepose"))
        hips = [body.keypoint_sets["blazepose"].tolist().index(k) for k in _hips(body)]
        self.hips = hips
        self.misses = Misses(LANDMARKS, hips)
        joints, shape = body.joint_count, body.shape_count
        self.joints = joints
        self.register_buffer("start_pose", six_from_matrix(start.rotations).reshape(1, -1))
        self.register_buffer("start_shape", start.shape.reshape(1, -1))
        self.register_buffer("start_camera", start.camera.reshape(1, -1))

        self.auxiliary: DenseHead | None = None
        if config.auxiliary != "none":
            coordinates = config.auxiliary == "dense"
            self.auxiliary = DenseHead(self.encoder.channels, coordinates=coordinates)
        channels = self.encoder.channels
        if config.read == "dense":
            assert self.auxiliary is not None
            channels = self.auxiliary.readable
        self.on_grid = [
            config.features == "grid" or (level == 0 and config.start == "grid")
            for level in range(config.levels)
        ]
        if config.features in ("none", "global"):
            self.points = nn.ModuleList()
            width = self.encoder.summary_width if config.features == "global" else 0
            widths = [width] * config.levels
        else:
            self.points = nn.ModuleList(
                PointFeatures(channels, config.point_widths, config.point_channels)
                for _ in range(config.levels)
            )
            counts = [config.grid**2 if g else len(body.sample_vertices) for g in self.on_grid]
            widths = [count * config.point_channels for count in counts]
        self.narrow = nn.ModuleList(
            nn.Identity()
            if config.feature_width is None or width == 0
            else nn.Sequential(nn.Linear(width, config.feature_width), nn.ReLU())
            for width in widths
        )
        # landmarks: x, y in the crop, x, y, z in metres and visibility; the misses x, y and x, y, z
        extra = LANDMARKS * (6 + 5) if config.landmarks else 0
        pulled = 6 * joints if config.pulls else 0
        narrowed = config.feature_width
        read = [width if narrowed is None or width == 0 else narrowed for width in widths]
        self.regressors = nn.ModuleList(
            Regressor(
                width + extra + pulled,
                6 * joints,
                shape,
                config.hidden,
                config.dropout,
                config.activation,
            )
            for width in read
        )
        levels = range(len(config.pulls))
        self.trust = nn.ModuleList(TrustHead(config.hidden, LANDMARKS, joints) for _ in levels)
        self.direction = nn.ModuleList(Pull(body) for _ in levels)
        self.pulls = nn.ModuleList(
            nn.ModuleList(Pull(body) for _ in range(count)) for count in config.pulls
        )
        self.limits = JointLimits(body) if config.limits else None
        self.score = nn.Sequential(
            nn.Linear(self.encoder.summary_width, _SCORE_WIDTH), nn.ReLU(),
            nn.Linear(_SCORE_WIDTH, 1),
        )  # fmt: skip
        self.joint_score = nn.Sequential(
            nn.Linear(config.hidden + extra + _SCORE_WIDTH, _JOINT_SCORE_WIDTH), nn.ReLU(),
            nn.Linear(_JOINT_SCORE_WIDTH, joints),
        )  # fmt: skip

    def pull_parameters(self) -> Iterator[nn.Parameter]:
        """The pulls' own weights, which learn faster than the rest."""
        yield from self.direction.parameters()
        yield from self.pulls.parameters()

    def forward(self, image: Tensor) -> Output:
        """(B, 3, S, S) RGB in 0..1."""
        return self.estimate(self.encoder(image))

    def estimate(self, encoded: Encoded) -> Output:
        """Run the feedback loop on what the encoder gave."""
        # of one person, so that in an exported graph all that hangs on the start is constant
        pose, shape, camera = self.start_pose, self.start_shape, self.start_camera
        columns = self._columns(pose)
        landmarks = self._given(encoded)
        dense = self._dense(encoded)
        levels: list[Level] = []
        trust: Trust | None = None
        for index in range(self.config.levels):
            posed = self._posed(columns, self._shaped(shape))
            read = self._read(index, encoded, dense, posed, shape, camera)
            features = [self.narrow[index](read)]
            if posed.points is not None:
                features.append(self._landmarks(encoded, posed.points[:, 0, :, :3], camera))
            if landmarks is not None:
                features.append(self._direction(index, landmarks, posed, camera, trust))
            pose, shape, camera, hidden = self.regressors[index](
                torch.cat(features, dim=-1), pose, shape, camera
            )
            columns = self._columns(pose)
            if landmarks is not None:
                trust = self.trust[index](hidden)
                columns, camera = self._pulled(index, landmarks, columns, shape, camera, trust)
                trust = trust.detached()
            rotations = self.chain.rotations(columns)
            if self.limits is not None and index == self.config.levels - 1:
                rotations = self.limits(rotations)
                columns = rotations[..., :2].transpose(-1, -2)
            levels.append(Level(rotations, shape, camera))
            columns, shape, camera = columns.detach(), shape.detach(), camera.detach()
            pose = pose_of(columns)
        output = self._scored(encoded, levels, hidden, columns, shape, camera)
        return replace(output, dense=dense)

    def _given(self, encoded: Encoded) -> Landmarks | None:
        """The landmarks that pull, where some do."""
        if not self.config.pulls:
            return None
        assert encoded.points is not None
        assert encoded.world is not None
        return Landmarks.given(encoded.points, encoded.world)

    def _read(
        self,
        index: int,
        encoded: Encoded,
        dense: DensePrediction | None,
        posed: _Posed,
        shape: Tensor,
        camera: Tensor,
    ) -> Tensor:
        """What a level reads of the picture, (B, N)."""
        if self.config.features == "none":
            return encoded.summary[:, :0]
        if self.config.features == "global":
            return encoded.summary
        feature_map = self._map(encoded, dense, index)
        if self.on_grid[index]:
            samples = sampled_on_grid(feature_map, self.config.grid)
        else:
            vertices = self.sample(posed.frames, shape)
            where = projected(vertices, camera)
            if index == 0:
                # the mean body's mesh is one for all
                where = where.expand(len(feature_map), -1, -1)
            samples = sampled(feature_map, where)
        read: Tensor = self.points[index](samples)
        return read

    def _dense(self, encoded: Encoded) -> DensePrediction | None:
        """What the auxiliary head says, where somebody listens: the losses or the levels."""
        if self.auxiliary is None or not (self.training or self.config.read == "dense"):
            return None
        dense: DensePrediction = self.auxiliary(encoded.maps[-1])
        return dense

    def _map(self, encoded: Encoded, dense: DensePrediction | None, level: int) -> Tensor:
        """What a level reads at its points."""
        if self.config.read == "dense":
            assert dense is not None
            return as_map(dense)
        return encoded.maps[level if self.config.pyramid else -1]

    @torch.no_grad()
    def rebase(self, start: Start) -> None:
        """Begin from other mean parameters without changing what the network says.

        What level 0 is given of the start is constant, so the difference goes into the biases of
        its first layer and of its heads. A network with pulls keeps the start it learned with.
        """
        if self.config.pulls:
            return  # not linear in the start: a trained network keeps its own
        first = self.regressors[0]
        assert isinstance(first, Regressor)
        given = self._given_of_start()
        before = (self.start_pose.clone(), self.start_shape.clone(), self.start_camera.clone())
        self.start_pose.copy_(six_from_matrix(start.rotations).reshape(1, -1))
        self.start_shape.copy_(start.shape.reshape(1, -1))
        self.start_camera.copy_(start.camera.reshape(1, -1))
        difference = (given - self._given_of_start())[0]
        first.fc1.bias.add_(first.fc1.weight[:, -len(difference) :] @ difference)
        now = (self.start_pose, self.start_shape, self.start_camera)
        heads = (first.decpose, first.decshape, first.deccam)
        for head, old, new in zip(heads, before, now, strict=True):
            head.bias.add_((old - new)[0])

    def _given_of_start(self) -> Tensor:
        """The constant part of what level 0's regressor is given, (1, N); landmarks are at zero."""
        points = torch.zeros(1, LANDMARKS, 2, device=self.start_pose.device)
        world = points.new_zeros(1, LANDMARKS, 3)
        nothing = Encoded([], points[:, :0, 0], points, world, world[..., 0])
        posed = self._posed(self._columns(self.start_pose), self._shaped(self.start_shape))
        given = [self.start_pose, self.start_shape, self.start_camera]
        if posed.points is not None:
            body = posed.points[:, 0, :, :3]
            given.insert(0, self._landmarks(nothing, body, self.start_camera))
        return torch.cat(given, dim=-1)

    def _shaped(self, shape: Tensor) -> _Shaped:
        """What hangs on the shape alone, once for all poses that a level goes through."""
        anchors = self.landmark_points.anchors(shape) if self.config.landmarks else None
        return _Shaped(shape, self.chain.bones(shape), anchors)

    def _posed(self, columns: Tensor, shaped: _Shaped) -> _Posed:
        frames = self.chain(columns, shaped.bones)
        points = None
        if shaped.anchors is not None:
            points = self.landmark_points(shaped.anchors, frames)
        return _Posed(columns, frames, points)

    def _columns(self, pose: Tensor) -> Tensor:
        return righted(columns_of(pose, self.joints))

    def _stance(self, posed: _Posed) -> Stance:
        assert posed.points is not None
        rows = posed.frames.reshape(-1, 4 * (self.joints + 1), 4)
        return Stance(posed.columns, rows, posed.points)

    def _direction(
        self,
        index: int,
        landmarks: Landmarks,
        posed: _Posed,
        camera: Tensor,
        trust: Trust | None,
    ) -> Tensor:
        """Where the landmarks would have the body go, (B, 6 J)."""
        pull, stance, shot = self.direction[index], self._stance(posed), Shot.of(camera)
        assert isinstance(pull, Pull)
        missed = self.misses(stance.points.transpose(-1, -2), shot, landmarks)
        return pull.columns(stance, missed, shot.scale, trust)

    def _pulled(
        self,
        index: int,
        landmarks: Landmarks,
        columns: Tensor,
        shape: Tensor,
        camera: Tensor,
        trust: Trust,
    ) -> tuple[Tensor, Tensor]:
        """Columns and camera after the landmarks have pulled at a level's estimate."""
        level = self.pulls[index]
        assert isinstance(level, nn.ModuleList)
        pulls = [pull for pull in level if isinstance(pull, Pull)]
        weights = weights_of(pulls, trust)
        of_camera = CameraWeights.of(weights, landmarks).steps()
        shaped, shot, turn = self._shaped(shape), Shot.of(camera), None
        for pull, step, of_shot in zip(pulls, weights.steps(), of_camera, strict=True):
            stance = self._stance(self._posed(columns, shaped))
            points = stance.points.transpose(-1, -2)
            shot = pull.fitted(points, shot, of_shot)
            missed = self.misses(points, shot, landmarks)
            columns, turn = pull(stance, missed, shot.scale, step, trust.gate, turn)
        return columns, shot.camera()

    def _landmarks(self, encoded: Encoded, body: Tensor, camera: Tensor) -> Tensor:
        """The encoder's landmarks, and how the body's (B, 33, 3) miss them, flat (B, 33 * 11)."""
        assert encoded.points is not None
        assert encoded.world is not None
        assert encoded.visibility is not None
        missed_2d = encoded.points - projected(body, camera)
        middle = body[:, self.hips].mean(1, keepdim=True)
        missed_3d = encoded.world - (body - middle)
        parts = [encoded.points, encoded.world, missed_2d, missed_3d]
        seen = torch.sigmoid(encoded.visibility)
        return torch.cat([*(part.flatten(1) for part in parts), seen], dim=-1)

    def _scored(
        self,
        encoded: Encoded,
        levels: list[Level],
        hidden: Tensor,
        columns: Tensor,
        shape: Tensor,
        camera: Tensor,
    ) -> Output:
        # the two heads look on and do not pull at what they judge
        person = self.score[1](self.score[0](encoded.summary.detach()))
        judged = [hidden.detach(), person.detach()]
        if self.config.landmarks:
            posed = self._posed(columns, self._shaped(shape))
            assert posed.points is not None
            judged.append(self._landmarks(encoded, posed.points[:, 0, :, :3], camera).detach())
        joint_score = self.joint_score(torch.cat(judged, dim=-1))
        return Output(levels, self.score[2](person), joint_score, encoded)


def _make_encoder(config: NetworkConfig, landmark_file: Path | None) -> Encoder:
    if config.encoder == "resnet50":
        return ResNet50()
    if landmark_file is None:
        raise ModelError(f"{config.encoder} needs BlazePose's landmark file")
    return BlazePose(config.encoder.removeprefix("blazepose_"), landmark_file, heat=config.heat)


def _hips(body: Body) -> list[int]:
    names = list(body.keypoint_names)
    return [names.index("left_hip"), names.index("right_hip")]

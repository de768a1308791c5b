"""Inverse kinematics towards the encoder's landmarks, after every level of the feedback loop."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from pymaf_live.body import Body
from trainer.body.blazepose_landmarker import LANDMARKS
from trainer.network.ik_step import (
    CameraWeights,
    IKStep,
    LandmarkResiduals,
    PosedLandmarks,
    TargetLandmarks,
    Trust,
    TrustHead,
    WeakPerspective,
    landmark_weights,
)
from trainer.network.network_body import NetworkBody, PosedBody


class LandmarkIK(nn.Module):
    """Learned IK steps of all levels.

    Parameters
    ----------
    body : Body
    steps : sequence of int
        Number of steps per level.
    hidden : int
        Width of the regressors' hidden layer, which the trust is predicted from.
    hips : list of int
        Rows of the hips among the landmarks.
    """

    def __init__(self, body: Body, steps: tuple[int, ...], hidden: int, hips: list[int]) -> None:
        super().__init__()
        joints = body.joint_count
        self.trust = nn.ModuleList(TrustHead(hidden, LANDMARKS, joints) for _ in steps)
        self.direction = nn.ModuleList(IKStep(body) for _ in steps)
        self.steps = nn.ModuleList(
            nn.ModuleList(IKStep(body) for _ in range(count)) for count in steps
        )
        self.residuals = LandmarkResiduals(LANDMARKS, hips)
        self._joints = joints

    def step_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the steps, which train faster than the rest."""
        yield from self.direction.parameters()
        yield from self.steps.parameters()

    def pose_direction(
        self,
        level: int,
        landmarks: TargetLandmarks,
        posed: PosedBody,
        camera: Tensor,
        trust: Trust | None,
    ) -> Tensor:
        """Return the pose change (B, 6 J) that the landmarks suggest, a feature of the regressor.

        Parameters
        ----------
        level : int
        landmarks : TargetLandmarks
        posed : PosedBody
            Estimate before the level.
        camera : (B, 3) tensor
        trust : Trust, optional
            Of the level before.
        """
        step, posed_landmarks = self.direction[level], self._posed_landmarks(posed)
        assert isinstance(step, IKStep)
        weak = WeakPerspective.from_vector(camera)
        residuals = self.residuals(posed_landmarks.points.transpose(-1, -2), weak, landmarks)
        return step.pose_change(posed_landmarks, residuals, weak.scale, trust)

    def forward(
        self,
        level: int,
        landmarks: TargetLandmarks,
        body: NetworkBody,
        columns: Tensor,
        shape: Tensor,
        camera: Tensor,
        trust: Trust,
    ) -> tuple[Tensor, Tensor]:
        """Make a level's IK steps.

        Parameters
        ----------
        level : int
        landmarks : TargetLandmarks
        body : NetworkBody
        columns : (B, J, 2, 3) tensor
        shape, camera : (B, S) and (B, 3) tensors
        trust : Trust

        Returns
        -------
        tuple of tensors
            Columns and camera after the steps.
        """
        of_level = self.steps[level]
        assert isinstance(of_level, nn.ModuleList)
        steps = [step for step in of_level if isinstance(step, IKStep)]
        weights = landmark_weights(steps, trust)
        camera_weights = CameraWeights.from_weights(weights, landmarks).split()
        shaped, weak, change = body.shaped(shape), WeakPerspective.from_vector(camera), None
        for step, weight, camera_weight in zip(steps, weights.split(), camera_weights, strict=True):
            posed = self._posed_landmarks(body.posed(columns, shaped))
            points = posed.points.transpose(-1, -2)
            weak = step.fit_camera(points, weak, camera_weight)
            residuals = self.residuals(points, weak, landmarks)
            columns, change = step(posed, residuals, weak.scale, weight, trust.gate, change)
        return columns, weak.to_vector()

    def _posed_landmarks(self, posed: PosedBody) -> PosedLandmarks:
        assert posed.points is not None
        rows = posed.frames.reshape(-1, 4 * (self._joints + 1), 4)
        return PosedLandmarks(posed.columns, rows, posed.points)

"""Posed bodies inside the network: frames, landmark points and mesh samples."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from pymaf_live.body import Body
from trainer.network.kinematic_chain import (
    AnchoredPoints,
    KinematicChain,
    SampledSkin,
    columns_from_pose,
    orthonormalized,
)


@dataclass(frozen=True)
class ShapedBody:
    """B bodies without a pose: everything that depends only on the shape."""

    shape: Tensor
    """(B, S)"""
    bones: Tensor
    """(B, J + 1, 16), for `KinematicChain`."""
    anchors: Tensor | None
    """(B, 1, 33, 4 (J + 1)) of the landmark points; None in networks without landmarks."""


@dataclass(frozen=True)
class PosedBody:
    """B posed bodies."""

    columns: Tensor
    """(B, J, 2, 3) first two columns of each rotation relative to the parent."""
    frames: Tensor
    """(B, J + 1, 4, 4) from `KinematicChain`."""
    points: Tensor | None
    """(B, 1, 33, 4) m and a one, the landmark points; None in networks without landmarks."""


class NetworkBody(nn.Module):
    """Poses the body in the network; it has no parameters and no saved state.

    Parameters
    ----------
    body : Body
    landmarks : bool
        Pose the 33 landmark points too.
    """

    def __init__(self, body: Body, *, landmarks: bool) -> None:
        super().__init__()
        self.chain = KinematicChain(body)
        self.skin = SampledSkin(body, body.sample_vertices)
        self.landmark_points = AnchoredPoints(body, body.keypoint_rows("blazepose"))
        self.landmarks = landmarks
        self.joints = body.joint_count

    def shaped(self, shape: Tensor) -> ShapedBody:
        """Return what depends only on the shape (B, S), for all poses of a level."""
        anchors = self.landmark_points.anchors(shape) if self.landmarks else None
        return ShapedBody(shape, self.chain.bones(shape), anchors)

    def posed(self, columns: Tensor, shaped: ShapedBody) -> PosedBody:
        """Pose bodies by the first two columns of their rotations, (B, J, 2, 3)."""
        frames = self.chain(columns, shaped.bones)
        points = None
        if shaped.anchors is not None:
            points = self.landmark_points(shaped.anchors, frames)
        return PosedBody(columns, frames, points)

    def columns(self, pose: Tensor) -> Tensor:
        """Convert a pose (B, 6 J) to orthonormal columns (B, J, 2, 3)."""
        return orthonormalized(columns_from_pose(pose, self.joints))

    def vertices(self, posed: PosedBody, shape: Tensor) -> Tensor:
        """Return the sampled vertices (B, P, 4) in metres, and a one."""
        vertices: Tensor = self.skin(posed.frames, shape)
        return vertices

"""Stretches of one person's posed rows in a take, for corrections of the finished motion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pymaf_live.body import Body, joint_transforms, pose_joints, project, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.motion.motion_model import RESET_GAP
from pymaf_live.motion.outlier_gate import finite_row_mask
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Ints


@dataclass(frozen=True)
class PosedSegment:
    """Stretch of one person's rows without a gap; N rows."""

    rows: Ints
    """(N,) rows of the take."""
    times: Array
    """(N,) s"""
    rotations: Array
    """(N, J, 3, 3)"""
    rest: Array
    """(N, J, 3) m, rest joints."""
    root: Array
    """(N, 3) m, root joint."""

    def posed(self, body: Body) -> tuple[Array, Array]:
        """Return world rotations (N, J, 3, 3) and positions (N, J, 3) m of the joints."""
        world, positions = joint_transforms(body, self.rotations, self.rest)
        return world, positions + (self.root - self.rest[:, 0])[:, None]


def posed_segments(take: Take, body: Body) -> list[PosedSegment]:
    """Return the stretches of a take's finite rows, split at gaps of more than `RESET_GAP`."""
    segments = []
    times = np.asarray(take.frame_time, dtype=np.float64)
    finite = finite_row_mask(take)
    for person in np.unique(take.person):
        rows = np.flatnonzero((take.person == person) & finite)
        own = times[take.frame[rows]]
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(own) > RESET_GAP) + 1):
            if len(part) < 3 or (np.diff(own[part]) <= 0).any():
                continue
            selected = rows[part]
            rest = rest_joints(body, np.asarray(take.shape[selected], dtype=np.float64))
            root = np.asarray(take.translation[selected], dtype=np.float64) + rest[:, 0]
            rotations = matrix_from_axis_angle(take.pose[selected])
            segments.append(PosedSegment(selected, own[part], rotations, rest, root))
    return segments


def with_posed_segments(take: Take, body: Body, segments: list[PosedSegment]) -> Take:
    """Return the take with the segments' poses and everything that follows from them."""
    camera = Camera(take.focal_length, np.asarray(take.principal_point), take.frame_size)
    changed: dict[str, Any] = {
        name: np.array(getattr(take, name))
        for name in ("pose", "translation", "joints", "joints_2d", "box")
    }
    for segment in segments:
        shape = np.asarray(take.shape[segment.rows], dtype=np.float64)
        translation = segment.root - segment.rest[:, 0]
        joints = pose_joints(body, segment.rotations, shape, translation)
        joints_2d = project(joints, camera)
        changed["pose"][segment.rows] = axis_angle_from_matrix(segment.rotations)
        changed["translation"][segment.rows] = translation
        changed["joints"][segment.rows] = joints
        changed["joints_2d"][segment.rows] = joints_2d
        changed["box"][segment.rows] = np.concatenate(
            [joints_2d.min(axis=1), joints_2d.max(axis=1)], axis=1
        )
    return replace(take, **changed)

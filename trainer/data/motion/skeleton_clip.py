"""Motion-capture clips on the actor's own skeleton, the common result of all format readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.types import Array

MAX_BONES = 256
"""Upper limit for the skeleton of a person."""

MAX_FRAMES = 200_000
"""Half an hour at 120 frames a second."""


@dataclass(frozen=True)
class SkeletonClip:
    """A clip on its own skeleton; F frames, B bones; metres, y up, facing +z at rest."""

    names: tuple[str, ...]
    """CMU's bone names where the skeleton has such a bone."""
    offsets: Array
    """(B, 3) m, rest pose, from a bone's start to its end; zero for bones without length."""
    world: Array
    """(F, B, 3, 3) world rotation of each bone, relative to its rest direction."""
    starts: Array
    """(F, B, 3) m, start of each bone (the joint that its rotation applies to)."""
    ends: Array
    """(F, B, 3) m, end of each bone."""
    frame_rate: float

    def bone(self, name: str) -> int:
        """Return the row of a bone; raise ValueError if there is none."""
        return self.names.index(name)


def forward_kinematics(
    names: Sequence[str],
    parents: Sequence[int],
    starts: Array,
    offsets: Array,
    local: Array,
    root: Array,
    frame_rate: float,
) -> SkeletonClip:
    """Compute the forward kinematics of a tree of bones.

    Parameters
    ----------
    names : sequence of str
        B bones, parents before their children, the root first.
    parents : sequence of int
        -1 at the root.
    starts : (B, 3) or (F, B, 3) array
        Start of each bone in its parent's frame, m; the root's row is ignored.
    offsets : (B, 3) array
        From a bone's start to its end in the rest pose, m.
    local : (F, B, 3, 3) array
        Rotations relative to the parent.
    root : (F, 3) array
        Start of the root, m.
    frame_rate : float
    """
    local_starts = np.broadcast_to(starts, (len(local), *starts.shape[-2:]))
    world, world_starts = np.empty_like(local), np.empty((*local.shape[:2], 3))
    for bone, parent in enumerate(parents):
        if parent < 0:
            world[:, bone], world_starts[:, bone] = local[:, bone], root
            continue
        world[:, bone] = world[:, parent] @ local[:, bone]
        shift = np.einsum("fab,fb->fa", world[:, parent], local_starts[:, bone])
        world_starts[:, bone] = world_starts[:, parent] + shift
    ends = world_starts + np.einsum("fbij,bj->fbi", world, offsets)
    return SkeletonClip(tuple(names), offsets, world, world_starts, ends, frame_rate)


def interpolate_rotations(first: Array, second: Array, fraction: float) -> Array:
    """Interpolate rotations (F, 3, 3) from `first` (fraction 0) to `second` (fraction 1)."""
    step = Rotation.from_matrix(first.transpose(0, 2, 1) @ second).as_rotvec() * fraction
    return np.asarray(first @ Rotation.from_rotvec(step).as_matrix())

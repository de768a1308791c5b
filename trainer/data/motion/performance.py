"""What an actor did, on the actor's own skeleton; what all readers of motion capture make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.types import Array

MOST_BONES = 256
"""A file with more bones is not of a person."""

MOST_FRAMES = 200_000
"""Half an hour at 120 frames a second."""


@dataclass(frozen=True)
class Performance:
    """A clip on its own skeleton; F frames, B bones; metres, y up, facing +z at rest."""

    names: tuple[str, ...]
    """CMU's, as far as the skeleton has such a bone."""
    offsets: Array
    """(B, 3) m, rest pose: from a bone's start to its end; zero where it has no length."""
    world: Array
    """(F, B, 3, 3) world rotation of each bone, relative to its rest direction."""
    starts: Array
    """(F, B, 3) m, where each bone starts (the joint that its rotation turns)."""
    ends: Array
    """(F, B, 3) m"""
    frame_rate: float

    def bone(self, name: str) -> int:
        """Row of a bone; ValueError where there is none."""
        return self.names.index(name)


def perform(
    names: Sequence[str],
    parents: Sequence[int],
    at: Array,
    offsets: Array,
    local: Array,
    root: Array,
    frame_rate: float,
) -> Performance:
    """Forward kinematics of a tree of joints.

    Parameters
    ----------
    names : sequence of str
        B bones, parents before their children, the root first.
    parents : sequence of int
        -1 at the root.
    at : (B, 3) or (F, B, 3) array
        Where a bone starts in its parent's frame, m; the root's row is not read.
    offsets : (B, 3) array
        From a bone's start to its end at rest, m.
    local : (F, B, 3, 3) array
        Rotations relative to the parent.
    root : (F, 3) array
        Where the root starts, m.
    frame_rate : float
    """
    places = np.broadcast_to(at, (len(local), *at.shape[-2:]))
    world, starts = np.empty_like(local), np.empty((*local.shape[:2], 3))
    for bone, parent in enumerate(parents):
        if parent < 0:
            world[:, bone], starts[:, bone] = local[:, bone], root
            continue
        world[:, bone] = world[:, parent] @ local[:, bone]
        moved = np.einsum("fab,fb->fa", world[:, parent], places[:, bone])
        starts[:, bone] = starts[:, parent] + moved
    ends = starts + np.einsum("fbij,bj->fbi", world, offsets)
    return Performance(tuple(names), offsets, world, starts, ends, frame_rate)


def between(first: Array, second: Array, share: float) -> Array:
    """Rotations (F, 3, 3) part of the way from `first` (share 0) to `second` (share 1)."""
    step = Rotation.from_matrix(first.transpose(0, 2, 1) @ second).as_rotvec() * share
    return np.asarray(first @ Rotation.from_rotvec(step).as_matrix())

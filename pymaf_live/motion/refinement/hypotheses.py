"""Choice between competing stories of a motion, over a whole stretch of it.

The image does not tell everything about a pose: a body seen from the front, with left and right
mirrored, looks like one seen from behind, and crossed legs or arms look like each other. Now and
then the network changes its mind for a while. Every frame therefore has several hypotheses, and may
also be skipped. Dynamic programming finds the cheapest path through all frames: it compares what a
jump costs with what it costs to reinterpret or skip the frames until the motion agrees again. So
the majority decides, wherever in the take it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, joint_transforms
from pymaf_live.motion.outlier_gate import depth_flipped_rotations
from pymaf_live.types import Array, Ints

_MAX_SKIP = 0.5
"""Longest stretch of skipped frames, s."""
_FREE_TURN, _FREE_SPEED = 0.2, 12.0
"""Turn of a joint that costs nothing: rad, plus rad/s."""
_TURN_ERROR = 0.2
"""Excess over that at which a turn costs as much as a skipped tenth of a second, rad."""
_JUMP_COST = 4.0
"""Largest cost of a turn."""
_SKIP_COST = 10.0
"""Cost of skipped frames, per second."""
_FLIP_COST = 1.0
"""Cost of frames in which the second hypothesis is chosen, per second."""
_LIMBS = ((("hip", "knee", "ankle", "foot"), False), (("shoulder", "elbow", "wrist", "hand"), True))
_HALF_TURN_Z: Array = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Choice:
    """Chosen poses of N frames."""

    rotations: Array
    """(N, J, 3, 3) as measured, or as another hypothesis has them."""
    source: Ints
    """(N, J) the measured joint whose place in the image each joint has."""


def choose_poses(body: Body, rotations: Array, times: Array) -> Choice:
    """Choose the most plausible story of one person's motion.

    Parameters
    ----------
    body : Body
        With SMPL's joint names; limbs that it lacks are left as they are.
    rotations : (N, J, 3, 3) array
        Measured, in measured frames only.
    times : (N,) array
        Seconds, increasing.
    """
    mirrored = depth_flipped_rotations(rotations, body.joint_mirror)
    # the root decides for the whole body; limbs have their own turn
    both = np.stack([rotations, mirrored], axis=1)
    flipped = _cheapest_path(both[:, :, :1], times) == 1
    chosen = np.where(flipped[:, None, None, None], mirrored, rotations)
    source = np.where(flipped[:, None], body.joint_mirror, np.arange(body.joint_count))
    for pair in _limb_pairs(body):
        exchanged = _exchanged(body, chosen, pair)
        both = np.stack([chosen, exchanged], axis=1)
        # hands and feet are too uncertain to decide
        deciding = [*pair.left[:2], *pair.right[:2]]
        swapped = _cheapest_path(both[:, :, deciding], times) == 1
        chosen = np.where(swapped[:, None, None, None], exchanged, chosen)
        both_limbs, other_limbs = [*pair.left, *pair.right], [*pair.right, *pair.left]
        source[:, both_limbs] = np.where(
            swapped[:, None], source[:, other_limbs], source[:, both_limbs]
        )
    return Choice(np.asarray(chosen), source)


@dataclass(frozen=True)
class _LimbPair:
    """A left and a right limb, joints from the trunk outwards."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    turned: bool
    """True if the limbs point in opposite directions at rest, as arms do."""


def _limb_pairs(body: Body) -> list[_LimbPair]:
    names = {name: index for index, name in enumerate(body.joint_names)}
    pairs = []
    for parts, turned in _LIMBS:
        left, right = (
            tuple(names[name] for part in parts if (name := f"{side}_{part}") in names)
            for side in ("left", "right")
        )
        if len(left) == len(right) == len(parts):
            pairs.append(_LimbPair(left, right, turned))
    return pairs


def _exchanged(body: Body, rotations: Array, pair: _LimbPair) -> Array:
    """Return rotations (N, J, 3, 3) in which each limb of a pair points where the other did."""
    rest, _ = body.rest_joint_basis
    world, _ = joint_transforms(body, rotations, np.asarray(rest))
    half_turn = _HALF_TURN_Z if pair.turned else np.eye(3)
    result = rotations.copy()
    for own, other in ((pair.left, pair.right), (pair.right, pair.left)):
        above = world[:, body.parents[own[0]]]
        for joint, source in zip(own, other, strict=True):
            turned = world[:, source] @ half_turn
            result[:, joint] = np.swapaxes(above, -1, -2) @ turned
            above = turned
    return result


def _cheapest_path(hypotheses: Array, times: Array) -> Ints:
    """Return the hypothesis (N,) of each frame; skipped frames continue the one before.

    Parameters
    ----------
    hypotheses : (N, S, K, 3, 3) array
        S hypotheses of K joints; the first one is preferred.
    times : (N,) array
        Seconds, increasing.
    """
    count, states = hypotheses.shape[:2]
    interval = np.minimum(np.gradient(times), _MAX_SKIP) if count > 1 else np.ones(count)
    own = np.where(np.arange(states) > 0, _FLIP_COST * interval[:, None], 0.0)
    # cost of skipping all frames before each one
    before = np.append(0.0, np.cumsum(_SKIP_COST * interval))
    best = before[:-1, None] + own
    origin = np.full((count, states), -1)
    for now in range(1, count):
        first = min(int(np.searchsorted(times, times[now] - _MAX_SKIP)), now - 1)
        limit = _FREE_TURN + _FREE_SPEED * (times[now] - times[first:now])
        excess = _turns(hypotheses[first:now], hypotheses[now]) - limit[:, None, None]
        jump = np.minimum((np.maximum(excess, 0.0) / _TURN_ERROR) ** 2, _JUMP_COST)
        between = before[now] - before[first + 1 : now + 1]
        total = (best[first:now] + between[:, None])[:, :, None] + jump + own[now]
        flat = total.reshape(-1, states)
        cheapest = flat.argmin(axis=0)
        cost = flat[cheapest, np.arange(states)]
        better = cost < best[now]
        best[now] = np.where(better, cost, best[now])
        origin[now] = np.where(better, first * states + cheapest, -1)
    last = best + (before[-1] - before[1:])[:, None]
    node = int(last.argmin())
    state, kept = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    while node >= 0:
        frame, state_there = divmod(node, states)
        state[frame], kept[frame] = state_there, True
        node = int(origin[frame, state_there])
    last = np.maximum.accumulate(np.where(kept, np.arange(count), 0))
    return np.asarray(state[last])


def _turns(earlier: Array, now: Array) -> Array:
    """Return the largest turn of K joints between hypotheses.

    Parameters
    ----------
    earlier : (G, S, K, 3, 3) array
    now : (S, K, 3, 3) array

    Returns
    -------
    (G, S, S) array
        Radians, from each earlier hypothesis to each one now.
    """
    trace = np.einsum("gakij,bkij->gabk", earlier, now)
    return np.asarray(np.arccos(np.clip((trace - 1) / 2, -1.0, 1.0)).max(axis=-1))

"""Inverse kinematics that keeps a character's feet and hands where the body's are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.two_bone import Leg, solve_two_bone
from pymaf_live.characters.body_motion import BodyMotion
from pymaf_live.characters.mapping import BoneMapping
from pymaf_live.characters.measure import Measures
from pymaf_live.types import Array

_NEAR, _FAR = 0.4, 1.2
"""Distances of hand to hand, relative to the arm's length, at which the distance is kept wholly and
not at all."""
_NEAR_HEAD, _FAR_HEAD = 0.5, 1.0
"""Distances of hand to head, likewise."""


@dataclass(eq=False)
class Limb:
    """N poses of an arm or a leg of the character; world, metres."""

    upper: int
    """Node of the upper arm or leg."""
    lower: int
    places: tuple[Array, Array, Array]
    """Positions (N, 3) of shoulder or hip, elbow or knee, wrist or ankle."""
    upper_turn: Array
    """(N, 3, 3)"""
    lower_turn: Array
    hinge: Array
    """(N, 3) axis of the elbow or knee."""

    def reach(self, target: Array) -> None:
        """Turn upper and lower part so that the end is at a target (N, 3)."""
        solved = Leg(*self.places, self.upper_turn, self.lower_turn, self.hinge)
        self.upper_turn, self.lower_turn = solve_two_bone(solved, target)


def reach_with_feet(
    limbs: Mapping[str, Limb],
    motion: BodyMotion,
    measures: Measures,
    size: float,
    mapping: BoneMapping,
) -> None:
    """Place the ball of each of the character's feet on that of the body's foot.

    Both feet turn alike, so that a foot that stands, rolls over its ball or steps on its heel does
    so where the body's does.
    """
    for index, side in enumerate(("left", "right")):
        ankle, ball = motion.at_rest(f"{side}_ankle"), motion.at_rest(f"{side}_foot")
        under_ball = np.array([ball[0], motion.lowest, ball[2]]) - ankle
        turn = motion.turn(f"{side}_ankle")
        foot = measures.positions[mapping.bones[f"{side}Foot"]]
        toes = mapping.bones.get(f"{side}Toes")
        if toes is None:  # as far in front of the ankle as the body's
            own = np.array([under_ball[0], 0.0, under_ball[2]])
        else:
            own = (measures.positions[toes] - foot) * size
        own[1] = (measures.soles[index] - foot[1]) * size
        limbs[f"{side}Leg"].reach(motion.at(f"{side}_ankle") + turn @ (under_ball - own))


def reach_with_hands(
    limbs: Mapping[str, Limb], motion: BodyMotion, head: Array, ratio: float
) -> None:
    """Keep the distances of hands to each other and to the head in proportion to the arms.

    Only where they are small; elsewhere the arms keep their directions.

    Parameters
    ----------
    limbs : mapping of Limb
    motion : BodyMotion
    head : (N, 3) array
        Position of the character's head.
    ratio : float
        Length of the character's arms to that of the body's.
    """
    wrists = {side: motion.at(f"{side}_wrist") for side in ("left", "right")}
    own = {side: limbs[f"{side}Arm"].places[2] for side in ("left", "right")}
    middle = (own["left"] + own["right"]) / 2
    apart = wrists["left"] - wrists["right"]
    together = _closeness(np.linalg.norm(apart, axis=-1) / motion.arm, _NEAR, _FAR)
    for side, sign in (("left", 0.5), ("right", -0.5)):
        to_head = wrists[side] - motion.at("head")
        near = _closeness(np.linalg.norm(to_head, axis=-1) / motion.arm, _NEAR_HEAD, _FAR_HEAD)
        with_other = middle + sign * ratio * apart
        with_head = head + ratio * to_head
        target = own[side] + together * (with_other - own[side])
        target = target + near * (with_head - target)
        if (together > 0).any() or (near > 0).any():
            limbs[f"{side}Arm"].reach(target)


def _closeness(distance: Array, near: float, far: float) -> Array:
    """Return 1 up to `near` and 0 from `far` on, (N, 1), smoothly."""
    x = np.clip((far - distance) / (far - near), 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))[:, None]

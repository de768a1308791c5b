"""Everyday poses that motion capture lacks: sitting at a desk, standing, hands at the face.

Angles are drawn within comfortable limits, in SMPL's frame (y up, facing +z, left at +x): hips bend
forward about -x, knees back about +x and the left elbow forward about -y. Many arms are drawn at
once; those that pass through the trunk or the head are dropped, and the others are sorted by the
place of the wrist, so that 'hands at the face' needs no inverse kinematics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.rotations import about_x, about_y, about_z, matrix_from_axis_angle
from pymaf_live.types import Array, Mask

_CANDIDATES = 12_000

# share of each region of the wrist; the first column standing, the second sitting
_REGIONS = {
    "hang": (0.26, 0.06),
    "lap": (0.04, 0.22),
    "desk": (0.08, 0.26),
    "chest": (0.16, 0.14),
    "face": (0.12, 0.16),
    "hips": (0.10, 0.02),
    "overhead": (0.08, 0.03),
    "side": (0.08, 0.05),
    "any": (0.08, 0.06),
}
_SAME_FOR_BOTH = 0.65

_AT_DESK = (
    ("desk", "desk", 0.36), ("desk", "face", 0.14), ("desk", "lap", 0.08), ("desk", "chest", 0.1),
    ("chest", "chest", 0.08), ("lap", "lap", 0.05), ("face", "face", 0.05), ("desk", "any", 0.05),
    ("chest", "any", 0.04), ("overhead", "overhead", 0.02), ("desk", "side", 0.03),
)  # fmt: skip
"""Regions of the two wrists of somebody at a desk, and their shares."""

_KINDS = {"stand": 0.34, "sit": 0.34, "step": 0.12, "crouch": 0.08, "kneel": 0.05, "lie": 0.07}


@dataclass(frozen=True)
class _Arms:
    """Left arms; C candidates."""

    shoulder: Array
    """(C, 3, 3)"""
    elbow: Array
    """(C, 3, 3)"""
    regions: dict[str, npt.NDArray[np.intp]]
    """Region -> rows."""


def _degrees(*values: float) -> Array:
    return np.asarray(np.radians(values))


class EverydayPoses:
    """Draws everyday poses of a body.

    Parameters
    ----------
    body : Body
        SMPL's joint names.
    rng : numpy.random.Generator
        Source of the arms that later poses choose from.
    """

    def __init__(self, body: Body, rng: np.random.Generator) -> None:
        self._body = body
        self._joint = {name: k for k, name in enumerate(body.joint_names)}
        self._arms = self._draw_arms(rng)

    def draw(self, rng: np.random.Generator) -> tuple[Array, str]:
        """Return a pose (J, 3, 3), its root in a y-up world facing about +z, and its kind."""
        kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
        out = np.tile(np.eye(3), (self._body.joint_count, 1, 1))
        lean = self._legs(out, "stand" if kind == "lie" else kind, rng)
        self._spine(out, rng)
        self._upper(out, kind, rng)
        if kind == "lie":
            # on the back, the belly or a side
            roll = rng.choice([0.0, np.pi, np.pi / 2, -np.pi / 2]) + rng.normal() * 0.3
            out[0] = about_x(-np.pi / 2 + 0.2 * rng.normal()) @ about_y(roll)
            if rng.random() < 0.6:
                self._legs(out, str(rng.choice(["step", "crouch"])), rng)
        else:
            out[0] = about_x(lean) @ about_z(0.05 * rng.normal())
        return out, kind

    def draw_at_desk(self, rng: np.random.Generator) -> tuple[Array, str]:
        """Return a pose (J, 3, 3) of somebody at a desk as `draw` does, and the hands' regions."""
        regions = _AT_DESK[int(rng.choice(len(_AT_DESK), p=[share for _, _, share in _AT_DESK]))]
        hands = [regions[0], regions[1]]
        if rng.random() < 0.5:
            hands.reverse()
        out = np.tile(np.eye(3), (self._body.joint_count, 1, 1))
        lean = self._legs(out, "sit", rng)
        self._spine(out, rng)
        self._arms_at(out, hands, rng, twin=hands[0] == hands[1] and rng.random() < 0.4)
        out[0] = about_x(lean) @ about_z(0.05 * rng.normal())
        return out, "+".join(hands)

    def _set(self, out: Array, name: str, *turns: Array) -> None:
        turned = np.eye(3)
        for turn in turns:
            turned = turned @ turn
        out[self._joint[name]] = turned

    def _leg(
        self, out: Array, side: str, flex: float, apart: float, turn: float, knee: float,
        foot: float,
    ) -> None:  # fmt: skip
        """Set one leg, in place; angles in degrees."""
        way = 1.0 if side == "left" else -1.0
        flex, apart, turn, knee, foot = np.radians([flex, apart, turn, knee, foot])
        hip = about_x(-flex) @ about_z(way * apart) @ about_y(way * turn)
        self._set(out, f"{side}_hip", hip)
        self._set(out, f"{side}_knee", about_x(knee))
        self._set(out, f"{side}_ankle", about_x(foot))

    def _legs(self, out: Array, kind: str, rng: np.random.Generator) -> float:
        """Set the legs, in place; return how far the root leans forward, radians."""
        u, n = rng.uniform, rng.normal
        sides = ["left", "right"]
        if rng.random() < 0.5:
            sides.reverse()
        if kind == "stand":
            apart = u(0, 12)
            for side in sides:
                bend = abs(n(0, 6))
                self._leg(out, side, bend * 0.5 + n(0, 4), apart, u(-5, 18), bend, bend * -0.5)
            return float(np.radians(n(1, 4)))
        if kind == "sit":
            flex, apart, knee = u(70, 105), u(2, 24), u(55, 112)
            for side in sides:
                self._leg(
                    out, side, flex + n(0, 5), apart + n(0, 4), u(-10, 15),
                    np.clip(knee + n(0, 12), 20, 130), n(0, 8),
                )  # fmt: skip
            if rng.random() < 0.12:  # one leg over the other
                self._leg(out, sides[0], flex + 15, -u(8, 16), u(0, 10), u(70, 100), u(0, 20))
            return float(np.radians(n(4, 10)))
        if kind == "step":
            self._leg(out, sides[0], u(10, 65), n(4, 4), u(-5, 15), u(5, 75), n(0, 8))
            self._leg(out, sides[1], u(-22, 8), n(4, 4), u(-5, 15), u(2, 50), u(-5, 25))
            return float(np.radians(n(4, 6)))
        if kind == "crouch":
            flex, apart = u(55, 118), u(5, 35)
            knee = np.clip(flex * u(0.9, 1.25), 40, 138)
            for side in sides:
                self._leg(
                    out, side, flex + n(0, 6), apart + n(0, 5), u(0, 25),
                    np.clip(knee + n(0, 8), 20, 140), -np.clip(knee - flex, -20, 25) - u(0, 15),
                )  # fmt: skip
            return float(np.radians(u(10, 50)))
        flat = rng.random() < 0.5  # kneeling on both knees or on one
        self._leg(out, sides[0], u(-5, 40), u(2, 15), u(-5, 10), u(85, 135), u(20, 45))
        if flat:
            out[self._joint[f"{sides[1]}_hip"]] = self._mirrored(
                out[self._joint[f"{sides[0]}_hip"]]
            )
            for part in ("knee", "ankle"):
                out[self._joint[f"{sides[1]}_{part}"]] = self._mirrored(
                    out[self._joint[f"{sides[0]}_{part}"]]
                )
        else:
            self._leg(out, sides[1], u(75, 100), u(2, 20), u(-5, 15), u(80, 105), n(0, 8))
        return float(np.radians(u(0, 15)))

    def _spine(self, out: Array, rng: np.random.Generator) -> None:
        bend, twist, side = rng.normal(4, 7), rng.normal(0, 8), rng.normal(0, 5)
        for share, name in ((0.4, "spine1"), (0.35, "spine2"), (0.25, "spine3")):
            angles = _degrees(bend, twist, side) * share
            self._set(out, name, matrix_from_axis_angle(angles))
        pitch = np.clip(rng.normal(4, 15), -35, 45)
        yaw, roll = np.clip(rng.normal(0, 24), -65, 65), np.clip(rng.normal(0, 8), -25, 25)
        for share, name in ((0.55, "neck"), (0.45, "head")):
            self._set(out, name, matrix_from_axis_angle(_degrees(pitch, yaw, roll) * share))

    def _upper(self, out: Array, kind: str, rng: np.random.Generator) -> None:
        column = 1 if kind == "sit" else 0
        names = list(_REGIONS)
        shares = np.array([_REGIONS[name][column] for name in names])
        regions = rng.choice(names, size=2, p=shares / shares.sum())
        same = rng.random() < _SAME_FOR_BOTH
        twin = rng.random() < 0.25  # both arms alike, mirrored
        hands = [str(regions[0]), str(regions[0 if same else 1])]
        self._arms_at(out, hands, rng, twin=same and twin)

    def _arms_at(
        self, out: Array, regions: list[str], rng: np.random.Generator, *, twin: bool
    ) -> None:
        """Set the arms with the left and the right wrist in their regions, in place."""
        row = 0
        for index, side in enumerate(("left", "right")):
            if index == 0 or not twin:
                row = int(rng.choice(self._arms.regions[regions[index]]))
            shoulder, elbow = self._arms.shoulder[row], self._arms.elbow[row]
            if side == "right":
                shoulder, elbow = self._mirrored(shoulder), self._mirrored(elbow)
            self._set(out, f"{side}_shoulder", shoulder)
            self._set(out, f"{side}_elbow", elbow)
            wrist = rng.normal(size=3) * _degrees(15, 12, 18)
            self._set(out, f"{side}_wrist", matrix_from_axis_angle(wrist))
            collar = rng.normal(size=3) * _degrees(3, 4, 4)
            self._set(out, f"{side}_collar", matrix_from_axis_angle(collar))

    @staticmethod
    def _mirrored(rotation: Array) -> Array:
        mirror = np.diag([-1.0, 1.0, 1.0])
        return np.asarray(mirror @ rotation @ mirror)

    def _draw_arms(self, rng: np.random.Generator) -> _Arms:
        count = _CANDIDATES
        # directions of the upper arm, half of them near the body
        direction = rng.normal(size=(count, 3))
        low = rng.random(count) < 0.55
        direction[low] = [0.35, -1.0, 0.25] + 0.45 * direction[low]
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        swing = _turns_from_x(direction)
        twist = np.radians(rng.uniform(-75, 85, count))
        shoulder = np.einsum("nab,nbc->nac", swing, _stack(about_x, twist))
        bend = np.radians(rng.uniform(0, 145, count) * np.where(rng.random(count) < 0.3, 0.25, 1.0))
        turned = np.radians(rng.uniform(-40, 60, count))
        elbow = np.einsum("nab,nbc->nac", _stack(about_y, -bend), _stack(about_x, turned))

        body, joint = self._body, self._joint
        rotations = np.tile(np.eye(3), (count, body.joint_count, 1, 1))
        rotations[:, joint["left_shoulder"]] = shoulder
        rotations[:, joint["left_elbow"]] = elbow
        rest = rest_joints(body, np.zeros(body.shape_count))
        _, places = joint_transforms(body, rotations, rest)
        elbows, wrists = places[:, joint["left_elbow"]], places[:, joint["left_wrist"]]
        hands = places[:, joint["left_hand"]]
        hands = hands + 0.5 * (hands - wrists)
        neck, pelvis, head = rest[joint["neck"]], rest[0], rest[joint["head"]] + [0, 0.09, 0.02]
        free = (direction[:, 0] > -0.35) & (direction[:, 2] > -0.55)
        for points in (elbows, (elbows + wrists) / 2, wrists, hands):
            free &= _is_outside(points, neck, pelvis, head)
        x, y, z = wrists.T
        chest, hip = pelvis[1] + 0.22, pelvis[1] - 0.05
        inner = np.abs(x) < 0.28
        regions = {
            "hang": (y < pelvis[1] + 0.06) & (bend < 1.1) & (direction[:, 1] < -0.75),
            "lap": inner & (y > hip) & (y < hip + 0.2) & (z > 0.15) & (z < 0.5),
            "desk": (x > -0.15) & (x < 0.42) & (np.abs(y - chest) < 0.12) & (z > 0.22),
            "chest": inner & (y > chest) & (y < neck[1] + 0.02) & (z > 0.12),
            "face": (np.linalg.norm(hands - head, axis=1) < 0.24) & (z > head[2] - 0.06),
            "hips": (np.linalg.norm(wrists - [0.2, pelvis[1] + 0.06, 0.04], axis=1) < 0.15),
            "overhead": y > head[1] + 0.12,
            "side": (x > 0.45) & (y > chest - 0.1),
            "any": np.ones(count, bool),
        }
        rows = {name: np.flatnonzero(free & inside) for name, inside in regions.items()}
        every = rows["any"]
        rows = {name: found if len(found) > 4 else every for name, found in rows.items()}
        return _Arms(shoulder, elbow, rows)


def _is_outside(points: Array, neck: Array, pelvis: Array, head: Array) -> Mask:
    """Return the mask of arm points (N, 3) outside trunk and head of a body in T-pose."""
    x, y, z = (points - [0, 0, neck[2]]).T
    trunk = ((x / 0.19) ** 2 + ((z - 0.02) / 0.155) ** 2 < 1) & (y < neck[1] - 0.06)
    trunk &= y > pelvis[1] - 0.1
    throat = (np.hypot(x, z) < 0.1) & (y >= neck[1] - 0.06) & (y < head[1])
    thighs = (np.abs(x) < 0.19) & (np.abs(z) < 0.1) & (y <= pelvis[1] - 0.1)
    inside_head = np.linalg.norm((points - head) / [0.095, 0.13, 0.115], axis=1) < 1
    return np.asarray(~(trunk | throat | thighs | inside_head))


def _stack(turn: Callable[[float], Array], angles: Array) -> Array:
    c, s = np.cos(angles), np.sin(angles)
    zero, one = np.zeros_like(c), np.ones_like(c)
    if turn is about_x:
        rows = [[one, zero, zero], [zero, c, -s], [zero, s, c]]
    else:
        rows = [[c, zero, s], [zero, one, zero], [-s, zero, c]]
    return np.moveaxis(np.array(rows), -1, 0)


def _turns_from_x(direction: Array) -> Array:
    """Return the smallest rotations (N, 3, 3) from +x to unit vectors (N, 3)."""
    axis = np.cross([1.0, 0.0, 0.0], direction)
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, direction[:, 0])
    axis = np.where(sine[:, None] > 1e-9, axis / np.maximum(sine, 1e-9)[:, None], [0.0, 0.0, 1.0])
    return matrix_from_axis_angle(axis * angle[:, None])

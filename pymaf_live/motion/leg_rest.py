"""Legs at rest while they are not seen: seated at a desk, or cut off by the edge of the image.

A network always returns a whole body. Legs that it does not see are invented, differently in every
frame: they dance. While neither knee is seen, the legs are therefore put into a pose of rest,
standing or seated, and the hips are held upright and nearly still. The chest and all above it stay
where they were measured; the lower spine bends between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, joint_transforms
from pymaf_live.body.rotations import (
    axis_angle_from_rotation,
    matrix_from_axis_angle,
    rotation_between,
)
from pymaf_live.body.vectors import angle_between, unit_vectors
from pymaf_live.takes.ground import UP_OF_LEVEL_CAMERA
from pymaf_live.takes.legs import LEGS_SEEN, UNSEEN_JOINTS
from pymaf_live.types import Array, Legs

_SPINE = ("pelvis", "spine1", "spine2", "spine3")
_LEGS = tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle") for side in ("left", "right"))
_SEEN_ABOVE = 0.65
"""Evidence of resting legs from which on they are measured again; they rest below `LEGS_SEEN`."""
_EVIDENCE_TIME = 0.2
"""Averaging time of the evidence, s."""
BLEND_TIME = 0.6
"""Duration of the way to rest and back, s."""
_MAX_LEAN = np.radians(60.0)
"""Lean of the trunk beyond which a person lies, and the legs stay as measured."""
_SEATED_ABOVE, _STANDING_BELOW = np.radians(60.0), np.radians(30.0)
"""Angle of the thighs to the vertical at which 'auto' changes to the seated and standing pose."""
_FLEXION_TIME = 3.0
"""Averaging time of that angle, s: of thighs that are not seen it is a guess."""
_HIP_FLEXION, _KNEE_FLEXION = np.radians(80.0), np.radians(80.0)
"""Joint angles of the seated pose."""
_REST_CUTOFF = 0.3
"""Cut-off frequency of the hold at rest, Hz."""
_LIVE_SPEED_TIME = 0.1
"""Averaging time of the speed live, s: a longer one makes the hips late when a walk begins."""
_BEARING_GAIN, _DEPTH_GAIN, _DIRECTION_GAIN = 12.0, 10.0, 1.0
"""Cut-off frequency per speed: of x/z and y/z, of log z, and of the front's direction, 1/rad."""
_MIN_DEPTH = 0.05
"""m"""


@dataclass(frozen=True)
class RestPose:
    """Pose of the lower body at rest, and how far it replaces the measured one."""

    frame: Array
    """(..., 3, 3) rotation of the upright hips: left, up and front as columns, camera frame."""
    hips: Array
    """(..., 3) m, where the hips are held, camera frame."""
    seated: Array
    """(...) 0 for standing legs, 1 for seated ones."""
    weight: Array
    """(...) 0 as measured, 1 at rest."""


class LowerBody:
    """Joints of a body that come to rest, and the kinematics that puts them there.

    Parameters
    ----------
    body : Body
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        names = {name: index for index, name in enumerate(body.joint_names)}
        self.complete = {*_SPINE, *_LEGS, *UNSEEN_JOINTS, "neck"} <= names.keys()
        """False if the body lacks one of SMPL's joints: its legs are left as they are."""
        if not self.complete:
            return
        self.spine = [names[name] for name in _SPINE]
        self.legs = np.array([names[name] for name in _LEGS])
        self.unseen = np.array([names[name] for name in UNSEEN_JOINTS])
        """Joints of which nothing is known while the legs rest."""
        self.neck = names["neck"]
        self._below_chest = np.array([*self.spine, *self.legs])

    def put_to_rest(
        self, rotations: Array, root: Array, rest: Array, pose: RestPose
    ) -> tuple[Array, Array]:
        """Return rotations (..., J, 3, 3) and root positions (..., 3) m with the legs at rest.

        Parameters
        ----------
        rotations : (..., J, 3, 3) array
            As measured.
        root : (..., 3) array
            Root joint, m, camera frame.
        rest : (..., J, 3) array
            Rest joints, m.
        pose : RestPose
        """
        world, positions = joint_transforms(self.body, rotations, rest)
        pelvis, first, second, chest = self.spine
        chest_at = positions[..., chest, :] - positions[..., pelvis, :] + root
        upper = world[..., chest, :, :]
        bone = np.diff(rest[..., self.spine, :], axis=-2)
        # the turn between hips and chest, a third of it at each joint
        turn = axis_angle_from_rotation(_transposed(pose.frame) @ upper)
        lower = pose.frame @ matrix_from_axis_angle(turn / 3)
        middle = pose.frame @ matrix_from_axis_angle(2 * turn / 3)
        # and a bend at the lowest one that leads from the held hips to the chest
        base = pose.hips + _turned(pose.frame, bone[..., 0, :])
        along = _turned(lower, bone[..., 1, :]) + _turned(middle, bone[..., 2, :])
        bend = rotation_between(along, chest_at - base)
        lower, middle = bend @ lower, bend @ middle
        target = np.array(rotations)
        target[..., pelvis, :, :] = pose.frame
        target[..., first, :, :] = _transposed(pose.frame) @ lower
        target[..., second, :, :] = _transposed(lower) @ middle
        target[..., chest, :, :] = _transposed(middle) @ upper
        target[..., self.legs, :, :] = self._resting_legs(pose.seated)
        result = _blended(rotations, target, pose.weight, self._below_chest)
        # the chest stays where it was
        after = joint_transforms(self.body, result, rest)[1]
        return result, chest_at - (after[..., chest, :] - after[..., pelvis, :])

    def _resting_legs(self, seated: Array) -> Array:
        """Return the rotations (..., 6, 3, 3) of hips, knees and ankles."""
        flexion = np.array([-_HIP_FLEXION] * 2 + [_KNEE_FLEXION] * 2 + [0.0] * 2)
        angles = np.zeros((*np.shape(seated), 6, 3))
        angles[..., 0] = np.asarray(seated)[..., None] * flexion
        return matrix_from_axis_angle(angles)

    def faded(self, joint_score: Array, weight: Array) -> Array:
        """Return joint scores (..., J) that state the rest: 0 where nothing is measured."""
        score = np.array(joint_score)
        score[..., self.unseen] *= 1 - np.asarray(weight)[..., None]
        return score


def _transposed(rotation: Array) -> Array:
    return np.swapaxes(rotation, -1, -2)


def _turned(rotation: Array, vector: Array) -> Array:
    return np.asarray((rotation @ vector[..., None])[..., 0])


def _blended(measured: Array, target: Array, weight: Array, joints: Array) -> Array:
    """Return rotations (..., J, 3, 3) turned by a part of the way to the target."""
    result = np.array(measured)
    own, other = measured[..., joints, :, :], target[..., joints, :, :]
    turn = axis_angle_from_rotation(_transposed(own) @ other)
    part = np.asarray(weight)[..., None, None]
    result[..., joints, :, :] = own @ matrix_from_axis_angle(part * turn)
    return result


@dataclass(frozen=True)
class LegObservation:
    """Measured motion of one person in one frame, as far as the rest of the legs depends on it."""

    evidence: float
    """From `leg_evidence`."""
    lean: float
    """Angle of the trunk to the vertical, rad."""
    flexion: float
    """Angle of the thighs to the vertical, rad."""
    front: Array
    """(3,) horizontal direction of the trunk's front; as long as it is certain, up to 1."""
    root: Array
    """(3,) m, root joint."""

    def evidence_for(self, legs: Legs) -> float:
        """Return the evidence with the user's choice; legs of people who lie are never at rest."""
        return self.evidence if self.lean < _MAX_LEAN and legs != "measured" else 1.0


def observe_legs(
    lower: LowerBody, evidence: Array, rotations: Array, rest: Array, root: Array, up: Array
) -> list[LegObservation]:
    """Return what is observed of the legs in N frames.

    Parameters
    ----------
    lower : LowerBody
    evidence : (N,) array
        From `leg_evidence`.
    rotations : (N, J, 3, 3) array
    rest : (N, J, 3) array
        Rest joints, m.
    root : (N, 3) array
        Root joint, m, camera frame.
    up : (3,) array
        Up direction in the camera frame.
    """
    world, positions = joint_transforms(lower.body, rotations, rest)
    pelvis, chest = lower.spine[0], lower.spine[-1]
    lean = angle_between(positions[:, lower.neck] - positions[:, pelvis], up)
    hips, knees = lower.legs[:2], lower.legs[2:4]
    thighs = unit_vectors(positions[:, knees] - positions[:, hips]).mean(axis=1)
    flexion = angle_between(thighs, -up)
    front = (world[:, pelvis, :, 2] + world[:, chest, :, 2]) / 2
    front = front - (front @ up)[:, None] * up
    return [
        LegObservation(*values)
        for values in zip(
            evidence.tolist(), lean.tolist(), flexion.tolist(), front, root, strict=True
        )
    ]


class LegRest:
    """Decides for one person, frame after frame, whether the legs rest, and how.

    Parameters
    ----------
    up : (3,) array
        Up direction in the camera frame.
    """

    def __init__(self, up: Array = UP_OF_LEVEL_CAMERA) -> None:
        self._up = up
        self._time = -np.inf
        self._evidence = self._flexion = 0.0
        self._resting = self._seated = False
        self._rest_part = self._seated_part = 0.0
        self._held = HeldHips()

    def update(self, time: float, seen: LegObservation, legs: Legs) -> RestPose:
        """Return the pose of rest in a frame.

        Parameters
        ----------
        time : float
            Seconds, increasing.
        seen : LegObservation
        legs : {'auto', 'standing', 'seated', 'measured'}
        """
        first = not np.isfinite(self._time)
        dt = 0.0 if first else max(time - self._time, 0.0)
        self._time = time
        evidence = seen.evidence_for(legs)
        part = 1.0 if first else -np.expm1(-dt / _EVIDENCE_TIME)
        self._evidence += part * (evidence - self._evidence)
        part = 1.0 if first else -np.expm1(-dt / _FLEXION_TIME)
        self._flexion += part * (seen.flexion - self._flexion)
        self._resting = is_resting(self._evidence, self._resting)
        self._seated = is_seated(self._flexion, legs, self._seated)
        # a person whose legs were never seen is at rest from the first frame on
        step = 1.0 if first else dt / BLEND_TIME
        self._rest_part = _towards(self._rest_part, self._resting, step)
        # no one sees the pose change while the legs are measured
        step = step if self._rest_part > 0 else 1.0
        self._seated_part = _towards(self._seated_part, self._seated, step)
        hips, front = self._held.update(dt, seen)
        return RestPose(
            frame=upright_frame(front, self._up),
            hips=hips,
            seated=smooth_step(np.asarray(self._seated_part)),
            weight=smooth_step(np.asarray(self._rest_part)),
        )


def is_resting(evidence: float, resting: bool) -> bool:
    """Return True if legs with this averaged evidence rest; `resting` says if they did before."""
    return bool(evidence < (_SEEN_ABOVE if resting else LEGS_SEEN))


def is_seated(flexion: float, legs: Legs, seated: bool) -> bool:
    """Return True if the pose of rest is the seated one; `seated` says if it was before.

    Parameters
    ----------
    flexion : float
        Averaged angle of the thighs to the vertical, rad.
    legs : {'auto', 'standing', 'seated', 'measured'}
    seated : bool
    """
    if legs in ("standing", "seated"):
        return legs == "seated"
    return bool(flexion > (_STANDING_BELOW if seated else _SEATED_ABOVE))


class HeldHips:
    """Place and front of a person's hips, held nearly still.

    Parameters
    ----------
    speed_time : float
        Averaging time of the speed, s.
    """

    def __init__(self, speed_time: float = _LIVE_SPEED_TIME) -> None:
        self._bearing = _Hold(_BEARING_GAIN, speed_time)
        self._depth = _Hold(_DEPTH_GAIN, speed_time)
        self._front = _Hold(_DIRECTION_GAIN, speed_time)

    def update(self, dt: float, seen: LegObservation) -> tuple[Array, Array]:
        """Return the position (3,) m and the front (3,) of the hips after dt seconds."""
        # the depth is noisy, and moves what is seen least
        depth = float(seen.root[2])
        held = self._depth.update(dt, np.log(np.maximum(seen.root[2:], _MIN_DEPTH)))
        bearing = self._bearing.update(dt, np.append(seen.root[:2] / max(depth, _MIN_DEPTH), 1.0))
        return bearing * float(np.exp(held[0])), self._front.update(dt, seen.front)


def upright_frame(front: Array, up: Array) -> Array:
    """Return the rotation (..., 3, 3) of upright hips with a front (..., 3), camera frame.

    A front without a direction becomes that of a person who faces the camera.
    """
    front = np.where(np.linalg.norm(front, axis=-1, keepdims=True) > 1e-6, front, [0.0, 0.0, -1.0])
    left = unit_vectors(np.cross(np.broadcast_to(up, front.shape), front))
    return np.stack([left, np.broadcast_to(up, front.shape), np.cross(left, up)], axis=-1)


class _Hold:
    """Low-pass filter whose cut-off frequency grows with the speed.

    Casiez et al., '1 Euro Filter', CHI 2012.
    """

    def __init__(self, gain: float, speed_time: float) -> None:
        self._gain, self._speed_time = gain, speed_time
        self._value: Array | None = None
        self._last: Array = np.zeros(0)
        self._velocity: Array | float = 0.0

    def update(self, dt: float, value: Array) -> Array:
        if self._value is None:
            self._value = np.array(value, dtype=np.float64)
        elif dt > 0:
            velocity = (value - self._last) / dt
            part = -np.expm1(-dt / self._speed_time)
            self._velocity = self._velocity + part * (velocity - self._velocity)
            cutoff = _REST_CUTOFF + self._gain * float(np.linalg.norm(self._velocity))
            self._value = self._value - np.expm1(-2 * np.pi * cutoff * dt) * (value - self._value)
        self._last = value
        return np.asarray(self._value)


def _towards(part: float, wanted: bool, step: float) -> float:
    return min(part + step, 1.0) if wanted else max(part - step, 0.0)


def smooth_step(part: Array) -> Array:
    """Return a smooth ramp (...) for parts (...) of a way, 0..1."""
    return np.asarray(part * part * (3 - 2 * part))

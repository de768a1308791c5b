"""A person as Unity's humanoid skeleton: bone names, left-handed frame, T-pose at rest.

Three steps lie between a `Person` and what receivers expect.

Frame: the camera's (x right, y down, z forward) is turned by 180 degrees about x, as for files, and
then x changes its sign, which makes it Unity's: left-handed, y up; who faces the camera faces +z.

Rest: receivers take 'no rotation' for a strict T-pose, arms along x and legs straight down. Our
body rests with its legs a few degrees apart, so bones are measured from the body *in that T-pose*:
with G the turn of a bone and T its turn in the T-pose, G T^-1 is sent.

Bones: joints without a counterpart in `HumanBodyBones` are left out, and the turns of those between
two bones are kept in the lower one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.rotations import quaternion_from_matrix
from pymaf_live.errors import ModelError
from pymaf_live.types import Array, Ints, Person

BONES: Mapping[str, str] = MappingProxyType(
    {
        "Hips": "pelvis",
        "Spine": "spine1",
        "Chest": "spine2",
        "UpperChest": "spine3",
        "Neck": "neck",
        "Head": "head",
        "LeftShoulder": "left_collar",
        "LeftUpperArm": "left_shoulder",
        "LeftLowerArm": "left_elbow",
        "LeftHand": "left_wrist",
        "RightShoulder": "right_collar",
        "RightUpperArm": "right_shoulder",
        "RightLowerArm": "right_elbow",
        "RightHand": "right_wrist",
        "LeftUpperLeg": "left_hip",
        "LeftLowerLeg": "left_knee",
        "LeftFoot": "left_ankle",
        "LeftToes": "left_foot",
        "RightUpperLeg": "right_hip",
        "RightLowerLeg": "right_knee",
        "RightFoot": "right_ankle",
        "RightToes": "right_foot",
    }
)
"""Joint of the body for each bone, parents first; names of `UnityEngine.HumanBodyBones`."""

_T_POSE: Mapping[str, tuple[str, tuple[float, float, float]]] = MappingProxyType(
    {
        "LeftUpperArm": ("LeftLowerArm", (1.0, 0.0, 0.0)),
        "LeftLowerArm": ("LeftHand", (1.0, 0.0, 0.0)),
        "RightUpperArm": ("RightLowerArm", (-1.0, 0.0, 0.0)),
        "RightLowerArm": ("RightHand", (-1.0, 0.0, 0.0)),
        "LeftUpperLeg": ("LeftLowerLeg", (0.0, -1.0, 0.0)),
        "LeftLowerLeg": ("LeftFoot", (0.0, -1.0, 0.0)),
        "RightUpperLeg": ("RightLowerLeg", (0.0, -1.0, 0.0)),
        "RightLowerLeg": ("RightFoot", (0.0, -1.0, 0.0)),
    }
)
"""Bones that the T-pose points at their lower end's bone: which, and where to (body frame)."""

_UPRIGHT_FROM_CAMERA: Array = np.diag([1.0, -1.0, -1.0])
_UNITY_FROM_UPRIGHT: Array = np.diag([-1.0, 1.0, 1.0])
UNITY_FROM_CAMERA: Array = _UNITY_FROM_UPRIGHT @ _UPRIGHT_FROM_CAMERA
"""(3, 3) of points; its determinant is -1, for Unity's frame is left-handed."""


@dataclass(frozen=True)
class HumanoidPose:
    """Bones relative to their parents in Unity's frame; B bones, parents first."""

    names: tuple[str, ...]
    """(B,) of `HumanBodyBones`."""
    places: Array
    """(B, 3) m, in the parent's frame; the hips' in the world."""
    rotations: Array
    """(B, 4) quaternions x, y, z, w."""


class Humanoid:
    """Turns people into Unity's humanoid.

    Parameters
    ----------
    body : Body
        With joints of SMPL's names; bones whose joint it lacks are left out.

    Raises
    ------
    ModelError
        If it has no pelvis.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        index = {name: number for number, name in enumerate(body.joint_names)}
        if BONES["Hips"] not in index:
            raise ModelError("the body has no joint 'pelvis': it cannot be streamed")
        self.names = tuple(bone for bone, joint in BONES.items() if joint in index)
        self._joints = np.array([index[BONES[bone]] for bone in self.names])
        number_of = {int(joint): number for number, joint in enumerate(self._joints)}
        self._parents = tuple(
            _bone_above(int(joint), body.parents, number_of) for joint in self._joints
        )
        self._mean = rest_joints(body, np.zeros(body.shape_count))
        # joints are linear in the shape: regressing them from the mesh each frame takes longer
        self._directions = (
            rest_joints(body, np.eye(body.shape_count)) - self._mean if body.shape_count else None
        )

    def pose(self, person: Person, origin: Array) -> HumanoidPose:
        """Bones of a person.

        Parameters
        ----------
        person : Person
        origin : (3,) array
            Metres in Unity's frame, taken off the hips' place.

        Returns
        -------
        HumanoidPose
        """
        rest = self._rest(person.shape)
        turns, joints = joint_transforms(self._body, person.rotations, rest)
        turns = _UPRIGHT_FROM_CAMERA @ turns[self._joints]
        joints = joints[self._joints] @ _UPRIGHT_FROM_CAMERA
        straight = self._t_pose(rest[self._joints])
        sent = turns @ np.swapaxes(straight, -1, -2)
        local, places = np.empty_like(sent), np.empty((len(sent), 3))
        root = UNITY_FROM_CAMERA @ person.joints[self._joints[0]] - origin
        for bone, parent in enumerate(self._parents):
            if parent is None:
                local[bone] = sent[bone]
                places[bone] = _UNITY_FROM_UPRIGHT @ root  # mirrored back with the others below
            else:
                local[bone] = sent[parent].T @ sent[bone]
                # the same in every frame, unless a joint between the two is left out
                places[bone] = sent[parent].T @ (joints[bone] - joints[parent])
        quaternions = quaternion_from_matrix(_UNITY_FROM_UPRIGHT @ local @ _UNITY_FROM_UPRIGHT)
        return HumanoidPose(
            self.names, places @ _UNITY_FROM_UPRIGHT, np.roll(quaternions, -1, axis=-1)
        )

    def _rest(self, shape: Array) -> Array:
        if self._directions is None:
            return self._mean
        rest: Array = self._mean + np.tensordot(np.asarray(shape), self._directions, axes=1)
        return rest

    def _t_pose(self, rest: Array) -> Array:
        """(B, 3, 3) turn of each bone from the rest body into the strict T-pose."""
        turns = np.tile(np.eye(3), (len(self.names), 1, 1))
        for bone, (lower, direction) in _T_POSE.items():
            if bone in self.names and lower in self.names:
                upper_at, lower_at = self.names.index(bone), self.names.index(lower)
                turns[upper_at] = _turn_onto(rest[lower_at] - rest[upper_at], np.array(direction))
        return turns


def _bone_above(joint: int, parents: Ints, number_of: Mapping[int, int]) -> int | None:
    above = int(parents[joint])
    while above >= 0 and above not in number_of:
        above = int(parents[above])
    return number_of[above] if above >= 0 else None


def _turn_onto(vector: Array, direction: Array) -> Array:
    """(3, 3) the smallest turn that points `vector` along the unit `direction`.

    Rodrigues' formula with sine and cosine from the cross and dot product: I + K + K^2 / (1 + c).
    """
    length = float(np.linalg.norm(vector))
    if length < 1e-9:
        return np.eye(3)
    unit = vector / length
    cosine = float(unit @ direction)
    if cosine < -0.99:  # an upside-down limb is no T-pose of anything: leave it
        return np.eye(3)
    x, y, z = np.cross(unit, direction)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cosine))

"""Conversion of a person to Unity's humanoid: bone names, left-handed frame, T-pose at rest.

Receivers expect three things that differ from a `Person`:

Frame: the camera frame (x right, y down, z forward) is rotated by 180 degrees about x, as for
files, and x is negated. The result is Unity's frame: left-handed, y up; a person facing the camera
faces +z.

Rest pose: an identity rotation means a strict T-pose, arms along x and legs straight down. The body
model rests with its legs a few degrees apart, so rotations are relative to the body in that T-pose:
with G the global rotation of a bone and T its rotation in the T-pose, G T^-1 is sent.

Bones: joints without a counterpart in `HumanBodyBones` are omitted; the rotation of an omitted
joint between two bones is applied to the lower bone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from pymaf_live.body import Body, joint_transforms, project, rest_joints
from pymaf_live.body.rotations import (
    axis_angle_from_rotation,
    matrix_from_axis_angle,
    matrix_from_quaternion,
    quaternion_from_matrix,
)
from pymaf_live.errors import ModelError
from pymaf_live.types import Array, Camera, Ints, Person

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
"""Body joint of each bone in `UnityEngine.HumanBodyBones`, parents first."""

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
"""Bones with a fixed direction in the T-pose: the bone at their lower end and the direction in the
body frame."""

_UPRIGHT_FROM_CAMERA: Array = np.diag([1.0, -1.0, -1.0])
_UNITY_FROM_UPRIGHT: Array = np.diag([-1.0, 1.0, 1.0])
UNITY_FROM_CAMERA: Array = _UNITY_FROM_UPRIGHT @ _UPRIGHT_FROM_CAMERA
"""(3, 3) transform of points; its determinant is -1, since Unity's frame is left-handed."""


@dataclass(frozen=True)
class HumanoidPose:
    """Pose of B bones relative to their parents in Unity's frame, parents first."""

    names: tuple[str, ...]
    """(B,) names from `HumanBodyBones`."""
    positions: Array
    """(B, 3) m in the parent's frame; the hips' in the world frame."""
    rotations: Array
    """(B, 4) quaternions x, y, z, w."""


class Humanoid:
    """Converter from people to Unity's humanoid.

    Parameters
    ----------
    body : Body
        Has joints with SMPL's names; bones whose joint is missing are omitted.

    Raises
    ------
    ModelError
        If the body has no pelvis.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        index = {name: number for number, name in enumerate(body.joint_names)}
        if BONES["Hips"] not in index:
            raise ModelError("The body cannot be streamed: it has no joint 'pelvis'")
        self.names = tuple(bone for bone, joint in BONES.items() if joint in index)
        self._joints = np.array([index[BONES[bone]] for bone in self.names])
        bone_of_joint = {int(joint): number for number, joint in enumerate(self._joints)}
        self.parents = tuple(
            _parent_bone(int(joint), body.parents, bone_of_joint) for joint in self._joints
        )
        """(B,) index of each bone's parent, None at the root."""
        self._mean = rest_joints(body, np.zeros(body.shape_count))
        # joints are linear in the shape, which is faster than regressing them from the mesh
        self._directions = (
            rest_joints(body, np.eye(body.shape_count)) - self._mean if body.shape_count else None
        )

    def pose(self, person: Person, origin: Array) -> HumanoidPose:
        """Convert a person.

        Parameters
        ----------
        person : Person
        origin : (3,) array
            m in Unity's frame; subtracted from the hips' position.

        Returns
        -------
        HumanoidPose
        """
        rest = self._rest(person.shape)
        world, joints = joint_transforms(self._body, person.rotations, rest)
        world = _UPRIGHT_FROM_CAMERA @ world[self._joints]
        joints = joints[self._joints] @ _UPRIGHT_FROM_CAMERA
        t_pose = self._t_pose(rest[self._joints])
        relative = world @ np.swapaxes(t_pose, -1, -2)
        local, positions = np.empty_like(relative), np.empty((len(relative), 3))
        root = UNITY_FROM_CAMERA @ person.joints[self._joints[0]] - origin
        for bone, parent in enumerate(self.parents):
            if parent is None:
                local[bone] = relative[bone]
                positions[bone] = _UNITY_FROM_UPRIGHT @ root  # mirrored back with the others below
            else:
                local[bone] = relative[parent].T @ relative[bone]
                # constant over time, unless a joint between the two is omitted
                positions[bone] = relative[parent].T @ (joints[bone] - joints[parent])
        quaternions = quaternion_from_matrix(_UNITY_FROM_UPRIGHT @ local @ _UNITY_FROM_UPRIGHT)
        return HumanoidPose(
            self.names, positions @ _UNITY_FROM_UPRIGHT, np.roll(quaternions, -1, axis=-1)
        )

    def world(self, pose: HumanoidPose) -> tuple[Array, Array]:
        """Return rotations (B, 3, 3) and positions (B, 3) m of the bones in Unity's world frame."""
        rotations = matrix_from_quaternion(np.roll(pose.rotations, 1, axis=-1))
        positions = np.array(pose.positions)
        for bone, parent in enumerate(self.parents):
            if parent is not None:
                positions[bone] = positions[parent] + rotations[parent] @ positions[bone]
                rotations[bone] = rotations[parent] @ rotations[bone]
        return rotations, positions

    def with_bones(
        self, person: Person, bones: Mapping[str, tuple[Array, float]], camera: Camera
    ) -> Person:
        """Return a person with other rotations of some bones.

        Parameters
        ----------
        person : Person
        bones : mapping
            Rotation (4,) x, y, z, w as in `HumanoidPose`, and its weight 0..1, by the bone's name;
            the hips' does not count.
        camera : Camera
        """
        rest = self._rest(person.shape)
        t_pose = self._t_pose(rest[self._joints])
        rotations = np.array(person.rotations)
        for index, name in enumerate(self.names):
            parent = self.parents[index]
            if name not in bones or parent is None:
                continue
            quaternion, weight = bones[name]
            joint = int(self._joints[index])
            world, _ = joint_transforms(self._body, rotations, rest)
            above = world[self._joints[parent]] @ t_pose[parent].T
            local = matrix_from_quaternion(np.roll(quaternion, 1))
            wanted = above @ _UNITY_FROM_UPRIGHT @ local @ _UNITY_FROM_UPRIGHT @ t_pose[index]
            target = world[self._body.parents[joint]].T @ wanted
            turn = axis_angle_from_rotation(rotations[joint].T @ target)
            rotations[joint] = rotations[joint] @ matrix_from_axis_angle(weight * turn)
        joints = joint_transforms(self._body, rotations, rest)[1] + person.translation
        joints_2d = project(joints, camera)
        return replace(
            person,
            rotations=rotations,
            joints=joints,
            joints_2d=joints_2d,
            box=np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)],
        )

    def _rest(self, shape: Array) -> Array:
        if self._directions is None:
            return self._mean
        rest: Array = self._mean + np.tensordot(np.asarray(shape), self._directions, axes=1)
        return rest

    def _t_pose(self, rest: Array) -> Array:
        """Return the rotation (B, 3, 3) of each bone from the rest pose to the strict T-pose."""
        rotations = np.tile(np.eye(3), (len(self.names), 1, 1))
        for bone, (lower_bone, direction) in _T_POSE.items():
            if bone in self.names and lower_bone in self.names:
                upper, lower = self.names.index(bone), self.names.index(lower_bone)
                rotations[upper] = _align(rest[lower] - rest[upper], np.array(direction))
        return rotations


def _parent_bone(joint: int, parents: Ints, bone_of_joint: Mapping[int, int]) -> int | None:
    """Return the nearest bone above a joint, or None for the root."""
    ancestor = int(parents[joint])
    while ancestor >= 0 and ancestor not in bone_of_joint:
        ancestor = int(parents[ancestor])
    return bone_of_joint[ancestor] if ancestor >= 0 else None


def _align(vector: Array, direction: Array) -> Array:
    """Return the smallest rotation (3, 3) of `vector` onto the unit vector `direction`.

    Rodrigues' formula with sine and cosine from the cross and dot product: I + K + K^2 / (1 + c).
    Returns the identity if the vector is zero or points the opposite way.
    """
    length = float(np.linalg.norm(vector))
    if length < 1e-9:
        return np.eye(3)
    unit = vector / length
    cosine = float(unit @ direction)
    if cosine < -0.99:  # an upside-down limb has no T-pose
        return np.eye(3)
    x, y, z = np.cross(unit, direction)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + cosine))

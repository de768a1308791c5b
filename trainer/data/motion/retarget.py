"""Retargeting of skeleton clips to our body, and resampling of motions.

Every reader converts its skeleton to CMU's bone names, so one table serves all formats.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from pymaf_live.body import Body, rest_joints
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.skeleton_clip import SkeletonClip

# joint of SMPL's tree -> CMU bone that drives it
CMU_BONE_OF_JOINT = {
    "pelvis": "root",
    "left_hip": "lfemur",
    "right_hip": "rfemur",
    "spine1": "lowerback",
    "left_knee": "ltibia",
    "right_knee": "rtibia",
    "spine2": "upperback",
    "left_ankle": "lfoot",
    "right_ankle": "rfoot",
    "spine3": "thorax",
    "left_foot": "ltoes",
    "right_foot": "rtoes",
    "neck": "lowerneck",
    "left_collar": "lclavicle",
    "right_collar": "rclavicle",
    "head": "head",
    "left_shoulder": "lhumerus",
    "right_shoulder": "rhumerus",
    "left_elbow": "lradius",
    "right_elbow": "rradius",
    "left_wrist": "lwrist",
    "right_wrist": "rwrist",
    "left_hand": "lhand",
    "right_hand": "rhand",
}

# Limbs whose rest directions differ between the two skeletons (CMU's legs stand 20 degrees apart):
# joint -> joint at the end of its bone. The others rest upright in both and need no correction.
_LIMB_END = {
    "left_hip": "left_knee",
    "right_hip": "right_knee",
    "left_knee": "left_ankle",
    "right_knee": "right_ankle",
    "left_shoulder": "left_elbow",
    "right_shoulder": "right_elbow",
    "left_elbow": "left_wrist",
    "right_elbow": "right_wrist",
    "left_wrist": "left_hand",
    "right_wrist": "right_hand",
}
# Feet and hands keep the correction of the preceding limb. Rotating our ankle-to-ball line onto
# CMU's would lift the toes by 14 degrees: theirs starts lower in the ankle, the soles are level.
_SAME_CORRECTION = {
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
    "left_hand": "left_wrist",
    "right_hand": "right_wrist",
    "left_foot": "left_knee",
    "right_foot": "right_knee",
}


def retarget(
    motion: SkeletonClip, body: Body, shape: Array, upright: Mapping[str, float] | None = None
) -> tuple[Array, Array]:
    """Retarget a skeleton clip to our body.

    Every joint takes the world rotation of the source bone, after a fixed rotation from our rest
    direction to the source's where the two rest poses differ. The root trajectory is scaled by the
    ratio of the leg lengths, so that the feet do not slide.

    Parameters
    ----------
    motion : SkeletonClip
        Clip with CMU's bone names.
    body : Body
        Body with SMPL's joint names.
    shape : (S,) array
    upright : mapping of str to float, optional
        Joint name -> degrees that its bone is pitched forward while the actor holds it upright.
        It differs between actors (marker placement) and is removed.

    Returns
    -------
    rotations : (F, J, 3, 3) array
        Relative to the parent; the root's in the clip's y-up world.
    translation : (F, 3) array
        Metres, y up; added to the posed body as SMPL does.

    Raises
    ------
    InputError
        If the clip lacks a bone or the body a joint.
    """
    names, bones = body.joint_names, motion.names
    missing = [bone for bone in CMU_BONE_OF_JOINT.values() if bone not in bones]
    unknown = [name for name in names if name not in CMU_BONE_OF_JOINT]
    if missing or unknown:
        raise InputError(f"the clip and the body do not match: {', '.join(missing + unknown)}")
    rest = rest_joints(body, shape)
    rest_position = {name: rest[index] for index, name in enumerate(names)}
    corrections: dict[str, Array] = {}
    for joint, end in _LIMB_END.items():
        bone = bones.index(CMU_BONE_OF_JOINT[joint])
        corrections[joint] = _rotation_between(
            rest_position[end] - rest_position[joint], motion.offsets[bone]
        )
    for joint, leader in _SAME_CORRECTION.items():
        corrections[joint] = corrections[leader]
    for joint, degrees in (upright or {}).items():
        corrections[joint] = np.asarray(
            Rotation.from_euler("x", -degrees, degrees=True).as_matrix()
        )

    world = np.empty((len(motion.world), len(names), 3, 3))
    for index, name in enumerate(names):
        source = motion.world[:, bones.index(CMU_BONE_OF_JOINT[name])]
        world[:, index] = source @ corrections.get(name, np.eye(3))
    rotations = world.copy()
    for index, parent in enumerate(body.parents):
        if parent >= 0:
            rotations[:, index] = world[:, parent].transpose(0, 2, 1) @ world[:, index]

    source_legs = sum(
        float(np.linalg.norm(motion.offsets[bones.index(bone)]))
        for bone in ("lfemur", "ltibia", "rfemur", "rtibia")
    )
    our_legs = sum(
        float(np.linalg.norm(rest_position[end] - rest_position[start]))
        for start, end in list(_LIMB_END.items())[:4]
    )
    # SMPL's and CMU's root are both the pelvis, but at different positions relative to the hips:
    # align the hip centres, from which the legs start
    hips = (motion.starts[:, bones.index("lfemur")] + motion.starts[:, bones.index("rfemur")]) / 2
    middle = (rest_position["left_hip"] + rest_position["right_hip"]) / 2
    pelvis = rest[0]
    rotated = np.einsum("fab,b->fa", rotations[:, 0], middle - pelvis)
    return rotations, hips * (our_legs / source_legs) - rotated - pelvis


def _rotation_between(start: Array, end: Array) -> Array:
    """Return the smallest rotation (3, 3) that maps the direction `start` to `end`."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(a, b)
    length = float(np.linalg.norm(axis))
    if length < 1e-12:
        return np.eye(3)
    angle = float(np.arctan2(length, a @ b))
    return np.asarray(Rotation.from_rotvec(axis / length * angle).as_matrix())


def resample(
    rotations: Array, translation: Array, rate: float, times: Array
) -> tuple[Array, Array]:
    """Interpolate a motion at other times: rotations by slerp, translations linearly.

    Parameters
    ----------
    rotations : (F, J, 3, 3) array
    translation : (F, 3) array
    rate : float
        Frames per second of the input; its first frame is at time 0.
    times : (T,) array
        Seconds, within the clip.
    """
    stamps = np.arange(len(rotations)) / rate
    times = np.clip(times, 0.0, stamps[-1])
    resampled = np.stack(
        [
            Slerp(stamps, Rotation.from_matrix(rotations[:, joint]))(times).as_matrix()
            for joint in range(rotations.shape[1])
        ],
        axis=1,
    )
    shifted = np.stack([np.interp(times, stamps, column) for column in translation.T], axis=1)
    return resampled, shifted

"""Streaming to Unreal's Live Link as JSON over UDP, for the free plugin JSONLiveLink.

A packet is an object with one subject: a list of bones with ``Name``, ``Parent`` (index, -1 at the
root), ``Location`` (cm), ``Rotation`` (quaternion x, y, z, w) and ``Scale``, relative to the
parent, in Unreal's frame: left-handed, x forward, y right, z up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pymaf_live.streaming.udp_stream import UdpStream
from pymaf_live.types import Array, Person

SUBJECT = "PyMAF"
"""Name of the subject in Live Link."""
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "Hips": "pelvis",
        "Spine": "spine_01",
        "Chest": "spine_02",
        "UpperChest": "spine_03",
        "Neck": "neck_01",
        "Head": "head",
        "LeftShoulder": "clavicle_l",
        "LeftUpperArm": "upperarm_l",
        "LeftLowerArm": "lowerarm_l",
        "LeftHand": "hand_l",
        "RightShoulder": "clavicle_r",
        "RightUpperArm": "upperarm_r",
        "RightLowerArm": "lowerarm_r",
        "RightHand": "hand_r",
        "LeftUpperLeg": "thigh_l",
        "LeftLowerLeg": "calf_l",
        "LeftFoot": "foot_l",
        "LeftToes": "ball_l",
        "RightUpperLeg": "thigh_r",
        "RightLowerLeg": "calf_r",
        "RightFoot": "foot_r",
        "RightToes": "ball_r",
    }
)
"""Names of Unreal's mannequin."""
_UNREAL_FROM_UNITY = (2, 0, 1)
"""Unity's axes (right, up, forward) in Unreal's order (forward, right, up)."""
_CM = 100.0


class LiveLinkStream(UdpStream):
    """Sends one person of every result to the plugin JSONLiveLink; see `UdpStream`."""

    def _pose(self, person: Person, origin: Array) -> Iterable[bytes]:
        pose = self._humanoid.pose(person, origin)
        axes = list(_UNREAL_FROM_UNITY)
        locations = (_CM * pose.positions[:, axes]).round(3).tolist()
        # both frames are left-handed, so the axis of a rotation changes as a point does
        rotations = pose.rotations[:, [*axes, 3]].round(6).tolist()
        bones = [
            {
                "Name": _NAMES[name],
                "Parent": -1 if parent is None else parent,
                "Location": location,
                "Rotation": rotation,
                "Scale": [1, 1, 1],
            }
            for name, parent, location, rotation in zip(
                pose.names, self._humanoid.parents, locations, rotations, strict=True
            )
        ]
        return [json.dumps({SUBJECT: bones}, separators=(",", ":")).encode()]

"""Streaming of OSC trackers to VRChat (docs.vrchat.com/docs/osc-trackers).

Eight trackers and the head, each a position in metres and Euler angles in degrees in Unity's
left-handed frame, y up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
from pythonosc.osc_message import OscMessage

from pymaf_live.body import Body
from pymaf_live.streaming.address import Address
from pymaf_live.streaming.udp_stream import UdpStream, osc_message, osc_packets
from pymaf_live.types import Array, Person

TRACKERS: Mapping[str, str] = MappingProxyType(
    {
        "1": "Hips",
        "2": "UpperChest",
        "3": "LeftFoot",
        "4": "RightFoot",
        "5": "LeftLowerLeg",
        "6": "RightLowerLeg",
        "7": "LeftLowerArm",
        "8": "RightLowerArm",
        "head": "Head",
    }
)
"""Bone at which each tracker sits: knees and elbows are where the lower limbs begin."""
_LEGS = ("3", "4", "5", "6")
_LEG_JOINTS = ("left_knee", "right_knee", "left_ankle", "right_ankle")


class VrchatStream(UdpStream):
    """Sends one person of every result to VRChat; see `UdpStream`.

    The feet's and knees' trackers are left out while the legs are not seen: VRChat then moves the
    legs itself.
    """

    def __init__(self, body: Body, address: Address) -> None:
        super().__init__(body, address)
        names = list(body.joint_names)
        self._leg_joints = [names.index(name) for name in _LEG_JOINTS if name in names]

    def _pose(self, person: Person, origin: Array) -> Iterable[bytes]:
        pose = self._humanoid.pose(person, origin)
        rotations, positions = self._humanoid.world(pose)
        legs_seen = bool(person.joint_score[self._leg_joints].any())
        messages: list[OscMessage] = []
        for tracker, bone in TRACKERS.items():
            if bone not in pose.names or (tracker in _LEGS and not legs_seen):
                continue
            index = pose.names.index(bone)
            values = {
                "position": positions[index],
                "rotation": unity_euler(rotations[index]),
            }
            messages += [
                osc_message(
                    f"/tracking/trackers/{tracker}/{name}",
                    [("f", float(value)) for value in numbers],
                )
                for name, numbers in values.items()
            ]
        return osc_packets(messages)


def unity_euler(rotation: Array) -> Array:
    """Return Unity's Euler angles (3,) in degrees of a rotation (3, 3) in Unity's frame.

    Unity rotates about z, then x, then y: R = Ry Rx Rz.
    """
    x = np.arcsin(np.clip(-rotation[1, 2], -1.0, 1.0))
    if abs(rotation[1, 2]) < 1 - 1e-9:
        y = np.arctan2(rotation[0, 2], rotation[2, 2])
        z = np.arctan2(rotation[1, 0], rotation[1, 1])
    else:  # straight up or down: y and z turn about the same axis
        y, z = np.arctan2(-rotation[2, 0], rotation[0, 0]), 0.0
    return np.asarray(np.degrees([x, y, z]))

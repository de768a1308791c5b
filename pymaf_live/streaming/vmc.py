"""Streaming over VMC, the Virtual Motion Capture protocol: OSC over UDP (protocol.vmc.info).

docs/live-streaming.md describes the messages and their frame of reference.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
from pythonosc.osc_message import OscMessage

from pymaf_live.body import Body
from pymaf_live.streaming.address import Address
from pymaf_live.streaming.humanoid import HumanoidPose
from pymaf_live.streaming.udp_stream import UdpStream, osc_message, osc_packets
from pymaf_live.types import Array, Person

_LOADED, _CALIBRATED, _NORMAL_MODE = 1, 3, 0


class VmcStream(UdpStream):
    """Sends one person of every result to a VMC receiver; see `UdpStream`."""

    def __init__(self, body: Body, address: Address) -> None:
        super().__init__(body, address)
        self._start = time.monotonic()

    def _pose(self, person: Person, origin: Array) -> Iterable[bytes]:
        bones = _bones(self._humanoid.pose(person, origin))
        return osc_packets([_state(tracked=True), self._time(), *_root(), *bones])

    def _absent(self) -> Iterable[bytes]:
        return osc_packets([_state(tracked=False), self._time()])

    def _time(self) -> OscMessage:
        return osc_message("/VMC/Ext/T", [("f", time.monotonic() - self._start)])


def _state(*, tracked: bool) -> OscMessage:
    values = (_LOADED, _CALIBRATED, _NORMAL_MODE, int(tracked))
    return osc_message("/VMC/Ext/OK", [("i", value) for value in values])


def _root() -> list[OscMessage]:
    # the hips carry all the motion, since some receivers ignore the root's position
    pose = [("f", value) for value in (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)]
    return [osc_message("/VMC/Ext/Root/Pos", [("s", "root"), *pose])]


def _bones(pose: HumanoidPose) -> list[OscMessage]:
    numbers = np.concatenate([pose.positions, pose.rotations], axis=1).tolist()
    return [
        osc_message("/VMC/Ext/Bone/Pos", [("s", name), *(("f", value) for value in values)])
        for name, values in zip(pose.names, numbers, strict=True)
    ]

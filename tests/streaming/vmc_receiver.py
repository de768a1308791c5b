"""VMC receiver for tests: parses OSC from raw bytes and poses a skeleton as Unity does.

Written from the OSC 1.0 and VMC specifications; shares no code with the sender. The hierarchy is
that of Unity's humanoid (documentation of `HumanBodyBones`).
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

PARENTS = {
    "Hips": None,
    "Spine": "Hips",
    "Chest": "Spine",
    "UpperChest": "Chest",
    "Neck": "UpperChest",
    "Head": "Neck",
    "LeftShoulder": "UpperChest",
    "LeftUpperArm": "LeftShoulder",
    "LeftLowerArm": "LeftUpperArm",
    "LeftHand": "LeftLowerArm",
    "RightShoulder": "UpperChest",
    "RightUpperArm": "RightShoulder",
    "RightLowerArm": "RightUpperArm",
    "RightHand": "RightLowerArm",
    "LeftUpperLeg": "Hips",
    "LeftLowerLeg": "LeftUpperLeg",
    "LeftFoot": "LeftLowerLeg",
    "LeftToes": "LeftFoot",
    "RightUpperLeg": "Hips",
    "RightLowerLeg": "RightUpperLeg",
    "RightFoot": "RightLowerLeg",
    "RightToes": "RightFoot",
}


class VmcReceiver:
    """Listens on a free local port until closed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self.packets: list[bytes] = []
        self.messages: list[tuple[str, tuple[Any, ...]]] = []
        self.bones: dict[str, tuple[float, ...]] = {}
        self.root: tuple[float, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="test receiver", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                packet = self._socket.recv(65536)
            except TimeoutError:
                continue
            self.packets.append(packet)
            for address, values in messages(packet):
                self.messages.append((address, values))
                if address == "/VMC/Ext/Bone/Pos":
                    self.bones[values[0]] = values[1:]
                elif address == "/VMC/Ext/Root/Pos":
                    self.root = values

    def wait(self, condition: Callable[[], object], seconds: float = 5.0) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, "no packets arrived"
            time.sleep(0.01)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()


def world(bones: dict[str, tuple[float, ...]]) -> dict[str, np.ndarray]:
    """Return the world position of every bone, from the received transforms alone."""
    known: dict[str, tuple[np.ndarray, Rotation]] = {}
    for name, parent in PARENTS.items():
        position, rotation = np.array(bones[name][:3]), Rotation.from_quat(bones[name][3:])
        if parent is not None:
            parent_position, parent_rotation = known[parent]
            position = parent_position + parent_rotation.apply(position)
            rotation = parent_rotation * rotation
        known[name] = (position, rotation)
    return {name: position for name, (position, _) in known.items()}


def messages(packet: bytes) -> list[tuple[str, tuple[Any, ...]]]:
    """Parse an OSC 1.0 message or bundle."""
    if not packet.startswith(b"#bundle\0"):
        return [_message(packet)]
    found, at = [], 16
    while at < len(packet):
        (size,) = struct.unpack_from(">i", packet, at)
        found += messages(packet[at + 4 : at + 4 + size])
        at += 4 + size
    assert at == len(packet)
    return found


def _message(data: bytes) -> tuple[str, tuple[Any, ...]]:
    address, at = _text(data, 0)
    kinds, at = _text(data, at)
    assert kinds.startswith(",")
    values: list[Any] = []
    for kind in kinds[1:]:
        if kind == "s":
            text, at = _text(data, at)
            values.append(text)
        else:
            values.append(struct.unpack_from(">" + kind, data, at)[0])
            at += 4
    assert at == len(data)
    return address, tuple(values)


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("ascii"), end + 4 - (end - at) % 4

"""Head and hands from other trackers over VMC, merged into the streamed person by priority."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import OutputError
from pymaf_live.streaming.address import Address, resolve
from pymaf_live.streaming.humanoid import Humanoid
from pymaf_live.streaming.osc_reader import OscValue, read_osc
from pymaf_live.streaming.streamed_person import StreamedPerson
from pymaf_live.system.bounded_queue import THREAD_PREFIX
from pymaf_live.types import Array, FrameResult

DEFAULT_INPUT_PORT = 39540
"""Usual port of programs that assist another one over VMC."""
MERGED_BONES = ("Neck", "Head", "LeftHand", "RightHand")
"""Bones that are taken from other trackers."""
_BONE_ADDRESS = "/VMC/Ext/Bone/Pos"
_MAX_AGE_S = 0.3
"""Age at which a tracker's rotation is no longer used."""
_BLEND_S = 0.25
"""Duration of the way to a tracker's rotation and back."""
_MAX_PACKET_BYTES = 65536
_POLL_S = 0.2


class VmcInput:
    """Listens for the bones of a VMC sender.

    Parameters
    ----------
    address : Address
        To listen on; a loopback address hears this computer only. Port 0 takes a free one.

    Raises
    ------
    OutputError
        If the port is taken or the address is not one of this computer.
    """

    def __init__(self, address: Address) -> None:
        family, target = resolve(address)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.bind(target)
        except OSError as error:
            self._socket.close()
            raise OutputError(f"Cannot listen at {address}: {error.strerror or error}") from error
        self._socket.settimeout(_POLL_S)
        self.address = Address(address.host, int(self._socket.getsockname()[1]))
        self.received = 0
        """Number of bones received."""
        self._bones: dict[str, tuple[Array, float]] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._listen, name=f"{THREAD_PREFIX}VMC input", daemon=True
        )
        self._thread.start()

    def rotation(self, bone: str) -> Array | None:
        """Return the newest rotation (4,) x, y, z, w of a bone, None where there is no fresh one.

        Relative to the parent, in Unity's frame.
        """
        known = self._bones.get(bone)
        if known is None or time.monotonic() - known[1] > _MAX_AGE_S:
            return None
        return known[0]

    def close(self) -> None:
        """Stop listening. Thread-safe."""
        self._closed.set()
        self._thread.join(2 * _POLL_S)
        self._socket.close()

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                packet = self._socket.recv(_MAX_PACKET_BYTES)
            except TimeoutError:
                continue
            except OSError:  # such as a refusal of an earlier packet, on Windows
                time.sleep(_POLL_S)
                continue
            for address, values in read_osc(packet):
                if address == _BONE_ADDRESS:
                    self._add(values)

    def _add(self, values: tuple[OscValue, ...]) -> None:
        if len(values) != 8 or values[0] not in MERGED_BONES:
            return
        if any(isinstance(value, str) for value in values[1:]):
            return
        quaternion = np.array(values[4:], dtype=np.float64)
        length = float(np.linalg.norm(quaternion))
        if not (np.isfinite(length) and length > 1e-3):
            return
        self.received += 1
        self._bones[str(values[0])] = (quaternion / length, time.monotonic())


class TrackerMerger:
    """Replaces head and hands of one person by those of other trackers, smoothly.

    Parameters
    ----------
    body : Body
    inputs : sequence of VmcInput
        The first one that has a fresh rotation of a bone determines it; without one the camera
        does.
    """

    def __init__(self, body: Body, inputs: Sequence[VmcInput]) -> None:
        self._humanoid = Humanoid(body)
        self._who = StreamedPerson(body)
        self._inputs = tuple(inputs)
        self._weights = dict.fromkeys(MERGED_BONES, 0.0)
        self._last: dict[str, Array] = {}
        self._time: float | None = None

    def merge(self, result: FrameResult) -> FrameResult:
        """Return a result with the trackers' head and hands; call it for every frame in order."""
        elapsed = 0.0 if self._time is None else max(result.frame.time - self._time, 0.0)
        self._time = result.frame.time
        step = elapsed / _BLEND_S
        for bone, weight in self._weights.items():
            found = self._newest(bone)
            if found is not None:
                self._last[bone] = found
                self._weights[bone] = min(weight + step, 1.0)
            else:
                self._weights[bone] = max(weight - step, 0.0)
        bones = {bone: (self._last[bone], w) for bone, w in self._weights.items() if w > 0}
        person = self._who.choose(result.people)
        if person is None or not bones or result.camera is None:
            return result
        merged = self._humanoid.with_bones(person, bones, result.camera)
        return replace(
            result, people=tuple(merged if each is person else each for each in result.people)
        )

    def _newest(self, bone: str) -> Array | None:
        found = (each.rotation(bone) for each in self._inputs)
        return next((rotation for rotation in found if rotation is not None), None)

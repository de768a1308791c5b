"""Streaming over VMC, the Virtual Motion Capture protocol: OSC over UDP (protocol.vmc.info).

docs/live-streaming.md describes the messages and their frame of reference.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from pymaf_live.body import Body, PointSet
from pymaf_live.errors import OutputError
from pymaf_live.streaming.address import Address, resolve
from pymaf_live.streaming.humanoid import UNITY_FROM_CAMERA, Humanoid, HumanoidPose
from pymaf_live.types import Array, FrameResult, Person

_MAX_PACKET_BYTES = 1400
"""Fits an Ethernet frame with all headers, so that no network fragments it."""
_BUNDLE_HEADER_BYTES = 16
_SIZE_FIELD_BYTES = 4
_LOADED, _CALIBRATED, _NORMAL_MODE = 1, 3, 0
_SWITCH_DELAY_S = 1.0
"""Seconds that the streamed person must be absent before another one is streamed."""
_RATE_WINDOW_S = 2.0


class VmcStream:
    """Sends one person of every result to a VMC receiver.

    The origin is the ground position of the first streamed person in the first frame. Sending never
    blocks and never raises: packets that cannot be sent are dropped, as usual with UDP, and
    `failure` states the reason.

    Parameters
    ----------
    body : Body
    address : Address
        The host name is resolved here, which may take seconds.

    Raises
    ------
    OutputError
        If the host is unknown or no socket can be opened for it.
    """

    def __init__(self, body: Body, address: Address) -> None:
        self.address = address
        self._humanoid = Humanoid(body)
        self._skin = PointSet.vertices(body, body.sample_vertices)
        family, self._target = resolve(address)
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise OutputError(f"Cannot send to {address}: {error.strerror or error}") from error
        self._socket.setblocking(False)
        self._lock = threading.Lock()
        self._closed = False
        self._start = time.monotonic()
        self._origin: Array | None = None
        self._person: int | None = None
        self._selected: int | None = None
        self._last_seen = 0.0
        self._sent_times: deque[float] = deque(maxlen=512)
        self.sent = 0
        """Number of poses sent."""
        self.failure = ""
        """Reason why the last packet could not be sent; empty if it was sent."""

    def send(self, result: FrameResult) -> None:
        """Send the streamed person of a result. Call it from one thread at a time."""
        with self._lock:
            if self._closed:
                return
            person = self._streamed(result.people)
            messages = [_state(tracked=person is not None), self._time()]
            if person is not None:
                if self._origin is None:
                    self._origin = self._standing_point(person)
                messages += _root()
                messages += _bones(self._humanoid.pose(person, self._origin))
            if self._send(messages) and person is not None:
                self.sent += 1
                self._sent_times.append(time.monotonic())

    def select_person(self, person: int | None) -> None:
        """Stream the person with an id only; None streams the one tracked longest."""
        with self._lock:
            if person != self._selected:
                self._selected, self._person = person, None

    def set_origin(self) -> None:
        """Move the origin to the person's position in the next result."""
        with self._lock:
            self._origin = None

    @property
    def rate(self) -> float:
        """Poses sent per second, averaged over two seconds."""
        now = time.monotonic()
        recent = [sent for sent in tuple(self._sent_times) if now - sent <= _RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0

    def close(self) -> None:
        """Report the end of tracking to the receiver and close the socket. Thread-safe."""
        with self._lock:
            if self._closed:
                return
            self._send([_state(tracked=False), self._time()])
            self._closed = True
            self._socket.close()

    def _streamed(self, people: tuple[Person, ...]) -> Person | None:
        """Return the person to stream.

        That is the selected person; without a selection the one streamed before, and after its
        absence the one tracked longest.
        """
        if self._selected is not None:
            return next((person for person in people if person.id == self._selected), None)
        now = time.monotonic()
        for person in people:
            if person.id == self._person:
                self._last_seen = now
                return person
        waiting = self._person is not None and now - self._last_seen < _SWITCH_DELAY_S
        if not people or waiting:
            return None
        self._person, self._last_seen = people[0].id, now
        return people[0]

    def _standing_point(self, person: Person) -> Array:
        """Return the point (3,) below the hips at the body's lowest height, m, Unity's frame."""
        points = self._skin.pose(person.rotations, person.shape, person.translation)
        hips = UNITY_FROM_CAMERA @ person.joints[0]
        return np.array([hips[0], (points @ UNITY_FROM_CAMERA.T)[:, 1].min(), hips[2]])

    def _time(self) -> OscMessage:
        return _message("/VMC/Ext/T", [("f", time.monotonic() - self._start)])

    def _send(self, messages: Iterable[OscMessage]) -> bool:
        try:
            for packet in packets(messages):
                self._socket.sendto(packet, self._target)
        except BlockingIOError:
            self.failure = "the network is congested"
            return False
        except OSError as error:
            self.failure = error.strerror or str(error)
            return False
        self.failure = ""
        return True


def packets(messages: Iterable[OscMessage]) -> Iterator[bytes]:
    """Yield OSC bundles of messages, each small enough for one packet."""
    builder, size = OscBundleBuilder(IMMEDIATELY), _BUNDLE_HEADER_BYTES
    for message in messages:
        added = _SIZE_FIELD_BYTES + message.size
        if size > _BUNDLE_HEADER_BYTES and size + added > _MAX_PACKET_BYTES:
            yield builder.build().dgram
            builder, size = OscBundleBuilder(IMMEDIATELY), _BUNDLE_HEADER_BYTES
        builder.add_content(message)
        size += added
    if size > _BUNDLE_HEADER_BYTES:
        yield builder.build().dgram


def _state(*, tracked: bool) -> OscMessage:
    values = (_LOADED, _CALIBRATED, _NORMAL_MODE, int(tracked))
    return _message("/VMC/Ext/OK", [("i", value) for value in values])


def _root() -> list[OscMessage]:
    # the hips carry all the motion, since some receivers ignore the root's position
    pose = [("f", value) for value in (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)]
    return [_message("/VMC/Ext/Root/Pos", [("s", "root"), *pose])]


def _bones(pose: HumanoidPose) -> list[OscMessage]:
    numbers = np.concatenate([pose.positions, pose.rotations], axis=1).tolist()
    return [
        _message("/VMC/Ext/Bone/Pos", [("s", name), *(("f", value) for value in values)])
        for name, values in zip(pose.names, numbers, strict=True)
    ]


def _message(address: str, values: Iterable[tuple[str, object]]) -> OscMessage:
    builder = OscMessageBuilder(address)
    for kind, value in values:
        builder.add_arg(value, kind)  # type: ignore[arg-type]
    return builder.build()

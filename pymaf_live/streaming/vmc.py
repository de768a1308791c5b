"""VMC: the Virtual Motion Capture protocol, OSC messages over UDP (protocol.vmc.info).

docs/live-streaming.md says what is sent and in which frame.
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

_MOST_BYTES = 1400
"""Of a packet: with its headers it fits an Ethernet frame, so that no network cuts it in pieces."""
_BUNDLE_HEAD = 16
_LOADED, _CALIBRATED, _NORMAL_MODE = 1, 3, 0
_PATIENCE = 1.0
"""Seconds that a followed person may be away before another is streamed."""
_RATE_OVER = 2.0


class VmcStream:
    """Sends one person of every result to a VMC receiver.

    The ground (y = 0) and x = z = 0 are where the first streamed person stood when it was first
    seen. Sending never waits and never raises: what cannot be sent is lost, as UDP has it, and
    `failure` says why.

    Parameters
    ----------
    body : Body
    address : Address
        Its name is looked up here, which may take seconds.

    Raises
    ------
    OutputError
        If the host is unknown or the system has no socket for it.
    """

    def __init__(self, body: Body, address: Address) -> None:
        self.address = address
        self._humanoid = Humanoid(body)
        self._lowest = PointSet.vertices(body, body.sample_vertices)
        family, self._place = resolve(address)
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise OutputError(f"cannot send to {address}: {error.strerror or error}") from error
        self._socket.setblocking(False)
        self._lock = threading.Lock()
        self._closed = False
        self._begun = time.monotonic()
        self._origin: Array | None = None
        self._person: int | None = None
        self._wanted: int | None = None
        self._seen = 0.0
        self._sent_times: deque[float] = deque(maxlen=512)
        self.sent = 0
        """Results with a person that were sent."""
        self.failure = ""
        """Why the last packet could not be sent; empty when it could."""

    def send(self, result: FrameResult) -> None:
        """Send the streamed person of a result; one thread at a time, the inference's."""
        with self._lock:
            if self._closed:
                return
            person = self._chosen(result.people)
            messages = [_state(tracked=person is not None), self._time()]
            if person is not None:
                if self._origin is None:
                    self._origin = self._standing_point(person)
                messages += _root()
                messages += _bones(self._humanoid.pose(person, self._origin))
            if self._send(messages) and person is not None:
                self.sent += 1
                self._sent_times.append(time.monotonic())

    def choose(self, person: int | None) -> None:
        """Stream one person alone by number; None: the one followed longest."""
        with self._lock:
            if person != self._wanted:
                self._wanted, self._person = person, None

    def set_origin(self) -> None:
        """Take the place where the person stands next for the origin."""
        with self._lock:
            self._origin = None

    @property
    def rate(self) -> float:
        """Poses sent a second, over the last two."""
        now = time.monotonic()
        recent = [each for each in tuple(self._sent_times) if now - each <= _RATE_OVER]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0

    def close(self) -> None:
        """Say that nothing more comes, and let the socket go; from any thread."""
        with self._lock:
            if self._closed:
                return
            self._send([_state(tracked=False), self._time()])
            self._closed = True
            self._socket.close()

    def _chosen(self, people: tuple[Person, ...]) -> Person | None:
        """The person that was chosen, or the one streamed before while it is there, or the one
        followed longest.
        """
        if self._wanted is not None:
            return next((person for person in people if person.id == self._wanted), None)
        now = time.monotonic()
        for person in people:
            if person.id == self._person:
                self._seen = now
                return person
        if not people or (self._person is not None and now - self._seen < _PATIENCE):
            return None
        self._person, self._seen = people[0].id, now
        return people[0]

    def _standing_point(self, person: Person) -> Array:
        """(3,) m in Unity's frame: under the hips, at the height of the lowest point."""
        points = self._lowest.pose(person.rotations, person.shape, person.translation)
        hips = UNITY_FROM_CAMERA @ person.joints[0]
        return np.array([hips[0], (points @ UNITY_FROM_CAMERA.T)[:, 1].min(), hips[2]])

    def _time(self) -> OscMessage:
        return _message("/VMC/Ext/T", [("f", time.monotonic() - self._begun)])

    def _send(self, messages: Iterable[OscMessage]) -> bool:
        try:
            for packet in packets(messages):
                self._socket.sendto(packet, self._place)
        except BlockingIOError:
            self.failure = "the network takes no more packets"
            return False
        except OSError as error:
            self.failure = error.strerror or str(error)
            return False
        self.failure = ""
        return True


def packets(messages: Iterable[OscMessage]) -> Iterator[bytes]:
    """Messages in OSC bundles, each small enough for one packet."""
    builder, size = OscBundleBuilder(IMMEDIATELY), _BUNDLE_HEAD
    for message in messages:
        if size > _BUNDLE_HEAD and size + 4 + message.size > _MOST_BYTES:
            yield builder.build().dgram
            builder, size = OscBundleBuilder(IMMEDIATELY), _BUNDLE_HEAD
        builder.add_content(message)
        size += 4 + message.size
    if size > _BUNDLE_HEAD:
        yield builder.build().dgram


def _state(*, tracked: bool) -> OscMessage:
    values = (_LOADED, _CALIBRATED, _NORMAL_MODE, int(tracked))
    return _message("/VMC/Ext/OK", [("i", value) for value in values])


def _root() -> list[OscMessage]:
    # the hips carry all of the motion: some receivers leave the root's place out
    pose = [("f", value) for value in (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)]
    return [_message("/VMC/Ext/Root/Pos", [("s", "root"), *pose])]


def _bones(pose: HumanoidPose) -> list[OscMessage]:
    numbers = np.concatenate([pose.places, pose.rotations], axis=1).tolist()
    return [
        _message("/VMC/Ext/Bone/Pos", [("s", name), *(("f", value) for value in values)])
        for name, values in zip(pose.names, numbers, strict=True)
    ]


def _message(address: str, values: Iterable[tuple[str, object]]) -> OscMessage:
    builder = OscMessageBuilder(address)
    for kind, value in values:
        builder.add_arg(value, kind)  # type: ignore[arg-type]
    return builder.build()

"""Streams of one person over UDP; each protocol makes its own packets."""

from __future__ import annotations

import socket
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from pymaf_live.body import Body
from pymaf_live.errors import OutputError
from pymaf_live.streaming.address import Address, resolve
from pymaf_live.streaming.humanoid import Humanoid
from pymaf_live.streaming.streamed_person import StreamedPerson
from pymaf_live.types import Array, FrameResult, Person

_MAX_PACKET_BYTES = 1400
"""Fits an Ethernet frame with all headers, so that no network fragments it."""
_BUNDLE_HEADER_BYTES = 16
_SIZE_FIELD_BYTES = 4
_RATE_WINDOW_S = 2.0


class SendRate:
    """Number and rate of sent and lost poses; thread-safe."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=512)
        self.sent = 0
        self.lost = 0

    def count(self, *, sent: bool) -> None:
        """Count a pose."""
        if sent:
            self.sent += 1
            self._times.append(time.monotonic())
        else:
            self.lost += 1

    @property
    def per_second(self) -> float:
        """Poses sent per second, averaged over two seconds."""
        now = time.monotonic()
        recent = [sent for sent in tuple(self._times) if now - sent <= _RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0


class UdpStream(ABC):
    """Sends one person of every result to a receiver.

    Sending never blocks and never raises: packets that cannot be sent are dropped, as usual with
    UDP, and `failure` states the reason.

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

    url = ""
    """Address of a page that shows the motion; empty: there is none."""

    def __init__(self, body: Body, address: Address) -> None:
        self.address = address
        self._humanoid = Humanoid(body)
        self._who = StreamedPerson(body)
        family, self._target = resolve(address)
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise OutputError(f"Cannot send to {address}: {error.strerror or error}") from error
        self._socket.setblocking(False)
        self._lock = threading.Lock()
        self._closed = False
        self._figures = SendRate()
        self.failure = ""
        """Reason why the last packet could not be sent; empty if it was sent."""

    def send(self, result: FrameResult) -> None:
        """Send the streamed person of a result. Call it from one thread at a time."""
        with self._lock:
            if self._closed:
                return
            person = self._who.choose(result.people)
            if person is None:
                self._send(self._absent())
            else:
                sent = self._send(self._pose(person, self._who.origin(person)))
                self._figures.count(sent=sent)

    def select_person(self, person: int | None) -> None:
        """Stream the person with an id only; None streams the one tracked longest."""
        with self._lock:
            self._who.select(person)

    def set_origin(self) -> None:
        """Move the origin to the person's position in the next result."""
        with self._lock:
            self._who.set_origin()

    @property
    def sent(self) -> int:
        """Number of poses sent."""
        return self._figures.sent

    @property
    def lost(self) -> int:
        """Number of poses that could not be sent; losses on the way are not known."""
        return self._figures.lost

    @property
    def rate(self) -> float:
        """Poses sent per second, averaged over two seconds."""
        return self._figures.per_second

    def close(self) -> None:
        """Report the end of tracking to the receiver and close the socket. Thread-safe."""
        with self._lock:
            if self._closed:
                return
            self._send(self._absent())
            self._closed = True
            self._socket.close()

    @abstractmethod
    def _pose(self, person: Person, origin: Array) -> Iterable[bytes]:
        """Return the packets of a person; `origin` (3,) is in m and in Unity's frame."""

    def _absent(self) -> Iterable[bytes]:
        """Return the packets that report that no one is tracked."""
        return ()

    def _send(self, packets_of_frame: Iterable[bytes]) -> bool:
        try:
            for packet in packets_of_frame:
                self._socket.sendto(packet, self._target)
        except BlockingIOError:
            self.failure = "the network is congested"
            return False
        except OSError as error:
            self.failure = error.strerror or str(error)
            return False
        self.failure = ""
        return True


def osc_packets(messages: Iterable[OscMessage]) -> Iterator[bytes]:
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


def osc_message(address: str, values: Iterable[tuple[str, object]]) -> OscMessage:
    """Return an OSC message of values with their type tags."""
    builder = OscMessageBuilder(address)
    for kind, value in values:
        builder.add_arg(value, kind)  # type: ignore[arg-type]
    return builder.build()

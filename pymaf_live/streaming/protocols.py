"""The protocols in which motion can be streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from pymaf_live.body import Body
from pymaf_live.streaming.address import Address, parse_address
from pymaf_live.streaming.live_link import LiveLinkStream
from pymaf_live.streaming.vmc import VmcStream
from pymaf_live.streaming.vrchat import VrchatStream
from pymaf_live.streaming.web import WebStream, require_loopback
from pymaf_live.types import FrameResult, StreamProtocol


class LiveStream(Protocol):
    """Open stream to one receiver, or to the pages on this computer."""

    address: Address
    failure: str
    """Reason why the last pose could not be sent; empty if it was sent."""
    url: str
    """Address of a page that shows the motion; empty: there is none."""

    @property
    def sent(self) -> int:
        """Number of poses sent."""

    @property
    def lost(self) -> int:
        """Number of poses that could not be sent."""

    @property
    def rate(self) -> float:
        """Poses sent per second."""

    def send(self, result: FrameResult) -> None:
        """Send a result; never blocks and never raises."""

    def select_person(self, person: int | None) -> None:
        """Stream the person with an id only; None lets the stream choose."""

    def set_origin(self) -> None:
        """Move the origin to the person's position in the next result."""

    def close(self) -> None:
        """End the stream."""


@dataclass(frozen=True)
class ProtocolInfo:
    """A protocol, as the user chooses it."""

    title: str
    port: int
    """Usual port of its receivers."""
    open: Callable[[Body, Address], LiveStream]
    local: bool = False
    """True if only this computer is served."""


PROTOCOLS: Mapping[StreamProtocol, ProtocolInfo] = MappingProxyType(
    {
        "vmc": ProtocolInfo("VMC", 39539, VmcStream),
        "vrchat": ProtocolInfo("VRChat trackers", 9000, VrchatStream),
        "live_link": ProtocolInfo("Unreal Live Link (JSON)", 54321, LiveLinkStream),
        "web": ProtocolInfo("Web page", 39580, WebStream, local=True),
    }
)
"""All protocols; the first one is the default."""


@dataclass(frozen=True)
class StreamTarget:
    """Protocol and address of a stream."""

    protocol: StreamProtocol
    address: Address

    @classmethod
    def parse(cls, protocol: StreamProtocol, text: str) -> StreamTarget:
        """Return the target of an address as the user types it.

        Raises
        ------
        UsageError
            If it is not an address, or one of another computer where only this one is served.
        """
        info = PROTOCOLS[protocol]
        address = parse_address(text, info.port)
        if info.local:
            require_loopback(address)
        return cls(protocol, address)

    def open(self, body: Body) -> LiveStream:
        """Open the stream; resolving a host may take seconds.

        Raises
        ------
        UsageError, OutputError
            If it cannot be opened.
        """
        return PROTOCOLS[self.protocol].open(body, self.address)

    def __str__(self) -> str:
        """Return the protocol's title and the address."""
        return f"{self.address} ({PROTOCOLS[self.protocol].title})"

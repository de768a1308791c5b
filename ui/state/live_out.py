"""Live streaming of the motion to other programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pymaf_live.errors import UsageError
from pymaf_live.streaming import StreamTarget
from pymaf_live.types import StreamProtocol
from ui.state.observable import Observable
from ui.state.setting import UNCHANGED, never_stored, setting


class LiveOutPhase(Enum):
    """Phase of the stream."""

    OFF = "off"
    OPENING = "resolving the receiver's address"
    WAITING = "on, but no one is in the image"
    SENDING = "sending poses"


@dataclass(frozen=True)
class LiveOutStatus:
    """Status of the stream."""

    phase: LiveOutPhase = LiveOutPhase.OFF
    address: str = ""
    """Receiver while the stream is on."""
    rate: float = 0.0
    """Poses per second."""
    lost: int = 0
    """Poses that could not be sent."""
    url: str = ""
    """Address of a page that shows the motion; empty: there is none."""
    error: str = ""
    """Reason why the stream could not be started or nothing can be sent; one line."""

    @property
    def on(self) -> bool:
        """True while the stream is on."""
        return self.phase is not LiveOutPhase.OFF


def _stored_address(owner: Any, address: str) -> object:
    agreed = owner.agreed_address
    return UNCHANGED if agreed is None else agreed


@dataclass
class LiveOutState:
    """Protocol, address and status of the stream."""

    protocol: Observable[StreamProtocol] = setting("live_out_protocol")
    address: Observable[str] = setting("live_out_address", to_setting=_stored_address)
    """Address as typed, valid or not."""
    status: Observable[LiveOutStatus] = field(default_factory=lambda: Observable(LiveOutStatus()))
    allowed: Observable[frozenset[str]] = setting(
        # only an address that the user agreed to was stored
        "live_out_address",
        to_state=lambda address: frozenset({address}),
        to_setting=never_stored,
    )
    """Addresses that the user agreed to send to."""

    def target(self) -> StreamTarget:
        """Return the protocol and the address.

        Raises
        ------
        UsageError
            If the address is not valid.
        """
        return StreamTarget.parse(self.protocol.value, self.address.value)

    @property
    def agreed_address(self) -> str | None:
        """The address if it is valid and motion may be sent there without asking."""
        try:
            address = self.target().address
        except UsageError:
            return None
        return str(address) if address.loopback or str(address) in self.allowed.value else None

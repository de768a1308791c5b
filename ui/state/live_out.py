"""Live out as values to watch: whether motion is streamed, where to, and how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pymaf_live.errors import UsageError
from pymaf_live.streaming.address import parse_address
from ui.state.observable import Observable


class LiveOutPhase(Enum):
    """Where the streaming stands."""

    OFF = "nothing is sent"
    OPENING = "the receiver's address is being looked up"
    WAITING = "switched on; nobody is there to be sent"
    SENDING = "poses are being sent"


@dataclass(frozen=True)
class LiveOutStatus:
    """How the streaming goes."""

    phase: LiveOutPhase = LiveOutPhase.OFF
    address: str = ""
    """Where to, while it is on."""
    rate: float = 0.0
    """Poses a second."""
    complaint: str = ""
    """Why it could not be switched on, or why nothing gets out; one line."""

    @property
    def on(self) -> bool:
        """Whether it is switched on."""
        return self.phase is not LiveOutPhase.OFF


@dataclass
class LiveOutState:
    """All of live out."""

    address: Observable[str] = field(default_factory=lambda: Observable("127.0.0.1:39539"))
    """What a person typed, sound or not."""
    status: Observable[LiveOutStatus] = field(default_factory=lambda: Observable(LiveOutStatus()))
    allowed: Observable[frozenset[str]] = field(
        default_factory=lambda: Observable[frozenset[str]](frozenset())
    )
    """Other machines that a person agreed to send to."""

    @property
    def agreed_address(self) -> str | None:
        """The address, if it is one and motion may go there unasked."""
        try:
            address = parse_address(self.address.value)
        except UsageError:
            return None
        return str(address) if address.loopback or str(address) in self.allowed.value else None

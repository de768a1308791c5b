"""Network addresses of streams: host and port, parsed from user input."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from pymaf_live.errors import OutputError, UsageError

DEFAULT_PORT = 39539
"""Default port of VMC receivers."""

_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_MAX_LENGTH = 300
"""Characters of an address."""
_EXAMPLE = "127.0.0.1:39539"


@dataclass(frozen=True)
class Address:
    """Host name or IP address, and UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return the text that `parse_address` reads."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True for loopback addresses and the name 'localhost', which are always this computer."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.rstrip(".").lower() == "localhost"


def parse_address(text: str, default_port: int = DEFAULT_PORT) -> Address:
    """Parse ``HOST:PORT``, ``HOST``, ``[IPv6]:PORT`` or ``:PORT`` (this computer).

    Parameters
    ----------
    text : str
    default_port : int
        Port where the text has none.

    Raises
    ------
    UsageError
        If the text has none of these forms.
    """
    stripped = text.strip()
    if len(stripped) > _MAX_LENGTH:
        raise UsageError(f"The address is too long. Write it like {_EXAMPLE}.")
    host, port = stripped, str(default_port)  # also a bare IPv6 address
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", stripped)
    if bracketed:
        host, port = bracketed.group(1), port if bracketed.group(2) is None else bracketed.group(2)
    elif stripped.count(":") == 1:
        host, port = stripped.split(":")
    host = host or "127.0.0.1"
    if not stripped or (not _is_ip_address(host) and not _is_host_name(host)):
        raise UsageError(f"{text!r} is not an address. Write it like {_EXAMPLE}.")
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise UsageError(f"{port!r} is not a port. Use a number from 1 to 65535.")
    return Address(host, int(port))


def resolve(address: Address) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Look up the IP address of a host; may take seconds.

    Returns
    -------
    family : socket.AddressFamily
    target : tuple
        IP address and port, for `socket.sendto`.

    Raises
    ------
    OutputError
        If the name cannot be resolved.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"Cannot send to {address}: {reason}") from error
    family, _, _, _, target = found[0]
    return family, (str(target[0]), int(target[1]))


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_host_name(host: str) -> bool:
    # digits and dots alone are a mistyped IP address, which some resolvers interpret in odd ways
    return bool(_HOST.fullmatch(host)) and not re.fullmatch(r"[0-9.]+", host)

"""Where a stream goes: host and port, read from what a person typed."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from pymaf_live.errors import OutputError, UsageError

DEFAULT_PORT = 39539
"""On which VMC receivers listen unless told otherwise."""

_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_MOST_CHARACTERS = 300


@dataclass(frozen=True)
class Address:
    """A host by name or number, and a UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        """As `parse_address` reads it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it is this machine for certain: a loopback number, or the name 'localhost'."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.rstrip(".").lower() == "localhost"


def parse_address(text: str) -> Address:
    """Read ``HOST:PORT``, ``HOST``, ``[IPv6]:PORT`` or ``:PORT`` (this machine).

    Raises
    ------
    UsageError
        If it is none of these.
    """
    given = text.strip()
    if len(given) > _MOST_CHARACTERS:
        raise UsageError("the address is too long; give it as 127.0.0.1:39539")
    host, port = given, str(DEFAULT_PORT)  # also a bare IPv6 number
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", given)
    if bracketed:
        host, port = bracketed.group(1), port if bracketed.group(2) is None else bracketed.group(2)
    elif given.count(":") == 1:
        host, port = given.split(":")
    host = host or "127.0.0.1"
    if not given or (_number(host) is None and not _is_name(host)):
        raise UsageError(f"{text!r} is no address; give it as 127.0.0.1:39539")
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise UsageError(f"{port!r} is no port; it is a number from 1 to 65535")
    return Address(host, int(port))


def resolve(address: Address) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Number of a host, asked for once; may take seconds.

    Raises
    ------
    OutputError
        If nobody knows the name.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot send to {address}: {why}") from error
    family, _, _, _, place = found[0]
    return family, (str(place[0]), int(place[1]))


def _number(host: str) -> object | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_name(host: str) -> bool:
    # digits and points alone are a mistyped number, which a resolver may read in its own way
    return bool(_HOST.fullmatch(host)) and not re.fullmatch(r"[0-9.]+", host)

"""Reader of OSC 1.0 packets from other programs; everything malformed is skipped."""

from __future__ import annotations

import struct
from collections.abc import Iterator

OscValue = str | int | float

_BUNDLE = b"#bundle\0"
_HEADER_BYTES = 16
_MAX_DEPTH = 4
"""Bundles within bundles; deeper ones are not read."""


def read_osc(packet: bytes, depth: int = 0) -> Iterator[tuple[str, tuple[OscValue, ...]]]:
    """Yield the address and the values of each message in a packet.

    Messages with other values than texts, int32 and float32 are left out, and so is what follows a
    malformed part.

    Parameters
    ----------
    packet : bytes
        As received; a message or a bundle.
    depth : int
        Number of bundles around it.
    """
    if not packet.startswith(_BUNDLE):
        message = _message(packet)
        if message is not None:
            yield message
        return
    at = _HEADER_BYTES
    while depth < _MAX_DEPTH and at + 4 <= len(packet):
        (size,) = struct.unpack_from(">i", packet, at)
        if not 0 < size <= len(packet) - at - 4:
            return
        yield from read_osc(packet[at + 4 : at + 4 + size], depth + 1)
        at += 4 + size


def _message(data: bytes) -> tuple[str, tuple[OscValue, ...]] | None:
    try:
        address, at = _text(data, 0)
        kinds, at = _text(data, at)
        if not address.startswith("/") or not kinds.startswith(","):
            return None
        values: list[OscValue] = []
        for kind in kinds[1:]:
            if kind == "s":
                text, at = _text(data, at)
                values.append(text)
            elif kind in "if":
                values.append(struct.unpack_from(">" + kind, data, at)[0])
                at += 4
            else:
                return None
    except (ValueError, struct.error):
        return None
    return address, tuple(values)


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Return a text and where the next value begins; raises ValueError if it does not end."""
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8"), end + 4 - end % 4

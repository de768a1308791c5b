"""Live streaming of motion to other programs."""

from pymaf_live.streaming.address import DEFAULT_PORT, Address, parse_address
from pymaf_live.streaming.protocols import PROTOCOLS, LiveStream, StreamTarget
from pymaf_live.streaming.vmc import VmcStream

__all__ = [
    "DEFAULT_PORT",
    "PROTOCOLS",
    "Address",
    "LiveStream",
    "StreamTarget",
    "VmcStream",
    "parse_address",
]

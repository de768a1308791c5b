"""Live streaming of motion to other programs."""

from pymaf_live.streaming.address import DEFAULT_PORT, Address, parse_address
from pymaf_live.streaming.protocols import PROTOCOLS, LiveStream, StreamTarget
from pymaf_live.streaming.vmc import VmcStream
from pymaf_live.streaming.vmc_input import DEFAULT_INPUT_PORT, TrackerMerger, VmcInput

__all__ = [
    "DEFAULT_INPUT_PORT",
    "DEFAULT_PORT",
    "PROTOCOLS",
    "Address",
    "LiveStream",
    "StreamTarget",
    "TrackerMerger",
    "VmcInput",
    "VmcStream",
    "parse_address",
]

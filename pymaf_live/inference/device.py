"""The GPU that inference engines run on, and its errors."""

from __future__ import annotations

from dataclasses import dataclass

from pymaf_live.errors import ModelError


class NoDeviceError(ModelError):
    """There is no NVIDIA GPU or its driver is missing; nothing is wrong with the program."""


class DeviceError(ModelError):
    """The device failed at run time: out of memory, lost, or unable to run an engine."""


@dataclass(frozen=True)
class Device:
    """Facts about a GPU."""

    name: str
    capability: tuple[int, int]
    """Compute capability, such as (8, 6)."""
    driver: str
    """CUDA version of the driver, as the driver reports it."""
    identity: str
    """Identifier of the piece of hardware."""
    memory: int
    """Bytes."""

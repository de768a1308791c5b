"""Options of an export; every format supports a part of them (`formats.Format.options`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from pymaf_live.errors import UsageError

Unit = Literal["m", "cm", "mm"]
Rig = Literal["smpl", "mixamo", "mixamo-plain", "unreal", "unity", "vrm"]
World = Literal["ground", "camera"]
OptionName = Literal[
    "rate", "unit", "rig", "world", "in_place", "rest_first", "mesh", "camera", "one_file"
]
"""Name of a field of `ExportOptions`."""

UNITS: tuple[Unit, ...] = get_args(Unit)
RIGS: tuple[Rig, ...] = get_args(Rig)
WORLDS: tuple[World, ...] = get_args(World)
MAX_RATE = 1000
"""Highest frame rate, frames per second."""
_BROADCAST_RATES = {
    Fraction(decimal): Fraction(whole * 1000, 1001)
    for decimal, whole in (
        ("23.976", 24),
        ("29.97", 30),
        ("47.952", 48),
        ("59.94", 60),
        ("119.88", 120),
    )
}
"""Usual decimals of rates that are not exactly them."""


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export; by default the take is exported as it is.

    Raises
    ------
    UsageError
        If a value is invalid.
    """

    rate: Fraction | None = None
    """Frames per second to resample to; None keeps the take's rate."""
    unit: Unit | None = None
    """Unit of length; None selects the one that readers of the format expect (`Format.unit`)."""
    rig: Rig = "smpl"
    """Rig that provides bone names, rest pose and bone axes."""
    world: World = "ground"
    """Frame of reference. 'ground': y up against gravity, ground at 0, first frame at the origin.
    'camera': camera at the origin, looking along -z, its own up direction as y."""
    in_place: bool = False
    """Remove the horizontal movement of the root."""
    rest_first: bool = False
    """Insert the rest pose as a frame before the first one."""
    mesh: bool = True
    """Include the skinned mesh, not only the skeleton."""
    camera: bool = False
    """Include the camera that the person was seen with."""
    one_file: bool = False
    """Write all people into one file instead of one file each."""

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate <= MAX_RATE:
            raise UsageError(f"the frame rate must be in 0..{MAX_RATE}, not {self.rate}")
        if self.camera and self.in_place:
            raise UsageError("a camera cannot show a person in place; choose one of both")
        if self.one_file and self.in_place:
            raise UsageError(
                "people in place would stand inside each other in one file; choose one of both"
            )
        for value, allowed, name in (
            (self.unit, (None, *UNITS), "unit"),
            (self.rig, RIGS, "rig"),
            (self.world, WORLDS, "world"),
        ):
            if value not in allowed:
                choices = ", ".join(str(each) for each in allowed if each is not None)
                raise UsageError(f"the {name} must be one of {choices}, not {value!r}")

    def only(self, names: Collection[OptionName]) -> ExportOptions:
        """Return a copy with every option that is not in `names` reset to its default."""
        defaults = ExportOptions()
        others = [each.name for each in fields(self) if each.name not in names]
        return replace(self, **{name: getattr(defaults, name) for name in others})

    def changed(self) -> frozenset[OptionName]:
        """Return the names of the options that differ from their defaults."""
        defaults = ExportOptions()
        names = {f.name for f in fields(self) if getattr(self, f.name) != getattr(defaults, f.name)}
        return frozenset(name for name in get_args(OptionName) if name in names)


def parse_rate(text: str) -> Fraction | None:
    """Parse a frame rate: '30', '29.97', '30000/1001' or 'source' (None).

    The broadcast rates 23.976, 29.97, 47.952, 59.94 and 119.88 stand for n * 1000 / 1001; every
    other number is meant exactly.

    Raises
    ------
    UsageError
        If `text` is not a frame rate.
    """
    word = text.strip().lower()
    if word in ("source", ""):
        return None
    try:
        rate = Fraction(word)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{text!r} is not a frame rate; write 30, 29.97 or 30000/1001") from error
    rate = _BROADCAST_RATES.get(rate, rate)
    if not 0 < rate <= MAX_RATE:
        raise UsageError(f"the frame rate must be in 0..{MAX_RATE}, not {text}")
    return rate


@dataclass(frozen=True)
class ExportedFile:
    """File that was written and verified by reading it back."""

    path: Path
    joint_error: float | None = None
    """Largest distance (m) between a joint of the file, as an independent reader's own kinematics
    place it, and the same joint of the motion; None for formats without joints."""
    rate: float | None = None
    """Frames per second as read from the file; None for formats without a rate."""
    note: str = ""
    """Remark for the user, such as a filled gap or a rate that readers ignore; '' without one."""

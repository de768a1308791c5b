"""What a person may ask of an export; each format takes some of it (`formats.Format.options`)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

from pymaf_live.errors import UsageError

Unit = Literal["m", "cm"]
Rig = Literal["smpl", "mixamo", "unreal", "unity", "vrm"]
World = Literal["ground", "camera"]
OptionName = Literal["rate", "unit", "rig", "world", "in_place", "rest_first", "mesh"]
"""A field of `ExportOptions`."""

UNITS: tuple[Unit, ...] = get_args(Unit)
RIGS: tuple[Rig, ...] = get_args(Rig)
WORLDS: tuple[World, ...] = get_args(World)
HIGHEST_RATE = 1000

Watch = Callable[[float], None]
"""Is told from time to time which part of the work (0..1) is done; may raise to stop it, and the
file then is not there."""


def unwatched(part: float) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class ExportOptions:
    """How a take is exported; the defaults are the take as it is.

    Raises
    ------
    UsageError
        If a value is none of those allowed.
    """

    rate: Fraction | None = None
    """Frames a second to resample to; None keeps the take's own."""
    unit: Unit | None = None
    """Of lengths; None is what the format's readers expect (`formats.Format.unit`)."""
    rig: Rig = "smpl"
    """Whose bone names, rest pose and bone axes."""
    world: World = "ground"
    """'ground': y up against gravity, the ground at 0, the first frame at the origin. 'camera': the
    camera at the origin, looking along -z, its own up as y."""
    in_place: bool = False
    """Leave out the way over the ground."""
    rest_first: bool = False
    """Put the rest pose before the first frame, as a frame of its own."""
    mesh: bool = True
    """Write the skinned body too, not the skeleton alone."""

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate <= HIGHEST_RATE:
            raise UsageError(f"the frame rate must lie in 0..{HIGHEST_RATE}, not {self.rate}")
        for value, known, what in (
            (self.unit, (None, *UNITS), "unit"),
            (self.rig, RIGS, "rig"),
            (self.world, WORLDS, "world"),
        ):
            if value not in known:
                words = ", ".join(str(each) for each in known if each is not None)
                raise UsageError(f"the {what} must be one of {words}, not {value!r}")

    def only(self, names: Collection[OptionName]) -> ExportOptions:
        """These options under the names given, the defaults under the others."""
        usual = ExportOptions()
        left = [each.name for each in fields(self) if each.name not in names]
        return replace(self, **{name: getattr(usual, name) for name in left})

    def changed(self) -> frozenset[OptionName]:
        """Names of the options that differ from their defaults."""
        usual = ExportOptions()
        names = {f.name for f in fields(self) if getattr(self, f.name) != getattr(usual, f.name)}
        return frozenset(name for name in get_args(OptionName) if name in names)


def parse_rate(text: str) -> Fraction | None:
    """A frame rate as written by a person: '30', '29.97', '30000/1001' or 'source' (None).

    The broadcast rates 23.976, 29.97, 47.952, 59.94 and 119.88 stand for n * 1000 / 1001.

    Raises
    ------
    UsageError
    """
    word = text.strip().lower()
    if word in ("source", ""):
        return None
    try:
        rate = Fraction(word)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{text!r} is no frame rate; write 30, 29.97 or 30000/1001") from error
    for whole in (24, 30, 48, 60, 120):
        exact = Fraction(whole * 1000, 1001)
        if "." in word and round(float(exact), len(word.partition(".")[2])) == float(rate):
            return exact
    if not 0 < rate <= HIGHEST_RATE:
        raise UsageError(f"the frame rate must lie in 0..{HIGHEST_RATE}, not {text}")
    return rate


@dataclass(frozen=True)
class Exported:
    """A file that was written and read again."""

    path: Path
    joint_error: float | None = None
    """Greatest distance in metres between a joint of the file, as an independent reader's own
    kinematics place it, and the motion's; None for formats without joints."""
    rate: float | None = None
    """Frames a second, as read from the file."""
    note: str = ""
    """What was not as usual (a gap that was filled, a rate its readers cannot be told)."""

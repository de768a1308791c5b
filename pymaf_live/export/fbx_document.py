"""Parts of an FBX file that hold no scene objects: header, settings, definitions, takes."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pymaf_live import __version__
from pymaf_live.export.fbx_nodes import VERSION, Int32, Node, raw_bytes

TICKS_PER_SECOND = 46186158000
"""Resolution of FBX's clock."""
CUSTOM_TIME_MODE = 14
TIME_MODES = {
    Fraction(120): 1,
    Fraction(100): 2,
    Fraction(60): 3,
    Fraction(50): 4,
    Fraction(48): 5,
    Fraction(30): 6,
    Fraction(30000, 1001): 9,
    Fraction(25): 10,
    Fraction(24): 11,
    Fraction(24000, 1001): 13,
    Fraction(60000, 1001): 17,
}
"""Number of each standard frame rate."""

DOCUMENT_ID = 1_000_000
"""Id of the document; scene objects have larger ones."""

_EPOCH = "1970-01-01 10:00:00:000"
_FILE_ID = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")
"""Hash that belongs to `_EPOCH`: a file does not reveal when or where it was written."""


def header_nodes() -> list[Node]:
    """Return the nodes at the beginning of a file."""
    header = Node("FBXHeaderExtension")
    header.add("FBXHeaderVersion", Int32(1003))
    header.add("FBXVersion", Int32(VERSION))
    header.add("EncryptionType", Int32(0))
    stamp = header.add("CreationTimeStamp")
    stamp.add("Version", Int32(1000))
    for name, value in zip(
        ("Year", "Month", "Day", "Hour", "Minute", "Second", "Millisecond"),
        (1970, 1, 1, 10, 0, 0, 0),
        strict=True,
    ):
        stamp.add(name, Int32(value))
    creator = f"PyMAF Live {__version__}"
    header.add("Creator", creator)
    return [
        header,
        Node("FileId", [raw_bytes(_FILE_ID)]),
        Node("CreationTime", [_EPOCH]),
        Node("Creator", [creator]),
    ]


def settings_node(rate: Fraction, ticks: int, scale: float, up: Literal["y", "z"] = "y") -> Node:
    """Return the global settings: axes, unit, frame rate and time span.

    Parameters
    ----------
    rate : Fraction
        Frames per second.
    ticks : int
        Time of the last frame.
    scale : float
        File units per metre.
    up : {'y', 'z'}
        Axis that is up; the front is +z or -y.
    """
    settings = Node("GlobalSettings")
    settings.add("Version", Int32(1000))
    properties = settings.add("Properties70")
    axes = {"UpAxis": (1, 1), "FrontAxis": (2, 1), "CoordAxis": (0, 1)}
    if up == "z":
        axes |= {"UpAxis": (2, 1), "FrontAxis": (1, -1)}
    for name, (axis, sign) in axes.items():
        properties.add("P", name, "int", "Integer", "", Int32(axis))
        properties.add("P", f"{name}Sign", "int", "Integer", "", Int32(sign))
    properties.add("P", "OriginalUpAxis", "int", "Integer", "", Int32(1))
    properties.add("P", "OriginalUpAxisSign", "int", "Integer", "", Int32(1))
    for name in ("UnitScaleFactor", "OriginalUnitScaleFactor"):
        # centimetres per file unit
        properties.add("P", name, "double", "Number", "", 100.0 / scale)
    mode = TIME_MODES.get(rate, CUSTOM_TIME_MODE)
    properties.add("P", "TimeMode", "enum", "", "", Int32(mode))
    for name, time in time_span("TimeSpan", ticks):
        properties.add("P", name, "KTime", "Time", "", time)
    properties.add("P", "CustomFrameRate", "double", "Number", "", float(rate))
    return settings


def documents_node(animation: str = "motion") -> Node:
    """Return the node that declares the scene document and its active animation."""
    documents = Node("Documents")
    documents.add("Count", Int32(1))
    document = documents.add("Document", DOCUMENT_ID, "", "Scene")
    properties = document.add("Properties70")
    properties.add("P", "SourceObject", "object", "", "")
    properties.add("P", "ActiveAnimStackName", "KString", "", "", animation)
    document.add("RootNode", 0)
    return documents


def definitions_node(objects: Node) -> Node:
    """Return the node that counts the objects of each type."""
    definitions = Node("Definitions")
    definitions.add("Version", Int32(100))
    types = [node.name for node in objects.children]
    definitions.add("Count", Int32(len(types) + 1))
    definitions.add("ObjectType", "GlobalSettings").add("Count", Int32(1))
    for name in dict.fromkeys(types):
        definitions.add("ObjectType", name).add("Count", Int32(types.count(name)))
    return definitions


def takes_node(ticks: int, animation: str = "motion") -> Node:
    """Return the node that lists the one take, which ends at `ticks`."""
    takes = Node("Takes")
    takes.add("Current", animation)
    add_take(takes, ticks, animation)
    return takes


def add_take(takes: Node, ticks: int, animation: str) -> None:
    """Add a take that ends at `ticks` to the list of takes."""
    take = takes.add("Take", animation)
    take.add("FileName", f"{animation}.tak")
    take.add("LocalTime", 0, ticks)
    take.add("ReferenceTime", 0, ticks)


def time_span(name: str, ticks: int) -> list[tuple[str, int]]:
    """Return the start and stop properties of a time span from 0 to `ticks`."""
    return [(f"{name}Start", 0), (f"{name}Stop", ticks)]

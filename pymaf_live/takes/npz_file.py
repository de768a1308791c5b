"""Take files (npz): written atomically, validated on reading.

docs/take-format.md describes the format for its readers.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body
from pymaf_live.errors import InputError, OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.npy import check_archive_size, check_zip_entry, read_npy_header
from pymaf_live.system.regular_file import open_regular
from pymaf_live.takes.rows import ROW_COLUMNS
from pymaf_live.takes.take import Take

FORMAT = "pymaf-live-take"
VERSION = 2
_NUMBERED_FROM_0 = 1
"""Version whose people are numbered from 0; the window showed them from 1, as they are now."""

_MAX_BYTES = 2 << 30
"""Size of all arrays together: about twenty hours of one person."""
_MAX_JOINTS = 256
_MAX_SHAPES = 400
_MAX_PIXELS = 1 << 20
"""Length of one side of a frame."""
_MAX_TEXT = 4096
_UNIT_TOLERANCE = 1e-6

_AnyArray = npt.NDArray[Any]

# name -> (dtype written, shape by letter). F frames, R rows, J joints, S shape coefficients.
_SCHEMA: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "format": ("U", ()),
    "version": ("i8", ()),
    "source": ("U", ()),
    "frame_size": ("i8", (2,)),
    "frame_rate": ("i8", (2,)),
    "frame_time": ("f8", ("F",)),
    "focal_length": ("f8", ()),
    "principal_point": ("f8", (2,)),
    "frame": ("i8", ("R",)),
    **{name: (kind, ("R", *shape)) for name, kind, shape in ROW_COLUMNS},
    "joint_names": ("U", ("J",)),
    "parents": ("i8", ("J",)),
    "body_sha256": ("U", ()),
    "model": ("U", ()),
    "smoothing": ("U", ()),
    "picture_name": ("U", ("F",)),
    "picture_camera": ("f8", ("F", 5)),
    "file_time": ("f8", ("F",)),
    "trim": ("i8", (2,)),
    "ground": ("f8", (4,)),
    "camera_motion": ("f8", ("F", 4)),
    "marker_frame": ("i8", ("M",)),
    "marker_name": ("U", ("M",)),
    "person_number": ("i8", ("P",)),
    "person_name": ("U", ("P",)),
}
_OPTIONAL = (
    ("picture_name", "picture_camera"),
    ("file_time",),
    ("trim",),
    ("ground",),
    ("camera_motion",),
    ("marker_frame", "marker_name"),
    ("person_number", "person_name"),
)
"""Groups of keys; a file has all keys of a group or none."""
_OPTIONAL_NAMES = frozenset(name for group in _OPTIONAL for name in group)
_KINDS = {"U": "U", "i8": "iu", "f8": "f", "f4": "f", "?": "b"}


def write_take(path: Path, take: Take, *, force: bool = False) -> None:
    """Write a take; the file is read back before it gets its name.

    Parameters
    ----------
    path : Path
        File to write; its folder is created.
    take : Take
        May have no rows.
    force : bool
        Replace an existing file.

    Raises
    ------
    OutputError
        If the file cannot be written, exists without `force`, or the take is invalid.
    """
    arrays = _arrays_from_take(take)
    problem = _problem(arrays)
    if problem:
        raise OutputError(f"cannot write {path}: the take is invalid: {problem}")
    make_folder(path.parent)
    with atomic_write(path, force=force) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        try:
            again = _read_arrays(temporary)
        except InputError as error:
            raise OutputError(f"cannot write {path}: reading it back failed: {error}") from error
        for name, values in arrays.items():
            if not np.array_equal(again[name], values):
                raise OutputError(f"cannot write {path}: {name} was read back differently")


def read_take(path: Path) -> Take:
    """Read a take and validate all of it.

    Declared sizes are checked before memory is allocated; pickles are never loaded.

    Returns
    -------
    Take
        Arrays of rows are float32 as in the file, times and cameras float64; all are read-only.

    Raises
    ------
    InputError
        If the file is missing, is not a take, has a newer version, or is invalid.
    """
    arrays = _read_arrays(path)
    problem = _problem(arrays)
    if problem:
        raise InputError(f"the take {path} is invalid: {problem}")
    return _take_from_arrays(arrays)


def require_body(take: Take, body: Body) -> None:
    """Check that a take was made with a body.

    Raises
    ------
    InputError
    """
    same = (
        take.body_sha256 == body.sha256
        and take.joint_names == body.joint_names
        and np.array_equal(take.parents, body.parents)
        and take.shape.shape[1] == body.shape_count
    )
    if not same:
        raise InputError(
            f"the take of {take.source} was made with another body file "
            f"({take.body_sha256[:12]}, not {body.sha256[:12]}); install that file"
        )


def _arrays_from_take(take: Take) -> dict[str, _AnyArray]:
    values: dict[str, Any] = {
        name: getattr(take, name) for name in _SCHEMA if name not in ("format", "version")
    }
    values["format"], values["version"] = FORMAT, VERSION
    values["frame_rate"] = take.frame_rate.as_integer_ratio()
    values["joint_names"] = list(take.joint_names)
    values["picture_name"] = list(take.picture_name)
    values["marker_name"] = list(take.marker_name)
    values["person_name"] = list(take.person_name)
    left_out = {
        name
        for group in _OPTIONAL
        if all(values[name] is None or len(values[name]) == 0 for name in group)
        for name in group
    }
    arrays = {}
    for name, (kind, _) in _SCHEMA.items():
        if name in left_out:
            continue
        value = str(values[name])[:_MAX_TEXT] if _is_text(name) else values[name]
        try:
            with np.errstate(over="ignore"):  # values that do not fit become inf and are refused
                array = np.asarray(value, dtype=np.dtype(kind))
        except (OverflowError, ValueError, TypeError) as error:
            raise OutputError(f"cannot write the take: {name}: {error}") from error
        arrays[name] = np.ascontiguousarray(array) if array.ndim else array
    return arrays


def _is_text(name: str) -> bool:
    return _SCHEMA[name] == ("U", ())


def _take_from_arrays(arrays: dict[str, _AnyArray]) -> Take:
    numerator, denominator = (int(value) for value in arrays["frame_rate"])
    width, height = (int(value) for value in arrays["frame_size"])
    values: dict[str, Any] = {}
    for name, array in arrays.items():
        array.flags.writeable = False
        values[name] = str(array[()]) if _is_text(name) else array
    if values["version"] == _NUMBERED_FROM_0:
        for name in {"person", "person_number"} & values.keys():
            values[name] = arrays[name] + 1
            values[name].flags.writeable = False
    for name in ("format", "version"):
        del values[name]
    values["frame_rate"] = Fraction(numerator, denominator)
    values["frame_size"] = (width, height)
    values["focal_length"] = float(arrays["focal_length"])
    for name in ("joint_names", "picture_name", "marker_name", "person_name"):
        values[name] = tuple(str(text) for text in arrays.get(name, ()))
    for name in ("marker_frame", "person_number"):
        values[name] = tuple(int(number) for number in values.get(name, ()))
    if "trim" in arrays:
        first, last = (int(frame) for frame in arrays["trim"])
        values["trim"] = (first, last)
    return Take(**values)


def _read_arrays(path: Path) -> dict[str, _AnyArray]:
    def refuse(why: str, cause: Exception | None = None) -> NoReturn:
        raise InputError(f"{path} is not a take: {why}") from cause

    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            check_archive_size(archive, path.stat().st_size, _MAX_BYTES)
            entries = _entries(archive, refuse)
            # the version first: anything else may differ in a newer file
            _require_version(archive, entries, path, refuse)
            names = _array_names(entries, refuse)
            return {name: _read_array(archive, entries[name], name, refuse) for name in names}
    except FileNotFoundError as error:
        raise InputError(f"there is no take {path}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        refuse(str(error).splitlines()[0] if str(error) else "it is damaged", error)
    except (OSError, RuntimeError) as error:  # zipfile raises RuntimeError for encrypted entries
        raise InputError(f"cannot read {path}: {error}") from error


def _require_version(
    archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], path: Path, refuse: Any
) -> None:
    for name, expected in (("format", (FORMAT,)), ("version", (_NUMBERED_FROM_0, VERSION))):
        if name not in entries:
            refuse(f"{name} is missing")
        found = _read_array(archive, entries[name], name, refuse)
        if not found.ndim and found[()] in expected:
            continue
        if name == "version" and not found.ndim and found[()] > VERSION:
            raise InputError(
                f"{path} has version {found[()]} of the take format and needs a newer "
                f"PyMAF Live; this program reads version {VERSION}"
            )
        refuse(f"its {name} is not {expected[-1]}")


def _array_names(entries: Mapping[str, zipfile.ZipInfo], refuse: Any) -> list[str]:
    """Return the arrays to read: all required ones, and the optional groups that are present."""
    present = {name for group in _OPTIONAL if any(n in entries for n in group) for name in group}
    names = [name for name in _SCHEMA if name not in _OPTIONAL_NAMES or name in present]
    for name in names:
        if name not in entries:
            refuse(f"{name} is missing")
    for name in entries:
        if name not in _SCHEMA:
            refuse(f"{name[:40]!r} is not part of the format")
    return names


def _entries(archive: zipfile.ZipFile, refuse: Any) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or name in entries:
            refuse(f"unexpected entry {info.filename[:40]!r}")
        entries[name] = info
    return entries


def _read_array(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, refuse: Any
) -> _AnyArray:
    kind, dimensions = _SCHEMA.get(name, ("", ()))
    check_zip_entry(info)
    with archive.open(info) as file:
        shape, fortran, dtype = read_npy_header(file, info.file_size)
        if dtype.kind not in _KINDS[kind] or dtype.itemsize > 4 * _MAX_TEXT:
            refuse(f"{name} is of type {dtype}")
        if len(shape) != len(dimensions) or (fortran and len(shape) > 1):
            refuse(f"{name} has {len(shape)} dimensions, not {len(dimensions)}")
        size = math.prod(shape) * dtype.itemsize
        content = file.read(size)
        if len(content) != size:
            refuse(f"{name} is cut short")
        if file.read(1):
            refuse(f"{name} is longer than declared")
    array = np.frombuffer(content, dtype).reshape(shape)
    return array if kind == "U" else array.astype(np.dtype(kind), copy=False)


def _problem(arrays: dict[str, _AnyArray]) -> str:
    """Return the first problem of a take's arrays; empty if there is none."""
    sizes: dict[str | int, int] = {}
    for name, (_, dimensions) in _SCHEMA.items():
        if name not in arrays:
            continue
        shape = arrays[name].shape
        if len(shape) != len(dimensions):
            return f"{name} has {len(shape)} dimensions, not {len(dimensions)}"
        for size, letter in zip(shape, dimensions, strict=True):
            expected = letter if isinstance(letter, int) else sizes.setdefault(letter, size)
            if size != expected:
                return f"{name} has the shape {shape}; {size} should be {expected}"
        if arrays[name].dtype.kind == "f" and not np.isfinite(arrays[name]).all():
            return f"{name} has values that are not finite"
    if not 0 < sizes["J"] <= _MAX_JOINTS or sizes["S"] > _MAX_SHAPES:
        return "sizes out of range"
    return (
        _camera_problem(arrays)
        or _ground_problem(arrays)
        or _row_problem(arrays, sizes)
        or _edit_problem(arrays, sizes)
    )


def _camera_problem(arrays: dict[str, _AnyArray]) -> str:
    if not ((arrays["frame_size"] > 0) & (arrays["frame_size"] <= _MAX_PIXELS)).all():
        return "frame_size is out of range"
    if not (arrays["frame_rate"] > 0).all():
        return "frame_rate is not positive"
    if not arrays["focal_length"] > 0:
        return "focal_length is not positive"
    pictures = arrays.get("picture_camera")
    if pictures is not None and not (pictures[:, :3] > 0).all():
        return "picture_camera has sizes or focal lengths that are not positive"
    motion = arrays.get("camera_motion")
    if motion is not None and not (motion[:, 3] > 0).all():
        return "camera_motion has zooms that are not positive"
    if not re.fullmatch(r"[0-9a-f]{64}", str(arrays["body_sha256"][()])):
        return "body_sha256 is not a SHA-256"
    return ""


def _row_problem(arrays: dict[str, _AnyArray], sizes: dict[str | int, int]) -> str:
    if not (np.diff(arrays["frame_time"]) > 0).all():
        return "frame_time does not increase"
    parents = arrays["parents"]
    tree = parents[0] == -1 and (parents[1:] >= 0).all()
    if not tree or not (parents < np.arange(len(parents))).all():
        return "parents do not form a tree"
    frame, person = arrays["frame"], arrays["person"]
    if not len(frame):
        return ""
    if frame.min() < 0 or frame.max() >= sizes["F"]:
        return f"frame points outside 0..{sizes['F'] - 1}"
    if not (np.diff(frame) >= 0).all():
        return "the rows are not in the order of their frames"
    if person.min() < 0:
        return "person has negative numbers"
    order = np.lexsort((person, frame))
    same = (np.diff(frame[order]) == 0) & (np.diff(person[order]) == 0)
    return "a person has two rows in one frame" if same.any() else ""


def _ground_problem(arrays: dict[str, _AnyArray]) -> str:
    if "ground" in arrays and abs(np.linalg.norm(arrays["ground"][:3]) - 1) > _UNIT_TOLERANCE:
        return "the up direction of ground is not a unit vector"
    return ""


def _edit_problem(arrays: dict[str, _AnyArray], sizes: dict[str | int, int]) -> str:
    if "trim" in arrays:
        first, last = arrays["trim"]
        if not 0 <= first <= last < sizes["F"]:
            return f"trim is not within 0..{sizes['F'] - 1}"
    marker = arrays.get("marker_frame")
    if marker is not None and len(marker):
        if marker.min() < 0 or marker.max() >= sizes["F"]:
            return f"marker_frame points outside 0..{sizes['F'] - 1}"
        if not (np.diff(marker) > 0).all():
            return "marker_frame does not increase"
    named = arrays.get("person_number")
    if named is not None and len(named) and not (named[0] >= 0 and (np.diff(named) > 0).all()):
        return "person_number does not increase from 0"
    return ""

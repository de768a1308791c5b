"""A recording on disk that survives whatever ends the program.

A file of records behind a signature: each has its length, its CRC-32 and its content, so that a
torn last one is told from a whole one and all before it are good. An empty record says that the
recording was ended on purpose. A record is a frame's, or the names of people: of these the last
holds.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pymaf_live.body import Body
from pymaf_live.errors import InputError, OutputError
from pymaf_live.takes.people import with_names
from pymaf_live.takes.rows import measured_rate, require_same_size, row_type, rows_of
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, FrameResult, SourceFacts

if sys.platform != "win32":
    import fcntl

_SIGNATURE = b"PyMAF Live journal 1\n"
_HEAD = struct.Struct("<II")
_FRAME = struct.Struct("<dd5dHH")
"""time, time in the file (NaN: the same), camera (width, height, focal length, principal point),
bytes of the picture's name, people."""
_NAMES = struct.pack("<d", math.nan)
"""What a record of names begins with: no frame has such a time."""
_MOST_RECORD = 64 << 20
_MOST_BYTES = 4 << 30
"""Of a journal that is read: what a take may have, and its frames' times."""
_MOST_PEOPLE = 1000
_SYNC_SECONDS = 1.0
_MOST_NAME = 1024


class RecordWriter:
    """Appends records; each is with the system before `append` returns.

    Parameters
    ----------
    path : Path
        A new file.
    sync_every : float
        Seconds after which what was appended is brought onto the disk itself, so that a power cut
        loses no more than that.

    Raises
    ------
    OutputError
        Here and in all methods, if the system refuses.
    """

    def __init__(self, path: Path, *, sync_every: float = math.inf) -> None:
        self._path = path
        self._sync_every = sync_every
        self._synced = time.monotonic()
        try:
            # unbuffered: what was appended is the system's, even if the program is killed
            self._file = path.open("xb", buffering=0)
            _lock(self._file)
            self._file.write(_SIGNATURE)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error

    def append(self, content: bytes) -> int:
        """Add a record; gives the place of its content in the file."""
        try:
            place = self._file.tell() + _HEAD.size
            record = memoryview(_HEAD.pack(len(content), zlib.crc32(content)) + content)
            while record:  # a raw file may take a part
                record = record[self._file.write(record) or 0 :]
            if time.monotonic() - self._synced > self._sync_every:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
        return place

    def close(self, *, complete: bool = True) -> None:
        """End the file; `complete` says that nothing is missing."""
        try:
            if complete:
                self._file.write(_HEAD.pack(0, 0))
                os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
        finally:
            self._file.close()


def in_use(path: Path) -> bool:
    """Whether some program is writing a journal at this moment."""
    try:
        if sys.platform == "win32":
            os.rename(path, path)  # refused there while anybody has it open
            return False
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _lock(file: io.FileIO) -> None:
    if sys.platform != "win32":
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read_records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Place and content of each whole record; the last is empty if the file was ended on purpose.

    Parameters
    ----------
    file : binary file
        At its start.

    Raises
    ------
    InputError
        If it is no journal. A torn end is none: what comes before it is given.
    """
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        raise InputError("it is no recording of PyMAF Live")
    while True:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, crc = _HEAD.unpack(head)
        place = file.tell()
        content = file.read(length) if length <= _MOST_RECORD else b""
        if len(content) != length or zlib.crc32(content) != crc:
            return
        yield place, content
        if not length:
            return


class _About(BaseModel):
    """The first record: what holds for all frames."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    source: str
    pictures: bool
    frame_rate: tuple[int, int] | None
    joint_names: tuple[str, ...] = Field(min_length=1, max_length=256)
    parents: tuple[int, ...]
    shapes: int = Field(ge=0, le=400)
    body_sha256: str
    model: str


class _Names(BaseModel):
    """A record of what people are called."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    names: dict[Annotated[int, Field(ge=0)], str] = Field(max_length=_MOST_PEOPLE)


class TakeJournal:
    """Writes frame results as they come, in constant memory; people as they were measured.

    Parameters
    ----------
    path : Path
        A new file.
    body : Body
    facts : SourceFacts
        Of the source.
    model : str
        Name of the network's model, for the record.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def __init__(self, path: Path, body: Body, facts: SourceFacts, *, model: str = "") -> None:
        self._name = facts.name
        self._pictures = facts.kind == "pictures"
        self._row = row_type(body.joint_count, body.shape_count)
        self._camera: Camera | None = None
        self._names: dict[int, str] = {}
        self._first_time = 0.0
        self._last_time = -math.inf
        self.frames = 0
        self.rows = 0
        """People times frames."""
        rate = facts.frame_rate
        about = _About(
            source=facts.name,
            pictures=self._pictures,
            frame_rate=None if rate is None else rate.as_integer_ratio(),
            joint_names=body.joint_names,
            parents=tuple(int(parent) for parent in body.parents),
            shapes=body.shape_count,
            body_sha256=body.sha256,
            model=model,
        )
        self._records = RecordWriter(path, sync_every=_SYNC_SECONDS)
        self._records.append(about.model_dump_json().encode())

    @property
    def seconds(self) -> float:
        """Between the first and the last frame."""
        return max(0.0, self._last_time - self._first_time) if self.frames else 0.0

    def add(self, result: FrameResult) -> bool:
        """Write a frame; its image is not needed where `camera` is given.

        Returns
        -------
        bool
            False where the frame was left out because its time is not after the last one's.

        Raises
        ------
        InputError
            If the frame's size differs from the first one's.
        OutputError
            If it cannot be written.
        """
        frame = result.frame
        if not frame.time > self._last_time:
            return False
        camera = result.camera or Camera.for_frame((frame.image.shape[1], frame.image.shape[0]))
        if self._camera is None:
            self._camera, self._first_time = camera, frame.time
        elif not self._pictures:
            require_same_size(self._name, self._camera, camera)
        people = result.raw[:_MOST_PEOPLE]
        name = frame.name.encode()[:_MOST_NAME]
        head = _FRAME.pack(
            frame.time,
            math.nan if frame.file_time is None else frame.file_time,
            *camera.size,
            camera.focal_length,
            *camera.principal_point,
            len(name),
            len(people),
        )
        self._records.append(head + name + rows_of(people, self._row).tobytes())
        self._last_time = frame.time
        self.frames += 1
        self.rows += len(people)
        return True

    def call(self, names: Mapping[int, str]) -> None:
        """Write what people are called from here on, by their numbers; the last word holds.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if dict(names) != self._names:
            self._names = dict(names)
            self._records.append(_NAMES + _Names(names=self._names).model_dump_json().encode())

    def close(self) -> None:
        """End the recording on purpose.

        Raises
        ------
        OutputError
        """
        self._records.close()


@dataclass(frozen=True)
class Recorded:
    """What a journal holds."""

    take: Take
    """As measured."""
    complete: bool
    """Ended on purpose, not by a fault."""


@dataclass(frozen=True)
class JournalSummary:
    """What a journal holds, without its rows."""

    seconds: float
    frames: int
    rows: int
    complete: bool


def read_journal(path: Path) -> Recorded:
    """Read a recording, whole or torn.

    Raises
    ------
    InputError
        If it is no journal or holds no frame.
    """
    try:
        with path.open("rb") as file:
            return _read(path, file)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def summary_of_journal(path: Path) -> JournalSummary:
    """How much is in a recording.

    Raises
    ------
    InputError
        If it is no journal.
    """
    times: list[float] = []
    frames = rows = 0
    complete = False
    try:
        with path.open("rb") as file:
            records = read_records(file)
            if next(records, None) is None:
                raise InputError(f"{path} holds nothing")
            for _, content in records:
                complete = not content
                if len(content) >= _FRAME.size and not content.startswith(_NAMES):
                    head = _FRAME.unpack_from(content)
                    times = [*times[:1], head[0]]
                    frames += 1
                    rows += head[-1]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    seconds = times[-1] - times[0] if times and math.isfinite(times[-1] - times[0]) else 0.0
    return JournalSummary(seconds, frames, rows, complete)


def _read(path: Path, file: BinaryIO) -> Recorded:
    if os.fstat(file.fileno()).st_size > _MOST_BYTES:
        raise InputError(f"{path} is larger than a recording may be")
    records = read_records(file)
    try:
        _, first = next(records)
        about = _About.model_validate(json.loads(first))
    except StopIteration:
        raise InputError(f"{path} holds nothing") from None
    except (ValidationError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: its first record cannot be read") from error
    kept = row_type(len(about.joint_names), about.shapes)
    heads: list[tuple[float, ...]] = []
    names: list[str] = []
    called: dict[int, str] = {}
    rows = io.BytesIO()
    complete = False
    for _, content in records:
        complete = not content
        if complete:
            break
        if content.startswith(_NAMES):
            called = _names_in(content, called)
            continue
        if len(content) < _FRAME.size:
            break
        head = _FRAME.unpack_from(content)
        end_of_name = _FRAME.size + head[-2]
        if len(content) != end_of_name + head[-1] * kept.itemsize:
            break
        heads.append(head)
        names.append(content[_FRAME.size : end_of_name].decode(errors="replace"))
        rows.write(content[end_of_name:])
    if not heads:
        raise InputError(f"nothing was recorded from {about.source}: no frame came")
    take = _take(about, heads, names, np.frombuffer(rows.getbuffer(), kept))
    return Recorded(with_names(take, called), complete)


def _names_in(content: bytes, before: dict[int, str]) -> dict[int, str]:
    """What a record says that people are called; what was known before where it is damaged."""
    try:
        return _Names.model_validate_json(content[len(_NAMES) :]).names
    except ValidationError:
        return before


def _take(
    about: _About,
    heads: list[tuple[float, ...]],
    names: list[str],
    rows: npt.NDArray[np.void],
) -> Take:
    table = np.array(heads, dtype=np.float64)
    times, file_times, cameras = table[:, 0], table[:, 1], table[:, 2:7]
    width, height, focal_length, *middle = cameras[0]
    rate = None if about.frame_rate is None else Fraction(*about.frame_rate)
    columns: dict[str, Any] = {name: np.array(rows[name]) for name in rows.dtype.names or ()}
    return Take(
        source=about.source,
        frame_size=(int(width), int(height)),
        frame_rate=rate or measured_rate(times),
        frame_time=times,
        focal_length=float(focal_length),
        principal_point=np.array(middle),
        frame=np.repeat(np.arange(len(table)), table[:, -1].astype(np.int64)),
        joint_names=about.joint_names,
        parents=np.array(about.parents, dtype=np.int64),
        body_sha256=about.body_sha256,
        model=about.model,
        smoothing="off",
        picture_name=tuple(names) if about.pictures else (),
        picture_camera=cameras.copy() if about.pictures else None,
        file_time=np.where(np.isnan(file_times), times, file_times)
        if not np.isnan(file_times).all()
        else None,
        **columns,
    )

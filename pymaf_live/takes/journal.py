"""Crash-safe journal of a recording: the only way in which frame results become a take.

The journal is a record file (`record_file`). Its first record holds the facts of the recording;
every other one is a frame with its people, or the names of people (the last one counts).
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pymaf_live.body import Body
from pymaf_live.errors import InputError
from pymaf_live.system.console import encodable
from pymaf_live.takes.people import with_names
from pymaf_live.takes.record_file import RecordWriter, read_records
from pymaf_live.takes.rows import measured_rate, require_same_size, row_dtype, rows_from_people
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, FrameResult, SourceFacts

Smoothing = Literal["off", "live", "offline", "refine"]

_FRAME = struct.Struct("<dd5dHH")
"""Time, time in the file (NaN: the same), camera (width, height, focal length, principal point),
bytes of the image's name, number of people."""
_NAMES = struct.pack("<d", math.nan)
"""First bytes of a record of names; no frame has this time."""
_MAX_BYTES = 4 << 30
"""Size of a journal that is read: the maximum size of a take plus its frame times."""
_MAX_PEOPLE = 1000
_SYNC_SECONDS = 0.4
"""Seconds between two flushes to the disk itself; with the frame in between, a power cut loses less
than half a second."""
_MAX_NAME_BYTES = 1024


class _Facts(BaseModel):
    """The first record: facts that hold for all frames."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    source: str
    pictures: bool
    """Separate images, each with its own name and camera."""
    frame_rate: tuple[int, int] | None
    joint_names: tuple[str, ...] = Field(min_length=1, max_length=256)
    parents: tuple[int, ...]
    shapes: int = Field(ge=0, le=400)
    body_sha256: str
    model: str
    smoothing: Smoothing = "offline"
    """Smoothing of the finished take; journals of earlier versions lack it."""
    first_person: Literal[0, 1] = 0
    """Number of the first person; journals of earlier versions lack it and count from 0."""


class _Names(BaseModel):
    """A record of people's names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    names: dict[Annotated[int, Field(ge=0)], str] = Field(max_length=_MAX_PEOPLE)


class TakeJournal:
    """Writer of a journal; memory use does not grow with the length of the recording.

    Parameters
    ----------
    path : Path
        File to create; must not exist.
    body : Body
    facts : SourceFacts
        Of the source; its frame rate is measured from the time stamps where it is unknown.
    model : str
        Name of the network's model.
    smoothing : {'off', 'live', 'offline', 'refine'}
        Smoothing of the finished take. 'offline' and 'refine' store the people as they were
        measured, to be smoothed when the recording has ended; otherwise the people of the
        results are stored. Separate images are never smoothed.
    continued : Take, optional
        What the file contains, of an interrupted recording of the same source, body and model,
        which is continued; see `read_journal`.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        body: Body,
        facts: SourceFacts,
        *,
        model: str = "",
        smoothing: Smoothing = "offline",
        continued: Take | None = None,
    ) -> None:
        self._source = facts.name
        self._separate_images = facts.kind == "images"
        self._smoothing: Smoothing = "off" if self._separate_images else smoothing
        self._dtype = row_dtype(body.joint_count, body.shape_count)
        self._camera: Camera | None = None
        self._names: dict[int, str] = {}
        self._first_time = 0.0
        self._last_time = -math.inf
        self.frames = 0
        """Frames written so far."""
        self.rows = 0
        """Rows written so far; a row is a person in a frame."""
        rate = facts.frame_rate
        header = _Facts(
            source=encodable(facts.name),
            pictures=self._separate_images,
            frame_rate=None if rate is None else rate.as_integer_ratio(),
            joint_names=body.joint_names,
            parents=tuple(int(parent) for parent in body.parents),
            shapes=body.shape_count,
            body_sha256=body.sha256,
            model=model,
            smoothing=self._smoothing,
            first_person=1,
        )
        self._records = RecordWriter(path, sync_every=_SYNC_SECONDS, append=continued is not None)
        if continued is None:
            self._records.append(header.model_dump_json().encode())
        else:
            times = continued.frame_time
            self.frames, self.rows = len(times), len(continued.frame)
            self._first_time, self._last_time = float(times[0]), float(times[-1])
            self._camera = Camera(
                continued.focal_length, continued.principal_point, continued.frame_size
            )

    @property
    def seconds(self) -> float:
        """Time between the first and the last frame."""
        return max(0.0, self._last_time - self._first_time) if self.frames else 0.0

    def add(self, result: FrameResult) -> bool:
        """Append a frame; its image is not needed where the result has a camera.

        Returns
        -------
        bool
            False if the frame was skipped because its time is not after that of the last frame.

        Raises
        ------
        InputError
            If the frame's size differs from the first one's.
        OutputError
            If the file cannot be written.
        """
        frame = result.frame
        if not frame.time > self._last_time:
            return False
        camera = result.camera or Camera.for_frame((frame.image.shape[1], frame.image.shape[0]))
        if self._camera is None:
            self._camera, self._first_time = camera, frame.time
        elif not self._separate_images:
            require_same_size(self._source, self._camera, camera)
        later = self._smoothing in ("offline", "refine")
        people = result.raw if later else result.people
        people = people[:_MAX_PEOPLE]
        name = frame.name.encode(errors="replace")[:_MAX_NAME_BYTES]
        header = _FRAME.pack(
            frame.time,
            math.nan if frame.file_time is None else frame.file_time,
            *camera.size,
            camera.focal_length,
            *camera.principal_point,
            len(name),
            len(people),
        )
        self._records.append(header + name + rows_from_people(people, self._dtype).tobytes())
        self._last_time = frame.time
        self.frames += 1
        self.rows += len(people)
        return True

    def set_names(self, names: Mapping[int, str]) -> None:
        """Write the names of people by their numbers; they replace earlier names.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        if dict(names) != self._names:
            self._names = dict(names)
            self._records.append(_NAMES + _Names(names=self._names).model_dump_json().encode())

    def close(self, *, complete: bool = True) -> None:
        """Close the file; `complete` marks the recording as ended on purpose.

        Raises
        ------
        OutputError
        """
        self._records.close(complete=complete)


@dataclass(frozen=True)
class JournalContent:
    """Content of a journal."""

    take: Take
    """Rows as they were stored."""
    smoothing: Smoothing
    """Smoothing of the finished take; 'offline' and 'refine' are still to be done."""
    complete: bool
    """True if the recording was ended on purpose, False if the program was interrupted."""


@dataclass(frozen=True)
class JournalSummary:
    """Size of a journal, read without its rows."""

    seconds: float
    frames: int
    rows: int
    complete: bool
    """True if the recording was ended on purpose, False if the program was interrupted."""


def read_journal(path: Path) -> JournalContent:
    """Read a journal, complete or interrupted.

    Raises
    ------
    InputError
        If the file cannot be read, is not a journal, or has no frame.
    """
    with _opened(path) as file:
        return _read(path, file)


def summarize_journal(path: Path) -> JournalSummary:
    """Return the size of a journal without loading it.

    Raises
    ------
    InputError
        If the file cannot be read or is not a journal.
    """
    first = last = 0.0
    frames = rows = 0
    complete = False
    with _opened(path) as file:
        records = read_records(file)
        if next(records, None) is None:
            raise InputError(f"{path} is empty")
        for _, content in records:
            complete = not content
            if len(content) >= _FRAME.size and not content.startswith(_NAMES):
                header = _FRAME.unpack_from(content)
                first, last = (first if frames else header[0]), header[0]
                frames += 1
                rows += header[-1]
    seconds = last - first
    return JournalSummary(seconds if math.isfinite(seconds) else 0.0, frames, rows, complete)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _read(path: Path, file: BinaryIO) -> JournalContent:
    if os.fstat(file.fileno()).st_size > _MAX_BYTES:
        raise InputError(f"{path} is too large for a recording")
    records = read_records(file)
    try:
        _, first = next(records)
        facts = _Facts.model_validate(json.loads(first))
    except StopIteration:
        raise InputError(f"{path} is empty") from None
    except (ValidationError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: its first record cannot be read") from error
    dtype = row_dtype(len(facts.joint_names), facts.shapes)
    headers: list[tuple[float, ...]] = []
    image_names: list[str] = []
    people_names: dict[int, str] = {}
    rows = io.BytesIO()
    complete = False
    for _, content in records:
        complete = not content
        if complete:
            break
        if content.startswith(_NAMES):
            people_names = _parse_names(content, people_names)
            continue
        if len(content) < _FRAME.size:
            break
        header = _FRAME.unpack_from(content)
        end_of_name = _FRAME.size + header[-2]
        if len(content) != end_of_name + header[-1] * dtype.itemsize:
            break
        headers.append(header)
        if facts.pictures:
            image_names.append(content[_FRAME.size : end_of_name].decode(errors="replace"))
        rows.write(content[end_of_name:])
    if not headers:
        raise InputError(f"nothing was recorded from {facts.source}: no frame arrived")
    take = _take(facts, headers, image_names, np.frombuffer(rows.getbuffer(), dtype))
    shift = 1 - facts.first_person
    people_names = {number + shift: name for number, name in people_names.items()}
    return JournalContent(with_names(take, people_names), facts.smoothing, complete)


def _parse_names(content: bytes, previous: dict[int, str]) -> dict[int, str]:
    """Return the names in a record; the previous ones if the record is damaged."""
    try:
        return _Names.model_validate_json(content[len(_NAMES) :]).names
    except ValidationError:
        return previous


def _take(
    facts: _Facts,
    headers: list[tuple[float, ...]],
    image_names: list[str],
    rows: npt.NDArray[np.void],
) -> Take:
    table = np.array(headers, dtype=np.float64)
    times, file_times, cameras = table[:, 0], table[:, 1], table[:, 2:7]
    width, height, focal_length, *center = cameras[0]
    rate = None if facts.frame_rate is None else Fraction(*facts.frame_rate)
    columns: dict[str, Any] = {name: np.array(rows[name]) for name in rows.dtype.names or ()}
    columns["person"] += 1 - facts.first_person
    return Take(
        source=facts.source,
        frame_size=(int(width), int(height)),
        frame_rate=rate or measured_rate(times),
        frame_time=times,
        focal_length=float(focal_length),
        principal_point=np.array(center),
        frame=np.repeat(np.arange(len(table)), table[:, -1].astype(np.int64)),
        joint_names=facts.joint_names,
        parents=np.array(facts.parents, dtype=np.int64),
        body_sha256=facts.body_sha256,
        model=facts.model,
        smoothing="live" if facts.smoothing == "live" else "off",
        picture_name=tuple(image_names),
        picture_camera=cameras.copy() if facts.pictures else None,
        file_time=np.where(np.isnan(file_times), times, file_times)
        if not np.isnan(file_times).all()
        else None,
        **columns,
    )

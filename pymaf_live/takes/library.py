"""Take library: one folder per take, in the user's data folder.

``take.npz`` is the displayed take (smoothed, with trim and markers), ``raw.npz`` its measurement,
``about.json`` its name and source, ``thumbnail.jpg`` a preview, ``pictures.journal`` small copies
of a camera's images. During a recording there is only ``recording.journal``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pymaf_live.errors import InputError, OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.console import encodable
from pymaf_live.takes.editing import trimmed
from pymaf_live.takes.journal import summarize_journal
from pymaf_live.takes.npz_file import read_take, write_take
from pymaf_live.takes.record_file import in_use
from pymaf_live.takes.take import Take

JOURNAL, IMAGE_COPIES = "recording.journal", "pictures.journal"
_TAKE, _RAW, _ABOUT, _THUMBNAIL = "take.npz", "raw.npz", "about.json", "thumbnail.jpg"
_MAX_NAME_LENGTH = 120
_MAX_BYTES = 1 << 20
_ID = re.compile(r"[0-9]{8}-[0-9]{6}(-[0-9a-f]{4})?")


class AboutTake(BaseModel):
    """Facts about a take beside its motion; stored as JSON, validated on reading."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=_MAX_NAME_LENGTH)
    created: datetime
    source: str = ""
    """Name of the source for the user."""
    file: Path | None = None
    """File or folder of the source; None for cameras and streams."""
    seconds: float = Field(default=0.0, ge=0)
    """Duration of the trimmed take."""
    rows: int = Field(default=0, ge=0)
    temporary: bool = False
    """Recorded by a workflow that writes its own files; not meant to stay in the library."""
    exported: bool = False
    """The take has been written to files."""
    captured: bool = False
    """Every frame of a video was measured; otherwise the take was recorded while it played."""
    imported_sha256: str = ""
    """SHA-256 of the take file that was added to the library; empty for recordings."""
    corrections: tuple[tuple[int, int], ...] = ()
    """Frame and person of each box that the user drew."""
    edited_spans: tuple[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], ...] = ()
    """First and last frame of each span that the user held or deleted."""
    feet_locked: bool = False
    """Standing feet were held still when the take was smoothed."""
    first_person: Literal[1] = 1
    """Number of the first person. Files of earlier versions lack it and count from 0."""

    @field_validator("created")
    @classmethod
    def _with_time_zone(cls, created: datetime) -> datetime:
        """Take a date without a time zone for local time: the two kinds cannot be compared."""
        try:
            return created if created.tzinfo is not None else created.astimezone()
        except (OverflowError, OSError, ValueError):
            return created.replace(tzinfo=UTC)


@dataclass(frozen=True)
class TakeEntry:
    """Finished take in the library."""

    id: str
    about: AboutTake
    thumbnail: Path | None


@dataclass(frozen=True)
class UnfinishedRecording:
    """Recording that was not finalized: of a killed program, or of one closed too early."""

    id: str
    about: AboutTake
    seconds: float
    rows: int
    complete: bool
    """True if the recording was ended on purpose and only its take is missing."""


@dataclass(frozen=True)
class StoredTake:
    """Take with its facts and its measurement."""

    about: AboutTake
    take: Take
    raw: Take


def _stored_path(file: Path | None) -> Path | None:
    """Return the absolute path of a source; None for names that JSON cannot hold."""
    if file is None or encodable(str(file)) != str(file):
        return None
    return Path(os.path.realpath(file))


def clean_name(text: str) -> str:
    """Return a name on one line with limited length; may be empty."""
    return encodable(" ".join(text.split())[:_MAX_NAME_LENGTH].strip())


class TakeLibrary:
    """Folder of takes.

    Parameters
    ----------
    root : Path, optional
        In the user's data folder by default; created with the first take.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or platformdirs.user_data_path("pymaf-live", appauthor=False) / "takes"

    def folder(self, take: str) -> Path:
        """Return the folder of a take.

        Raises
        ------
        InputError
            If the text is not an id of a take.
        """
        if not _ID.fullmatch(take):
            raise InputError(f"there is no take {take!r}")
        return self.root / take

    def begin(self, source: str, file: Path | None, *, temporary: bool = False) -> str:
        """Create the folder of a new take; return its id.

        Parameters
        ----------
        source : str
            Name of the source for the user.
        file : Path or None
            File or folder of the source.
        temporary : bool
            See `AboutTake.temporary`.

        Raises
        ------
        OutputError
            If the folder cannot be created.
        """
        now = datetime.now().astimezone()
        take = now.strftime("%Y%m%d-%H%M%S")
        make_folder(self.root, private=True)
        while True:
            try:
                (self.root / take).mkdir()
                break
            except FileExistsError:
                take = f"{take[:15]}-{secrets.token_hex(2)}"
            except OSError as error:
                raise OutputError(
                    f"cannot create the folder {self.root / take}: {error.strerror or error}"
                ) from error
        about = AboutTake(
            name=f"{clean_name(source)[:60] or 'Take'} {now:%d %b, %H.%M}",
            created=now,
            source=clean_name(source),
            file=_stored_path(file),
            temporary=temporary,
        )
        self._write_about(take, about)
        return take

    def entries(self) -> tuple[TakeEntry, ...]:
        """Return the finished takes, newest first; unreadable ones are skipped."""
        found = []
        for take in self._ids():
            folder = self.root / take
            if not (folder / _TAKE).is_file():
                continue
            try:
                found.append(TakeEntry(take, self.about(take), self._thumbnail(take)))
            except InputError:
                continue
        return tuple(sorted(found, key=lambda entry: entry.about.created, reverse=True))

    def unfinished(self) -> tuple[UnfinishedRecording, ...]:
        """Return recordings that were not finalized, oldest first, except running ones."""
        found = []
        for take in self._ids():
            journal = self.root / take / JOURNAL
            if not journal.is_file() or in_use(journal):
                continue
            try:
                summary = summarize_journal(journal)
                about = self.about(take)
            except InputError:
                continue
            if summary.frames:
                found.append(
                    UnfinishedRecording(
                        take, about, summary.seconds, summary.rows, summary.complete
                    )
                )
        return tuple(sorted(found, key=lambda each: each.about.created))

    def interrupted_capture(self, file: Path) -> str | None:
        """Return the id of the latest interrupted capture of a video; None if there is none."""
        path = _stored_path(file)
        found = [
            each.id
            for each in self.unfinished()
            if each.about.captured and path is not None and each.about.file == path
        ]
        return found[-1] if found else None

    def about(self, take: str) -> AboutTake:
        """Return the facts about a take.

        Raises
        ------
        InputError
        """
        path = self.folder(take) / _ABOUT
        try:
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES)
            values = json.loads(content)
            about = AboutTake.model_validate(values)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValidationError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is damaged") from error
        if "first_person" in values:
            return about
        corrections = tuple((frame, person + 1) for frame, person in about.corrections)
        return about.model_copy(update={"corrections": corrections})

    def load(self, take: str) -> StoredTake:
        """Read a take.

        Raises
        ------
        InputError
        """
        folder = self.folder(take)
        smoothed = read_take(folder / _TAKE)
        raw = read_take(folder / _RAW) if (folder / _RAW).exists() else smoothed
        return StoredTake(self.about(take), smoothed, raw)

    def save(self, take: str, stored: StoredTake, thumbnail: bytes | None = None) -> TakeEntry:
        """Write a take, replacing its earlier state; its recording is removed.

        Raises
        ------
        OutputError
        InputError
            If the text is not an id of a take.
        """
        folder = self.folder(take)
        write_take(folder / _RAW, stored.raw, force=True)
        write_take(folder / _TAKE, stored.take, force=True)
        if thumbnail:
            with atomic_write(folder / _THUMBNAIL) as temporary:
                temporary.write_bytes(thumbnail)
        kept = trimmed(stored.take)
        times = kept.frame_time
        about = stored.about.model_copy(
            update={
                "seconds": float(times[-1] - times[0]) if len(times) else 0.0,
                "rows": len(kept.frame),
                "temporary": False,
            }
        )
        self._write_about(take, about)
        try:
            (folder / JOURNAL).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {folder / JOURNAL}: {error.strerror}") from error
        return TakeEntry(take, about, self._thumbnail(take))

    def rename(self, take: str, name: str) -> None:
        """Rename a take.

        Raises
        ------
        InputError
            If the name is empty or there is no such take.
        OutputError
        """
        cleaned = clean_name(name)
        if not cleaned:
            raise InputError("the name of a take must not be empty")
        self._write_about(take, self.about(take).model_copy(update={"name": cleaned}))

    def mark_exported(self, take: str) -> None:
        """Note that a take has been written to files.

        Raises
        ------
        InputError, OutputError
        """
        self._write_about(take, self.about(take).model_copy(update={"exported": True}))

    def mark_captured(self, take: str) -> None:
        """Note that every frame of a video is measured for the take.

        Raises
        ------
        InputError, OutputError
        """
        self._write_about(take, self.about(take).model_copy(update={"captured": True}))

    def delete(self, take: str) -> None:
        """Remove a take for good.

        Raises
        ------
        InputError, OutputError
        """
        folder = self.folder(take)
        # removed from the list at once, however long the deletion takes
        aside = folder.with_name(f".{folder.name}.deleted")
        try:
            folder.rename(aside)
            shutil.rmtree(aside)
        except OSError as error:
            raise OutputError(f"cannot remove {folder}: {error.strerror or error}") from error

    def image_copies(self, take: str) -> Path | None:
        """Return the file with small copies of a camera's images; None where there is none."""
        path = self.folder(take) / IMAGE_COPIES
        return path if path.is_file() else None

    def _ids(self) -> list[str]:
        try:
            return sorted(path.name for path in self.root.iterdir() if _ID.fullmatch(path.name))
        except OSError:
            return []

    def _thumbnail(self, take: str) -> Path | None:
        path = self.root / take / _THUMBNAIL
        return path if path.is_file() else None

    def _write_about(self, take: str, about: AboutTake) -> None:
        with atomic_write(self.folder(take) / _ABOUT) as temporary:
            temporary.write_text(about.model_dump_json(indent=1), encoding="utf-8")

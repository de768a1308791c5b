"""The takes that are kept: a folder each, in the user's folder for the program's data.

``take.npz`` is what a person sees (smoothed, with trim and markers), ``raw.npz`` what was measured,
``about.json`` its name and where it came from, ``thumbnail.jpg`` its picture, ``pictures.journal``
a camera's pictures made small. While it is recorded there is only ``recording.journal``.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pymaf_live.errors import InputError, OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.takes.editing import trimmed
from pymaf_live.takes.journal import summarize_journal
from pymaf_live.takes.npz_file import read_take, write_take
from pymaf_live.takes.record_file import in_use
from pymaf_live.takes.take import Take

JOURNAL, IMAGE_COPIES = "recording.journal", "pictures.journal"
_TAKE, _RAW, _ABOUT, _THUMBNAIL = "take.npz", "raw.npz", "about.json", "thumbnail.jpg"
_LONGEST_NAME = 120
_MOST_BYTES = 1 << 20
_ID = re.compile(r"[0-9]{8}-[0-9]{6}(-[0-9a-f]{4})?")


class AboutTake(BaseModel):
    """What is known of a take beside its motion; kept as JSON, checked when read."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=_LONGEST_NAME)
    created: datetime
    source: str = ""
    """What a person called the source."""
    file: Path | None = None
    """The file or folder it was made of; None for cameras and streams."""
    seconds: float = Field(default=0.0, ge=0)
    """Of what the trim leaves."""
    rows: int = Field(default=0, ge=0)
    temporary: bool = False
    """Recorded by a workflow that writes its own files; not meant to stay in the library."""
    corrections: tuple[tuple[int, int], ...] = ()
    """Frame and person of each box that was drawn."""


@dataclass(frozen=True)
class TakeEntry:
    """A take of the library."""

    id: str
    about: AboutTake
    thumbnail: Path | None


@dataclass(frozen=True)
class UnfinishedRecording:
    """A recording whose take was not made yet."""

    id: str
    about: AboutTake
    seconds: float
    rows: int
    complete: bool
    """Ended on purpose; the program was closed before the take was made."""


@dataclass(frozen=True)
class StoredTake:
    """All of a take."""

    about: AboutTake
    take: Take
    raw: Take


def clean_name(text: str) -> str:
    """A name as it is kept: one line, not too long; empty if nothing is left."""
    return " ".join(text.split())[:_LONGEST_NAME].strip()


class TakeLibrary:
    """The folder of takes.

    Parameters
    ----------
    root : Path, optional
        The user's data folder of the program by default; made when the first take is.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or platformdirs.user_data_path("pymaf-live", appauthor=False) / "takes"

    def folder(self, take: str) -> Path:
        """Where a take lies.

        Raises
        ------
        InputError
            If that cannot be a take's id.
        """
        if not _ID.fullmatch(take):
            raise InputError(f"there is no take {take!r}")
        return self.root / take

    def begin(self, source: str, file: Path | None, *, temporary: bool = False) -> str:
        """Make the folder of a new take; gives its id.

        Raises
        ------
        OutputError
        """
        now = datetime.now().astimezone()
        take = now.strftime("%Y%m%d-%H%M%S")
        make_folder(self.root)
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
            file=file.resolve() if file is not None else None,
            temporary=temporary,
        )
        self._write_about(take, about)
        return take

    def entries(self) -> tuple[TakeEntry, ...]:
        """The finished takes, newest first; what cannot be read is left alone and left out."""
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
        """Recordings that wait to become takes, but those that are being made now; oldest first."""
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

    def about(self, take: str) -> AboutTake:
        """What is known of a take.

        Raises
        ------
        InputError
        """
        path = self.folder(take) / _ABOUT
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES)
            return AboutTake.model_validate(json.loads(content))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValidationError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is damaged") from error

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
        """Write a take, in place of what it was; a recording it was made of goes away.

        Raises
        ------
        OutputError
        InputError
            If that cannot be a take's id.
        """
        folder = self.folder(take)
        write_take(folder / _RAW, stored.raw, force=True)
        write_take(folder / _TAKE, stored.take, force=True)
        if thumbnail:
            with atomic_write(folder / _THUMBNAIL) as temporary:
                temporary.write_bytes(thumbnail)
        wanted = trimmed(stored.take)
        times = wanted.frame_time
        about = stored.about.model_copy(
            update={
                "seconds": float(times[-1] - times[0]) if len(times) else 0.0,
                "rows": len(wanted.frame),
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
        """Give a take another name.

        Raises
        ------
        InputError
            If the name is empty or there is no such take.
        OutputError
        """
        cleaned = clean_name(name)
        if not cleaned:
            raise InputError("a take needs a name")
        self._write_about(take, self.about(take).model_copy(update={"name": cleaned}))

    def delete(self, take: str) -> None:
        """Remove a take for good.

        Raises
        ------
        InputError, OutputError
        """
        folder = self.folder(take)
        # out of the list at once, however long the removal takes
        aside = folder.with_name(f".{folder.name}.deleted")
        try:
            folder.rename(aside)
            shutil.rmtree(aside)
        except OSError as error:
            raise OutputError(f"cannot remove {folder}: {error.strerror or error}") from error

    def image_copies(self, take: str) -> Path | None:
        """The small copy of a camera's pictures, where there is one."""
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

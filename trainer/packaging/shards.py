"""Shards: files packed into pieces small enough to carry to a machine without network access.

A shard is a plain zip file of whole files, or of pieces of files larger than a shard; `index.json`
lists the pieces of every file with sizes and SHA-256 sums. Unpacked files equal the packed ones
byte for byte, so a run trains exactly as it would here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from pymaf_live.errors import InputError, OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder

SHARD_BYTES = 24 * 2**20
"""Default size of the largest shard."""

_INDEX = "index.json"
_HEADROOM = 4096
"""Bytes of a zip file beside its contents, including the names of one member."""
_MEMBER_OVERHEAD = 1024
"""Bytes of a zip file for each further member beside its contents."""


class _Piece(BaseModel):
    model_config = ConfigDict(extra="forbid")

    shard: NonNegativeInt
    member: str
    size: NonNegativeInt


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str
    sha256: str
    pieces: list[_Piece]


class _Shard(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    sha256: str


class _Index(BaseModel):
    model_config = ConfigDict(extra="forbid")

    shards: list[_Shard]
    files: list[_File]
    places: dict[str, str]
    """Name in configurations -> folder or file among the unpacked ones."""


@dataclass
class _Member:
    source: Path
    offset: int
    piece: _Piece


class _Packer:
    """Assigns files, or pieces of them, to shards in order.

    Parameters
    ----------
    largest : int
        Largest size of a shard in bytes.
    """

    def __init__(self, largest: int) -> None:
        self._capacity = largest - _HEADROOM
        self._room = self._capacity
        self.files: list[_File] = []
        self.members: list[_Member] = []
        self.shard = 0
        """Number of the last shard."""

    def add(self, source: Path, path: str) -> None:
        """Add a file under its path in the packed data."""
        size, offset = source.stat().st_size, 0
        pieces: list[_Piece] = []
        while offset < size or not pieces:
            fits_alone = size <= self._capacity
            if self._room <= _MEMBER_OVERHEAD or (
                fits_alone and size + _MEMBER_OVERHEAD > self._room
            ):
                self._room, self.shard = self._capacity, self.shard + 1
            taken = min(size - offset, self._room - _MEMBER_OVERHEAD)
            member = path if taken == size else f"{path}.piece{len(pieces):03d}"
            pieces.append(_Piece(shard=self.shard, member=member, size=taken))
            self.members.append(_Member(source, offset, pieces[-1]))
            offset += taken
            self._room -= taken + _MEMBER_OVERHEAD
        self.files.append(_File(path=path, sha256=_sha256(source), pieces=pieces))


def pack(out: Path, locations: Mapping[str, Path], largest: int = SHARD_BYTES) -> list[Path]:
    """Pack files and folders.

    Parameters
    ----------
    out : Path
        Folder for the shards and their index.
    locations : mapping of str to Path
        Name in configurations -> its folder or file.
    largest : int
        Largest size of a shard in bytes.

    Returns
    -------
    list of Path
        The shards.

    Raises
    ------
    InputError
        If a location is missing or has no files.
    OutputError
        If the shards cannot be written.
    """
    if largest < 4 * _HEADROOM:
        raise OutputError(f"shards of {largest} bytes are too small to hold anything")
    make_folder(out)
    for name in locations:
        _check_path(name)
    packer = _Packer(largest)
    packed: dict[str, str] = {}
    for name, location in sorted(locations.items()):
        packed[name] = name if location.is_dir() else f"{name}/{location.name}"
        for source, path in _files_of(name, location):
            packer.add(source, path)
    paths = [out / f"shard_{number:03d}.zip" for number in range(packer.shard + 1)]
    for number, shard in enumerate(paths):
        members = [one for one in packer.members if one.piece.shard == number]
        _write_shard(shard, members)
    shards = [_Shard(name=path.name, sha256=_sha256(path)) for path in paths]
    index = _Index(shards=shards, files=packer.files, places=packed)
    with atomic_write(out / _INDEX) as temporary:
        temporary.write_text(index.model_dump_json(indent=1), encoding="utf-8")
    return paths


def _write_shard(path: Path, members: Sequence[_Member]) -> None:
    with (
        atomic_write(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for one in members:
            with one.source.open("rb") as file:
                file.seek(one.offset)
                archive.writestr(one.piece.member, file.read(one.piece.size))


def unpack(packed: Path, out: Path) -> dict[str, Path]:
    """Restore packed files; files that are already there are checked and kept.

    Parameters
    ----------
    packed : Path
        Folder of the shards and their index.
    out : Path

    Returns
    -------
    dict of str to Path
        Name in configurations -> its folder or file under `out`.

    Raises
    ------
    InputError
        If a shard is missing or differs from the one that was written; the message names it.
    OutputError
        If a file cannot be written.
    """
    index = _read_index(packed)
    checked: set[int] = set()
    for file in index.files:
        target = out / _check_path(file.path)
        if target.is_file() and _sha256(target) == file.sha256:
            continue
        make_folder(target.parent)
        with atomic_write(target) as temporary, temporary.open("wb") as to:
            for piece in file.pieces:
                if piece.shard not in checked:
                    _check_shard(packed, index, piece.shard)
                    checked.add(piece.shard)
                with (
                    zipfile.ZipFile(packed / index.shards[piece.shard].name) as archive,
                    archive.open(piece.member) as source,
                ):
                    shutil.copyfileobj(source, to, 2**20)
        if _sha256(target) != file.sha256:
            target.unlink()
            raise InputError(f"{file.path} in {packed} differs from the packed file")
    return {name: out / _check_path(path) for name, path in index.places.items()}


def _check_shard(packed: Path, index: _Index, number: int) -> None:
    if number >= len(index.shards):
        raise InputError(f"{packed / _INDEX} refers to a shard that it does not list")
    path = packed / _check_path(index.shards[number].name)
    if not path.is_file():
        raise InputError(f"the shard {path} is missing")
    if _sha256(path) != index.shards[number].sha256:
        raise InputError(f"the shard {path} is damaged; copy it again")


def _read_index(packed: Path) -> _Index:
    path = packed / _INDEX
    try:
        return _Index.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path} is not an index of shards: {first}") from error


def _check_path(path: str) -> str:
    """Return a relative path, which cannot leave the folder that it is unpacked into.

    Raises
    ------
    InputError
        If it could.
    """
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\\" in path or ":" in path:
        raise InputError(f"{path!r} is not a valid path of a packed file")
    return path


def _files_of(name: str, location: Path) -> Iterator[tuple[Path, str]]:
    if location.is_file():
        yield location, f"{name}/{location.name}"
        return
    files = sorted(p for p in location.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise InputError(f"there is nothing to pack in {location}")
    for file in files:
        yield file, f"{name}/{file.relative_to(location).as_posix()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

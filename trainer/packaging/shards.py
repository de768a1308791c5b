"""Everything that a run reads, in shards small enough to carry to a machine that reaches nothing.

A shard is a plain zip file of whole files, or of pieces of files larger than a shard; `index.json`
says which file lies where, with sizes and SHA-256 sums. What is unpacked is what was packed, byte
for byte, so a run there learns what it would have learnt here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from pymaf_live.errors import InputError, OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder

SHARD_BYTES = 24 * 2**20
"""Largest shard, by default."""

_INDEX = "index.json"
_HEADROOM = 4096
"""Bytes of a zip file beside its contents, names of one member included."""
_EACH = 1024
"""Bytes of a zip file that a further member takes beside its contents."""


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
    """Name of data in configurations -> folder or file among those unpacked."""


@dataclass
class _Member:
    source: Path
    offset: int
    piece: _Piece


def pack(out: Path, places: Mapping[str, Path], largest: int = SHARD_BYTES) -> list[Path]:
    """Pack files and folders.

    Parameters
    ----------
    out : Path
        Folder for the shards and their index.
    places : mapping of str to Path
        Name of data in configurations -> its folder or file.
    largest : int
        Bytes of a shard, at most.

    Returns
    -------
    list of Path
        The shards.

    Raises
    ------
    InputError
        If a place is missing or has no files.
    OutputError
        If the shards cannot be written.
    """
    if largest < 4 * _HEADROOM:
        raise OutputError(f"shards of {largest} bytes are too small to hold anything")
    make_folder(out)
    for name in places:
        _safe(name)
    files: list[_File] = []
    members: list[_Member] = []
    found: dict[str, str] = {}
    room, shard = largest - _HEADROOM, 0
    for name, place in sorted(places.items()):
        found[name] = name if place.is_dir() else f"{name}/{place.name}"
        for source, path in _files_of(name, place):
            size, offset = source.stat().st_size, 0
            pieces: list[_Piece] = []
            while offset < size or not pieces:
                if room <= _EACH or (size <= largest - _HEADROOM and size + _EACH > room):
                    room, shard = largest - _HEADROOM, shard + 1
                taken = min(size - offset, room - _EACH)
                whole = taken == size
                member = path if whole else f"{path}.piece{len(pieces):03d}"
                pieces.append(_Piece(shard=shard, member=member, size=taken))
                members.append(_Member(source, offset, pieces[-1]))
                offset, room = offset + taken, room - taken - _EACH
            files.append(_File(path=path, sha256=_sum(source), pieces=pieces))
    written = []
    for number in range(shard + 1):
        written.append(out / f"shard_{number:03d}.zip")
        with (
            atomic_write(written[-1]) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for one in members:
                if one.piece.shard == number:
                    with one.source.open("rb") as file:
                        file.seek(one.offset)
                        archive.writestr(one.piece.member, file.read(one.piece.size))
    shards = [_Shard(name=path.name, sha256=_sum(path)) for path in written]
    index = _Index(shards=shards, files=files, places=found)
    with atomic_write(out / _INDEX) as temporary:
        temporary.write_text(index.model_dump_json(indent=1), encoding="utf-8")
    return written


def unpack(packed: Path, out: Path) -> dict[str, Path]:
    """Restore what was packed; files that are there already are checked and kept.

    Parameters
    ----------
    packed : Path
        Folder of the shards and their index.
    out : Path

    Returns
    -------
    dict of str to Path
        Name of data in configurations -> its folder or file under `out`.

    Raises
    ------
    InputError
        If a shard is missing or is not the one that was written; the message names it.
    OutputError
        If a file cannot be written.
    """
    index = _read_index(packed)
    checked: set[int] = set()
    for file in index.files:
        target = out / _safe(file.path)
        if target.is_file() and _sum(target) == file.sha256:
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
        if _sum(target) != file.sha256:
            target.unlink()
            raise InputError(f"{file.path} in {packed} is not what was packed")
    return {name: out / _safe(place) for name, place in index.places.items()}


def _check_shard(packed: Path, index: _Index, number: int) -> None:
    if number >= len(index.shards):
        raise InputError(f"{packed / _INDEX} names a shard that it does not list")
    path = packed / _safe(index.shards[number].name)
    if not path.is_file():
        raise InputError(f"the shard {path} is missing")
    if _sum(path) != index.shards[number].sha256:
        raise InputError(f"the shard {path} is damaged; carry it again")


def _read_index(packed: Path) -> _Index:
    path = packed / _INDEX
    try:
        return _Index.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path} is no index of shards: {first}") from error


def _safe(path: str) -> str:
    """The path of a file inside the folder that it is unpacked to, and nowhere else."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\\" in path or ":" in path:
        raise InputError(f"{path!r} is no name for a packed file")
    return path


def _files_of(name: str, place: Path) -> Iterator[tuple[Path, str]]:
    if place.is_file():
        yield place, f"{name}/{place.name}"
        return
    files = sorted(p for p in place.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise InputError(f"there is nothing to pack in {place}")
    for file in files:
        yield file, f"{name}/{file.relative_to(place).as_posix()}"


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

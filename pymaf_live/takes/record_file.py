"""Append-only file of records that survives a crash of the program or the machine.

Format: a signature, then for each record its length, its CRC-32 and its content. The checksum tells
a torn last record from a whole one, so everything before it can be read. An empty record at the end
says that the file was completed on purpose.
"""

from __future__ import annotations

import io
import math
import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pymaf_live.errors import InputError, OutputError

if sys.platform != "win32":
    import fcntl

_SIGNATURE = b"PyMAF Live journal 1\n"
_HEADER = struct.Struct("<II")
_BINARY = getattr(os, "O_BINARY", 0)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
_MAX_RECORD_BYTES = 64 << 20


class RecordWriter:
    """Writer of a record file; the operating system has each record before `append` returns.

    Parameters
    ----------
    path : Path
        File to create; must not exist.
    sync_every : float
        Seconds between two flushes to the disk itself; a power cut loses no more than that.
    append : bool
        Continue an existing file behind its last whole record; what follows that is removed.

    Raises
    ------
    OutputError
        Here and in all methods, if the file cannot be written.
    InputError
        If the file to continue is not a record file.
    """

    def __init__(self, path: Path, *, sync_every: float = math.inf, append: bool = False) -> None:
        self._path = path
        self._sync_every = sync_every
        self._synced = time.monotonic()
        try:
            # unbuffered: appended records stay even if the program is killed
            descriptor = os.open(path, os.O_WRONLY | _BINARY if append else _NEW_FILE, 0o600)
            self._file = io.FileIO(descriptor, "wb")
            _lock(self._file)
            if append:
                self._file.truncate(_end_of_records(path))
                self._file.seek(0, os.SEEK_END)
            else:
                self._file.write(_SIGNATURE)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error

    def append(self, content: bytes) -> int:
        """Append a record; return the position of its content in the file."""
        try:
            position = self._file.tell() + _HEADER.size
            record = memoryview(_HEADER.pack(len(content), zlib.crc32(content)) + content)
            while record:  # a raw file may accept only a part
                record = record[self._file.write(record) or 0 :]
            if time.monotonic() - self._synced > self._sync_every:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
        return position

    def close(self, *, complete: bool = True) -> None:
        """Close the file; `complete` marks it as ended on purpose."""
        try:
            if complete:
                self._file.write(_HEADER.pack(0, 0))
                os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
        finally:
            self._file.close()


def in_use(path: Path) -> bool:
    """Return True while a program is writing the record file."""
    try:
        if sys.platform == "win32":
            os.rename(path, path)  # refused while the file is open
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


def _end_of_records(path: Path) -> int:
    """Return the position behind the last record that is whole and not the mark of the end."""
    end = len(_SIGNATURE)
    with path.open("rb") as file:
        for position, content in read_records(file):
            if content:
                end = position + len(content)
    return end


def read_records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield position and content of each whole record.

    The last record is empty if the file was ended on purpose. Reading stops before a torn or
    damaged record.

    Parameters
    ----------
    file : binary file
        Positioned at its start.

    Raises
    ------
    InputError
        If the file is not a record file.
    """
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        raise InputError("the file is not a recording of PyMAF Live")
    while True:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return
        length, crc = _HEADER.unpack(header)
        position = file.tell()
        content = file.read(length) if length <= _MAX_RECORD_BYTES else b""
        if len(content) != length or zlib.crc32(content) != crc:
            return
        yield position, content
        if not length:
            return

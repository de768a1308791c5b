"""Atomic writes: a final name never holds an incomplete file or folder."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pymaf_live.errors import OutputError, OutputExistsError


def make_folder(folder: Path) -> None:
    """Create an output folder and its parents.

    Raises
    ------
    OutputError
        If the folder cannot be created or the path is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create the folder {folder}: {error.strerror or error}"
        ) from error


@contextmanager
def atomic_write(target: Path, *, force: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `target` and rename it to `target` if the block succeeds.

    The temporary file keeps the target's suffix, so that writers that choose a format by suffix
    work. On any error the temporary file is removed and `target` is left as it was.

    Parameters
    ----------
    target : Path
        Final path.
    force : bool
        Replace an existing `target`.

    Raises
    ------
    OutputExistsError
        If `target` exists and `force` is false.
    OutputError
        If the operating system refuses to write (no space, no permission) or the block wrote
        nothing.
    """
    if target.exists() and not force:
        raise OutputExistsError(target)
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        try:
            yield temporary
            if not temporary.exists():
                raise OutputError(f"cannot write {target}: nothing was written")
            _flush_to_disk(temporary)
            os.replace(temporary, target)
        except OSError as error:
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        # if the parent is not a folder this fails as well and would hide the first error
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path, *, force: bool = True) -> Iterator[Path]:
    """Create a temporary folder beside `target` and rename it to `target` if the block succeeds.

    The parents of `target` are created. On any error the temporary folder is removed and `target`
    is left as it was.

    Parameters
    ----------
    target : Path
        Final path.
    force : bool
        Replace an existing `target` with everything in it.

    Raises
    ------
    OutputExistsError
        If `target` exists and `force` is false.
    OutputError
        If the operating system refuses to write.
    """
    if target.exists() and not force:
        raise OutputExistsError(target)
    make_folder(target.parent)
    token = secrets.token_hex(4)
    temporary = target.with_name(f".{target.name}.{token}.part")
    replaced = target.with_name(f".{target.name}.{token}.old")
    try:
        try:
            temporary.mkdir()
            yield temporary
            if target.exists():
                os.replace(target, replaced)
            os.replace(temporary, target)
        except OSError as error:
            if replaced.exists() and not target.exists():
                os.replace(replaced, target)
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)


def _flush_to_disk(path: Path) -> None:
    # a rename may reach the disk before the data: after a power cut the file would be empty
    with path.open("rb") as file:
        os.fsync(file.fileno())

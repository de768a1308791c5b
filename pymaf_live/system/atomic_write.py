"""Atomic writes: a final name never holds an incomplete file or folder."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pymaf_live.errors import OutputError, OutputExistsError

_MAX_STEM_BYTES = 150
"""Part of a target's name that a temporary name repeats; names may have 255 bytes."""


def exists(target: Path) -> bool:
    """Return True if there is an output, also a link that leads nowhere.

    Raises
    ------
    OutputError
        If there cannot be one of that name, or it is a pipe or a device.
    """
    try:
        facts = target.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    kind = stat.S_IFMT(facts.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise OutputError(f"cannot write {target}: it is a pipe or a device")
    return True


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Create an output folder and its parents; a `private` one is for its owner alone.

    Raises
    ------
    OutputError
        If the folder cannot be created or the path is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        if private and stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise OutputError(
            f"cannot create the folder {folder}: {error.strerror or error}"
        ) from error


@contextmanager
def atomic_write(target: Path, *, force: bool = True, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `target` and rename it to `target` if the block succeeds.

    The temporary file keeps the target's suffix, so that writers that choose a format by suffix
    work. On any error the temporary file is removed and `target` is left as it was.

    Parameters
    ----------
    target : Path
        Final path.
    force : bool
        Replace an existing `target`. Otherwise a target that appears while the block runs is not
        replaced either.
    private : bool
        Only its owner may read the file.

    Raises
    ------
    OutputExistsError
        If `target` exists and `force` is false.
    OutputError
        If the operating system refuses to write (no space, no permission) or the block wrote
        nothing.
    """
    if exists(target) and not force:
        raise OutputExistsError(target)
    temporary = _beside(target, f".{secrets.token_hex(4)}.part{target.suffix}")
    try:
        try:
            yield temporary
            if not temporary.exists():
                raise OutputError(f"cannot write {target}: nothing was written")
            if private:
                temporary.chmod(0o600)
            _flush_to_disk(temporary)
            _publish(temporary, target, force=force)
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
    if exists(target) and not force:
        raise OutputExistsError(target)
    make_folder(target.parent)
    token = secrets.token_hex(4)
    temporary = _beside(target, f".{token}.part")
    replaced = _beside(target, f".{token}.old")
    try:
        try:
            temporary.mkdir()
            yield temporary
            if target.exists():
                if not force:
                    raise OutputExistsError(target)
                os.replace(target, replaced)
            # refused by the system if another program has made a folder with files meanwhile
            os.replace(temporary, target)
        except OSError as error:
            if replaced.exists() and not target.exists():
                os.replace(replaced, target)
            raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)


def _beside(target: Path, ending: str) -> Path:
    """Return a hidden path beside `target` whose name is never longer than systems allow."""
    stem = target.stem if target.suffix and ending.endswith(target.suffix) else target.name
    while len(os.fsencode(stem)) > _MAX_STEM_BYTES:
        stem = stem[:-1]
    return target.with_name(f".{stem}{ending}")


def _publish(temporary: Path, target: Path, *, force: bool) -> None:
    """Give a complete file its final name; without `force` never in place of another file."""
    if force:
        os.replace(temporary, target)
        return
    try:
        # unlike a rename, a link fails where the name is taken, however late
        os.link(temporary, target, follow_symlinks=False)
    except FileExistsError:
        raise OutputExistsError(target) from None
    except (OSError, NotImplementedError):  # a file system without hard links
        if target.exists():
            raise OutputExistsError(target) from None
        os.replace(temporary, target)


def _flush_to_disk(path: Path) -> None:
    # a rename may reach the disk before the data: after a power cut the file would be empty
    with path.open("rb") as file:
        os.fsync(file.fileno())

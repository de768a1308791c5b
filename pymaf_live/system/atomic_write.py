"""Writing files so that a half file never stands under a final name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pymaf_live.errors import OutputError


def make_folder(folder: Path) -> None:
    """Make an output folder and its parents.

    Raises
    ------
    OutputError
        If it cannot be made or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror or error}") from error


@contextmanager
def written_whole(target: Path, *, force: bool = True) -> Iterator[Path]:
    """Give a temporary name beside `target`; rename it to `target` when the block ends well.

    The temporary keeps the target's suffix, so that writers that choose a format by suffix work.
    On any error the temporary is removed and `target` is left as it was.

    Parameters
    ----------
    target : Path
        The final name.
    force : bool
        Whether an existing `target` may be replaced.

    Raises
    ------
    OutputError
        If `target` exists and `force` is false, or the system refuses to write (no space, no
        permission).
    """
    if target.exists() and not force:
        raise OutputError(f"{target} exists already; add --force to replace it")
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
        # where the folder itself is no folder this fails too, and would hide the first cause
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    # a rename may reach the disk before the data does; after a power cut the name would be empty
    with path.open("rb") as file:
        os.fsync(file.fileno())

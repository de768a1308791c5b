"""Add a take file (npz) to the take library, so that it can be reviewed and edited."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.takes.library import StoredTake, TakeEntry, TakeLibrary, clean_name
from pymaf_live.takes.npz_file import read_take
from pymaf_live.takes.take import Take


def import_take(library: TakeLibrary, path: Path) -> TakeEntry:
    """Add a take file to the library; a file that was added before is found again.

    Parameters
    ----------
    library : TakeLibrary
    path : Path
        Written by an export or by `process`; stays as it is.

    Returns
    -------
    TakeEntry

    Raises
    ------
    InputError
        If the file is no valid take.
    OutputError
        If the library cannot be written.
    """
    take = read_take(path)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    for entry in library.entries():
        if entry.about.imported_sha256 == digest:
            return entry
    take_id = library.begin(path.stem, _source_file(take, path))
    about = library.about(take_id).model_copy(
        update={"name": clean_name(path.stem) or "Take", "imported_sha256": digest}
    )
    try:
        return library.save(take_id, StoredTake(about, take, take))
    except BaseException:
        library.delete(take_id)
        raise


def _source_file(take: Take, path: Path) -> Path | None:
    """Return the file or folder that the take was made of, if it still exists."""
    if not take.source or "\0" in take.source:
        return None
    named = Path(take.source)
    for candidate in (
        named if named.is_absolute() else path.parent / named,
        path.parent / named.name,
    ):
        try:
            if named.name and candidate.exists():
                return candidate
        except OSError:  # such as a name that is too long
            continue
    return None

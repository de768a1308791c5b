"""Names of the result files of several inputs, and the check for existing results."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import OutputError, OutputExistsError
from pymaf_live.system.atomic_write import make_folder

if TYPE_CHECKING:
    from pymaf_live.workflows.process import ProcessOptions

_MAX_STEM_BYTES = 200
"""Names of files may have 255 bytes on most systems."""


def result_names(inputs: Sequence[str]) -> list[str]:
    """Return a name for the results of each input, unique on every file system.

    The first of several inputs with the same stem keeps it, the others get ``_2``, ``_3`` and so
    on.
    """
    names: list[str] = []
    taken: set[str] = set()
    for text in inputs:
        stem = result_stem(text)
        name, number = stem, 1
        # name_person3.bvh may be the third person of an input called 'name'
        while name.casefold() in taken or _owner_of_person_file(name) in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def result_stem(text: str) -> str:
    """Return the stem of an input's result files: the file's stem, a folder's name."""
    if "://" in text:
        address = re.sub(r"[?#].*", "", text.partition("://")[2]).rstrip("/")
        stem = Path(address.rpartition("/")[2] or address).stem
    else:
        path = Path(text)
        if any(sign in text for sign in "*?[") and not os.path.exists(path):
            # a pattern is named after the folder it searches
            while any(sign in path.name for sign in "*?["):
                path = path.parent
            stem = _real_name(path)
        else:
            stem = _real_name(path) if os.path.isdir(path) else path.stem
    # remove characters that are not allowed on every system
    clean = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", stem).strip(" .") or "input"
    # room for an ending such as _person3_overlay.mp4
    while len(os.fsencode(clean)) > _MAX_STEM_BYTES:
        clean = clean[:-1]
    return clean


def _real_name(path: Path) -> str:
    # unlike Path.resolve, this does not raise for links that lead in a circle
    return os.path.basename(os.path.realpath(path))


def existing_results(names: Sequence[str], options: ProcessOptions) -> list[Path]:
    """Return the results of earlier runs that a run with these options would replace."""
    from pymaf_live.export.formats import FORMATS

    if options.out is None:
        return []
    existing: list[Path] = []
    for name in names:
        candidates: list[Path] = []
        if options.overlay:
            candidates += [
                options.out / f"{name}_overlay{suffix}" for suffix in (".mp4", ".jpg", ".png", "")
            ]
        existing += [path for path in candidates if path.exists()]
        for kind in options.exports:
            existing += FORMATS[kind].existing(options.out / name)
    return existing


def require_writable(names: Sequence[str], options: ProcessOptions) -> None:
    """Check before the work that results do not exist yet and that their folder can be written.

    Raises
    ------
    OutputExistsError
        If there are results and `options.force` is false.
    OutputError
        If the folder cannot be created or written.
    """
    if options.out is None:
        return
    try:
        existing = [] if options.force else existing_results(names, options)
        if existing:
            raise OutputExistsError(existing[0], others=len(existing) - 1)
        make_folder(options.out)
        # a name of its own, never an existing file or link
        handle, probe = tempfile.mkstemp(prefix=".", suffix=".probe", dir=options.out)
        os.close(handle)
        os.unlink(probe)
    except OSError as error:
        raise OutputError(
            f"cannot write to the folder {options.out}: {error.strerror or error}"
        ) from error


def _owner_of_person_file(name: str) -> str:
    match = re.fullmatch(r"(.+)_person\d+", name.casefold())
    return match.group(1) if match else ""

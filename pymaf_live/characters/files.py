"""Reading whole files of bounded size."""

from __future__ import annotations

import os
from pathlib import Path

from pymaf_live.system.regular_file import open_regular


class FileTooLargeError(ValueError):
    """File with more bytes than allowed."""


def read_file(path: Path, limit: int) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    OSError
        If it cannot be read.
    FileTooLargeError
        If it has more than `limit` bytes.
    """
    with open_regular(path) as file:
        # reading with a limit would allocate all of it first
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) if size <= limit else b""
    if size > limit or len(content) > limit:
        raise FileTooLargeError(f"the file has more than {limit >> 20} MB")
    return content

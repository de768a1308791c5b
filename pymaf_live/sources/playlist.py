"""Check of local playlists, which name other files to read."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

from pymaf_live.errors import InputError

_PLAYLIST = (b"#EXTM3U", b"ffconcat")
_MAX_BYTES = 4 << 20
_ATTRIBUTE = re.compile(r'URI="([^"]*)"')
_CONCAT = re.compile(r"\s*file\s+'?([^']*)'?")


def require_own_files(path: Path, start: bytes) -> None:
    """Refuse a playlist that names files elsewhere than beside it or below.

    Parameters
    ----------
    path : Path
    start : bytes
        First bytes of the file; only playlists are read.

    Raises
    ------
    InputError
    """
    if not start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLIST):
        return
    with path.open("rb") as file:
        text = file.read(_MAX_BYTES).decode(errors="replace")
    for line in text.splitlines():
        for name in _names(line):
            parts = PureWindowsPath(name)  # understands both kinds of separators
            if "://" in name or parts.anchor or ".." in parts.parts or ":" in name[:12]:
                raise InputError(
                    f"{path} is a playlist that names a file elsewhere ({name[:80]}), which is not "
                    "read"
                )


def _names(line: str) -> list[str]:
    if line.lstrip().startswith("#"):
        return _ATTRIBUTE.findall(line)
    concat = _CONCAT.match(line)
    if concat:
        return [concat.group(1).strip()]
    return [line.strip()] if line.strip() and not line.startswith("ffconcat") else []

"""Folders used by tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""Root of the repository."""

DATA = ROOT / "tests" / "data"
"""Small files kept in the repository."""

SHARED = ROOT.parent / "shared"
"""Images, clips and videos outside the repository; tests skip where it is missing."""


def shared_case(name: str) -> Path:
    """Return a video of ``shared/cases/media``; the test is skipped where it is missing."""
    path = SHARED / "cases" / "media" / name
    if not path.is_file():
        pytest.skip(f"{name} is missing (../shared/cases/media)")
    return path

"""Folders used by tests."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Root of the repository."""

DATA = ROOT / "tests" / "data"
"""Small files kept in the repository."""

SHARED = ROOT.parent / "shared"
"""Images, clips and videos outside the repository; tests skip where it is missing."""

"""Folders that tests read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

DATA = ROOT / "tests" / "data"
"""Small files kept in the repository."""

SHARED = ROOT.parent / "shared"
"""Pictures, clips and videos kept outside the repository; tests that need them skip without."""

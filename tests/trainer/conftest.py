"""Fixtures for real files outside the repository."""

from pathlib import Path

import pytest

from tests.helpers.paths import SHARED


@pytest.fixture(scope="session")
def blazepose() -> Path:
    folder = SHARED / "assets" / "blazepose"
    if not folder.is_dir():
        pytest.skip(f"the BlazePose models are not in {folder}")
    return folder


@pytest.fixture(scope="session")
def lspet() -> Path:
    folder = SHARED / "data" / "lspet"
    if not folder.is_dir():
        pytest.skip(f"LSPET is not in {folder}")
    return folder

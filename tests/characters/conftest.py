"""Characters of four rigs, built once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.make_alex import write_all


@pytest.fixture(scope="session")
def alex_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the files of Alex by rig: 'vrm', 'mixamo', 'unreal', 'wild'."""
    return write_all(tmp_path_factory.mktemp("alex"))

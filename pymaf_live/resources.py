"""Paths of the files shipped with the program and of its cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from pymaf_live.errors import ModelError


def resource(name: str) -> Path:
    """Return the path of a shipped file, in a source checkout or an installed wheel.

    Parameters
    ----------
    name : str
        Path inside ``resources/``, such as ``body/open_body.npz``.

    Raises
    ------
    ModelError
        If the installation lacks the file.
    """
    for root in _roots():
        if (root / name).is_file():
            return root / name
    raise ModelError(f"the installation lacks resources/{name}; reinstall PyMAF Live")


def resource_folders(name: str) -> list[Path]:
    """Return the folders of that name inside ``resources/``, an empty list if there are none."""
    return [root / name for root in _roots() if (root / name).is_dir()]


def cache_folder() -> Path | None:
    """Return the user's folder for compiled models, None if it cannot be created or written."""
    folder = Path(platformdirs.user_cache_dir("pymaf-live", appauthor=False)) / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _roots() -> tuple[Path, Path]:
    package = Path(__file__).resolve().parent
    return package.parent / "resources", package / "resources"

"""Where the files that the program ships with are found."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from pymaf_live.errors import ModelError


def resource(name: str) -> Path:
    """Path of a shipped file, in a source checkout or an installed wheel.

    Parameters
    ----------
    name : str
        Path inside ``resources/``, such as ``body/open_body.npz``.

    Raises
    ------
    ModelError
        If the installation lacks it.
    """
    for root in _roots():
        if (root / name).is_file():
            return root / name
    raise ModelError(f"the installation lacks resources/{name}; install PyMAF Live again")


def resource_folders(name: str) -> list[Path]:
    """Folders of that name inside ``resources/``; none in an installation that lacks it."""
    return [root / name for root in _roots() if (root / name).is_dir()]


def cache_folder() -> Path | None:
    """The user's folder for compiled models; None where there can be none."""
    folder = Path(platformdirs.user_cache_dir("pymaf-live", appauthor=False)) / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _roots() -> tuple[Path, Path]:
    package = Path(__file__).resolve().parent
    return package.parent / "resources", package / "resources"

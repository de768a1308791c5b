"""Installed bodies: the shipped open body and the bodies imported by the user."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import platformdirs

from pymaf_live.body.model import Body, load_body
from pymaf_live.errors import ModelError, UsageError
from pymaf_live.resources import resource

SHIPPED_BODY = "open"
"""Name of the body that comes with the program."""

BODY_VARIABLE = "PYMAF_LIVE_BODY"
"""Environment variable that selects the default body, also for the processes of a training run."""

_VALID_NAME = "[A-Za-z0-9][A-Za-z0-9_-]{0,40}"


def user_body_folder() -> Path:
    """Return the folder of imported bodies; it may not exist yet."""
    return platformdirs.user_data_path("pymaf-live", appauthor=False) / "bodies"


def user_model_folder() -> Path:
    """Return the folder of imported networks; it may not exist yet."""
    return platformdirs.user_data_path("pymaf-live", appauthor=False) / "models"


def user_body_path(name: str) -> Path:
    """Return the path of an imported body; it may not exist."""
    return user_body_folder() / f"{name}.npz"


def body_path(name: str) -> Path:
    """Return the path of a body by name: 'open', an imported body, or a path to an ``.npz``.

    Raises
    ------
    ModelError
        If there is no such body.
    """
    if name == SHIPPED_BODY:
        return resource("body/open_body.npz")
    path = Path(name) if name.endswith(".npz") else user_body_path(name)
    if not path.is_file():
        imported = sorted(file.stem for file in user_body_folder().glob("*.npz"))
        known = ", ".join([SHIPPED_BODY, *imported])
        raise ModelError(f"there is no body {name!r}, only {known}")
    return path


def body_by_name(name: str) -> Body:
    """Load a body by name; see `body_path`."""
    return load_body(body_path(name))


def default_body() -> Body:
    """Load the body selected by the environment variable PYMAF_LIVE_BODY, or the shipped one.

    Raises
    ------
    ModelError
        If there is no such body or its file is invalid.
    """
    return body_by_name(os.environ.get(BODY_VARIABLE) or SHIPPED_BODY)


def body_by_hash(sha256: str) -> Body:
    """Load the body with a checksum, for a model or a take that was made with it.

    If no installed body has it, return the default body; callers that need the right one compare
    the checksums.
    """
    default = default_body()
    if default.sha256 == sha256:
        return default
    shipped = resource("body/open_body.npz")
    for path in (shipped, *sorted(user_body_folder().glob("*.npz"))):
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return load_body(path)
        except OSError:
            continue
    return default


def import_body(path: Path, name: str, shapes: int | None = None) -> Body:
    """Import a licensed SMPL, SMPL-H or SMPL-X file into the user's folder of bodies.

    Parameters
    ----------
    path : Path
    name : str
        Name of the new body.
    shapes : int, optional
        Number of shape coefficients to keep; by default that of most networks.

    Raises
    ------
    UsageError
        If the name is invalid.
    InputError
        If the file is not such a body.
    OutputError
        If the folder cannot be written.
    """
    # imported here: the program does not need the file readers at every start
    from pymaf_live.body.smpl_file import DEFAULT_SHAPE_COUNT, read_smpl
    from pymaf_live.body.smpl_import import write_body

    if not re.fullmatch(_VALID_NAME, name) or name == SHIPPED_BODY:
        raise UsageError(f"{name!r} is not a valid body name; use letters, digits, - and _")
    shipped = body_by_name(SHIPPED_BODY)
    smpl = read_smpl(path, shipped, DEFAULT_SHAPE_COUNT if shapes is None else shapes)
    return write_body(user_body_path(name), smpl, shipped)

"""The bodies at hand: the shipped one, and those that a user brought."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import platformdirs

from pymaf_live.body.model import Body, load_body
from pymaf_live.errors import ModelError, UsageError
from pymaf_live.resources import resource

SHIPPED = "open"
"""Name of the body that comes with the program."""


def user_bodies() -> Path:
    """Folder of the bodies that a user brought; it need not be there."""
    return platformdirs.user_data_path("pymaf-live", appauthor=False) / "bodies"


def user_models() -> Path:
    """Folder of the models that a user imported; it need not be there."""
    return platformdirs.user_data_path("pymaf-live", appauthor=False) / "models"


def adopt(path: Path, name: str, shapes: int | None = None) -> Body:
    """Bring a licensed SMPL, SMPL-H or SMPL-X file into the user's own folder.

    Parameters
    ----------
    path : Path
    name : str
        To call the body by.
    shapes : int, optional
        Shape coefficients to keep; by default as many as is usual.

    Raises
    ------
    UsageError
        If the name cannot be one.
    InputError
        If the file is no such body.
    OutputError
        If the folder cannot be written.
    """
    # what reads such files is not wanted at every start
    from pymaf_live.body.smpl_file import USUAL_SHAPES, read_smpl
    from pymaf_live.body.smpl_import import write_adopted

    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]{0,40}", name) or name == SHIPPED:
        raise UsageError(f"{name!r} cannot be a body's name: letters, digits, - and _")
    shipped = load_body(resource("body/open_body.npz"))
    return write_adopted(
        body_file(name),
        read_smpl(path, shipped, USUAL_SHAPES if shapes is None else shapes),
        shipped,
    )


def body_file(name: str) -> Path:
    """Where a body of the user's lies."""
    return user_bodies() / f"{name}.npz"


def named_file(name: str) -> Path:
    """File of a body by its name: 'open', one of the user's, or a path.

    Raises
    ------
    ModelError
        If there is none.
    """
    if name == SHIPPED:
        return resource("body/open_body.npz")
    path = Path(name) if name.endswith(".npz") else body_file(name)
    if not path.is_file():
        known = ", ".join([SHIPPED, *sorted(file.stem for file in user_bodies().glob("*.npz"))])
        raise ModelError(f"there is no body {name!r}, only {known}")
    return path


def body_named(name: str) -> Body:
    """As `named_file`, loaded."""
    return load_body(named_file(name))


def body_of(sha256: str) -> Body:
    """The body with a checksum, for a model or a take that was made with it.

    Where there is none, what `load_body` gives: whoever needs the right one then refuses it.
    """
    usual = load_body()
    shipped = resource("body/open_body.npz")
    if usual.sha256 == sha256:
        return usual
    for path in (shipped, *sorted(user_bodies().glob("*.npz"))):
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return load_body(path)
        except OSError:
            continue
    return usual

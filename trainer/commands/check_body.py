"""``python -m trainer check-body``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check_body(
    file: Annotated[
        Path | None, typer.Argument(help="Body file; the shipped body if not given.")
    ] = None,
) -> None:
    """Check a body file and print its figures.

    The exit code is 1 if a check fails.
    """
    from trainer.body.check_open_body import check_file

    lines, checks = check_file(file)
    for line in lines:
        print(line)
    for name, passed in checks.items():
        print(f"{'ok ' if passed else 'NOT'} {name}")
    if not all(checks.values()):
        raise typer.Exit(1)

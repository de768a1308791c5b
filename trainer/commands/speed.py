"""``python -m trainer speed``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pymaf_live.errors import UsageError

_JSON, _STDOUT = "--json", "-"


class OptionalJson(TyperCommand):
    """Command whose ``--json`` takes an optional file; alone it stands for stdout."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert ``-`` after a ``--json`` without a file, then parse as usual."""
        given = list(args)
        for index, text in enumerate(args):
            following = args[index + 1 : index + 2]
            if text == _JSON and (not following or following[0].startswith("--")):
                given.insert(index + 1, _STDOUT)
        return super().parse_args(ctx, given)


def speed(
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    rounds: Annotated[int, typer.Option(help="Rounds; the fastest part of them counts.")] = 15,
    json_file: Annotated[
        Path | None,
        typer.Option(
            _JSON, metavar="[FILE]", help="Write JSON to a file, or to stdout without one."
        ),
    ] = None,
) -> None:
    """Measure the speed of the paper's network.

    The figures are ratios to torch on this machine.
    """
    from trainer.evaluation.speed import measure, write

    if threads < 1 or rounds < 1:
        raise UsageError("--threads and --rounds must be at least 1")
    figures = measure(threads, rounds)
    if json_file is None:
        for name, value in figures["ratios"].items():
            print(f"{name}: {value:.2f}")
    elif json_file == Path(_STDOUT):
        print(json.dumps(figures, indent=1))
    else:
        write(figures, json_file)

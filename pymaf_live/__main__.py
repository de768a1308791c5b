"""``python -m pymaf_live``: the same as the command ``pymaf-live``."""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path


def main() -> None:
    """Run the window or a command, or commands alone where the window is not installed."""
    entry = None
    with suppress(ImportError):
        entry = importlib.import_module("ui.entry")
    # another package may be called `ui` as well: ours lies beside this one
    beside = Path(__file__).resolve().parents[1]
    if entry is None or Path(str(entry.__file__)).resolve().parents[1] != beside:
        from pymaf_live.cli.app import main as run_command
        from pymaf_live.system.program import run_program

        run_program(run_command)
    entry.run()


if __name__ == "__main__":
    main()

"""Command line of the trainer: ``python -m trainer COMMAND``."""

from __future__ import annotations

import sys

from pymaf_live.system.console import escape_unencodable_output
from trainer.commands.app import main

if __name__ == "__main__":
    escape_unencodable_output()
    sys.exit(main())

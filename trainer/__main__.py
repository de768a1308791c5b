"""Command line of the trainer: ``python -m trainer COMMAND``."""

from __future__ import annotations

import sys

from trainer.commands.app import main

if __name__ == "__main__":
    sys.exit(main())

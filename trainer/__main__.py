"""Command line of the trainer: ``python -m trainer COMMAND``."""

from __future__ import annotations

from pymaf_live.system.program import run_program
from trainer.commands.app import main

if __name__ == "__main__":
    run_program(main)

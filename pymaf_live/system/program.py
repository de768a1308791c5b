"""Start and end of a program: output that cannot fail, quiet libraries, the exit code."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn

from pymaf_live.system.console import escape_unencodable_output
from pymaf_live.system.exit_hooks import end_process
from pymaf_live.system.native_logs import filter_native_logs

DEBUG_OPTION = "--debug"
_OWN_PACKAGES = ("pymaf_live", "ui", "trainer")
_LOGGERS_WITH_HANDLERS = ("vispy", "nncf", "absl")
"""Libraries whose loggers print to the terminal by themselves."""


def run_program(main: Callable[[], int]) -> NoReturn:
    """Run `main` and end the process with its exit code.

    Unless the arguments contain ``--debug``, no library writes to the terminal beside the program:
    neither by Python's warnings and logging nor by native code.
    """
    escape_unencodable_output()
    if DEBUG_OPTION in sys.argv:
        code = main()
    else:
        quiet_libraries()
        with filter_native_logs():
            code = main()
    end_process(code)


def quiet_libraries() -> None:
    """Keep warnings and log records of other packages off the terminal.

    Handlers that write elsewhere, such as to a file, receive them as before, and so do warnings
    that the user asked for (``python -W``, PYTHONWARNINGS).
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_is_own)
    for name in _LOGGERS_WITH_HANDLERS:
        logging.getLogger(name).addFilter(_is_own)


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] in _OWN_PACKAGES

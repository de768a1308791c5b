"""The trainer's command line: one typer application, one module per command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from pymaf_live.errors import OutputError, PymafLiveError, UsageError
from pymaf_live.system.program import DEBUG_OPTION
from pymaf_live.system.typer_errors import (
    CommandGroup,
    RaisedError,
    is_output_closed,
    usage_message,
)
from trainer.commands.ablate import ablate
from trainer.commands.build_body import build_body
from trainer.commands.build_clothes import build_clothes
from trainer.commands.check_body import check_body
from trainer.commands.demo import demo
from trainer.commands.evaluate import evaluate
from trainer.commands.export import export
from trainer.commands.fit import fit
from trainer.commands.import_ import app as import_app
from trainer.commands.mediapipe_task import mediapipe_task
from trainer.commands.pack import pack
from trainer.commands.precision import precision
from trainer.commands.quantize import quantize
from trainer.commands.speed import OptionalJson, speed
from trainer.commands.synthesize import synthesize
from trainer.commands.train import train
from trainer.commands.train_lifter import train_lifter
from trainer.commands.tune_ik import tune_ik
from trainer.commands.unpack import unpack
from trainer.commands.unpack_shards import unpack_shards

PROGRAM = "python -m trainer"

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, measure and export the networks of PyMAF Live.",
)
app.command()(fit)
app.command()(train)
app.command()(train_lifter)
app.command()(pack)
app.command()(unpack_shards)
app.command()(evaluate)
app.command()(unpack)
app.command()(export)
app.command()(quantize)
app.command("quantise", hidden=True)(quantize)
app.command()(precision)
app.command(cls=OptionalJson)(speed)
app.command()(synthesize)
app.command()(ablate)
app.command()(tune_ik)
app.add_typer(import_app, name="import")
app.command()(demo)
app.command()(build_body)
app.command()(build_clothes)
app.command()(check_body)
app.command()(mediapipe_task)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and report a failure in one line on stderr.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; the process's own by default.

    Returns
    -------
    int
        Exit code: 0 done, 1 a check failed, 2 usage, 3 input, 4 output, 5 model or back-end,
        130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG_OPTION in given
    given = [argument for argument in given if argument != DEBUG_OPTION]
    command = typer.main.get_command(app)
    try:
        code = command.main(given, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except PymafLiveError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except RaisedError as error:
        return _fail_on_system_error(error.__cause__ or error)
    except Exception as error:
        message = usage_message(error)
        if message is None:
            raise
        return _fail(f"{message}; see {PROGRAM} --help", UsageError.exit_code)
    return code if isinstance(code, int) else 0


def _fail_on_system_error(error: BaseException) -> int:
    if is_output_closed(error):
        # the interpreter flushes stdout at exit, which must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, OSError):
        return _fail(f"cannot write: {error}", OutputError.exit_code)
    raise error


def _fail(message: str, code: int) -> int:
    print(f"trainer: {' '.join(message.split())}", file=sys.stderr)
    return code

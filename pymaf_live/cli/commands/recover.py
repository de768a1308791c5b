"""The command `recover`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pymaf_live.cli.options import ForceOption, parse_path
from pymaf_live.cli.output import print_error
from pymaf_live.cli.progress import TerminalReporter
from pymaf_live.cli.take_output import print_exported
from pymaf_live.errors import InputError


def recover(
    *,
    out: Annotated[
        Path,
        typer.Option(
            parser=parse_path, metavar="FOLDER", help="Folder for the takes; created if missing."
        ),
    ] = Path(),
    discard: Annotated[
        bool, typer.Option("--discard", help="Remove the recordings instead of saving them.")
    ] = False,
    force: ForceOption = False,
) -> int:
    """Save recordings of interrupted runs as takes (npz), or remove them."""
    from pymaf_live.workflows.recover import RecoverOptions, unfinished_recordings
    from pymaf_live.workflows.recover import discard as discard_recording
    from pymaf_live.workflows.recover import recover as recover_recording

    unfinished = unfinished_recordings()
    if not unfinished:
        print("there are no interrupted recordings")
        return 0
    failed = 0
    for recording in unfinished:
        name = recording.about.source
        if discard:
            discard_recording(recording)
            print(f"removed the recording of {name} ({recording.seconds:.1f} s)")
            continue
        try:
            with TerminalReporter(name) as reporter:
                result = recover_recording(recording, RecoverOptions(out, force=force), reporter)
        except InputError as error:
            print_error(error)
            failed += 1
            continue
        print(f"recovered {name}: {recording.seconds:.1f} s, {len(result.take.frame_time)} frames")
        print_exported(result.take, result.exported)
    if failed:
        return InputError.exit_code if failed == len(unfinished) else 1
    return 0

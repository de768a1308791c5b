"""Hint at recordings that an interrupted run left behind."""

from __future__ import annotations

from pymaf_live.cli.output import PROGRAM, print_note


def print_unfinished_hint() -> None:
    """Print one line to stderr if there are unfinished recordings, and how to recover them."""
    from pymaf_live.workflows.recover import unfinished_recordings

    unfinished = unfinished_recordings()
    if not unfinished:
        return
    newest = unfinished[-1]
    more = f" and {len(unfinished) - 1} more" if len(unfinished) > 1 else ""
    print_note(
        f"an interrupted recording of {newest.about.source} ({newest.seconds:.1f} s){more} can be "
        f"saved or removed with {PROGRAM} recover"
    )

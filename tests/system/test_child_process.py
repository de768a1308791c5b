"""Functions in processes of their own: progress, errors, cancellation."""

from __future__ import annotations

import os
import time

import pytest

from pymaf_live.errors import InputError, Interrupted, PymafLiveError
from pymaf_live.system.child_process import run_in_child
from pymaf_live.system.reporter import SILENT, Reporter, SilentReporter


def double(value: int, _: object, reporter: Reporter) -> int:
    reporter.progress(0.5, "half")
    reporter.message("a note")
    return 2 * value


def fail(path: str, _: object, reporter: Reporter) -> None:
    raise InputError(f"there is no file {path}")


def die(*_: object) -> None:
    os._exit(7)


def wait_for_the_end(_: object, __: object, reporter: Reporter) -> str:
    reporter.progress(0.0)
    while not reporter.cancelled():
        time.sleep(0.01)
    return "stopped"


class Log(SilentReporter):
    def __init__(self) -> None:
        self.seen: list[object] = []

    def progress(self, fraction: float | None, detail: str = "") -> None:
        self.seen.append((fraction, detail))

    def message(self, text: str) -> None:
        self.seen.append(text)


class Cancelled(SilentReporter):
    def cancelled(self) -> bool:
        return True


class Abandoned(SilentReporter):
    def cancelled(self) -> bool:
        raise Interrupted("the window was closed")


def test_a_child_process_reports_and_fails_as_a_call_would() -> None:
    log = Log()
    assert run_in_child(double, 21, None, log) == 42
    assert log.seen == [(0.5, "half"), "a note"]
    with pytest.raises(InputError, match="there is no file dance"):
        run_in_child(fail, "dance", None, SILENT)
    with pytest.raises(PymafLiveError, match="code 7"):
        run_in_child(die, None, None, SILENT)


def test_a_child_process_is_cancelled_or_killed() -> None:
    assert run_in_child(wait_for_the_end, None, None, Cancelled()) == "stopped"
    with pytest.raises(Interrupted):
        run_in_child(wait_for_the_end, None, None, Abandoned())

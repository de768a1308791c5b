from __future__ import annotations

import doctest

import pytest

from pymaf_live.errors import Interrupted
from pymaf_live.system import reporter as module
from pymaf_live.system.reporter import (
    SILENT,
    SilentReporter,
    StepReporter,
    raise_if_cancelled,
    report_each,
)


class Log(SilentReporter):
    def __init__(self) -> None:
        self.calls: list[tuple[float | None, str]] = []
        self.messages: list[str] = []
        self.stop = False

    def progress(self, fraction: float | None, detail: str = "") -> None:
        self.calls.append((fraction, detail))

    def message(self, text: str) -> None:
        self.messages.append(text)

    def cancelled(self) -> bool:
        return self.stop


def test_a_step_covers_its_part_of_the_whole() -> None:
    log = Log()
    step = StepReporter(log, 0.25, 0.75, "smooth")
    for fraction in (0.0, 0.5, 1.0, None):
        step.progress(fraction)
    step.progress(0.5, "feet")
    assert [fraction for fraction, _ in log.calls] == [0.25, 0.5, 0.75, None, 0.5]
    assert [detail for _, detail in log.calls] == ["smooth"] * 4 + ["feet"]


def test_steps_nest_and_pass_messages_and_cancellation_on() -> None:
    log = Log()
    inner = StepReporter(StepReporter(log, 0.5, 1.0), 0.5, 1.0)
    inner.progress(1.0)
    inner.message("GL is missing")
    assert log.calls == [(1.0, "")]
    assert log.messages == ["GL is missing"]
    assert not inner.cancelled()
    log.stop = True
    assert inner.cancelled()
    with pytest.raises(Interrupted, match="export stopped"):
        raise_if_cancelled(inner, "export stopped")


def test_items_are_reported_one_by_one_until_cancelled() -> None:
    log = Log()
    assert list(report_each("ab", log, "letters")) == ["a", "b"]
    assert log.calls == [(0.0, "letters"), (0.5, "letters"), (1.0, "letters")]
    assert list(report_each("", log)) == []
    log.stop = True
    with pytest.raises(Interrupted):
        list(report_each("ab", log))


def test_the_silent_reporter_never_cancels() -> None:
    SILENT.progress(None)
    raise_if_cancelled(SILENT)


def test_the_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(module).failed == 0

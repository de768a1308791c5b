from __future__ import annotations

import pytest

from pymaf_live.errors import Interrupted
from pymaf_live.system.reporter import Reporter, StepReporter, raise_if_cancelled
from ui.system.task import Task


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("ui.system.task.time.monotonic", lambda: now[0])
    return now


def test_a_task_is_a_reporter() -> None:
    task = Task("Smoothing the take…", can_cancel=True)
    reporter: Reporter = task
    StepReporter(reporter, 0.5, 1.0).progress(0.5, "writing a.bvh")
    reporter.message("the GPU is not used")
    assert (task.fraction, task.detail) == (0.75, "writing a.bvh")
    assert task.messages == ["the GPU is not used"]
    assert not reporter.cancelled()
    task.cancel()
    assert task.stopping
    with pytest.raises(Interrupted):
        raise_if_cancelled(reporter)
    task.progress(0.8)  # a cancelled task may still report its current step


def test_the_remaining_time_is_estimated_from_the_first_report(clock: list[float]) -> None:
    task = Task()
    assert task.seconds_left is None
    clock[0] += 60.0  # the models are loaded
    task.progress(0.0)
    clock[0] += 0.5
    task.progress(0.1)
    assert task.seconds_left is None  # too early
    clock[0] += 1.5
    task.progress(0.25)
    assert task.seconds_left == pytest.approx(6.0)
    task.progress(None)
    assert task.seconds_left is None


def test_a_step_that_starts_from_zero_is_timed_from_its_own_start(clock: list[float]) -> None:
    task = Task()
    task.progress(0.0, "estimating")
    clock[0] += 50.0
    task.progress(0.9, "estimating")
    task.progress(0.0, "writing")
    clock[0] += 2.0
    task.progress(0.5, "writing")
    assert task.seconds_left == pytest.approx(2.0)


def test_an_abandoned_task_is_interrupted_at_its_next_report() -> None:
    task = Task()
    task.progress(0.5)
    task.abandon()
    with pytest.raises(Interrupted):
        task.cancelled()
    with pytest.raises(Interrupted):
        task.progress(0.6)

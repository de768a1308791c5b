"""Tests of the number of threads on a busy machine."""

import pytest

from pymaf_live.system import cpu


@pytest.fixture
def machine(monkeypatch):
    def set_load(cores, average, running):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(cpu, "available_cores", lambda: cores)
        monkeypatch.setattr(cpu.os, "getloadavg", lambda: (average, 0.0, 0.0), raising=False)
        monkeypatch.setattr(cpu, "_running_tasks", lambda: running)

    return set_load


@pytest.mark.parametrize(
    ("cores", "average", "running", "threads"),
    [
        (8, 0.2, 0.1, 8),
        (8, 3.0, 3.2, 5),
        (2, 9.0, 7.0, 1),
        # a run that has just been stopped still counts in the average
        (2, 2.0, 0.1, 2),
        # a task that runs for a moment
        (4, 0.1, 3.0, 4),
    ],
)
def test_threads_leave_busy_cores_to_others(machine, cores, average, running, threads):
    machine(cores, average, running)
    assert cpu.thread_count() == threads


def test_given_number_of_threads_is_kept(machine, monkeypatch):
    machine(2, 9.0, 9.0)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cpu.thread_count() == 3
    for invalid in ("", "many", "0"):
        monkeypatch.setenv("OMP_NUM_THREADS", invalid)
        assert cpu.thread_count() == 1


def test_running_tasks_are_counted():
    assert cpu._running_tasks() >= 0

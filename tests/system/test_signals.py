"""Tests of Ctrl-C and SIGTERM as a request."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from pymaf_live.system.signals import StopRequest
from tests.helpers.paths import ROOT

_TWO_SIGNALS = """
import os, signal, sys
from pymaf_live.system.signals import StopRequest

number = int(sys.argv[1])
before = signal.getsignal(number)
try:
    with StopRequest("stopping\\n") as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        os.kill(os.getpid(), number)
except KeyboardInterrupt:
    assert signal.getsignal(number) is before
    print("interrupted")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request_and_the_second_interrupts(number: signal.Signals) -> None:
    # in a process of its own, so that a fault cannot end the whole test run
    command = [sys.executable, "-c", _TWO_SIGNALS, str(int(number))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "interrupted\n"
    assert done.stderr == "stopping\n"


def test_outside_the_main_thread_nothing_changes() -> None:
    before = signal.getsignal(signal.SIGINT)
    inside: list[object] = []

    def run() -> None:
        with StopRequest() as stop:
            inside.extend([signal.getsignal(signal.SIGINT), stop.requested])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert inside == [before, False]

"""Ctrl-C and SIGTERM as a request."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pymaf_live.system.signals import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request_and_the_second_interrupts(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), StopRequest("stopping\n") as stop:  # noqa: PT012
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert capfd.readouterr().err == "stopping\n"
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


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

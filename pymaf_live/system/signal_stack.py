"""The alternate signal stack of a thread, protected from libraries that replace it.

OpenVINO's CPU plugin gives the thread that loads it an alternate signal stack (`sigaltstack`, seen
in 2026.4) and frees that memory with the last model, also from another thread. Python's signal
handlers run on the alternate stack, so a later Ctrl-C would run on freed memory and end the process
with a segmentation fault.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SS_DISABLE = 2
"""From <signal.h>: the thread has no alternate stack."""


class SignalStack(ctypes.Structure):
    """`stack_t` of <signal.h>, as Linux has it."""

    _fields_ = (
        ("ss_sp", ctypes.c_void_p),
        ("ss_flags", ctypes.c_int),
        ("ss_size", ctypes.c_size_t),
    )


def signal_stack() -> SignalStack:
    """Return the calling thread's alternate signal stack; Linux only."""
    stack = SignalStack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack


@contextmanager
def preserved_signal_stack() -> Iterator[None]:
    """Restore the calling thread's alternate signal stack on exit; does nothing but on Linux."""
    if not sys.platform.startswith("linux"):
        yield
        return
    before = signal_stack()
    try:
        yield
    finally:
        if before.ss_flags & _SS_DISABLE:
            before = SignalStack(None, _SS_DISABLE, 0)
        ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)

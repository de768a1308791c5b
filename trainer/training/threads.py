"""Number of torch threads on a machine that others use as well."""

from __future__ import annotations

import torch

from pymaf_live.system.cpu import thread_count


def use_free_cores() -> str:
    """Let torch use the cores that are free, and return a line that says how many.

    More threads than free cores make every step wait for the slowest of them. ``OMP_NUM_THREADS``
    takes precedence.
    """
    threads = thread_count()
    torch.set_num_threads(threads)
    return f"{threads} threads; set OMP_NUM_THREADS for another number"

"""Number of torch threads on a machine that others use as well."""

from __future__ import annotations

import torch

from pymaf_live.system.cpu import available_cores, thread_count


def use_free_cores() -> None:
    """Let torch use the cores that are free.

    More threads than free cores make every step wait for the slowest of them. ``OMP_NUM_THREADS``
    takes precedence.
    """
    torch.set_num_threads(thread_count())


def describe_threads() -> str | None:
    """Return a line that says how many threads torch uses, if these are not all cores."""
    threads, cores = torch.get_num_threads(), available_cores()
    if threads >= cores:
        return None
    return f"{threads} of {cores} cores used; OMP_NUM_THREADS sets another number"

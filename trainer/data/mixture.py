"""Deterministic sampling from several data sets in given proportions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import UsageError

_CYCLE = 1024
"""Number of steps between shuffles of the sets; the ratios hold within each cycle."""

_GOLDEN = (5**0.5 - 1) / 2


@runtime_checkable
class SizedDataset(Protocol):
    """A data set with a name and a size, such as every `PersonDataset`."""

    name: str

    def __len__(self) -> int:
        """Return the number of people."""


class Mixture:
    """Deterministic draws from several data sets: a pure function of the seed and the step.

    A resumed run, and several processes that share one run, therefore draw the same rows without
    communication. Within every 1,024 steps each set is drawn as often as its ratio requires (to
    within one or two steps), in a shuffled order. Each set has its own shuffled epochs, so no row
    is drawn twice before all rows have been drawn.

    Parameters
    ----------
    sets : sequence of PersonDataset
        Data sets that are not empty.
    ratios : sequence of float
        One per set, above 0; normalised to a sum of one.
    seed : int
        Not negative.

    Raises
    ------
    UsageError
        If there is no set, a set is empty, a ratio is missing, 0, negative or not finite, or the
        seed is negative.
    """

    def __init__(self, sets: Sequence[SizedDataset], ratios: Sequence[float], seed: int) -> None:
        if not sets:
            raise UsageError("a mixture needs at least one data set")
        if len(sets) != len(ratios):
            raise UsageError(f"{len(sets)} data sets need as many ratios, not {len(ratios)}")
        for people, ratio in zip(sets, ratios, strict=True):
            if not (np.isfinite(ratio) and ratio > 0):
                raise UsageError(f"the ratio of {people.name} is {ratio}, it must be above 0")
            if not len(people):
                raise UsageError(f"the data set {people.name} is empty")
        if seed < 0:
            raise UsageError(f"the seed is {seed}, it must not be negative")
        self.sets = tuple(sets)
        total = float(sum(ratios))
        self.ratios = tuple(float(ratio) / total for ratio in ratios)
        self._seed = seed
        self._lengths = tuple(len(people) for people in sets)
        self._order: tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
        self._epochs: dict[int, tuple[int, npt.NDArray[np.int64]]] = {}

    def __len__(self) -> int:
        """Return the number of people in all sets."""
        return sum(self._lengths)

    def draw(self, step: int) -> tuple[int, int]:
        """Return the index of a set and a row of it for a step of the run, counted from 0."""
        cycle, offset = divmod(step, _CYCLE)
        order, drawn = self._cycle(cycle)
        chosen = int(order[offset])
        before = int(drawn[chosen] + (order[:offset] == chosen).sum())
        epoch, index = divmod(before, self._lengths[chosen])
        return chosen, int(self._epoch(chosen, epoch)[index])

    def _draws_in(self, cycles: int) -> npt.NDArray[np.int64]:
        """Return how often each set is drawn in the first `cycles` cycles.

        Every cycle assigns the integer part of each set's number of steps. The remaining steps are
        assigned by the fractional parts along a golden-ratio sequence, which is evenly distributed.
        """
        quota = np.array(self.ratios) * _CYCLE
        # rounding may put 0.3 * 10 just below 3
        whole = np.floor(quota + 1e-9).astype(np.int64)
        remaining = _CYCLE - int(whole.sum())
        drawn = whole * cycles
        if remaining:
            bounds = np.cumsum(np.maximum(quota - whole, 0))
            spread = ((np.arange(remaining * cycles) + 0.5) * _GOLDEN) % 1
            extra = np.searchsorted(bounds / bounds[-1], spread, side="right")
            drawn = drawn + np.bincount(extra, minlength=len(drawn))
        return drawn

    def _cycle(self, cycle: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the order of the sets in a cycle, and the draws of each set before it."""
        if self._order is None or self._order[0] != cycle:
            before = self._draws_in(cycle)
            order = np.repeat(np.arange(len(self.sets)), self._draws_in(cycle + 1) - before)
            random = np.random.default_rng([self._seed, 0, cycle])
            self._order = (cycle, random.permutation(order), before)
        return self._order[1], self._order[2]

    def _epoch(self, chosen: int, epoch: int) -> npt.NDArray[np.int64]:
        """Return the shuffled rows of a set in an epoch."""
        cached = self._epochs.get(chosen)
        if cached is None or cached[0] != epoch:
            random = np.random.default_rng([self._seed, 1, chosen, epoch])
            cached = (epoch, random.permutation(self._lengths[chosen]))
            self._epochs[chosen] = cached
        return cached[1]

"""Several data sets in given proportions; which row comes at which place of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import UsageError

_CYCLE = 1024
"""Places after which the order of the sets is drawn anew; shares are met within each."""

_GOLDEN = (5**0.5 - 1) / 2


@runtime_checkable
class Named(Protocol):
    """What a mixture needs to know of a set; every `PersonDataset` is one."""

    name: str

    def __len__(self) -> int:
        """How many people."""


class Mixture:
    """Deterministic draws from several sets: a pure function of the seed and the place.

    So a run that is taken up again, and several processes that share one run, see the same rows
    without telling each other anything. Within every 1,024 places each set comes as often as its
    ratio says (to a place or two), in a shuffled order; each set is walked in shuffled epochs of
    its own, so that no row comes twice before all have come.

    Parameters
    ----------
    sets : sequence of PersonDataset
        None may be empty.
    ratios : sequence of float
        One a set, above 0; they are made to sum to one.
    seed : int
        Not negative.

    Raises
    ------
    UsageError
        If there is no set, a set is empty, or a ratio is missing, 0, negative or not finite.
    """

    def __init__(self, sets: Sequence[Named], ratios: Sequence[float], seed: int) -> None:
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
        """How many people there are in all sets together."""
        return sum(self._lengths)

    def draw(self, place: int) -> tuple[int, int]:
        """Which set (index) and which of its rows comes at a place of the run, from 0 on."""
        cycle, at = divmod(place, _CYCLE)
        order, drawn = self._cycle(cycle)
        chosen = int(order[at])
        before = int(drawn[chosen] + (order[:at] == chosen).sum())
        epoch, step = divmod(before, self._lengths[chosen])
        return chosen, int(self._epoch(chosen, epoch)[step])

    def _drawn(self, cycles: int) -> npt.NDArray[np.int64]:
        """How often each set comes in the first cycles.

        Whole places are given out in every cycle; the places that are left go to the sets by the
        fractions that rounding took from them, along a golden-ratio sequence, which spreads evenly.
        """
        wanted = np.array(self.ratios) * _CYCLE
        # a hair is added since 0.3 * 10 may come out below 3
        whole = np.floor(wanted + 1e-9).astype(np.int64)
        left = _CYCLE - int(whole.sum())
        drawn = whole * cycles
        if left:
            bounds = np.cumsum(np.maximum(wanted - whole, 0))
            spread = ((np.arange(left * cycles) + 0.5) * _GOLDEN) % 1
            extra = np.searchsorted(bounds / bounds[-1], spread, side="right")
            drawn = drawn + np.bincount(extra, minlength=len(drawn))
        return drawn

    def _cycle(self, cycle: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Order of the sets in a cycle, and how often each came before it."""
        if self._order is None or self._order[0] != cycle:
            before = self._drawn(cycle)
            order = np.repeat(np.arange(len(self.sets)), self._drawn(cycle + 1) - before)
            random = np.random.default_rng([self._seed, 0, cycle])
            self._order = (cycle, random.permutation(order), before)
        return self._order[1], self._order[2]

    def _epoch(self, chosen: int, epoch: int) -> npt.NDArray[np.int64]:
        kept = self._epochs.get(chosen)
        if kept is None or kept[0] != epoch:
            random = np.random.default_rng([self._seed, 1, chosen, epoch])
            kept = (epoch, random.permutation(self._lengths[chosen]))
            self._epochs[chosen] = kept
        return kept[1]

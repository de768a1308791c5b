"""Check of the images of data sets before a long pass, and the share of broken ones to put up with.

Large sets have a few damaged files. A run skips them and names them, as long as they are at most
`MAX_BROKEN_SHARE` of a set; more means a damaged archive or a wrong folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.types import Image
from trainer.data.base import PersonDataset, PersonLabels
from trainer.data.image_files import ImageError

MAX_BROKEN_SHARE = 0.01
_BLOCK = 64
"""Images between two reports of progress."""


@runtime_checkable
class CheckedImages(Protocol):
    """Data set that checks an image faster than it decodes it."""

    def check_image(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken."""


def check_image(people: PersonDataset, row: int) -> None:
    """Raise `ImageError` if the image of a row is missing or broken."""
    if isinstance(people, CheckedImages):
        people.check_image(row)
    else:
        people.image(row)


def broken_allowed(count: int) -> int:
    """Return the number of broken images that a set of `count` people may have."""
    return int(count * MAX_BROKEN_SHARE)


def check_images(sets: Sequence[PersonDataset], reporter: Reporter = SILENT) -> list[list[int]]:
    """Check the images of data sets and report the broken ones by name.

    Returns
    -------
    list of list of int
        Rows of each set whose image is missing or broken.

    Raises
    ------
    InputError
        If more than `MAX_BROKEN_SHARE` of a set's images are missing or broken.
    """
    broken = []
    for people in sets:
        found: dict[int, str] = {}
        blocks = range(0, len(people), _BLOCK)
        for start in report_each(blocks, reporter, f"checking the images of {people.name}"):
            for row in range(start, min(start + _BLOCK, len(people))):
                try:
                    check_image(people, row)
                except ImageError as error:
                    found[row] = str(error)
            refuse_broken(people.name, len(people), list(found.values()))
        if found:
            listed = "; ".join(found.values())
            reporter.message(f"{people.name}: {len(found)} of {len(people)} skipped: {listed}")
        broken.append(list(found))
    return broken


class BlankedDataset:
    """A data set whose broken images are black, for passes that take every row in turn.

    Parameters
    ----------
    people : PersonDataset
    broken : sequence of int
        Rows from `check_images`. An image that breaks later is an error.
    """

    def __init__(self, people: PersonDataset, broken: Sequence[int]) -> None:
        self.name, self._people, self._broken = people.name, people, frozenset(broken)

    def __len__(self) -> int:
        """Return the number of people."""
        return len(self._people)

    def image(self, row: int) -> Image:
        """Return the image of a row, one black pixel for a broken one."""
        if row in self._broken:
            return np.zeros((1, 1, 3), np.uint8)
        return self._people.image(row)

    def labels(self, row: int) -> PersonLabels:
        """Return the labels of a row."""
        return self._people.labels(row)


def refuse_broken(name: str, count: int, reasons: Sequence[str]) -> None:
    """Raise `InputError` if a set of `count` people has more than the allowed number broken.

    Parameters
    ----------
    name : str
    count : int
    reasons : sequence of str
        One for each broken image.
    """
    if len(reasons) <= broken_allowed(count):
        return
    share = f"{len(reasons)} or more" if len(reasons) > 1 else "one"
    raise InputError(
        f"{name}: {share} of its {count} images cannot be used, {100 * MAX_BROKEN_SHARE:.0f} % may "
        f"be missing or broken; the first: {reasons[0]}"
    )

"""People who cross, hide one another and leave the picture keep their numbers."""

from __future__ import annotations

import pytest

from tests.tracking.synthetic_crossings import Crossing, crossings, followed_through


@pytest.mark.parametrize("crossing", crossings(), ids=lambda crossing: crossing.name)
def test_who_crosses_keeps_the_number(crossing: Crossing) -> None:
    outcome = followed_through(crossing)
    assert outcome.seen
    assert not outcome.switched
    assert not outcome.lost
    assert outcome.doubled == 0

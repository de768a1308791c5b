"""People who cross, occlude one another or leave the image keep their ids."""

from __future__ import annotations

import pytest

from tests.tracking.synthetic_crossings import Crossing, crossings, track_crossing


@pytest.mark.parametrize("crossing", crossings(), ids=lambda crossing: crossing.name)
def test_people_who_cross_keep_their_ids(crossing: Crossing) -> None:
    outcome = track_crossing(crossing)
    assert outcome.all_seen
    assert not outcome.switched
    assert not outcome.lost
    assert outcome.doubled == 0

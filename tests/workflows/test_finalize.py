"""Recordings of the window become stored takes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.takes.people import people_of
from pymaf_live.types import Frame, FrameResult, SourceFacts
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from tests.helpers.take import SIZE, make_take, people_by_frame, standing

COUNT = 60


@pytest.mark.parametrize(("strength", "people"), [(0.5, (1,)), (0.0, (1, 2, 3))])
def test_broken_tracks_are_joined_and_ghosts_left_out_unless_measurements_are_kept(
    tmp_path: Path, strength: float, people: tuple[int, ...]
) -> None:
    body = default_body()
    frames = {1: np.arange(25), 2: np.arange(28, COUNT), 3: np.arange(10, 13)}
    sideways = {1: 0.0, 2: 0.05, 3: 1.4}
    take = make_take(
        body,
        np.arange(COUNT) / 30,
        {person: standing(body, len(own)) for person, own in frames.items()},
        {
            person: np.tile([sideways[person], 0, 4.0], (len(own), 1))
            for person, own in frames.items()
        },
        frames=frames,
    )
    library = TakeLibrary(tmp_path)
    facts = SourceFacts("video", "dance", SIZE, Fraction(30), COUNT, 2.0, live=False)
    recording = library.begin("dance", None)
    path = library.folder(recording) / JOURNAL
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    journal = TakeJournal(path, body, facts, model="none", smoothing="offline")
    for index, shown in enumerate(people_by_frame(take)):
        frame = Frame(index, index / 30, image)
        journal.add(FrameResult(frame, shown, shown, take.camera))
    journal.close()
    finalize(library, recording, FinalizeOptions(strength, body))
    stored = library.load(recording)
    assert people_of(stored.take) == people
    assert people_of(stored.raw) == people
    assert stored.take.ground is not None

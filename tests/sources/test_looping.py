"""Playback of a file in the window: pauses, loops and closing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.sources import open_source
from pymaf_live.sources.looping import LoopingSource
from tests.sources.synthetic import steady, write_video


@pytest.fixture
def source(tmp_path: Path) -> Iterator[LoopingSource]:
    path = write_video(tmp_path / "video.mp4", steady(5))
    looping = LoopingSource(lambda: open_source(str(path)))
    yield looping
    looping.close()


def test_times_increase_over_loops_and_file_times_repeat(source: LoopingSource) -> None:
    source.resume()
    frames = list(islice(source.frames(), 12))
    assert np.diff([frame.time for frame in frames]) == pytest.approx(np.full(11, 1 / 30))
    file_times = [frame.file_time for frame in frames]
    assert file_times[:5] == file_times[5:10]
    assert [frame.index for frame in frames] == list(range(12))


def test_without_loop_it_ends(source: LoopingSource) -> None:
    source.loop = False
    source.resume()
    assert len(list(source.frames())) == 5


def test_it_starts_paused_and_counts_the_pauses(source: LoopingSource) -> None:
    threading.Timer(0.3, source.resume).start()
    next(source.frames())
    assert 0.2 < source.paused_seconds < 1.5


def test_closing_ends_a_pause(source: LoopingSource) -> None:
    threading.Timer(0.3, source.close).start()
    start = time.monotonic()
    assert list(source.frames()) == []
    assert time.monotonic() - start < 2.0

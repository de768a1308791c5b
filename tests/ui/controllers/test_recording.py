"""Recording with countdown and pre-roll, and recovery after the process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.takes import read_take
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from tests.helpers.paths import ROOT
from tests.ui.conftest import OpenWindow
from tests.ui.take_steps import (
    play,
    record,
)
from ui.state.window import SourceChoice, TakePhase

pytestmark = pytest.mark.window


def test_a_recording_starts_after_the_countdown_and_becomes_a_smoothed_take(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, own_data_folder: Path
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("takes")
    page = parts.take_feature.page
    page.count_down.setCurrentIndex(page.count_down.findData(3))
    page.pre_roll.setCurrentIndex(page.pre_roll.findData(0.0))
    parts.window.canvas_area.setFocus()
    start = time.monotonic()
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    assert parts.take_feature.countdown.isVisible()
    assert parts.take_feature.countdown.text() == "3"
    assert parts.state.take.value.phase is TakePhase.NONE
    recording = TakePhase.RECORDING
    qtbot.waitUntil(lambda: parts.state.take.value.phase is recording, timeout=5000)
    assert 2.9 < time.monotonic() - start < 4.0
    assert not parts.take_feature.countdown.isVisible()
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 0.5, timeout=10_000)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1, timeout=30_000)
    folder = next(own_data_folder.iterdir())
    assert not (folder / JOURNAL).exists()
    assert read_take(folder / "take.npz").smoothing == "refine"
    raw = read_take(folder / "raw.npz")
    assert raw.smoothing == "off"
    assert len(raw.frame) >= 15
    assert page.list.item(0).text().startswith("clip.mp4")
    assert (folder / "thumbnail.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_escape_cancels_the_countdown(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    parts.state.takes.count_down.set(3)
    qtbot.keyClick(parts.window, Qt.Key.Key_R)
    assert parts.state.takes.count_down_left.value == 3
    qtbot.keyClick(parts.window, Qt.Key.Key_Escape)
    assert parts.state.takes.count_down_left.value == 0
    qtbot.wait(300)
    assert parts.state.take.value.phase is TakePhase.NONE


def test_the_pre_roll_is_part_of_the_take(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    parts.state.takes.pre_roll.set(2.0)
    play(parts, qtbot, clip)
    qtbot.wait(2500)
    result = parts.state.result.value
    assert result is not None
    pressed_at = result.frame.time
    record(parts, qtbot, seconds=2.2)
    take = parts.controller.takes.current_take()
    assert take.frame_time[0] == pytest.approx(pressed_at - 2.0, abs=0.25)
    assert take.frame_time[-1] > pressed_at
    # no gap between pre-roll and recording; a busy machine drops a frame or two
    assert np.diff(take.frame_time).max() < 0.3


def test_closing_the_window_while_recording_loses_nothing(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, own_data_folder: Path
) -> None:
    parts = open_window()
    play(parts, qtbot, clip)
    parts.controller.recording.record()
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 0.5, timeout=10_000)
    rows = parts.state.take.value.rows
    parts.window.close()
    unfinished = TakeLibrary(own_data_folder).unfinished()
    takes = TakeLibrary(own_data_folder).entries()
    # the take is finalized now or at the next start
    assert max([each.rows for each in unfinished] + [each.about.rows for each in takes]) >= rows
    again = open_window()
    qtbot.waitUntil(lambda: len(again.state.takes.entries.value) == 1, timeout=30_000)
    assert again.state.takes.entries.value[0].about.rows >= rows
    assert again.state.takes.interrupted.value == ()


RECORD_UNTIL_KILLED = """
import sys, time
from tests.ui.fakes import opener
from pymaf_live.pipeline.pipeline import Pipeline
from ui.controllers.application import ApplicationController
from ui.state.window import SourceChoice, TakePhase, WindowState

state = WindowState()
controller = ApplicationController(
    state,
    open_pipeline=lambda source, options: Pipeline(source, options, open_estimator=opener()),
    list_cameras=lambda: (),
)
state.takes.pre_roll.set(0.0)
controller.sources.open(SourceChoice("file", sys.argv[1], "clip.mp4"))
while True:
    controller.tick()
    if state.take.value.phase is TakePhase.NONE:
        controller.recording.record()
    result = state.result.value
    if state.take.value.phase is TakePhase.RECORDING and result is not None:
        print(state.take.value.seconds, result.frame.time, flush=True)
    time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_after_a_kill_all_but_the_last_second_can_be_recovered(
    open_window: OpenWindow,
    qtbot: QtBot,
    clip_path: Path,
    own_data_folder: Path,
) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", RECORD_UNTIL_KILLED, str(clip_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
        cwd=ROOT,
    )
    assert program.stdout is not None
    seconds, last_time = 0.0, 0.0
    while seconds < 1.5:  # the recording ends with the clip
        seconds, last_time = map(float, program.stdout.readline().split())
    os.kill(program.pid, signal.SIGKILL)
    for line in program.stdout:
        if line.count(" ") == 1 and line.endswith("\n"):
            seconds, last_time = map(float, line.split())
    program.wait()
    program.stdout.close()

    parts = open_window()
    feature = parts.take_feature
    qtbot.waitUntil(feature.recovery.isVisible, timeout=10_000)
    assert "clip.mp4 was interrupted" in feature.recovery.text.text()
    feature.recovery.recover.click()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) == 1, timeout=30_000)
    assert not feature.recovery.isVisible()
    take = TakeLibrary(own_data_folder).load(parts.state.takes.entries.value[0].id).take
    assert take.smoothing == "refine"
    assert take.frame_time[-1] >= last_time - 1.0
    assert np.ptp(take.frame_time) >= seconds - 1.0
    assert len(take.frame) == len(take.frame_time)

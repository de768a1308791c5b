"""The batch queue: files are processed in the background while the window stays usable."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QProgressBar
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.system.reporter import Reporter
from pymaf_live.takes import read_take
from pymaf_live.workflows.process import ProcessOptions, Summary
from tests.helpers.model import write_fake_model
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import write_clip
from ui.app import WindowParts
from ui.state.batch import BatchFile, FilePhase
from ui.state.window import Phase, SourceChoice
from ui.system.task_runner import THREAD_PREFIX
from ui.widgets.batch_window import BatchWindow

pytestmark = pytest.mark.window


def drop(window: BatchWindow, paths: list[Path]) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, buttons = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(20, 20), action, data, buttons, keys)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(20, 20), action, data, buttons, keys))


def phases(parts: WindowParts) -> list[FilePhase]:
    return [each.phase for each in parts.state.batch.files.value]


def lines(window: BatchWindow) -> list[str]:
    return [window.list.topLevelItem(row).text(3) for row in range(window.list.topLevelItemCount())]


def select(window: BatchWindow, row: int) -> None:
    window.list.clearSelection()
    window.list.topLevelItem(row).setSelected(True)


def test_a_broken_file_does_not_stop_the_others(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_fake_model(tmp_path / "fake.onnx", default_body())
    boxes = {str(index): np.array([[150.0, 30.0, 330.0, 330.0]]) for index in range(50)}
    parts = open_window(options=PipelineOptions(model=model, boxes=boxes))
    one = write_clip(tmp_path / "one.mp4", frames=8)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all" * 99)
    (tmp_path / "other").mkdir()
    two = write_clip(tmp_path / "other" / "one.mp4", frames=12)
    out = tmp_path / "out"
    out.mkdir()
    parts.tools_feature.batch.trigger()
    window = parts.tools_feature.batch_window
    assert window is not None
    qtbot.waitUntil(window.isVisible)
    assert not window.start.isEnabled()
    drop(window, [one, broken, two])
    assert phases(parts) == [FilePhase.WAITING] * 3
    drop(window, [one])  # already waiting
    assert len(phases(parts)) == 3
    window.overlay.setChecked(False)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(out))
    qtbot.mouseClick(window.start, Qt.MouseButton.LeftButton)
    assert phases(parts)[0] is FilePhase.RUNNING
    assert window.folder.text() == str(out)
    assert not window.form.isEnabled()
    qtbot.waitUntil(lambda: all(each.finished for each in phases(parts)), timeout=90_000)
    assert phases(parts) == [FilePhase.DONE, FilePhase.FAILED, FilePhase.DONE], lines(window)
    texts = lines(window)
    assert texts[0].startswith("1 person in 8 of 8 frames")
    assert "broken.mp4" in texts[1]
    assert "\n" not in texts[1]
    assert window.total.text() == "2 of 3 done, 1 failed"
    assert not parts.state.batch.running.value
    files = sorted(path.name for path in out.iterdir())
    assert files == ["one.bvh", "one.npz", "one_2.bvh", "one_2.npz"]
    assert len(read_take(out / "one_2.npz").frame_time) == 12
    # existing results are not replaced by default
    parts.controller.batch.add([one])
    assert phases(parts)[3] is FilePhase.WAITING
    window.clear.click()
    assert len(phases(parts)) == 1


class Steps:
    """Fake processing that advances one step per `go.release()`."""

    def __init__(self, count: int = 4) -> None:
        self.count = count
        self.go = threading.Semaphore(0)
        self.started: list[str] = []
        self.options: ProcessOptions | None = None

    def __call__(self, text: str, options: ProcessOptions, reporter: Reporter) -> Summary:
        name = options.name
        self.started.append(name)
        self.options = options
        summary = Summary(text, name, frames=self.count, rows=1, people=1, frames_with_people=1)
        for step in range(self.count):
            while not self.go.acquire(timeout=0.02):
                if reporter.cancelled():
                    return Summary(text, name, frames=step, interrupted=True)
            reporter.progress((step + 1) / self.count, f"{step + 1} frames")
        return summary


@pytest.fixture
def steps() -> Steps:
    return Steps()


def open_with_steps(parts: WindowParts, steps: Steps, folder: Path) -> BatchWindow:
    controller = parts.controller
    controller.batch._process = steps
    parts.state.batch.folder.set(folder)
    return parts.tools_feature.open_batch()


def test_files_can_be_cancelled_stopped_and_retried(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, steps: Steps
) -> None:
    parts = open_window()
    window = open_with_steps(parts, steps, tmp_path)
    parts.controller.batch.add([tmp_path / f"{name}.mp4" for name in "abcd"])
    window.start.click()
    steps.go.release()
    qtbot.waitUntil(lambda: parts.state.batch.files.value[0].fraction == 0.25, timeout=5000)
    item = window.list.topLevelItem(0)
    bar = window.list.itemWidget(item, 2)
    assert isinstance(bar, QProgressBar)
    assert bar.value() == 250
    # the first report may continue earlier work, so the rate is known from the second on
    steps.go.release()
    qtbot.waitUntil(lambda: "left" in item.text(3), timeout=5000)
    # a waiting file is removed, the running one finishes with what is done
    select(window, 1)
    assert window.cancel.text() == "Remove"
    qtbot.mouseClick(window.cancel, Qt.MouseButton.LeftButton)
    assert [each.name for each in parts.state.batch.files.value] == ["a.mp4", "c.mp4", "d.mp4"]
    select(window, 0)
    assert window.cancel.text() == "Cancel"
    qtbot.keyClick(window.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: phases(parts)[0] is FilePhase.STOPPED, timeout=5000)
    assert "Stopped" in lines(window)[0]
    # the next file has started
    qtbot.waitUntil(lambda: phases(parts)[1] is FilePhase.RUNNING, timeout=5000)
    # its thread may start a little later
    qtbot.waitUntil(lambda: steps.started == ["a", "c"], timeout=5000)
    window.start.click()  # Stop
    qtbot.waitUntil(lambda: phases(parts)[1] is FilePhase.STOPPED, timeout=5000)
    assert phases(parts)[2] is FilePhase.WAITING
    select(window, 0)
    window.again.click()
    assert phases(parts)[0] is FilePhase.WAITING
    for _ in range(8):
        steps.go.release()
    window.start.click()
    qtbot.waitUntil(
        lambda: phases(parts) == [FilePhase.DONE, FilePhase.STOPPED, FilePhase.DONE], timeout=5000
    )


def test_the_progress_of_written_files_is_shown(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    proceed = threading.Event()

    def writes(text: str, options: ProcessOptions, reporter: Reporter) -> Summary:
        name = options.name
        reporter.progress(0.0, "4 frames")
        for part in range(100):
            while part == 40 and not proceed.wait(0.02):
                if reporter.cancelled():
                    return Summary(text, name, frames=4, interrupted=True)
            reporter.progress(part / 100, "writing a.fbx")
            time.sleep(0.03 if part < 40 else 0.0)
        return Summary(text, name, frames=4, rows=1, people=1, frames_with_people=1)

    parts = open_window()
    parts.controller.batch._process = writes
    parts.state.batch.folder.set(tmp_path)
    window = parts.tools_feature.open_batch()
    parts.controller.batch.add([tmp_path / "a.mp4", tmp_path / "b.mp4"])
    window.start.click()
    bar = window.list.itemWidget(window.list.topLevelItem(0), 2)
    assert isinstance(bar, QProgressBar)
    qtbot.waitUntil(lambda: bar.value() == 390, timeout=10_000)
    assert lines(window)[0].startswith("Writing a.fbx  ")
    assert lines(window)[0].endswith(" s left")
    select(window, 0)
    qtbot.mouseClick(window.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: phases(parts)[0] is FilePhase.STOPPED, timeout=5000)
    assert "Writing" not in lines(window)[0]
    proceed.set()
    qtbot.waitUntil(lambda: phases(parts)[1] is FilePhase.DONE, timeout=10_000)
    assert "Writing" not in lines(window)[1]


def test_the_window_keeps_playing_while_the_batch_runs(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, clip: SourceChoice, steps: Steps
) -> None:
    parts = open_window()
    window = open_with_steps(parts, steps, tmp_path)
    parts.controller.batch.add([tmp_path / "a.mp4"])
    window.start.click()
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: parts.state.phase.value is Phase.PLAYING, timeout=20_000)
    for _ in range(4):
        steps.go.release()
    qtbot.waitUntil(lambda: phases(parts) == [FilePhase.DONE], timeout=5000)
    assert parts.state.phase.value is Phase.PLAYING


def test_closing_the_main_window_asks_before_it_ends_a_batch(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = open_window()
    window = open_with_steps(parts, steps, tmp_path)
    parts.controller.batch.add([tmp_path / "a.mp4"])
    window.start.click()
    qtbot.waitUntil(lambda: bool(steps.started), timeout=5000)
    asked: list[bool] = []
    monkeypatch.setattr(parts.window, "ask_end_batch", lambda: asked.append(True) or False)
    assert not parts.window.close()
    assert parts.window.isVisible()
    monkeypatch.setattr(parts.window, "ask_end_batch", lambda: True)
    started = time.monotonic()
    assert parts.window.close()
    assert time.monotonic() - started < 2
    assert not window.isVisible()
    assert asked == [True]
    own = f"{THREAD_PREFIX} batch"  # the trainer's tests start threads in this process, too
    assert own not in [thread.name for thread in threading.enumerate()]


def test_every_control_has_an_accessible_name(
    open_window: OpenWindow, tmp_path: Path, steps: Steps
) -> None:
    parts = open_window()
    window = open_with_steps(parts, steps, tmp_path)
    parts.controller.batch.add([tmp_path / "a.mp4"])
    controls = [window.list, window.folder, *window.findChildren(QProgressBar)]
    controls += [window.add, window.cancel, window.again, window.clear, window.start]
    assert [each for each in controls if not each.accessibleName()] == []


def test_existing_results_are_replaced_only_if_allowed(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path, steps: Steps
) -> None:
    parts = open_window()
    window = open_with_steps(parts, steps, tmp_path)
    (tmp_path / "a.bvh").write_text("mine")
    parts.controller.batch.add([tmp_path / "a.mp4"])
    window.start.click()
    qtbot.waitUntil(lambda: phases(parts) == [FilePhase.FAILED], timeout=5000)
    assert "already has a.bvh" in lines(window)[0]
    assert steps.started == []
    window.force.setChecked(True)
    select(window, 0)
    window.again.click()
    for _ in range(4):
        steps.go.release()
    window.start.click()
    qtbot.waitUntil(lambda: phases(parts) == [FilePhase.DONE], timeout=5000)
    assert steps.options is not None
    assert steps.options.force


def test_a_finished_row_opens_as_a_take_by_a_double_click(
    open_window: OpenWindow, qtbot: QtBot, take_library: Path, tmp_path: Path
) -> None:
    parts = open_window()
    npz = tmp_path / "dance.npz"
    npz.write_bytes(next(take_library.glob("*/take.npz")).read_bytes())
    window = parts.tools_feature.open_batch()
    done = BatchFile(1, "dance.mp4", FilePhase.DONE, outcome="1 person", files=(npz,))
    parts.state.batch.files.set((done,))
    item = window.list.topLevelItem(0)
    place = window.list.visualItemRect(item).center()
    qtbot.mouseClick(window.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(window.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=20_000)
    opened = parts.state.takes.opened.value
    assert opened is not None
    assert opened.stored.about.name == "dance"

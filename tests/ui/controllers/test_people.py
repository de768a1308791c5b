"""People in the window: selected, named, hidden and merged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.rendering import person_colour
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, TakeLibrary
from pymaf_live.takes.people import names_of, people_of
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, Frame, FrameResult, Person, SourceFacts
from pymaf_live.workflows.finalize import FinalizeOptions, finalize
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import standing_person
from ui.app import WindowParts
from ui.state.people import PeopleState, person_at
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window
SIZE = (480, 360)
CAMERA = Camera.for_frame(SIZE)
LEFT = Qt.MouseButton.LeftButton


def someone(number: int, sideways: float, nearer: float = 0.0) -> Person:
    person = replace(standing_person(default_body(), CAMERA, sideways), id=number)
    return replace(person, joints=person.joints - np.array([0, 0, nearer]))


def result_of(*people: Person, index: int = 0) -> FrameResult:
    image = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    return FrameResult(Frame(index, index / 30, image), people, people, CAMERA)


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    parts = open_window()
    parts.window.resize(1200, 760)
    parts.state.source.set(SourceChoice("file", "fake.mp4", "fake"))
    parts.state.phase.set(Phase.PLAYING)
    parts.state.opacity.set(1.0)
    parts.window.side_panel.show_page("people")
    qtbot.waitUntil(parts.people_page.isVisible)
    parts.state.result.set(result_of(someone(1, -0.9), someone(3, 0.9)))
    return parts


def shown(parts: WindowParts, qtbot: QtBot) -> npt.NDArray[np.int16]:
    """Return the canvas as an (H, W, 3) array."""
    qtbot.wait(100)
    image = parts.window.canvas_area.canvas.grabFramebuffer()  # type: ignore[attr-defined]
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    rgb = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return rgb.astype(np.int16)


def columns(parts: WindowParts, qtbot: QtBot) -> npt.NDArray[np.float64]:
    """Return the number of drawn pixels in the left and the right half of the canvas."""
    rgb = shown(parts, qtbot)
    bright = (rgb.max(axis=2) > 90).mean(axis=0)
    half = rgb.shape[1] // 2
    return np.array([bright[:half].mean(), bright[half:].mean()])


def click(parts: WindowParts, qtbot: QtBot, person: Person | None) -> None:
    """Click on a person's chest, or outside all people."""
    canvas: QWidget = parts.window.canvas_area.canvas
    scale = min(canvas.width() / SIZE[0], canvas.height() / SIZE[1])
    at = np.array([SIZE[0] / 2, 10.0]) if person is None else person.joints_2d[9] + 0.5
    place = (at - np.array(SIZE) / 2) * scale + (canvas.width() / 2, canvas.height() / 2)
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(int(place[0]), int(place[1])))


def test_a_click_selects_a_person_to_draw_alone(parts: WindowParts, qtbot: QtBot) -> None:
    people, page = parts.state.people, parts.people_page
    assert [page.list.item(row).text() for row in range(2)] == ["Person 1", "Person 3"]
    assert (columns(parts, qtbot) > 0.005).all()
    click(parts, qtbot, someone(3, 0.9))
    assert people.selected_id.value == 3
    assert page.list.currentRow() == 1
    page.solo.setChecked(True)
    left, right = columns(parts, qtbot)
    assert left < 0.001 < 0.005 < right
    click(parts, qtbot, someone(1, -0.9))
    # hidden people cannot be clicked
    assert people.selected_id.value is None
    assert (columns(parts, qtbot) > 0.005).all()
    click(parts, qtbot, someone(1, -0.9))
    assert people.selected_id.value == 1
    click(parts, qtbot, None)
    assert people.selected_id.value is None


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_selected_person_is_marked_in_the_image(
    parts: WindowParts, qtbot: QtBot, mirrored: bool
) -> None:
    people = parts.state.people
    parts.state.mirror.set(mirrored)
    before = shown(parts, qtbot)
    people.selected_id.set(3)
    marked = shown(parts, qtbot)
    changed = np.abs(marked - before).max(axis=2) > 40
    assert changed.any()
    # only around the selected person, in that person's colour, and not over the body
    other = 0.4 * before.shape[1]
    columns_there = np.nonzero(changed[:, ::-1] if mirrored else changed)[1]
    assert len(columns_there) > 100
    assert columns_there.min() > other
    colours = marked[changed].astype(float) / 255
    near = np.abs(colours - person_colour(3)).max(axis=1) < 0.06
    assert near.sum() > 60
    rows, columns_ = np.nonzero(changed)
    scale = min(before.shape[1] / SIZE[0], before.shape[0] / SIZE[1])
    low, high = someone(3, 0.9).joints_2d.min(axis=0), someone(3, 0.9).joints_2d.max(axis=0)
    assert np.ptp(columns_) > scale * (high - low)[0]
    assert np.ptp(rows) > scale * (high - low)[1]
    # the name is above and changes when renamed
    people.rename(3, "Somebody else")
    renamed = np.abs(shown(parts, qtbot) - marked).max(axis=2) > 40
    assert renamed.any()
    assert np.nonzero(renamed)[0].max() < rows.min() + 0.25 * np.ptp(rows)
    # no mark while a person is drawn alone
    people.rename(3, "")
    people.set_hidden(1, True)
    alone = shown(parts, qtbot)
    people.solo.set(True)
    assert (np.abs(shown(parts, qtbot) - alone).max(axis=2) > 40).sum() > 100
    people.solo.set(False)
    people.set_hidden(1, False)
    people.selected_id.set(None)
    assert np.abs(shown(parts, qtbot) - before).max() <= 2


def test_a_single_person_has_no_mark(parts: WindowParts, qtbot: QtBot) -> None:
    parts.state.people.reset()
    parts.state.result.set(result_of(someone(1, -0.9), index=1))
    before = shown(parts, qtbot)
    parts.state.people.selected_id.set(1)
    assert np.abs(shown(parts, qtbot) - before).max() <= 2


def test_an_unticked_person_is_hidden_but_still_listed(parts: WindowParts, qtbot: QtBot) -> None:
    page = parts.people_page
    page.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    left, right = columns(parts, qtbot)
    assert left < 0.001 < 0.005 < right
    result = parts.state.result.value
    assert result is not None
    assert len(result.people) == 2
    page.list.item(0).setCheckState(Qt.CheckState.Checked)
    assert (columns(parts, qtbot) > 0.005).all()


def test_names_are_edited_in_the_list_and_reset_with_the_source(
    parts: WindowParts, qtbot: QtBot
) -> None:
    page, people = parts.people_page, parts.state.people
    page.list.item(1).setText("  Ann  Lee ")
    assert people.name_of(3) == "Ann Lee"
    assert page.list.item(1).text() == "Ann Lee"
    page.list.item(1).setText("")
    assert page.list.item(1).text() == "Person 3"
    parts.state.source.set(SourceChoice("file", "other.mp4", "other"))
    assert people.seen_ids.value == ()
    assert page.empty.isVisible()


def test_a_click_hits_the_nearest_person() -> None:
    front, back = someone(4, 0.0, nearer=1.0), someone(1, 0.1)
    x, y = front.joints_2d[0]
    assert person_at((back, front), float(x), float(y)) == 4
    assert person_at((back,), float(x), float(y)) == 1
    assert person_at((back, front), 2.0, 2.0) is None


def test_visibility_and_names_are_kept_by_id() -> None:
    people = PeopleState()
    people.add_seen(result_of(someone(3, 0), someone(1, 0)))
    assert people.seen_ids.value == (1, 3)
    people.set_hidden(3, True)
    assert (people.is_visible(1), people.is_visible(3)) == (True, False)
    people.selected_id.set(3)
    people.solo.set(True)
    assert (people.is_visible(1), people.is_visible(3)) == (False, True)
    people.reset()
    assert people.is_visible(3)


def test_a_name_set_during_playback_is_recorded(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window()
    state, controller = parts.state, parts.controller
    entries = state.takes.entries

    def record(during: str = "") -> Take:
        before = len(entries.value)
        controller.recording.record()
        qtbot.waitUntil(lambda: state.take.value.seconds > 0.3, timeout=20_000)
        if during:
            controller.people.name(2, during)
        # another source is opened meanwhile
        parts.window.open_choice(replace(clip, title=f"clip {before}"))
        qtbot.waitUntil(lambda: len(entries.value) > before, timeout=30_000)
        return controller.store.library.load(entries.value[0].id).take

    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: 2 in state.people.seen_ids.value, timeout=20_000)
    controller.people.name(2, "Ann")
    assert names_of(record()) == {2: "Ann"}
    qtbot.waitUntil(lambda: 2 in state.people.seen_ids.value, timeout=20_000)
    assert names_of(record(during="Bo  Ek")) == {2: "Bo Ek"}
    qtbot.waitUntil(lambda: 2 in state.people.seen_ids.value, timeout=20_000)
    assert names_of(record()) == {}


@pytest.fixture
def take_of_three(own_data_folder: Path) -> Path:
    """Return a stored take with person 1 in its first half, 2 in its second and 3 throughout."""
    library, body = TakeLibrary(), default_body()
    facts = SourceFacts("video", "three", SIZE, None, 30, 1.0, live=False)
    take = library.begin("three", None)
    journal = TakeJournal(library.folder(take) / JOURNAL, body, facts, model="fake 0")
    for index in range(30):
        first = someone(1 if index < 15 else 2, -0.9)
        journal.add(result_of(first, someone(3, 0.9), index=index))
    journal.close()
    finalize(library, take, FinalizeOptions(0.0, body))
    return library.root


def test_people_of_a_take_are_named_and_merged_and_restored_by_undo(
    open_window: OpenWindow, qtbot: QtBot, take_of_three: Path
) -> None:
    parts = open_window()
    takes = parts.state.takes
    qtbot.waitUntil(lambda: len(takes.entries.value) == 1, timeout=20_000)
    parts.controller.takes.open(takes.entries.value[0].id)
    qtbot.waitUntil(lambda: takes.opened.value is not None, timeout=20_000)
    parts.window.side_panel.show_page("people")
    page, people, undo = parts.people_page, parts.state.people, parts.take_feature.actions_.undo

    def take() -> object:
        assert takes.opened.value is not None
        return takes.opened.value.stored.take

    assert people.seen_ids.value == (1, 2, 3)
    page.list.item(0).setText("Ann")
    assert names_of(take()) == {1: "Ann"}  # type: ignore[arg-type]
    people.selected_id.set(2)
    page.into.setCurrentIndex(page.into.findData(1))
    qtbot.mouseClick(page.merge, LEFT)
    assert people_of(take()) == (1, 3)  # type: ignore[arg-type]
    assert people.seen_ids.value == (1, 3)
    assert people.selected_id.value == 1
    assert undo.text() == "Undo merging people"
    undo.trigger()
    assert people.seen_ids.value == (1, 2, 3)
    undo.trigger()
    assert names_of(take()) == {}  # type: ignore[arg-type]
    people.selected_id.set(3)
    qtbot.mouseClick(page.keep, LEFT)
    assert people_of(take()) == (3,)  # type: ignore[arg-type]
    undo.trigger()
    assert people_of(take()) == (1, 2, 3)  # type: ignore[arg-type]

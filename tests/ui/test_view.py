"""What is drawn, from where it is looked at, and the view into the network, in the real window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body, default_body, pose_joints, project
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.types import Camera, Crop, DenseMap, Frame, FrameResult, Image, LevelTrace, Person
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import standing_person, write_clip
from ui.app import WindowParts
from ui.state.view import Layout
from ui.state.window import Phase, SourceChoice, WindowState
from ui.system.settings_binding import SettingsBinding

pytestmark = pytest.mark.window
SIZE = (480, 360)
CAMERA = Camera.for_frame(SIZE)
SIDE = 400
"""Of a crop, frame pixels."""
Shown = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture
def parts(open_window: OpenWindow, qtbot: QtBot) -> WindowParts:
    parts = open_window()
    parts.window.resize(1120, 760)
    parts.state.source.set(SourceChoice("file", "made-up.mp4", "made up"))
    parts.state.phase.set(Phase.PLAYING)
    parts.state.opacity.set(1.0)
    parts.window.windowHandle().requestActivate()
    qtbot.waitUntil(parts.window.isActiveWindow, timeout=5000)
    parts.window.canvas_area.setFocus()
    return parts


def result_of(*people: Person, raw: tuple[Person, ...] | None = None) -> FrameResult:
    image = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    return FrameResult(Frame(0, 0.0, image), people, people if raw is None else raw, CAMERA)


def look(parts: WindowParts, qtbot: QtBot) -> Shown:
    """What the canvas shows, (H, W, 3)."""
    qtbot.wait(80)
    canvas = parts.window.canvas_area.canvas
    shown = canvas.grabFramebuffer().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(shown.constBits(), np.uint8).reshape(shown.height(), -1)
    rgb = rows[:, : 3 * shown.width()].reshape(shown.height(), shown.width(), 3)
    return rgb.astype(np.float64)


def coral(shown: Shown) -> npt.NDArray[np.bool_]:
    """Where the first person's body is drawn: bright, and much redder than blue."""
    return (shown[..., 0] > 110) & (shown[..., 0] - shown[..., 2] > 55)


def extent(mask: npt.NDArray[np.bool_], least: int = 50) -> tuple[float, float, float, float]:
    """Left, top, width, height of what is covered."""
    rows, columns = np.nonzero(mask)
    assert len(rows) > least, "nothing is drawn"
    left, top = columns.min(), rows.min()
    return float(left), float(top), float(columns.max() - left), float(rows.max() - top)


def in_canvas(parts: WindowParts, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Frame pixels (N, 2) to canvas pixels of a letterboxed picture."""
    canvas = parts.window.canvas_area.canvas
    scale = min(canvas.width() / SIZE[0], canvas.height() / SIZE[1])
    middle = np.array([canvas.width(), canvas.height()]) / 2
    return np.rint((points + 0.5 - np.array(SIZE) / 2) * scale + middle - 0.5).astype(int)


# -- the panel --------------------------------------------------------------------------------


def test_the_panel_folds_by_key_and_by_its_rail_and_remembers_page_and_width(
    parts: WindowParts, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    window, panel = parts.window, parts.window.side_panel
    folded = panel.width()
    wide = window.canvas_area.width()
    assert not panel.stack.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert panel.stack.isVisible()
    qtbot.waitUntil(lambda: window.canvas_area.width() < wide - 100)
    names = [name for name, _ in panel.page_titles()]
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    assert parts.state.view.panel_page.value == names[1]
    assert panel.stack.currentWidget().isAncestorOf(panel.page(names[1]))
    third = panel.tabs.tabRect(2).center()
    qtbot.mouseClick(panel.tabs, Qt.MouseButton.LeftButton, pos=third)
    assert parts.state.view.panel_page.value == names[2]
    window.centralWidget().setSizes([1, panel.maximumWidth()])
    window.splitter.splitterMoved.emit(0, 1)
    width = panel.width()
    assert width > 2 * folded

    SettingsBinding().save(parts.state)
    again = WindowState()
    SettingsBinding().apply(again)
    assert again.view.panel.value
    assert again.view.panel_page.value == names[2]
    assert again.view.panel_width.value == width

    qtbot.mouseClick(panel.tabs, Qt.MouseButton.LeftButton, pos=third)
    assert not parts.state.view.panel.value
    qtbot.waitUntil(lambda: panel.width() == folded)
    qtbot.waitUntil(lambda: window.canvas_area.width() == wide)


def test_the_rail_is_worked_with_the_keyboard(parts: WindowParts, qtbot: QtBot) -> None:
    panel = parts.window.side_panel
    panel.show_page("view")
    panel.tabs.setFocus()
    qtbot.keyClick(panel.tabs, Qt.Key.Key_Down)
    assert parts.state.view.panel_page.value == "inside"
    qtbot.keyClick(panel.tabs, Qt.Key.Key_Return)
    assert not parts.state.view.panel.value
    qtbot.keyClick(panel.tabs, Qt.Key.Key_Return)
    assert parts.state.view.panel.value


# -- what is drawn ----------------------------------------------------------------------------


def test_body_points_and_box_come_and_go_with_their_keys(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    sure = np.linspace(0, 1, body.joint_count)
    someone = replace(standing_person(body, CAMERA), joint_score=sure)
    parts.state.result.set(result_of(someone))
    assert coral(look(parts, qtbot)).sum() > 5000
    qtbot.keyClick(parts.window, Qt.Key.Key_H)
    assert not coral(look(parts, qtbot)).any()

    empty = look(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_J)
    dots = look(parts, qtbot)
    columns, rows = in_canvas(parts, someone.joints_2d[[0, -1]]).T
    doubtful, certain = dots[rows, columns]
    assert doubtful[0] > doubtful[1] + 60  # red
    assert certain[1] > certain[0] + 60  # green
    qtbot.keyClick(parts.window, Qt.Key.Key_J)
    assert np.array_equal(look(parts, qtbot), empty)

    qtbot.keyClick(parts.window, Qt.Key.Key_X)
    drawn = np.abs(look(parts, qtbot) - empty).max(axis=2) > 30
    left, top, width, height = extent(drawn)
    corners = in_canvas(parts, someone.box.reshape(2, 2))
    assert np.abs(np.array([left, top]) - corners[0]).max() <= 3
    assert np.abs(np.array([left + width, top + height]) - corners[1]).max() <= 3
    # only the edges: no more than four lines a few pixels wide
    assert drawn.sum() < 2 * (width + height) * 6


def test_the_body_before_smoothing_is_drawn_pale_where_it_was_measured(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    smooth = standing_person(body, CAMERA, -0.5)
    raw = standing_person(body, CAMERA, 1.0)
    parts.state.result.set(result_of(smooth, raw=(raw,)))
    without = look(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_G)
    shown = look(parts, qtbot)
    changed = np.abs(shown - without).max(axis=2) > 20
    left, _, width, _ = extent(changed)
    here = in_canvas(parts, raw.joints_2d[:1])[0]
    assert abs(left + width / 2 - here[0]) < 0.2 * width
    pale = shown[changed]
    assert np.abs(pale.max(axis=1) - pale.min(axis=1)).mean() < 15
    assert coral(shown).sum() == pytest.approx(coral(without).sum(), rel=0.2)


def test_a_person_fades_with_the_score_and_is_gone_before_it_is_zero(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    someone = standing_person(body, CAMERA)
    column, row = in_canvas(parts, someone.joints_2d[:1])[0]

    def brightness(score: float, *, predicted: bool = False, joints: float = 0.8) -> float:
        faint = replace(
            someone,
            score=score,
            predicted=predicted,
            joint_score=np.full(body.joint_count, joints),
        )
        parts.state.result.set(result_of(faint))
        return float(look(parts, qtbot)[row, column].mean())

    whole = brightness(0.9)
    assert brightness(0.55) == whole
    assert 20 < brightness(0.3) < 0.9 * whole
    assert brightness(0.1) == 20
    lost = [brightness(score, predicted=True) for score in (0.8, 0.65, 0.5, 0.34)]
    assert lost[0] == whole
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] == 20
    assert 20 < brightness(0.9, joints=0.02) < 0.6 * whole


# -- the 3D view ------------------------------------------------------------------------------


def test_front_side_and_top_show_the_body_as_it_is_in_space(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    # in the T-pose a body is about as wide as high, and a fifth of that deep
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    sizes = {}
    for key, name in ((Qt.Key.Key_1, "front"), (Qt.Key.Key_2, "side"), (Qt.Key.Key_3, "top")):
        qtbot.keyClick(parts.window, key)
        parts.state.view.layout.set(Layout.FREE)
        sizes[name] = extent(coral(look(parts, qtbot)))[2:]
    assert 0.75 < sizes["front"][0] / sizes["front"][1] < 1.25
    assert sizes["side"][0] / sizes["side"][1] < 0.35
    assert sizes["top"][1] / sizes["top"][0] < 0.35
    assert sizes["side"][1] == pytest.approx(sizes["front"][1], rel=0.1)


def test_the_feet_stand_on_the_grid(parts: WindowParts, qtbot: QtBot, body: Body) -> None:
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    parts.state.view.layout.set(Layout.FREE)
    qtbot.keyClick(parts.window, Qt.Key.Key_1)
    shown = look(parts, qtbot)
    _, top, _, height = extent(coral(shown))
    ground = shown[5, 5]
    grid = (np.abs(shown - ground).max(axis=2) > 12) & ~coral(shown)
    # level with the eye: what is seen of the grid lies about the soles and below them
    rows = np.nonzero(grid.sum(axis=1) > 0.3 * shown.shape[1])[0]
    assert len(rows) >= 2
    assert rows.min() > top + 0.7 * height
    soles = top + height
    assert rows.min() < soles < rows.max()


def test_mouse_and_arrow_keys_turn_it_and_the_wheel_comes_nearer(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    canvas, view = parts.window.canvas_area.canvas, parts.state.view
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    view.layout.set(Layout.BOTH)
    qtbot.keyClick(parts.window, Qt.Key.Key_1)
    look(parts, qtbot)
    height = canvas.height() // 2
    in_picture = QPoint(canvas.width() // 4, height)
    in_space = QPoint(3 * canvas.width() // 4, height)

    def drag(start: QPoint) -> None:
        qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
        for step in (QPoint(40, 0), QPoint(80, 20)):
            qtbot.mouseMove(canvas, start + step)
            qtbot.wait(50)
        qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(80, 20))

    drag(in_picture)
    assert view.viewpoint.value.azimuth == 0
    before = look(parts, qtbot)
    drag(in_space)
    qtbot.waitUntil(lambda: view.viewpoint.value.elevation == 10, timeout=2000)
    assert view.viewpoint.value.azimuth == pytest.approx(-40)
    changed = np.abs(look(parts, qtbot) - before).max(axis=2) > 12
    assert changed[:, canvas.width() // 2 :].mean() > 0.01
    assert not changed[:, : canvas.width() // 2 - 2].any()
    parts.window.canvas_area.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Left)
    assert view.viewpoint.value.azimuth == pytest.approx(-30)
    qtbot.keyClick(canvas, Qt.Key.Key_Up)
    assert view.viewpoint.value.elevation == pytest.approx(20)
    distance = view.viewpoint.value.distance
    turn = QWheelEvent(
        QPointF(in_space), QPointF(canvas.mapToGlobal(in_space)), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas, turn)
    assert view.viewpoint.value.distance < distance


def test_the_key_goes_round_the_layouts_and_space_still_pauses(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.state.result.set(result_of(standing_person(body, CAMERA)))
    layouts = []
    for _ in range(3):
        qtbot.keyClick(parts.window, Qt.Key.Key_V)
        layouts.append(parts.state.view.layout.value)
    assert layouts == [Layout.FREE, Layout.BOTH, Layout.PICTURE]
    parts.state.view.layout.set(Layout.BOTH)
    paused = []
    parts.window.actions_.pause.triggered.connect(lambda: paused.append(True))
    parts.window.canvas_area.canvas.setFocus()
    qtbot.keyClick(parts.window.canvas_area.canvas, Qt.Key.Key_Space)
    assert paused


def test_the_view_is_remembered(
    parts: WindowParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: file)
    view = parts.state.view
    view.layout.set(Layout.BOTH)
    for value in (view.points, view.box, view.ghost):
        value.set(True)
    view.mesh.set(False)
    SettingsBinding().save(parts.state)
    again = WindowState()
    SettingsBinding().apply(again)
    assert again.view.layout.value is Layout.BOTH
    assert again.view.points.value
    assert again.view.box.value
    assert again.view.ghost.value
    assert not again.view.mesh.value


# -- inside the network -----------------------------------------------------------------------


def crop_of(person: Person) -> Crop:
    """An upright crop of 400 px about the picture's middle, 64 crop pixels a side."""
    scale = SIDE / 64
    corner = np.array(SIZE) / 2 - 0.5 - scale * (64 - 1) / 2
    return Crop(np.array([[scale, 0, corner[0]], [0, scale, corner[1]]]), 64)


def inside_of(body: Body, shifts: tuple[float, ...], dense: DenseMap | None = None) -> FrameResult:
    levels = tuple(standing_person(body, CAMERA, shift) for shift in shifts)
    read = tuple(np.array([[200.0 + 40 * n, 60.0]]) for n in range(len(levels)))
    inside = LevelTrace(1, crop_of(levels[-1]), levels, read, dense)
    return replace(result_of(levels[-1]), level_traces=(inside,))


def test_the_levels_stand_side_by_side_or_alone(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.state.view.inside_points.set(False)
    qtbot.keyClick(parts.window, Qt.Key.Key_N)
    page = parts.view_feature.inside_page
    shifts = (-0.3, 0.3, 0.0)
    parts.state.result.set(inside_of(body, shifts))
    assert page.level.count() == 4
    assert page.note.text() == ""
    shown = coral(look(parts, qtbot))
    height, width = shown.shape
    assert width > height
    side = width // 3
    # a crop's pixels fill a tile's width: 0.3 m before the camera are 0.3 f / 4 px of them
    far = 0.3 * CAMERA.focal_length / 4 * side / SIDE
    for number, shift in enumerate(shifts):
        left, _, across, _ = extent(shown[:, number * side : (number + 1) * side])
        middle = left + across / 2 - side / 2
        assert middle == pytest.approx(np.sign(shift) * far, abs=0.06 * side)
    page.level.setCurrentIndex(2)
    page.level.activated.emit(2)
    left, _, across, _ = extent(coral(look(parts, qtbot)))
    assert left + across / 2 > width / 2 + 0.5 * far


def test_the_points_that_were_read_are_dotted(parts: WindowParts, qtbot: QtBot, body: Body) -> None:
    parts.state.view.inside.set(True)
    parts.state.view.inside_level.set(2)
    parts.state.view.mesh.set(False)
    parts.state.result.set(inside_of(body, (0.0, 0.0, 0.0)))
    with_points = look(parts, qtbot)
    parts.view_feature.inside_page.points.click()
    changed = np.abs(look(parts, qtbot) - with_points).max(axis=2) > 60
    left, top, width, height = extent(changed, 4)
    assert max(width, height) < 20  # one dot
    canvas = parts.window.canvas_area.canvas
    scale = min(canvas.width(), canvas.height()) / SIDE
    away = (np.array([240.0, 60.0]) + 0.5 - np.array(SIZE) / 2) * scale
    middle = np.array([left + width / 2, top + height / 2])
    there = np.array([canvas.width(), canvas.height()]) / 2 + away
    assert np.abs(middle - there).max() < 3
    row, column = np.rint(middle[::-1]).astype(int)
    red, green, blue = with_points[row, column]
    assert min(red, green) > blue + 80  # yellow


def test_parts_are_coloured_and_the_networks_own_map_has_a_tile(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.state.view.inside.set(True)
    parts.state.view.inside_points.set(False)
    parts.state.view.inside_level.set(1)
    parts.state.result.set(inside_of(body, (0.0,)))

    def hues() -> int:
        shown = look(parts, qtbot)
        hue = cv2.cvtColor(shown.astype(np.uint8), cv2.COLOR_RGB2HSV)[..., 0]
        counts = np.bincount(hue[np.ptp(shown, axis=2) > 60] // 12)
        return int((counts > 30).sum())

    assert hues() < 3
    parts.view_feature.inside_page.dense.click()
    assert hues() > 8
    # the left half of the crop is part 1, nobody in the other
    half = np.zeros((8, 8), np.int64)
    half[:, :4] = 1
    without = look(parts, qtbot)
    parts.state.result.set(inside_of(body, (0.0,), DenseMap(half)))
    shown = look(parts, qtbot)
    height, width = shown.shape[:2]
    tile = shown[:, width // 2 :]
    coloured = np.ptp(tile, axis=2) > 60
    left, _, across, down = extent(coloured)
    side = min(width // 2, height)
    assert across == pytest.approx(side / 2, abs=0.03 * side)
    assert down == pytest.approx(side, abs=0.03 * side)
    assert left + across == pytest.approx(tile.shape[1] / 2, abs=0.03 * side)
    assert not np.array_equal(shown[:, : width // 2], without[:, : width // 2])


def test_a_model_with_its_last_level_only_says_what_to_do(
    parts: WindowParts, qtbot: QtBot, body: Body
) -> None:
    parts.window.side_panel.show_page("inside")
    page = parts.view_feature.inside_page
    page.switch.click()
    assert "Open a camera or a video" in page.note.text()
    parts.state.result.set(inside_of(body, (0.0,)))
    assert page.note.isVisible()
    assert "exported with all levels" in page.note.text()
    parts.state.result.set(replace(result_of(standing_person(body, CAMERA)), raw=()))
    assert "Takes contain" in page.note.text()
    page.switch.click()
    assert not page.note.isVisible()


# -- the picture and its own body -------------------------------------------------------------


class FigureFollower(FrameEstimator):
    """Puts a body exactly where the bright figure of this very frame stands."""

    backend = detector = "double"
    model = "double 0"
    notices: tuple[str, ...] = ()

    def __init__(self, body: Body) -> None:
        self._body = body

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        camera = Camera.for_frame((frame.image.shape[1], frame.image.shape[0]))
        away = figure_center(frame.image) - camera.principal_point[0]
        someone = standing_person(self._body, camera)
        root = someone.joints[0]
        someone = moved(self._body, someone, away * root[2] / camera.focal_length - root[0], camera)
        return FrameResult(frame, (someone,), (someone,), camera)

    def close(self) -> None:
        pass


def moved(body: Body, person: Person, across: float, camera: Camera) -> Person:
    translation = person.translation + np.array([across, 0.0, 0.0])
    joints = pose_joints(body, person.rotations, person.shape, translation)
    joints_2d = project(joints, camera)
    box = np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)]
    return replace(person, translation=translation, joints=joints, joints_2d=joints_2d, box=box)


def figure_center(image: Image | Shown) -> float:
    """Column of the bright, warm figure's middle."""
    red, blue = image[..., 0].astype(float), image[..., 2].astype(float)
    columns = np.nonzero((red > 170) & (abs(red - blue - 30) < 20))[1]
    return float(columns.min() + columns.max()) / 2


def test_while_it_plays_every_picture_is_drawn_with_its_own_body(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    body: Body,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = write_clip(tmp_path / "sway.mp4", frames=90, size=SIZE)
    monkeypatch.setattr(
        "tests.ui.conftest.opener", lambda: lambda facts, options: FigureFollower(body)
    )
    parts = open_window()
    parts.window.open_choice(SourceChoice("file", str(clip), "sway"))
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.state.skeleton.set(False)
    parts.state.opacity.set(1.0)
    offsets, places = [], []
    for _ in range(12):
        qtbot.wait(60)
        shown = look(parts, qtbot)
        figure = figure_center(shown)
        columns = np.nonzero(coral(shown).sum(axis=0) > 40)[0]  # the trunk, not the arms
        offsets.append(float(columns.min() + columns.max()) / 2 - figure)
        places.append(figure)
    assert np.ptp(places) > 40, "the figure hardly moved"
    # the same few pixels to the side at every moment, whatever the figure does
    assert np.ptp(offsets) < 5

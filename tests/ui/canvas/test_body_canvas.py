"""The canvas widget on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body
from pymaf_live.rendering import OverlayStyle, open_overlay
from pymaf_live.types import Camera, Frame, FrameResult, Person
from tests.rendering.posed import person
from tests.ui.helpers import Pixels, rgb_of
from ui.canvas.body_canvas import BodyCanvas
from ui.canvas.display_options import DisplayOptions

pytestmark = pytest.mark.window
SIZE = (320, 240)
CAMERA = Camera.for_frame(SIZE)


def result(*people: Person, index: int = 0) -> FrameResult:
    # left half blue, right half green, so that mirroring is visible
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[:, : SIZE[0] // 2, 2] = 120
    image[:, SIZE[0] // 2 :, 1] = 120
    return FrameResult(Frame(index, index / 30, image), people, camera=CAMERA)


@pytest.fixture
def canvas(qtbot: QtBot, body: Body) -> Iterator[BodyCanvas]:
    window = QMainWindow()
    body_canvas = BodyCanvas(body)
    window.setCentralWidget(body_canvas.native)
    window.resize(640, 480)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    yield body_canvas
    body_canvas.close()


@pytest.fixture
def grab_canvas(qtbot: QtBot, canvas: BodyCanvas) -> Callable[[], Pixels]:
    """Return a function that grabs the pixels on the screen (h, w, 3)."""

    def grab() -> Pixels:
        qtbot.wait(30)
        pixels = rgb_of(canvas.native.grabFramebuffer())
        assert not canvas.failure
        return pixels

    return grab


def test_the_body_matches_the_overlay(
    canvas: BodyCanvas, grab_canvas: Callable[[], Pixels], body: Body
) -> None:
    someone = person(body, 1)
    canvas.show_result(result())
    empty = grab_canvas()
    canvas.show_result(result(someone))
    full = grab_canvas()
    height, width = full.shape[:2]
    assert (width, height) == (640, 480)
    seen = np.abs(full - empty).max(axis=2) > 8

    camera = Camera(CAMERA.focal_length * 2, CAMERA.principal_point * 2 + 0.5, (640, 480))
    overlay = open_overlay(body, (640, 480), "cpu", OverlayStyle(opacity=1.0))
    expected = overlay.draw(np.zeros((480, 640, 3), np.uint8), [someone], camera).any(axis=2)
    assert (seen & expected).sum() / (seen | expected).sum() > 0.96


def test_the_image_is_letterboxed_and_mirrored(
    canvas: BodyCanvas, grab_canvas: Callable[[], Pixels], body: Body, qtbot: QtBot
) -> None:
    someone = person(body, 1, at=(-0.5, 0.2, 4.0))
    canvas.native.window().resize(900, 480)
    canvas.show_result(result(someone))
    plain = grab_canvas()
    height, width = plain.shape[:2]
    edge = (width - height * 4 // 3) // 2
    assert edge > 50
    bars = np.concatenate([plain[:, : edge - 2], plain[:, -edge + 2 :]], axis=1)
    assert (bars == bars[0, 0]).all()
    assert plain[5, edge + 5, 2] > 100
    assert plain[5, -edge - 6, 1] > 100
    canvas.options = DisplayOptions(mirrored=True)
    mirrored = grab_canvas()
    off = np.abs(mirrored[:, ::-1] - plain).max(axis=2) > 40
    assert off.mean() < 0.003
    assert mirrored[5, edge + 5, 1] > 100


def test_opacity_and_skeleton_can_be_set(
    canvas: BodyCanvas, grab_canvas: Callable[[], Pixels], body: Body
) -> None:
    someone = person(body, 1, at=(-0.5, 0.2, 4.0))
    column, row = (someone.joints_2d[0] * 2 + 0.5).astype(int)
    shown = result(someone)
    background = shown.frame.image[row // 2, column // 2].astype(int)
    canvas.options = DisplayOptions(OverlayStyle(opacity=1.0))
    canvas.show_result(shown)
    opaque = grab_canvas()[row, column]
    canvas.options = DisplayOptions(OverlayStyle(opacity=0.5))
    half = grab_canvas()[row, column]
    assert np.abs(half - (opaque + background) / 2).max() <= 2
    canvas.options = DisplayOptions(OverlayStyle(opacity=0.5, skeleton=True))
    assert grab_canvas()[row, column].min() > 180


def test_drawn_results_are_reported_and_the_canvas_can_be_emptied(
    qtbot: QtBot, canvas: BodyCanvas, grab_canvas: Callable[[], Pixels], body: Body
) -> None:
    drawn: list[int] = []
    canvas._on_drawn = lambda shown: drawn.append(shown.frame.index)
    for index in range(3):
        canvas.show_result(result(person(body, 1), index=index))
        qtbot.waitUntil(lambda index=index: index in drawn, timeout=5000)
    canvas.show_result(None)
    empty = grab_canvas()
    assert (empty == empty[0, 0]).all()


def test_images_larger_than_the_screen_are_shown(
    canvas: BodyCanvas, grab_canvas: Callable[[], Pixels]
) -> None:
    image = np.zeros((4320, 7680, 3), np.uint8)
    image[:, :3840, 0] = 200
    canvas.show_result(FrameResult(Frame(0, 0.0, image), (), camera=None))
    shown = grab_canvas()
    assert shown[240, 160, 0] > 195
    assert shown[240, 480, 0] < 5

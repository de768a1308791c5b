"""The body on the screen lies where the overlay of a processed file has it, picture by picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.rendering import OverlayStyle, open_overlay
from pymaf_live.types import Camera, FrameResult
from tests.ui.conftest import OpenWindow
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window
Mask = npt.NDArray[np.bool_]

NEAR = 2.0
"""Pixels between the middles of both shapes: bars of a fraction of a pixel are rounded by one of
the two, and what hardly differs from the picture under it does not count as body."""


def grabbed(parts: WindowParts) -> npt.NDArray[np.int64]:
    """What the canvas shows of the newest result, (H, W, 3)."""
    shown = parts.window.canvas_area.canvas.grabFramebuffer()
    shown = shown.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(shown.constBits(), np.uint8).reshape(shown.height(), -1)
    return rows[:, : 3 * shown.width()].reshape(shown.height(), -1, 3).astype(np.int64)


def drawn_body(parts: WindowParts) -> Mask:
    """Where the body covers the picture: what goes when it is not drawn."""
    with_body = grabbed(parts)
    parts.state.view.mesh.set(False)
    without = grabbed(parts)
    parts.state.view.mesh.set(True)
    return np.asarray(np.abs(with_body - without).max(axis=2) > 2)


def overlay_of(result: FrameResult, size: tuple[int, int]) -> Mask:
    """Where the processor's rasteriser has the bodies of a result, letterboxed into `size`."""
    assert result.camera is not None
    rows, columns = result.frame.image.shape[:2]
    scale = min(size[0] / columns, size[1] / rows)
    bar = (np.array(size) - scale * np.array([columns, rows])) / 2
    principal = (result.camera.principal_point + 0.5) * scale + bar - 0.5
    camera = Camera(result.camera.focal_length * scale, principal, size)
    overlay = open_overlay(default_body(), size, "cpu", OverlayStyle(opacity=1.0))
    black = np.zeros((size[1], size[0], 3), np.uint8)
    return np.asarray(overlay.draw(black, result.people, camera).any(axis=2))


def off_by(one: Mask, other: Mask) -> npt.NDArray[np.float64]:
    """Shift (2,) in pixels from one shape's middle to the other's."""
    assert one.sum() > 500
    return np.asarray(np.mean(np.nonzero(one), axis=1) - np.mean(np.nonzero(other), axis=1))[::-1]


@pytest.mark.parametrize("size", [(1120, 760), (760, 900)], ids=["bars beside", "bars above"])
def test_while_a_film_plays_each_picture_has_its_own_body_at_its_place(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, size: tuple[int, int]
) -> None:
    parts = open_window(each=0.02)
    parts.window.resize(*size)
    parts.state.opacity.set(1.0)
    parts.controller.sources.open(clip)
    seen: set[int] = set()
    for _ in range(4):
        before = set(seen)

        def another(before: set[int] = before) -> bool:
            result = parts.state.result.value
            return result is not None and result.frame.index not in before

        qtbot.waitUntil(another, timeout=20_000)
        result = parts.state.result.value
        assert result is not None
        body = drawn_body(parts)
        expected = overlay_of(result, (body.shape[1], body.shape[0]))
        assert np.abs(off_by(body, expected)).max() < NEAR
        assert (body & expected).sum() / (body | expected).sum() > 0.95
        seen.add(result.frame.index)
        qtbot.wait(150)
    assert len(seen) == 4


def test_on_a_still_picture_the_body_lies_where_a_processed_picture_has_it(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    picture = tmp_path / "still.png"
    cv2.imwrite(str(picture), np.full((333, 517, 3), 40, np.uint8))
    parts = open_window()
    parts.state.opacity.set(1.0)
    parts.controller.sources.open(SourceChoice("file", str(picture), picture.name))
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=20_000)
    parts.controller.playback.pause()
    qtbot.waitUntil(lambda: parts.state.phase.value in (Phase.PAUSED, Phase.ENDED), timeout=5000)
    result = parts.state.result.value
    assert result is not None
    plain = drawn_body(parts)
    expected = overlay_of(result, (plain.shape[1], plain.shape[0]))
    assert np.abs(off_by(plain, expected)).max() < NEAR
    # mirrored: as its own picture is, about the middle of the canvas
    parts.state.mirror.set(True)
    mirrored = drawn_body(parts)
    assert np.abs(off_by(mirrored[:, ::-1], expected)).max() < NEAR

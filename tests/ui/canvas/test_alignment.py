"""Alignment of the body on the screen with the overlay of processed files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.rendering import OverlayStyle, open_overlay
from pymaf_live.types import Camera, FrameResult
from tests.ui.conftest import OpenWindow
from tests.ui.helpers import Pixels, rgb_of
from ui.app import WindowParts
from ui.state.window import Phase, SourceChoice

pytestmark = pytest.mark.window
Mask = npt.NDArray[np.bool_]

TOLERANCE = 2.0
"""Pixels between the centroids: one of the two rounds letterbox bars to whole pixels, and body
pixels that hardly differ from the image do not count."""


def grab(parts: WindowParts) -> Pixels:
    """Return the pixels of the canvas for the latest result (H, W, 3)."""
    return rgb_of(parts.window.canvas_area.canvas.grabFramebuffer())


def drawn_body(parts: WindowParts) -> Mask:
    """Return the pixels that change when the body is not drawn."""
    with_body = grab(parts)
    parts.state.view.mesh.set(False)
    without = grab(parts)
    parts.state.view.mesh.set(True)
    return np.asarray(np.abs(with_body - without).max(axis=2) > 2)


def overlay_of(result: FrameResult, size: tuple[int, int]) -> Mask:
    """Return the pixels of a result's bodies by the CPU rasteriser, letterboxed into `size`."""
    assert result.camera is not None
    rows, columns = result.frame.image.shape[:2]
    scale = min(size[0] / columns, size[1] / rows)
    bar = (np.array(size) - scale * np.array([columns, rows])) / 2
    principal = (result.camera.principal_point + 0.5) * scale + bar - 0.5
    camera = Camera(result.camera.focal_length * scale, principal, size)
    overlay = open_overlay(default_body(), size, "cpu", OverlayStyle(opacity=1.0))
    black = np.zeros((size[1], size[0], 3), np.uint8)
    return np.asarray(overlay.draw(black, result.people, camera).any(axis=2))


def centroid_shift(one: Mask, other: Mask) -> npt.NDArray[np.float64]:
    """Return the offset (2,) in pixels between the centroids of two masks."""
    assert one.sum() > 500
    return np.asarray(np.mean(np.nonzero(one), axis=1) - np.mean(np.nonzero(other), axis=1))[::-1]


@pytest.mark.parametrize("size", [(1120, 760), (760, 900)], ids=["bars beside", "bars above"])
def test_during_playback_the_body_matches_the_overlay_of_its_frame(
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
        assert np.abs(centroid_shift(body, expected)).max() < TOLERANCE
        assert (body & expected).sum() / (body | expected).sum() > 0.95
        seen.add(result.frame.index)
        qtbot.wait(150)
    assert len(seen) == 4


def test_on_a_still_image_the_body_matches_the_overlay(
    open_window: OpenWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    image = tmp_path / "still.png"
    cv2.imwrite(str(image), np.full((333, 517, 3), 40, np.uint8))
    parts = open_window()
    parts.state.opacity.set(1.0)
    parts.controller.sources.open(SourceChoice("file", str(image), image.name))
    qtbot.waitUntil(lambda: parts.state.result.value is not None, timeout=20_000)
    parts.controller.playback.pause()
    qtbot.waitUntil(lambda: parts.state.phase.value in (Phase.PAUSED, Phase.ENDED), timeout=5000)
    result = parts.state.result.value
    assert result is not None
    plain = drawn_body(parts)
    expected = overlay_of(result, (plain.shape[1], plain.shape[0]))
    assert np.abs(centroid_shift(plain, expected)).max() < TOLERANCE
    # mirrored about the middle of the canvas, together with the image
    parts.state.mirror.set(True)
    mirrored = drawn_body(parts)
    assert np.abs(centroid_shift(mirrored[:, ::-1], expected)).max() < TOLERANCE

"""Synchronisation of the image and its body while a source plays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.body import Body, pose_joints, project
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.types import Camera, Frame, FrameResult, Image, Person
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import standing_person, write_clip
from tests.ui.helpers import SIZE, Pixels, body_mask, canvas_pixels
from tests.ui.take_steps import frames_of, shown_frame
from ui.app import WindowParts
from ui.state.window import SourceChoice

pytestmark = pytest.mark.window


class FigureEstimator(FrameEstimator):
    """Places a body exactly where the bright figure of the same frame stands."""

    backend = detector = "fake"
    model = "fake 0"
    notices: tuple[str, ...] = ()

    def __init__(self, body: Body, *, lag: int = 0, seconds: float = 0.0) -> None:
        self._body = body
        self._lag = lag
        self._seconds = seconds
        self._measured: list[Person] = []

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        camera = Camera.for_frame((frame.image.shape[1], frame.image.shape[0]))
        offset = figure_centre(frame.image) - camera.principal_point[0]
        person = standing_person(self._body, camera)
        root = person.joints[0]
        shift = offset * root[2] / camera.focal_length - root[0]
        person = shifted(self._body, person, shift, camera)
        self._measured.append(person)
        filtered = self._measured[max(0, len(self._measured) - 1 - self._lag)]
        time.sleep(self._seconds)
        return FrameResult(frame, (filtered,), (person,), camera)

    def close(self) -> None:
        pass


def shifted(body: Body, person: Person, dx: float, camera: Camera) -> Person:
    """Return the person moved to the right by `dx` metres."""
    translation = person.translation + np.array([dx, 0.0, 0.0])
    joints = pose_joints(body, person.rotations, person.shape, translation)
    joints_2d = project(joints, camera)
    box = np.r_[joints_2d.min(axis=0), joints_2d.max(axis=0)]
    return replace(person, translation=translation, joints=joints, joints_2d=joints_2d, box=box)


def figure_centre(image: Image | Pixels) -> float:
    """Return the column of the centre of the bright, warm figure."""
    red, blue = image[..., 0].astype(float), image[..., 2].astype(float)
    columns = np.nonzero((red > 170) & (abs(red - blue - 30) < 20))[1]
    return float(columns.min() + columns.max()) / 2


def offset_of_the_body(parts: WindowParts, qtbot: QtBot) -> tuple[float, float]:
    """Return the distance of the drawn body from the figure, and the figure's position."""
    shown = canvas_pixels(parts, qtbot)
    figure = figure_centre(shown)
    columns = np.nonzero(body_mask(shown).sum(axis=0) > 40)[0]  # the trunk, not the arms
    return float(columns.min() + columns.max()) / 2 - figure, figure


def test_during_playback_every_frame_is_drawn_with_its_own_body(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    body: Body,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = write_clip(tmp_path / "sway.mp4", frames=90, size=SIZE)
    monkeypatch.setattr(
        "tests.ui.conftest.opener", lambda: lambda facts, options: FigureEstimator(body)
    )
    parts = open_window()
    parts.window.open_choice(SourceChoice("file", str(clip), "sway"))
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.state.skeleton.set(False)
    parts.state.opacity.set(1.0)
    offsets, positions = [], []
    for _ in range(12):
        qtbot.wait(60)
        offset, position = offset_of_the_body(parts, qtbot)
        offsets.append(offset)
        positions.append(position)
    assert np.ptp(positions) > 40, "the figure hardly moved"
    # the offset is constant, however the figure moves
    assert np.ptp(offsets) < 5


def test_a_paused_image_is_drawn_with_the_body_measured_in_it(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    body: Body,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = write_clip(tmp_path / "sway.mp4", frames=90, size=SIZE)
    monkeypatch.setattr(
        "tests.ui.conftest.opener", lambda: lambda facts, options: FigureEstimator(body, lag=4)
    )
    parts = open_window()
    parts.window.open_choice(SourceChoice("file", str(clip), "sway"))
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.state.opacity.set(1.0)
    offsets = []
    for _ in range(4):
        parts.controller.playback.pause()
        qtbot.wait(200)
        offsets.append(offset_of_the_body(parts, qtbot)[0])
        parts.controller.playback.resume()
        qtbot.wait(230)
    assert np.ptp(offsets) < 5


def test_a_sparse_take_is_reviewed_with_the_image_of_each_frame(
    open_window: OpenWindow,
    qtbot: QtBot,
    tmp_path: Path,
    body: Body,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = write_clip(tmp_path / "sway.mp4", frames=90, size=SIZE)
    monkeypatch.setattr(
        "tests.ui.conftest.opener",
        lambda: lambda facts, options: FigureEstimator(body, seconds=0.12),
    )
    parts = open_window()
    parts.state.preferences.smoothing_strength.set(0.0)
    parts.window.open_choice(SourceChoice("file", str(clip), "sway"))
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)
    parts.state.opacity.set(1.0)
    parts.controller.recording.record()
    qtbot.waitUntil(lambda: parts.state.take.value.seconds > 1.5, timeout=20_000)
    parts.controller.recording.stop()
    qtbot.waitUntil(lambda: len(parts.state.takes.entries.value) > 0, timeout=30_000)
    parts.controller.takes.open_latest()
    qtbot.waitUntil(lambda: parts.state.takes.opened.value is not None, timeout=10_000)
    offsets, positions = [], []
    for frame in range(2, frames_of(parts) - 1, 3):
        parts.controller.review.seek(frame)
        qtbot.waitUntil(lambda frame=frame: shown_frame(parts) == frame, timeout=10_000)
        offset, position = offset_of_the_body(parts, qtbot)
        offsets.append(offset)
        positions.append(position)
    assert np.ptp(positions) > 20, "the figure hardly moved"
    assert np.ptp(offsets) < 5

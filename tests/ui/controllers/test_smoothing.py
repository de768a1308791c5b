"""Changing smoothing and field of view while a source plays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from pymaf_live.body import default_body
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.types import Camera, Frame, FrameResult, SourceFacts
from tests.ui.conftest import OpenWindow
from tests.ui.fakes import StandingEstimator, standing_person
from ui.app import WindowParts
from ui.state.window import SourceChoice

pytestmark = pytest.mark.window


def play(parts: WindowParts, qtbot: QtBot, choice: SourceChoice) -> None:
    parts.window.open_choice(choice)
    qtbot.waitUntil(lambda: parts.state.drawn.value is not None, timeout=20_000)


class SmoothingEstimator(StandingEstimator):
    """Returns a jittering person, smoothed by the strength in the options."""

    def __init__(self, facts: SourceFacts, options: PipelineOptions) -> None:
        super().__init__()
        self._random = np.random.default_rng(1)
        self._last: float | None = None
        self.strengths = [options.smoothing_strength]
        self.fovs = [options.fov]

    def adjust(self, options: PipelineOptions) -> None:
        self.strengths.append(options.smoothing_strength if options.smoothing == "live" else 0.0)
        self.fovs.append(options.fov)

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        height, width = frame.image.shape[:2]
        camera = Camera.for_frame((width, height), self.fovs[-1])
        raw = standing_person(default_body(), camera, float(self._random.normal(0, 0.02)))
        place = float(raw.translation[0])
        smooth = 0.9 * self.strengths[-1]
        self._last = place if self._last is None else smooth * self._last + (1 - smooth) * place
        shift = np.array([self._last - place, 0.0, 0.0])
        shown = replace(raw, joints=raw.joints + shift, translation=raw.translation + shift)
        return FrameResult(frame, (shown,), (raw,), camera)


@pytest.fixture
def smoothing_window(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, monkeypatch: pytest.MonkeyPatch
) -> tuple[WindowParts, list[SmoothingEstimator]]:
    estimators: list[SmoothingEstimator] = []

    def open_estimator(facts: SourceFacts, options: PipelineOptions) -> SmoothingEstimator:
        estimators.append(SmoothingEstimator(facts, options))
        return estimators[-1]

    parts = open_window()
    parts.controller.opener.open_pipeline = lambda source, options: Pipeline(
        source, options, open_estimator=open_estimator
    )
    play(parts, qtbot, clip)
    parts.window.side_panel.show_page("settings")
    return parts, estimators


def jitter_shown(parts: WindowParts) -> float | None:
    match = re.match(r"Jitter: ([\d.]+) mm", parts.settings_feature.settings.jitter.text())
    return float(match[1]) if match else None


def test_smoothing_changes_during_playback_and_the_jitter_is_shown(
    smoothing_window: tuple[WindowParts, list[SmoothingEstimator]], qtbot: QtBot
) -> None:
    parts, (estimator,) = smoothing_window
    slider = parts.settings_feature.settings.smoothing
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: estimator.strengths[-1] == 0.0, timeout=5000)
    parts.controller.figures.reset_smoothing_metrics()
    qtbot.waitUntil(lambda: jitter_shown(parts) is not None, timeout=10_000)
    snappy = jitter_shown(parts)
    qtbot.keyClick(slider, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: estimator.strengths[-1] == 1.0, timeout=5000)
    parts.controller.figures.reset_smoothing_metrics()
    qtbot.waitUntil(lambda: jitter_shown(parts) is not None, timeout=10_000)
    smooth = jitter_shown(parts)
    assert snappy is not None
    assert smooth is not None
    assert smooth < snappy / 2
    assert parts.state.preferences.smoothing_strength.value == 1.0
    assert len(estimator.strengths) <= 4  # the estimator was not opened again


def test_field_of_view_is_applied_at_once_and_locked_while_recording(
    smoothing_window: tuple[WindowParts, list[SmoothingEstimator]], qtbot: QtBot
) -> None:
    parts, (estimator,) = smoothing_window
    page = parts.settings_feature.settings
    usual = parts.state.result.value
    assert usual is not None
    assert usual.camera is not None
    page.knows_fov.click()
    page.fov.setValue(90.0)

    def wide() -> bool:
        result = parts.state.result.value
        return bool(result and result.camera and result.camera.focal_length < 310)

    qtbot.waitUntil(wide, timeout=5000)  # half the diagonal of 480 x 360
    assert estimator.fovs[-1] == 90.0
    parts.window.actions_.record.trigger()
    qtbot.waitUntil(lambda: not page.fov.isEnabled(), timeout=5000)
    assert not page.knows_fov.isEnabled()
    parts.window.actions_.record.trigger()
    qtbot.waitUntil(page.fov.isEnabled, timeout=5000)


def test_camera_mirroring_can_be_set_without_a_camera(open_window: OpenWindow) -> None:
    parts = open_window()
    assert parts.state.mirror_cameras.value
    parts.settings_feature.settings.mirror.click()
    assert not parts.state.mirror_cameras.value
    assert not parts.state.mirror.value

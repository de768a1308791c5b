"""Tests of the live measurement of jitter and delay."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.motion.smoothing_metrics import SmoothingMeter, delay, jitter
from pymaf_live.types import Camera
from tests.ui.fakes import standing_person

RATE = 30.0


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def swaying(times: np.ndarray, lag: float = 0.0) -> np.ndarray:
    """Return joints (F, 4, 3) m that sway by 10 cm, `lag` seconds late."""
    phase = 2 * np.pi * 0.8 * (times - lag)[:, None, None] + np.arange(4)[:, None]
    return np.broadcast_to(0.1 * np.sin(phase), (len(times), 4, 3)).copy()


@pytest.mark.parametrize("even", [True, False])
def test_jitter_measures_noise_and_not_motion(even: bool) -> None:
    rng = np.random.default_rng(3)
    times = np.arange(600) / RATE
    if not even:
        times = np.sort(times + rng.uniform(-0.01, 0.01, len(times)))
    clean = swaying(times)
    assert jitter(times, clean) < 0.002
    noisy = clean + rng.normal(0, 0.01, clean.shape)
    assert jitter(times, noisy) == pytest.approx(np.sqrt(3) * 0.01, rel=0.1)


@pytest.mark.parametrize("lag", [0.0, 0.05, 0.12])
def test_delay_is_measured_despite_noise(lag: float) -> None:
    rng = np.random.default_rng(4)
    times = np.arange(75) / RATE
    raw = swaying(times) + rng.normal(0, 0.01, (75, 4, 3))
    assert delay(times, raw, swaying(times, lag)) == pytest.approx(lag, abs=0.012)


def test_motionless_person_has_no_delay() -> None:
    times = np.arange(75) / RATE
    still = np.zeros((75, 4, 3))
    assert delay(times, still, still) is None


def test_meter_needs_enough_frames_and_restarts_with_another_person(body: Body) -> None:
    camera = Camera.for_frame((640, 480))
    meter = SmoothingMeter()
    one = standing_person(body, camera)
    meter.add(0.0, (one,), (one,))
    assert meter.metrics() is None
    for index in range(1, 90):
        sideways = 0.2 * np.sin(index / 5)
        moved = standing_person(body, camera, float(sideways))
        meter.add(index / RATE, (moved,), (moved,))
    metrics = meter.metrics()
    assert metrics is not None
    assert metrics.delay == 0.0
    assert metrics.jitter == pytest.approx(metrics.raw_jitter)
    meter.add(0.0, (one,), (one,))  # the video restarts
    assert meter.metrics() is None
    meter.add(1.0, (), ())
    assert meter.metrics() is None

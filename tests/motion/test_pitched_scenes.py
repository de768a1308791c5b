"""Up direction and ground in synthetic scenes with a tilted camera."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.export.up_direction import estimate_up
from pymaf_live.motion import lock_feet, smooth_offline
from tests.motion.pitched_scenes import CAMERA_HEIGHT, lowest_points, scene, true_up


@pytest.mark.parametrize(
    ("pitch", "roll", "people"), [(0, 15, 2), (20, -10, 3), (35, 0, 2), (45, 15, 1)]
)
def test_people_stand_on_the_ground_of_a_tilted_camera(
    pitch: float, roll: float, people: int
) -> None:
    body, up = default_body(), true_up(pitch, roll)
    take, _ = scene(body, pitch, roll, people, noise=1.0)
    smooth = smooth_offline(take, body)
    found = estimate_up(smooth, body).direction
    assert np.degrees(np.arccos(np.clip(found @ up, -1, 1))) < 3.0
    locked = lock_feet(smooth, body)
    standing = np.asarray(locked.frame_time)[locked.frame] < 1.4
    height = lowest_points(locked, body, up)[standing] + CAMERA_HEIGHT
    assert np.abs(height).max() < 0.03

"""Up direction and ground in synthetic scenes with a tilted camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.export.world import WorldTransform, world_transform
from pymaf_live.motion import lock_feet, smooth_offline
from pymaf_live.takes.ground import with_ground
from pymaf_live.takes.take import Take
from pymaf_live.workflows.recoverable import finished_take
from tests.motion.pitched_scenes import scene, true_up

SIZES = (1.0, 1.08, 0.95)
"""Factors on the people's distances: wrong guesses of their sizes."""


def lowest_in_export(take: Take, transform: WorldTransform) -> np.ndarray:
    """Return the height (R,) m of each row's lowest point in the export's world."""
    body = default_body()
    points = PointSet.vertices(body, body.sample_vertices)
    posed = points.pose(matrix_from_axis_angle(take.pose), take.shape, take.translation)
    return np.asarray((posed @ transform.rotation.T + transform.shift)[..., 1].min(axis=-1))


@pytest.mark.parametrize(
    ("pitch", "roll", "people", "sizes"),
    [
        (0, 0, 1, ()),
        (0, 15, 2, SIZES),
        (20, -10, 3, ()),
        (35, 0, 2, SIZES),
        (30, 15, 3, SIZES),
        (45, -15, 2, ()),
        (45, 15, 1, ()),
    ],
)
def test_people_stand_on_the_ground_of_a_tilted_camera(
    pitch: float, roll: float, people: int, sizes: tuple[float, ...]
) -> None:
    body, up = default_body(), true_up(pitch, roll)
    take, standing = scene(body, pitch, roll, people, noise=1.0, sizes=sizes)
    grounded = with_ground(take, body)
    assert grounded.ground is not None
    assert np.degrees(np.arccos(np.clip(grounded.ground[:3] @ up, -1, 1))) < 3.0
    # another size at another distance looks the same
    assert np.abs(grounded.joints_2d - take.joints_2d).max() < 2.0
    locked = lock_feet(smooth_offline(grounded, body), body)
    lowest = lowest_in_export(locked, world_transform(locked, body, "ground", 0))
    assert np.abs(lowest[standing[: len(lowest)]]).max() < 0.03
    assert lowest.min() > -0.03


def test_every_smoothing_and_every_selection_has_the_same_ground() -> None:
    body = default_body()
    take, _ = scene(body, 35, 10, 2, count=45, noise=1.0, sizes=SIZES)
    found = [finished_take(take, kind, body) for kind in ("off", "offline", "refine")]  # type: ignore[arg-type]
    assert found[0].ground is not None
    for each in found[1:]:
        np.testing.assert_array_equal(each.ground, found[0].ground)
        np.testing.assert_allclose(each.shape[0], found[0].shape[0], atol=1e-9)
    assert finished_take(found[0], "off", body).ground is found[0].ground


def test_someone_on_another_floor_does_not_change_the_ground() -> None:
    body, up = default_body(), true_up(20, 0)
    take, _ = scene(body, 20, 0, 2, count=45)
    alone = with_ground(take, body).ground
    raised = np.array(take.joints)
    on_stage = take.person == 1
    raised[on_stage] += 0.8 * up
    moved = np.array(take.translation)
    moved[on_stage] += 0.8 * up
    lifted = with_ground(replace(take, joints=raised, translation=moved), body)
    assert alone is not None
    assert lifted.ground is not None
    assert np.degrees(np.arccos(np.clip(lifted.ground[:3] @ up, -1, 1))) < 2.0
    # people stay where they are: neither is 15 % smaller or larger than measured
    np.testing.assert_allclose(lifted.translation, moved, atol=1e-6)

"""What stands still loses its noise; what moves is taken as it is."""

import numpy as np
import pytest

from pymaf_live.tracking.crop import crop_about
from pymaf_live.tracking.temporal_denoise import Grain

CROP = crop_about(np.array([200.0, 150.0]), 300.0, 0.0, 256)
NOISE = 2.5


def scene():
    """Bright and dark patches, coarse enough to have edges and areas."""
    patches = np.random.default_rng(0).integers(40, 210, (8, 8, 3))
    return np.kron(patches, np.ones((32, 32, 1))).astype(np.uint8)


def seen(still, seed):
    noise = np.random.default_rng(seed).normal(0, NOISE, still.shape)
    return np.clip(np.round(still + noise), 0, 255).astype(np.uint8)


def test_the_noise_of_a_still_picture_falls_to_half_and_less():
    grain, still = Grain(), scene()
    shown = [grain.removed(0, CROP, seen(still, seed)).astype(float) for seed in range(40)]
    assert np.std(shown[10:], axis=0).mean() < 0.5 * NOISE
    # and nothing drifts away from what is there
    assert np.abs(np.mean(shown[10:], axis=0) - still).mean() < 1.0


def test_what_moves_is_not_held_back():
    grain, still = Grain(), scene()
    for seed in range(10):
        grain.removed(0, CROP, seen(still, seed))
    moved = still.copy()
    moved[100:140, 60:120] = 255 - moved[100:140, 60:120]
    new = seen(moved, 99)
    shown = grain.removed(0, CROP, new)
    # all of the moving part at once, the rest without its grain
    assert np.abs(shown[104:136, 64:116].astype(int) - new[104:136, 64:116]).max() <= 2
    calm = np.abs(shown[180:].astype(int) - still[180:]).mean()
    assert calm < 0.7 * np.abs(new[180:].astype(int) - still[180:]).mean()


@pytest.mark.parametrize("other", ["crop", "person"])
def test_another_crop_and_another_person_begin_anew(other):
    grain, still = Grain(), scene()
    grain.removed(0, CROP, seen(still, 1))
    new = seen(still, 2)
    elsewhere = crop_about(np.array([201.0, 150.0]), 300.0, 0.0, 256)
    place = (0, elsewhere) if other == "crop" else (1, CROP)
    np.testing.assert_array_equal(grain.removed(*place, new), new)

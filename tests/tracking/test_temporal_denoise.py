"""Static pixels lose their noise; moving pixels are taken over unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking.crop import crop_about
from pymaf_live.tracking.temporal_denoise import RunningMean, blend
from pymaf_live.types import Image

CROP = crop_about(np.array([200.0, 150.0]), 300.0, 0.0, 256)
NOISE = 2.5


def scene() -> Image:
    """Bright and dark patches, coarse enough to have edges and areas."""
    patches = np.random.default_rng(0).integers(40, 210, (8, 8, 3))
    return np.kron(patches, np.ones((32, 32, 1))).astype(np.uint8)


def noisy(image: Image, seed: int) -> Image:
    noise = np.random.default_rng(seed).normal(0, NOISE, image.shape)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def denoised(image: Image, frames: int) -> list[RunningMean]:
    means: list[RunningMean] = []
    for seed in range(frames):
        means.append(blend(means[-1] if means else None, CROP, noisy(image, seed)))
    return means


def test_noise_of_a_static_image_is_more_than_halved() -> None:
    image = scene()
    shown = [mean.image.astype(float) for mean in denoised(image, 40)]
    assert np.std(shown[10:], axis=0).mean() < 0.5 * NOISE
    # without drift
    assert np.abs(np.mean(shown[10:], axis=0) - image).mean() < 1.0


def test_moving_pixels_do_not_lag() -> None:
    image = scene()
    previous = denoised(image, 10)[-1]
    moved = image.copy()
    moved[100:140, 60:120] = 255 - moved[100:140, 60:120]
    new = noisy(moved, 99)
    shown = blend(previous, CROP, new).image
    # the moving part at once, the rest denoised
    assert np.abs(shown[104:136, 64:116].astype(int) - new[104:136, 64:116]).max() <= 2
    error = np.abs(shown[180:].astype(int) - image[180:]).mean()
    assert error < 0.7 * np.abs(new[180:].astype(int) - image[180:]).mean()


@pytest.mark.parametrize("other", ["crop", "person"])
def test_another_crop_or_person_restarts_the_mean(other: str) -> None:
    image = scene()
    previous = blend(None, CROP, noisy(image, 1))
    new = noisy(image, 2)
    elsewhere = crop_about(np.array([201.0, 150.0]), 300.0, 0.0, 256)
    mean = blend(previous, elsewhere, new) if other == "crop" else blend(None, CROP, new)
    np.testing.assert_array_equal(mean.image, new)

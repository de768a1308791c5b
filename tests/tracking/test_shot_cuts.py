from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking.shot_cuts import ShotCutDetector
from pymaf_live.types import Image
from tests.tracking.real_data import video_frames


def scene(seed: int, light: int) -> Image:
    """Return broad patches like those of a real scene, twice as wide as a frame."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 120, (6, 16, 1)) + light
    return np.repeat(np.repeat(patches, 30, 0), 40, 1).repeat(3, 2).astype(np.uint8)


def view(image: Image, x: int) -> Image:
    return np.ascontiguousarray(image[:, x : x + 320])


def cuts(frames: list[Image]) -> list[int]:
    detector = ShotCutDetector()
    return [index for index, frame in enumerate(frames) if detector.is_cut(frame)]


def test_a_cut_is_detected_once_at_the_right_frame() -> None:
    first, second = scene(1, 20), scene(2, 110)
    assert cuts([view(first, 0)] * 3 + [view(second, 0)] * 3) == [3]
    assert cuts([view(first, 0), np.zeros((180, 320, 3), np.uint8)]) == [1]


def test_a_pan_a_flash_a_fade_and_noise_are_not_cuts() -> None:
    wide = scene(3, 60)
    assert cuts([view(wide, x) for x in range(0, 320, 16)]) == []
    flash = np.clip(view(wide, 0).astype(int) + 70, 0, 255).astype(np.uint8)
    assert cuts([view(wide, 0), flash, view(wide, 0)]) == []
    assert cuts([(view(wide, 0) * part).astype(np.uint8) for part in np.linspace(1, 0.1, 15)]) == []
    rng = np.random.default_rng(0)
    noisy = [view(wide, 0) // 2 + rng.integers(0, 60, (180, 320, 3), np.uint8) for _ in "abc"]
    assert cuts(noisy) == []


def test_a_cut_to_a_scene_of_the_same_brightness_but_other_colors_is_detected() -> None:
    """A park and a studio may have the same grey levels in other places."""
    grey = view(scene(5, 60), 0).astype(int)
    park = np.clip(grey + np.array([-20, 25, -30]), 0, 255).astype(np.uint8)
    studio = np.clip(grey[::-1, ::-1] + np.array([25, -10, 15]), 0, 255).astype(np.uint8)
    assert cuts([park] * 2 + [studio] * 2) == [2]
    # colored light alone is not a cut
    lit = np.clip(park.astype(int) + np.array([40, -20, 10]), 0, 255).astype(np.uint8)
    assert cuts([park, lit, park]) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (2160, 3840)])
def test_images_of_any_size_are_accepted(size: tuple[int, int]) -> None:
    frames = [np.full((*size, 3), level, np.uint8) for level in (0, 0, 255)]
    assert ShotCutDetector().is_cut(frames[0]) is False
    # flat images are equal at any brightness: a change of light is not a cut
    assert cuts(frames) == []


def test_concatenated_videos_are_cut_where_they_join() -> None:
    frames: list[Image] = []
    joins = []
    for name in ("dancer_single", "dance_three_portrait_audio", "street_people_audio"):
        joins.append(len(frames))
        frames += video_frames(name, 3)
    assert cuts(frames) == joins[1:]

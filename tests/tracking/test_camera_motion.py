"""Camera motion from synthetic video, with people who walk before the camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.tracking.camera_motion import CameraMotion
from pymaf_live.types import Camera

SIZE = (320, 180)
FRAMES = 30


@pytest.fixture(scope="module")
def scenery() -> np.ndarray:
    """Return a large image with structure at several scales."""
    random = np.random.default_rng(2)
    image = np.zeros((400, 640), np.float32)
    for step in (8, 16, 32):
        coarse = random.uniform(0, 85, (400 // step + 2, 640 // step + 2)).astype(np.float32)
        image += cv2.resize(coarse, (640, 400), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def view(scenery: np.ndarray, x: float, y: float, zoom: float = 1.0) -> np.ndarray:
    """Return the frame seen with its centre at x, y of the scenery."""
    matrix = np.array(
        [[zoom, 0, SIZE[0] / 2 - zoom * x], [0, zoom, SIZE[1] / 2 - zoom * y]], np.float64
    )
    return np.asarray(cv2.warpAffine(scenery, matrix, SIZE, flags=cv2.INTER_LINEAR))


def with_walker(image: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the image with a textured person who walks 4 pixels a frame, and their box."""
    left = 20 + 4 * index
    box = np.array([left, 40, left + 50, 170])
    drawn = image.copy()
    texture = np.random.default_rng(5).integers(0, 255, (130, 50, 3), dtype=np.uint8)
    drawn[box[1] : box[3], box[0] : box[2]] = texture
    return drawn, box


@pytest.mark.parametrize(
    ("speed", "shake", "zoom", "moves"),
    [(0.0, 0.0, 0.0, False), (0.6, 0.0, 0.0, True), (0.0, 3.0, 0.0, True), (0.0, 0.0, 0.01, True)],
    ids=["still", "pan", "shake", "zoom"],
)
def test_camera_motion_is_separated_from_that_of_people(
    scenery: np.ndarray, speed: float, shake: float, zoom: float, moves: bool
) -> None:
    random = np.random.default_rng(0)
    motion = CameraMotion()
    for index in range(FRAMES):
        sway = shake * np.sin(2 * np.pi * index / 20)
        image = view(scenery, 250 + speed * index + sway, 200 + 0.5 * sway, 1 + zoom * index)
        noisy = np.clip(image + random.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        drawn, box = with_walker(noisy, index)
        motion.add(drawn, [box], index / 30)
    assert motion.moves is moves
    if speed:  # half a second is 15 frames
        expected = 15 * speed / np.hypot(*SIZE)
        np.testing.assert_allclose(np.median(motion.shifts()), expected, rtol=0.05)


@pytest.mark.parametrize(("yaw", "pitch", "roll", "zoom"), [(6, 0, 0, 1), (3, -4, 3, 1.2)])
def test_pan_tilt_roll_and_zoom_are_measured(
    scenery: np.ndarray, yaw: float, pitch: float, roll: float, zoom: float
) -> None:
    camera = Camera.for_frame(SIZE)
    motion = CameraMotion()
    end = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_rotvec()
    far = scenery.shape[1] / 2, scenery.shape[0] / 2
    for index in range(FRAMES):
        done = index / (FRAMES - 1)
        factor = 1 + (zoom - 1) * done
        # pixels of the frame from those of the scenery, which is far away
        to_frame = np.diag([camera.focal_length * factor, camera.focal_length * factor, 1.0])
        to_frame[:2, 2] = camera.principal_point
        to_scenery = np.diag([camera.focal_length, camera.focal_length, 1.0])
        to_scenery[:2, 2] = far
        turned = Rotation.from_rotvec(end * done).as_matrix()
        homography = to_frame @ turned.T @ np.linalg.inv(to_scenery)
        image = cv2.warpPerspective(scenery, homography, SIZE, flags=cv2.INTER_LINEAR)
        drawn, box = with_walker(image, index)
        motion.add(drawn, [box], index / 30)
    turns = motion.turns(camera)
    assert turns.shape == (FRAMES, 4)
    np.testing.assert_allclose(turns[0], [0, 0, 0, 1], atol=1e-9)
    error = Rotation.from_rotvec(turns[-1, :3]).inv() * Rotation.from_rotvec(end)
    # a similarity transform shifts the edges as far as the centre
    assert np.degrees(error.magnitude()) < 0.08 * np.degrees(np.linalg.norm(end))
    assert turns[-1, 3] == pytest.approx(zoom, rel=0.01)


def test_plain_walls_and_cuts_are_no_motion(scenery: np.ndarray) -> None:
    motion = CameraMotion()
    for index in range(FRAMES):
        image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        if index == 15:
            image = view(scenery, 300, 200)
        motion.add(image, [], index / 30)
    assert not motion.moves
    assert not CameraMotion().moves

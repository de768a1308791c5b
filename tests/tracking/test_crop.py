"""Crop rule and cutting of crops: geometry shared by trainer and program."""

import numpy as np
import pytest

from pymaf_live.inference.preprocess import ImagePyramid, cut, network_input
from pymaf_live.tracking.crop import (
    crop_about,
    crop_from_box,
    crop_from_points,
    stabilised,
    trunk_turn,
)


def test_the_trunk_points_up_in_the_crop():
    hip, shoulder = np.array([100.0, 50.0]), np.array([160.0, 90.0])
    crop = crop_from_points(np.stack([hip, shoulder]), trunk_turn(hip, shoulder), 256)
    down, up = crop.to_crop(np.stack([hip, shoulder]))
    assert up[0] == pytest.approx(down[0])
    assert up[1] < down[1]


def test_side_and_centre_follow_the_rule():
    points = np.array([[10.0, 20.0], [50.0, 100.0]])
    crop = crop_from_points(points, 0.0, 200)
    assert crop.side == pytest.approx(1.75 * 80)
    np.testing.assert_allclose(crop.centre, [30, 60])
    np.testing.assert_allclose(crop_from_box(points.reshape(-1), 0.0, 200).centre, [30, 60])


def test_to_crop_inverts_to_frame():
    crop = crop_about(np.array([31.0, -7.0]), 90.0, 2.1, 64)
    points = np.random.default_rng(0).normal(size=(9, 2)) * 50
    np.testing.assert_allclose(crop.to_crop(crop.to_frame(points)), points)
    assert crop.turn == pytest.approx(2.1)


def test_points_without_extent_have_a_crop():
    crop = crop_from_points(np.array([[5.0, 5.0]]), trunk_turn(np.zeros(2), np.zeros(2)), 32)
    assert np.isfinite(crop.frame_from_crop).all()
    assert crop.side > 0


@pytest.mark.parametrize("side", [40.0, 100.0, 700.0])
def test_a_spot_is_cut_to_the_position_given_by_the_crop(side):
    """Large sides halve the image first to avoid aliasing."""
    image = np.zeros((400, 500, 3), np.uint8)
    y, x = np.mgrid[:400, :500]
    spot = np.array([300.0, 180.0])
    radius = side / 30
    image[(x - spot[0]) ** 2 + (y - spot[1]) ** 2 < radius**2] = 255
    crop = crop_about(spot + side * 0.1, side, 0.5, 128)
    found = cut(image, crop).astype(float)[..., 0]
    rows, columns = np.mgrid[:128, :128]
    centre = np.array([(columns * found).sum(), (rows * found).sum()]) / found.sum()
    np.testing.assert_allclose(centre, crop.to_crop(spot), atol=0.35)


def test_pixels_outside_the_image_are_black():
    crop = crop_about(np.array([0.0, 0.0]), 100.0, 0.0, 50)
    found = cut(np.full((80, 80, 3), 200, np.uint8), crop)
    assert (found[:20, :20] == 0).all()
    assert (found[30:, 30:] == 200).all()


def test_network_input_is_channels_first_in_0_to_1():
    crops = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    found = network_input(crops)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1, 2], crops[1, :, :, 2] / 255, atol=1e-6)


@pytest.mark.parametrize("turn", [0.3, np.pi - 0.01])
def test_a_nearly_unchanged_crop_is_kept(turn):
    previous = crop_about(np.array([100.0, 80.0]), 60.0, turn, 128)
    assert (
        stabilised(crop_about(np.array([101.0, 80.5]), 61.5, turn + 0.05, 128), previous)
        is previous
    )


@pytest.mark.parametrize(
    "crop",
    [
        crop_about(np.array([103.0, 80.0]), 60.0, 0.3, 128),
        crop_about(np.array([100.0, 80.0]), 66.0, 0.3, 128),
        crop_about(np.array([100.0, 80.0]), 54.0, 0.3, 128),
        crop_about(np.array([100.0, 80.0]), 60.0, 0.4, 128),
    ],
)
def test_a_changed_crop_is_replaced(crop):
    previous = crop_about(np.array([100.0, 80.0]), 60.0, 0.3, 128)
    assert stabilised(crop, previous) is crop


@pytest.mark.parametrize("size", [(720, 1280), (719, 1277), (37, 53)])
def test_crops_of_a_pyramid_are_identical(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    pyramid = ImagePyramid(image)
    for side in (0.3, 0.9, 1.6, 3.7, 9.0):
        for x, y, turn in ((0.5, 0.5, 0.0), (0.1, 0.9, 0.7), (1.02, -0.05, 3.0)):
            crop = crop_about(np.array([x * size[1], y * size[0]]), side * size[0], turn, 64)
            np.testing.assert_array_equal(cut(pyramid, crop), cut(image, crop))

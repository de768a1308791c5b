"""Tests of labels in the crops of another rule."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from pydantic import ValidationError

from pymaf_live.body import crop_points_2d, default_body, pixels_from_crop_units
from pymaf_live.tracking.crop import CropRule
from tests.trainer.fake_dataset import DotPeople
from trainer.data.recrop import RecroppedDataset, recrop
from trainer.network.config import NetworkConfig

UPRIGHT = CropRule(turned=False, side=1.2)


def test_labels_agree_with_the_image_in_the_papers_crop():
    body = default_body()
    dots = DotPeople(body)
    people = RecroppedDataset(dots, UPRIGHT, body)
    assert (people.name, len(people)) == (dots.name, len(dots))
    for row in range(len(people)):
        before, labels = dots.labels(row), people.labels(row)
        crop = labels.crop
        assert before.crop.turn == pytest.approx(0.3)
        assert crop.turn == 0
        assert crop.side == pytest.approx(1.2 * np.ptp(dots.pixels(row)[:14], axis=0).max())
        # the body is at the same pixels as before
        label = labels.body
        flat = crop_points_2d(dots.posed(label.rotations, label.shape), label.camera)
        pixels = crop.to_frame(pixels_from_crop_units(flat, crop.size))
        assert pixels == pytest.approx(dots.pixels(row), abs=1e-6)
        # the world of the fake people is the image's frame
        assert label.rotations == pytest.approx(dots.world[row], abs=1e-9)
        points = dots.posed(label.rotations, label.shape)
        assert labels.joints_3d[:, :3] == pytest.approx(points - points[[2, 3]].mean(axis=0))
        assert labels.joints_3d[:, 3] == pytest.approx(before.joints_3d[:, 3])
        assert np.array_equal(people.image(row), dots.image(row))


def test_the_default_rule_keeps_the_labels_crop():
    labels = DotPeople(default_body()).labels(0)
    assert recrop(labels, CropRule(), labels.crop.size) is labels.crop
    assert recrop(labels, CropRule(), 64).side == pytest.approx(labels.crop.side)


def test_a_networks_rule_is_read_and_checked():
    assert NetworkConfig().rule == CropRule()
    assert NetworkConfig(crop_rule="upright 1.20").rule == UPRIGHT
    with pytest.raises(ValidationError, match="is not a crop rule"):
        NetworkConfig(crop_rule="square")

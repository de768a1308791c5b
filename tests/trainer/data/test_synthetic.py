"""Tests of the labels of synthetic sets."""

import numpy as np
import pytest

from trainer.data.base import KEYPOINT_NAMES
from trainer.data.synthetic import labels_from_arrays

COUNT, POINTS = 3, len(KEYPOINT_NAMES)


def label_arrays(**changes):
    """Return the arrays of a labels file of three people."""
    text = np.array(["a", "b", "c"])
    arrays = {
        "name": text, "kind": text, "pose": text, "backdrop": text,
        "shard": np.zeros(COUNT, np.int16),
        "keypoints": np.zeros((COUNT, POINTS, 2), np.float32),
        "visibility": np.full((COUNT, POINTS), 2, np.uint8),
        "joints_3d": np.zeros((COUNT, POINTS, 3), np.float32),
        "rotations": np.tile(np.eye(3, dtype=np.float32), (COUNT, 24, 1, 1)),
        "shape": np.zeros((COUNT, 10), np.float32),
        "camera": np.ones((COUNT, 3), np.float32),
        "frame_from_crop": np.tile(np.eye(2, 3, dtype=np.float32), (COUNT, 1, 1)),
        "distance": np.ones(COUNT, np.float32), "misfit": np.zeros(COUNT, np.float32),
        "crop_size": np.array(256), "body_sha256": np.array("0"), "settings": np.array("{}"),
    }  # fmt: skip
    return arrays | changes


def test_groups_of_a_test_set_are_optional():
    assert labels_from_arrays(label_arrays()).group.tolist() == ["", "", ""]
    groups = np.array(["webcam", "sport", "sport"])
    assert labels_from_arrays(label_arrays(group=groups)).group.tolist() == groups.tolist()
    with pytest.raises(ValueError, match="group"):
        labels_from_arrays(label_arrays(group=groups[:2]))

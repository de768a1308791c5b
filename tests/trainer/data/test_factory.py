"""Tests of configured synthetic sets: test sets are never opened for training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import InputError, UsageError
from trainer.data.base import KEYPOINT_NAMES
from trainer.data.factory import DatasetConfig, open_dataset

BODY = default_body()


def write_synthetic(folder: Path, **changes: Any) -> DatasetConfig:
    """Write the labels of two people, without images."""
    points, joints = len(KEYPOINT_NAMES), BODY.joint_count
    arrays = {
        "name": np.array(["0.jpg", "1.jpg"]),
        "shard": np.zeros(2, np.int16),
        "keypoints": np.ones((2, points, 2)),
        "visibility": np.full((2, points), 2, np.uint8),
        "joints_3d": np.zeros((2, points, 3)),
        "rotations": np.tile(np.eye(3), (2, joints, 1, 1)),
        "shape": np.zeros((2, BODY.shape_count)),
        "camera": np.ones((2, 3)),
        "frame_from_crop": np.ones((2, 2, 3)),
        "crop_size": np.array(256),
        "distance": np.ones(2),
        "misfit": np.zeros(2),
        "kind": np.array(["whole", "whole"]),
        "pose": np.array(["a", "b"]),
        "backdrop": np.array(["a", "b"]),
        "body_sha256": np.array(BODY.sha256),
        "settings": np.array(json.dumps({"test": False})),
    }
    np.savez(folder / "labels.npz", **(arrays | changes))
    return DatasetConfig(kind="synthetic", folder=folder)


def test_training_set_opens_for_training_only(tmp_path: Path) -> None:
    config = write_synthetic(tmp_path)
    people = open_dataset(config, BODY)
    assert len(people) == 2
    assert people.labels(1).body is not None
    with pytest.raises(UsageError, match="is a training set"):
        open_dataset(config.model_copy(update={"rows": "held_out"}), BODY)


def test_test_set_does_not_open_for_training(tmp_path: Path) -> None:
    config = write_synthetic(tmp_path, settings=np.array(json.dumps({"test": True})))
    with pytest.raises(UsageError, match="is a test set"):
        open_dataset(config, BODY)
    assert len(open_dataset(config.model_copy(update={"rows": "held_out"}), BODY)) == 2
    assert len(open_dataset(config.model_copy(update={"rows": "all"}), BODY)) == 2


def test_set_with_another_body_or_unknown_purpose_is_rejected(tmp_path: Path) -> None:
    config = write_synthetic(tmp_path, body_sha256=np.array("0" * 64))
    with pytest.raises(InputError, match="another body"):
        open_dataset(config, BODY)
    for settings in ("", "[]", "{}"):
        write_synthetic(tmp_path, settings=np.array(settings))
        with pytest.raises(InputError, match="state its purpose"):
            open_dataset(config, BODY)

"""A small synthetic joint set in the packed layout, with exact fits."""

import zipfile
from pathlib import Path

import cv2
import numpy as np

from pymaf_live.body import PointSet, default_body, pixels_from_crop_units
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.types import Crop
from trainer.data.fits import Fits
from trainer.data.lspet import annotated_crop

SIDE = 200


def write_people(folder: Path, count: int, seed: int = 0) -> Fits:
    """Write `count` images of coloured dots at the joints of random bodies; return the true fits.

    The camera of a fit is in the frame of the annotated crop.
    """
    body, random = default_body(), np.random.default_rng(seed)
    points = PointSet.keypoints(body, "lsp")
    pose = random.normal(size=(count, body.joint_count, 3)) * 0.2
    names = list(body.joint_names)
    # knees and elbows bend naturally
    for name, axis, way in (
        ("left_knee", 0, 1), ("right_knee", 0, 1), ("left_elbow", 1, -1), ("right_elbow", 1, 1)
    ):  # fmt: skip
        joint = names.index(name)
        pose[:, joint] *= 0.3
        pose[:, joint, axis] = way * random.uniform(0, 1.2, count)
    rotations = matrix_from_axis_angle(pose)
    rotations[:, 0] = np.diag([1.0, -1.0, -1.0]) @ rotations[:, 0]
    shape = random.normal(size=(count, body.shape_count)) * 0.5
    posed = points.pose(rotations, shape)
    joints = np.ones((count, posed.shape[1], 3))
    # orthographic: 60 pixels a metre about the centre of the image
    joints[:, :, :2] = posed[:, :, :2] * 60 + SIDE / 2
    cameras, crops = [], []
    turned = rotations.copy()
    for row in range(count):
        crop = annotated_crop(joints[row], 256)
        crops.append(crop.frame_from_crop)
        c, s = np.cos(-crop.turn), np.sin(-crop.turn)
        turned[row, 0] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ rotations[row, 0]
        scale = 60 * 2 / crop.side
        flat = points.pose(turned[row], shape[row])[:, :2]
        seen = crop.to_crop(joints[row, :, :2])
        units = (seen + 0.5) * 2 / 256 - 1
        cameras.append(np.r_[scale, (units / scale - flat).mean(axis=0)])
        assert (
            np.abs(pixels_from_crop_units((flat + cameras[-1][1:]) * scale, 256) - seen).max()
            < 1e-6
        )
    names = [f"im{row:05d}.jpg" for row in range(count)]
    with zipfile.ZipFile(folder / "images_00.zip", "w") as archive:
        for row, name in enumerate(names):
            image = np.full((SIDE, SIDE, 3), 90, np.uint8)
            for index, (x, y) in enumerate(joints[row, :, :2]):
                colour = tuple(int(v) for v in np.random.default_rng(index).integers(0, 256, 3))
                cv2.circle(image, (round(x), round(y)), 5, colour, -1)
            archive.writestr(name, cv2.imencode(".jpg", image)[1].tobytes())
    np.savez(
        folder / "labels.npz",
        name=np.array(names),
        shard=np.zeros(count, np.int16),
        joints=joints.astype(np.float32),
        joint_names=np.array([f"joint{k}" for k in range(joints.shape[1])]),
    )
    trust = np.ones((count, body.joint_count))
    none = np.zeros(count)
    return Fits(
        turned, shape, np.stack(cameras), np.stack(crops), trust, none, none + 1, none, none,
        np.ones(count, bool),
    )  # fmt: skip


def crop_of(fits: Fits, row: int) -> Crop:
    return Crop(fits.frame_from_crop[row], 256)

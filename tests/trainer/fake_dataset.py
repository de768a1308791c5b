"""A data set of people drawn as dots, with all labels, in crops of another size."""

import cv2
import numpy as np

from pymaf_live.body import PointSet, pixels_from_crop_units
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.tracking.crop import crop_from_points
from trainer.data.base import KEYPOINT_NAMES, BodyLabel, PersonLabels

WIDTH, HEIGHT = 260, 220


class DotPeople:
    """Bodies at 70 pixels a metre; key point k is a dot of `colour(k)` on grey."""

    name = "dots"

    def __init__(self, body, count=4, seed=0, crop_size=192):
        random = np.random.default_rng(seed)
        pose = random.normal(size=(count, body.joint_count, 3)) * 0.2
        self.world = matrix_from_axis_angle(pose)
        self.world[:, 0] = np.diag([1.0, -1.0, -1.0]) @ self.world[:, 0]
        self.shape = random.normal(size=(count, body.shape_count)) * 0.5
        self.points = [PointSet.keypoints(body, "lsp"), PointSet.keypoints(body, "coco")]
        self.places = [self.posed(self.world[row], self.shape[row]) for row in range(count)]
        self.crop_size = crop_size
        self.asked = []

    def posed(self, rotations, shape):
        """Return the key points (19, 3) m of a body."""
        lsp, coco = (points.pose(rotations, shape) for points in self.points)
        return np.concatenate([lsp, coco[:5]])

    def __len__(self):
        return len(self.places)

    def pixels(self, row):
        return self.places[row][:, :2] * 70 + [WIDTH / 2, HEIGHT / 2]

    def image(self, row):
        self.asked.append(row)
        image = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
        for index, (x, y) in enumerate(self.pixels(row)):
            cv2.circle(image, (round(x), round(y)), 4, colour(index), -1)
        return image

    def labels(self, row):
        pixels = self.pixels(row)
        crop = crop_from_points(pixels[:14], 0.3, self.crop_size)
        c, s = np.cos(-crop.turn), np.sin(-crop.turn)
        about = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        rotations = self.world[row].copy()
        rotations[0] = about @ rotations[0]
        places = self.posed(rotations, self.shape[row])
        scale = 70 * 2 / crop.side
        units = (crop.to_crop(pixels) + 0.5) * 2 / self.crop_size - 1
        shift = (units / scale - places[:, :2]).mean(axis=0)
        seen = pixels_from_crop_units((places[:, :2] + shift) * scale, self.crop_size)
        assert np.abs(seen - crop.to_crop(pixels)).max() < 1e-6
        hips = [KEYPOINT_NAMES.index(f"{side}_hip") for side in ("left", "right")]
        joints_3d = np.ones((len(places), 4))
        joints_3d[:, :3] = places - places[hips].mean(axis=0)
        weight = np.linspace(0.1, 1.0, len(pixels))
        joints_3d[:, 3] = weight
        trust = np.linspace(0.2, 0.9, len(rotations))
        label = BodyLabel(rotations, self.shape[row], np.r_[scale, shift], trust)
        return PersonLabels(crop, np.column_stack([pixels, weight]), label, joints_3d)


def colour(index):
    """Return a colour far from grey and from the others."""
    return [(255, 40, 40), (40, 255, 40), (40, 40, 255), (255, 255, 0), (0, 255, 255)][index % 5]

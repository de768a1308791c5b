"""Regions of the rest body that garments and hair cover, as signed distances.

A region is a function of the place on the mean rest body, the same for every shape, so that hems
are clean lines however coarse the mesh is and nothing is computed twice.
"""

from __future__ import annotations

import numpy as np

from pymaf_live.body import Body, rest_joints
from pymaf_live.types import Array
from trainer.synthesis.clothing import above_hairline
from trainer.synthesis.outfits import Outfit


class GarmentRegions:
    """Garment regions of one body.

    Each method takes places (N, 3) m of the mean rest body and returns distances (N,) in metres,
    positive inside the region.

    Parameters
    ----------
    body : Body
        With SMPL's joint names and the key points of the face.
    """

    def __init__(self, body: Body) -> None:
        joints = rest_joints(body, np.zeros(body.shape_count))
        self.joints = {name: joints[k] for k, name in enumerate(body.joint_names)}
        """Joint name -> place (3,) m."""
        points = body.keypoint_regressor @ body.template
        self.keypoints = {name: points[k] for k, name in enumerate(body.keypoint_names)}
        """Key point name -> place (3,) m."""
        self.sole = float(body.template[:, 1].min())
        """Height of the soles, m."""

    def top(self, places: Array, outfit: Outfit) -> Array:
        """Return the distance inside shirt or jacket."""
        p = places
        shoulder, wrist = self.joints["left_shoulder"][0], self.joints["left_wrist"][0]
        # a sleeveless top ends before the shoulder
        reach = shoulder - 0.02 + (outfit.sleeve * (wrist - shoulder + 0.02))
        hem = p[:, 1] - (self.joints["pelvis"][1] + outfit.top_hem)
        centre = self.joints["neck"] + [0.0, 0.035, 0.012]
        collar = np.linalg.norm((p[:, :3] - centre) * [1.0, 0.9, 0.9], axis=1) - outfit.collar
        below = np.maximum(collar, -(p[:, 1] - centre[1]) - 0.06)
        chin = self.keypoints["chin"][1] - 0.035 - p[:, 1]
        return np.asarray(np.minimum.reduce([reach - np.abs(p[:, 0]), hem, below, chin]))

    def bottom(self, places: Array, outfit: Outfit) -> Array:
        """Return the distance inside trousers or shorts."""
        hip, ankle = self.joints["left_hip"][1], self.joints["left_ankle"][1]
        hem = places[:, 1] - (hip - 0.06 + outfit.leg * (ankle - 0.01 - hip + 0.06))
        waist = self.joints["pelvis"][1] + 0.1 - places[:, 1]
        return np.asarray(np.minimum.reduce([hem, waist, 0.32 - np.abs(places[:, 0])]))

    def shoe(self, places: Array, outfit: Outfit) -> Array:
        """Return the distance inside the shoes."""
        ankle = self.joints["left_ankle"]
        top = ankle[1] + outfit.shoe_top - 0.12 * (places[:, 2] - ankle[2])
        return np.asarray(np.maximum(top, self.sole + 0.045) - places[:, 1])

    def hair(self, places: Array) -> Array:
        """Return the distance above the hairline."""
        return above_hairline(places, self.keypoints["left_eye"], self.keypoints["left_ear"])

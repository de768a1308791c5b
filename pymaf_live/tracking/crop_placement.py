"""Placement of a person's crop from a box, a detection or the last key points."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.errors import ModelError
from pymaf_live.tracking.crop import (
    SIDE,
    CropRule,
    crop_about,
    crop_from_box,
    crop_from_points,
    trunk_turn,
)
from pymaf_live.tracking.detections import DetectionFeatures
from pymaf_live.tracking.overlap import joints_extent
from pymaf_live.tracking.trunk_orientation import TrunkOrientationEstimator
from pymaf_live.types import Array, Crop, Image

USER_BOX_SIDE = 1.45
"""Side of the crop as a multiple of a user-drawn box: such boxes lie about 0.1 outside the joints
on all sides, and 1.75 / 1.2 gives the joints the crop rule's size."""

ALTERNATIVE_BOX_SIDES = (1.65, 1.9)
"""Further sides to try where the network has scores: how far a box lies outside the joints depends
on who drew it, and what fits an upright person does not fit one lying down. 400 training images of
LSPET with `full`: .609 of the joints are correct at 1.45, .613 at 1.65, .579 at 1.9, and .628 by
the crop with the highest joint score."""

_DETECTED_BOX_SIDE = 1.75

_CUT_MARGIN = 1.5
"""Side of the crop of a person whose larger part is outside the image, relative to the crop rule's
around the visible part. Of 70 LSPET images cut off at the chest (`lite`), the median error is 34 %
of the shoulders' width with the crop rule's side, 29 % with 1.3 to 1.7 times that, 33 % with 2.3;
and crops that follow the visible part alone shrink from frame to frame."""

_MIN_TRUNK = 0.1
"""Length of the trunk as a fraction of the extent below which its direction means nothing: it is
seen end on."""

# largest deviation of a first crop from the crop rule's at which it is not worth refining
_MAX_TURN_ERROR = np.radians(30.0)
_MAX_CENTRE_ERROR = 0.2
_MAX_SIDE_RATIO = 1.4


class CropPlacer:
    """Places crops of one size by one network's rule.

    Parameters
    ----------
    size : int
        Side of the network's input in pixels.
    rule : CropRule
    orientation : TrunkOrientationEstimator, optional
        Created on first use by default.
    """

    def __init__(
        self, size: int, rule: CropRule, orientation: TrunkOrientationEstimator | None = None
    ) -> None:
        self._size, self._rule, self._orientation = size, rule, orientation
        self._orientation_available = rule.turned

    def from_user_box(self, image: Image, box: Array) -> tuple[Crop, bool]:
        """Return the crop of a user-drawn box (4,), and whether it is rotated by the rule."""
        return self._from_box(image, box, USER_BOX_SIDE)

    def alternatives(self, box: Array, crop: Crop) -> tuple[Crop, ...]:
        """Return crops of a user-drawn box (4,) at other sizes, rotated like `crop`."""
        return tuple(
            crop_from_box(box, crop.turn, self._size, side * self._rule.side / SIDE)
            for side in ALTERNATIVE_BOX_SIDES
        )

    def from_detection(self, image: Image, found: DetectionFeatures) -> tuple[Crop, bool]:
        """Return the crop of a detected person, and whether it is rotated by the rule."""
        person = found.detection
        if person.trunk is None:
            return self._from_box(image, person.box, _DETECTED_BOX_SIDE)
        turn = trunk_turn(*person.trunk) if self._rule.turned else 0.0
        return self._around_visible(found.points, turn, image), True

    def from_keypoints(self, keypoints: Array, previous: Crop, image: Image) -> Crop:
        """Return the crop of LSP key points (14, 2) that were estimated in the crop `previous`.

        It is centred on the part of the person inside the image.
        """
        points = np.asarray(keypoints, dtype=np.float64)
        if not self._rule.turned:
            return crop_from_points(points, 0.0, self._size, self._rule.side)
        hip, shoulder = (
            points[list(LSP_HIPS)].mean(axis=0),
            points[list(LSP_SHOULDERS)].mean(axis=0),
        )
        long_enough = np.hypot(*(shoulder - hip)) >= _MIN_TRUNK * joints_extent(points)
        turn = trunk_turn(hip, shoulder) if long_enough else previous.turn
        return self._around_visible(points, turn, image)

    def _around_visible(self, points: Array, turn: float, image: Image) -> Crop:
        """Return the crop of a person with points (N, 2), centred on the part inside an image.

        Where joints lie outside is a guess, so there the person ends at the image's edge: the crop
        does not jump when a joint leaves the image. It is larger around a part than around a whole
        person, but not larger than for the whole person: where a chest fills the crop, the network
        takes the image's edge for the feet.
        """
        whole = crop_from_points(points, turn, self._size, self._rule.side)
        height, width = image.shape[:2]
        inside = np.clip(points, 0.0, np.array([width - 1.0, height - 1.0]))
        visible = crop_from_points(inside, turn, self._size, self._rule.side)
        side = min(_CUT_MARGIN * visible.side, whole.side)
        return crop_about(visible.centre, side, turn, self._size)

    def _from_box(self, image: Image, box: Array, side: float) -> tuple[Crop, bool]:
        turn = self._trunk_turn(image, box)
        crop = crop_from_box(box, turn or 0.0, self._size, side * self._rule.side / SIDE)
        return crop, turn is not None or not self._rule.turned

    def _trunk_turn(self, image: Image, box: Array) -> float | None:
        if self._orientation is None and self._orientation_available:
            try:
                self._orientation = TrunkOrientationEstimator()
            except ModelError:
                # without OpenVINO the network's own first result must do
                self._orientation_available = False
        if self._orientation is None:
            return None
        found = self._orientation.estimate(image, box)
        return None if found is None else found.turn


def is_well_placed(crop: Crop, target: Crop) -> bool:
    """Return True if a crop is so close to the crop rule's that refining it is not worth it."""
    turn = abs((crop.turn - target.turn + np.pi) % (2 * np.pi) - np.pi)
    distance = float(np.hypot(*(crop.centre - target.centre)))
    ratio = max(crop.side / target.side, target.side / crop.side)
    return bool(
        turn < _MAX_TURN_ERROR
        and distance < _MAX_CENTRE_ERROR * target.side
        and ratio < _MAX_SIDE_RATIO
    )


def shifted(crop: Crop, shift: Array) -> Crop:
    """Return a crop shifted by (2,) frame pixels."""
    return Crop(crop.frame_from_crop + np.column_stack([np.zeros((2, 2)), shift]), crop.size)

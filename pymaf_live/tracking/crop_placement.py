"""Where a person's crop lies, by whatever is known: a box, a detection, the last key points."""

from __future__ import annotations

import numpy as np

from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.errors import ModelError
from pymaf_live.tracking.crop import SIDE, CropRule, crop_from_box, crop_from_points, trunk_turn
from pymaf_live.tracking.detections import Sighting
from pymaf_live.tracking.overlap import joints_extent
from pymaf_live.tracking.trunk_orientation import TrunkOrientationEstimator
from pymaf_live.types import Array, Crop, Image

GIVEN_BOX_SIDE = 1.45
"""Crop side as a multiple of a given box: such boxes lie about 0.1 outside the joints all round,
and 1.75 / 1.2 puts the joints at the crop rule's size."""

OTHER_BOX_SIDES = (1.65, 1.9)
"""Looked at too where the network says how sure it is: how far a box lies outside the joints
depends on who gave it, and what fits a person upright does not fit the same one lying. 400 training
pictures of LSPET with `full`: of the joints .609 are placed at 1.45, .613 at 1.65, .579 at 1.9, and
.628 by the surest look."""

_DETECTED_BOX_SIDE = 1.75

_LEAST_TRUNK = 0.1
"""Of the larger extent; a trunk seen end on is shorter, and its direction means nothing."""

# how far a first crop may be from the crop rule's before a second pass is worth it
_TURN_OFF = np.radians(30.0)
_CENTRE_OFF = 0.2
_SIDE_OFF = 1.4


class Placing:
    """Makes crops of one size by one network's rule.

    Parameters
    ----------
    size : int
        Side of the network's input in pixels.
    rule : CropRule
    trunk_finder : TrunkOrientationEstimator, optional
        Otherwise made when it is needed.
    """

    def __init__(
        self, size: int, rule: CropRule, trunk_finder: TrunkOrientationEstimator | None
    ) -> None:
        self._size, self._rule, self._finder = size, rule, trunk_finder
        self._trunk_known = rule.turned

    def about_given(self, image: Image, box: Array) -> tuple[Crop, bool]:
        """Crop of a box (4,) given by hand, and whether it is turned as the rule wants."""
        return self._about_box(image, box, GIVEN_BOX_SIDE)

    def others_about_given(self, box: Array, first: Crop) -> tuple[Crop, ...]:
        """Crops of a given box (4,) at other sizes, turned as the first one is."""
        return tuple(
            crop_from_box(box, first.turn, self._size, side * self._rule.side / SIDE)
            for side in OTHER_BOX_SIDES
        )

    def about_sighting(self, image: Image, seen: Sighting) -> tuple[Crop, bool]:
        """Crop of a detected person, and whether it is turned as the rule wants."""
        person = seen.detection
        if person.trunk is None:
            return self._about_box(image, person.box, _DETECTED_BOX_SIDE)
        turn = trunk_turn(*person.trunk) if self._rule.turned else 0.0
        return crop_from_points(seen.points, turn, self._size, self._rule.side), True

    def about_keypoints(self, keypoints: Array, before: Crop) -> Crop:
        """Crop of LSP's key points (14, 2); `before` is the one in which they were seen."""
        points = np.asarray(keypoints, dtype=np.float64)
        if not self._rule.turned:
            return crop_from_points(points, 0.0, self._size, self._rule.side)
        hip, shoulder = (
            points[list(LSP_HIPS)].mean(axis=0),
            points[list(LSP_SHOULDERS)].mean(axis=0),
        )
        long_enough = np.hypot(*(shoulder - hip)) >= _LEAST_TRUNK * joints_extent(points)
        turn = trunk_turn(hip, shoulder) if long_enough else before.turn
        return crop_from_points(points, turn, self._size, self._rule.side)

    def _about_box(self, image: Image, box: Array, side: float) -> tuple[Crop, bool]:
        turn = self._turn_in(image, box)
        crop = crop_from_box(box, turn or 0.0, self._size, side * self._rule.side / SIDE)
        return crop, turn is not None or not self._rule.turned

    def _turn_in(self, image: Image, box: Array) -> float | None:
        if self._finder is None and self._trunk_known:
            try:
                self._finder = TrunkOrientationEstimator()
            except ModelError:
                # without OpenVINO the network's own first pass must do
                self._trunk_known = False
        if self._finder is None:
            return None
        guess = self._finder.estimate(image, box)
        return None if guess is None else guess.turn


def near(crop: Crop, wanted: Crop) -> bool:
    """Whether a first crop is so near the crop rule's that no second pass is worth it."""
    turn = abs((crop.turn - wanted.turn + np.pi) % (2 * np.pi) - np.pi)
    apart = float(np.hypot(*(crop.centre - wanted.centre)))
    ratio = max(crop.side / wanted.side, wanted.side / crop.side)
    return bool(turn < _TURN_OFF and apart < _CENTRE_OFF * wanted.side and ratio < _SIDE_OFF)


def moved(crop: Crop, shift: Array) -> Crop:
    """A crop moved by frame pixels (2,)."""
    return Crop(crop.frame_from_crop + np.column_stack([np.zeros((2, 2)), shift]), crop.size)

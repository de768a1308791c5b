"""Colours of a dressed figure, sample by sample: skin, face, clothes, shoes, hair."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Mask
from trainer.synthesis.cloth_sheets import BODY, LONG_HAIR, SKIRT
from trainer.synthesis.clothing import step
from trainer.synthesis.garment_regions import GarmentRegions
from trainer.synthesis.outfits import Outfit
from trainer.synthesis.textures import Floats, linear_colour

_HEM = 0.003
"""Metres over which one material passes to another."""
_EYE_WHITE, _EYE_DARK, _LIPS = (205.0, 195, 188), (44.0, 30, 24), (150.0, 50, 50)


class FigurePainter:
    """Paints samples of dressed figures.

    Parameters
    ----------
    regions : GarmentRegions
    noise : (T, T) float32 array
        Periodic noise for weave, skin and hair.
    """

    def __init__(self, regions: GarmentRegions, noise: Floats) -> None:
        self._regions, self._noise = regions, noise

    def paint(self, outfit: Outfit, place: Floats, material: npt.NDArray[np.int8]) -> Floats:
        """Return linear colours (N, 3).

        Parameters
        ----------
        outfit : Outfit
        place : (N, 4) float32 array
            Place on the mean rest body and the head's weight.
        material : (N,) int8 array
            `BODY`, `SKIRT` or `LONG_HAIR`.
        """
        p, head = place[:, :3], place[:, 3] > 0.5
        n = len(self._noise)
        rows, columns = (p[:, 1] * n).astype(np.int64) % n, (p[:, 0] * n * 1.3).astype(np.int64) % n
        grain = self._noise[rows, columns][:, None]
        colours: Floats = outfit.skin * (1 + 0.05 * grain)
        of_body = material == BODY
        if head.any():
            self._head(colours, p, head & of_body, outfit, grain)
        self._clothes(colours, p, of_body & ~head, outfit)
        skirt = material == SKIRT
        if skirt.any() and outfit.bottom is not None:
            colours[skirt] = outfit.bottom.colours(p[skirt], self._noise)
        hair = material == LONG_HAIR
        if hair.any():
            strands = self._noise[rows[hair] // 6, columns[hair] * 3 % n][:, None]
            colours[hair] = outfit.hair * np.clip(1 + 0.3 * strands, 0.3, 2)
        return np.clip(colours, 0, 4)

    def _clothes(self, colours: Floats, p: Floats, below_head: Mask, outfit: Outfit) -> None:
        """Paint trousers, shoes and top over the skin, in place."""
        regions, pelvis = self._regions, self._regions.joints["pelvis"][1]

        def blend(rows: Mask, cover: Array, over: Floats) -> None:
            share = cover.astype(np.float32)[:, None]
            colours[rows] += share * (over - colours[rows])

        if outfit.bottom is not None:
            rows = below_head & (p[:, 1] < pelvis + 0.12)
            inside = regions.bottom(p[rows], outfit)
            blend(rows, step(inside, _HEM), outfit.bottom.colours(p[rows], self._noise))
        if outfit.shoes is not None:
            rows = below_head & (p[:, 1] < regions.joints["left_knee"][1] - 0.05)
            inside = regions.shoe(p[rows], outfit)
            blend(rows, step(inside, _HEM), outfit.shoes)
            blend(rows, step(regions.sole + 0.022 - p[rows][:, 1], _HEM), outfit.sole)
        if outfit.top is not None:
            rows = below_head & (p[:, 1] > pelvis + outfit.top_hem - 0.01)
            q = p[rows]
            inside = regions.top(q, outfit)
            cloth = outfit.top.colours(q, self._noise)
            if outfit.open_front is not None:
                front = (np.abs(q[:, 0]) < 0.055) & (q[:, 2] > 0.02)
                cloth = np.where(front[:, None], outfit.open_front, cloth)
            # a darker seam along the hems
            cloth = cloth * np.where(np.abs(inside - 0.012) < 0.004, 0.72, 1.0)[:, None]
            blend(rows, step(inside, _HEM), cloth.astype(np.float32))

    def _head(self, colours: Floats, p: Floats, rows: Mask, outfit: Outfit, grain: Floats) -> None:
        """Paint face, accessories, hair and hat over the skin, in place."""
        face = _Face(self._regions, p[rows], outfit, colours[rows])
        face.features(grain[rows])
        face.accessories()
        face.hair(grain[rows])
        colours[rows] = face.colours


class _Face:
    """Colours of N samples of a head, painted layer over layer.

    Parameters
    ----------
    regions : GarmentRegions
    places : (N, 3) float32 array
        On the mean rest body.
    outfit : Outfit
    colours : (N, 3) float32 array
        Of the bare skin.
    """

    def __init__(
        self, regions: GarmentRegions, places: Floats, outfit: Outfit, colours: Floats
    ) -> None:
        self.colours: Floats = colours
        self._regions, self._places, self._outfit = regions, places, outfit
        self._x, self._y = np.abs(places[:, 0]), places[:, 1]
        self._front = places[:, 2] > regions.keypoints["left_ear"][2] + 0.035

    def _blend(self, cover: Array, over: Floats | Array) -> None:
        share = cover.astype(np.float32)[:, None]
        self.colours = self.colours + share * (over - self.colours)

    def _ellipse(
        self, centre: tuple[float, float], radius: tuple[float, float], edge: float = 0.25
    ) -> Array:
        """Return the cover (N,) of an ellipse on both halves of the face."""
        (cx, cy), (rx, ry) = centre, radius
        distance = 1 - np.hypot((self._x - cx) / rx, (self._y - cy) / ry)
        return np.where(self._front, step(distance, edge), 0.0)

    def features(self, grain: Floats) -> None:
        """Paint cheeks, eyes, brows, nostrils, beard and lips."""
        points, outfit = self._regions.keypoints, self._outfit
        x, y, front = self._x, self._y, self._front
        eye, corner = points["left_eye"], points["left_mouth"]
        nose, chin = points["nose"], points["chin"]
        cheek = self._ellipse((eye[0] + 0.012, nose[1] - 0.008), (0.026, 0.02), 0.5)
        self._blend(0.4 * cheek, outfit.skin * [1, 0.7, 0.68])
        socket = self._ellipse((eye[0], eye[1] + 0.002), (0.024, 0.014), 0.5)
        self._blend(0.35 * socket, outfit.skin * 0.5)
        white = self._ellipse((eye[0], eye[1]), (0.014, 0.0055))
        self._blend(0.75 * white, linear_colour(np.array(_EYE_WHITE)))
        iris = self._ellipse((eye[0], eye[1]), (0.0066, 0.0066))
        self._blend(iris, linear_colour(np.array(_EYE_DARK)))
        brow = eye[1] + 0.0235 - 14 * (x - eye[0] - 0.004) ** 2
        across = front & (np.abs(x - eye[0] - 0.001) < 0.021)
        arch = np.where(across, step(0.0045 - np.abs(y - brow), 0.0025), 0.0)
        self._blend(0.8 * arch, outfit.hair * 0.8)
        nostril = self._ellipse((0.007, nose[1] - 0.012), (0.0045, 0.003), 0.5)
        self._blend(0.5 * nostril, outfit.skin * 0.3)
        if outfit.beard:
            jaw = (y < corner[1] + 0.018 + 0.5 * np.clip(x - 0.03, 0, 1)) & (y > chin[1] - 0.05)
            self._blend(0.85 * outfit.beard * (front & jaw), outfit.hair * (1 + 0.2 * grain))
        lips = self._ellipse((0.0, corner[1] - 0.001), (corner[0] + 0.004, 0.0105), 0.3)
        self._blend(0.75 * lips, outfit.skin * 0.3 + linear_colour(np.array(_LIPS)) * 0.6)

    def accessories(self) -> None:
        """Paint a face mask and glasses."""
        points, outfit = self._regions.keypoints, self._outfit
        eye, nose, chin = points["left_eye"], points["nose"], points["chin"]
        x, y, front = self._x, self._y, self._front
        if outfit.mask is not None:
            covered = front & (y < nose[1] + 0.012) & (y > chin[1] - 0.03)
            self._blend(1.0 * covered, outfit.mask)
        if outfit.glasses:
            reach = np.hypot((x - eye[0]) / 0.026, (y - eye[1]) / 0.019)
            bridge = (np.abs(y - eye[1] - 0.006) < 0.003) & (x < 0.012)
            frame = front & ((np.abs(reach - 1) < 0.14) | bridge)
            self._blend(1.0 * frame, linear_colour(np.array(_EYE_DARK)))

    def hair(self, grain: Floats) -> None:
        """Paint a hat or the hair."""
        outfit, ear = self._outfit, self._regions.keypoints["left_ear"]
        above = self._regions.hair(self._places)
        if outfit.hat is not None:
            self._blend(step(above + 0.012, 0.004), outfit.hat * (1 + 0.03 * grain))
        elif outfit.hair_thickness:
            from_ear = np.hypot(self._y - ear[1], self._places[:, 2] - ear[2])
            on_ear = (self._x > ear[0] - 0.012) & (from_ear < 0.03)
            cover = np.where(on_ear, 0.0, step(above + 0.004 * grain[:, 0], 0.004))
            self._blend(cover, outfit.hair * np.clip(1 + 0.35 * grain, 0.4, 2.0))

"""Random outfits: skin, hair, clothes and accessories of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Image
from trainer.synthesis.textures import Cloth, Floats, linear_colour, random_colour

# sRGB, from light to dark
_SKINS = np.array([
    (255, 226, 202), (241, 198, 166), (228, 180, 140), (206, 148, 108), (172, 118, 82),
    (132, 84, 56), (92, 58, 40), (66, 42, 30),
])  # fmt: skip
_HAIRS = np.array([
    (22, 18, 16), (42, 30, 22), (70, 48, 32), (106, 74, 46), (160, 120, 76), (212, 180, 128),
    (128, 62, 34), (150, 148, 146), (210, 208, 204), (96, 40, 110), (40, 90, 130),
])  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """Looks and clothes of one person; lengths in metres, colours linear (3,)."""

    skin: Floats
    hair: Floats
    hair_thickness: float
    """0 = bald."""
    long_hair: float
    """Length of long hair below the ears; 0 = none."""
    beard: float
    """Opacity 0..1."""
    hat: Floats | None
    top: Cloth | None
    sleeve: float
    """0 = none, 1 = to the wrist."""
    top_hem: float
    """Height above the pelvis; may be negative."""
    collar: float
    top_looseness: float
    open_front: Floats | None
    """Colour under an open jacket."""
    bottom: Cloth | None
    leg: float
    """0 = to the hip, 1 = to the ankle."""
    bottom_looseness: float
    skirt: float
    """Length below the waist; 0 = none."""
    flare: float
    shoes: Floats | None
    sole: Floats
    shoe_top: float
    """Height above the ankle."""
    folds: float
    mask: Floats | None
    """Colour of a face mask."""
    glasses: bool


class OutfitSampler:
    """Draws outfits at random.

    Parameters
    ----------
    patterns : sequence of (T, T) float32 arrays
    prints : sequence of (h, w, 3) uint8 arrays
        Image patches that some cloth is printed with; may be empty.
    """

    def __init__(self, patterns: Sequence[Floats], prints: Sequence[Image]) -> None:
        self._patterns, self._prints = patterns, prints

    def draw(self, rng: np.random.Generator) -> Outfit:
        """Draw an outfit. The order of the draws decides which images a seed gives."""
        u = rng.uniform
        tone = u(0, len(_SKINS) - 1)
        k = min(int(tone), len(_SKINS) - 2)
        skin = _SKINS[k] + (tone - k) * (_SKINS[k + 1] - _SKINS[k]) + rng.normal(0, 6, 3)
        hair = linear_colour(_HAIRS[int(rng.integers(len(_HAIRS)))] + rng.normal(0, 8, 3))
        long = rng.random() < 0.36
        short_sleeves = u(0.22, 0.45)
        lengths = [0.0, short_sleeves, u(0.55, 0.8), 0.985]
        sleeve = float(rng.choice(lengths, p=[0.13, 0.4, 0.05, 0.42]))
        short = rng.random() < 0.25
        skirt = float(u(0.3, 0.95)) if rng.random() < 0.16 else 0.0
        top = self._cloth(rng)
        one_piece = rng.random() < (0.6 if skirt else 0.08)
        boots = rng.random() < 0.2
        return Outfit(
            skin=linear_colour(skin),
            hair=hair,
            hair_thickness=0.0 if rng.random() < 0.08 else float(u(0.004, 0.045)),
            long_hair=float(u(0.04, 0.38)) if long else 0.0,
            beard=float(u(0.4, 1.0)) if not long and rng.random() < 0.22 else 0.0,
            hat=random_colour(rng) if rng.random() < 0.12 else None,
            top=None if rng.random() < 0.05 and not skirt else top,
            sleeve=sleeve,
            top_hem=float(u(-0.16, 0.03)) if rng.random() < 0.85 else float(u(-0.5, -0.16)),
            collar=float(u(0.075, 0.13)) if rng.random() < 0.85 else 0.06,
            top_looseness=float(u(0, 1)) ** 1.5,
            open_front=random_colour(rng) if sleeve > 0.9 and rng.random() < 0.3 else None,
            bottom=top if one_piece else self._cloth(rng),
            # thighs that come through a skirt wear its cloth
            leg=skirt * 0.7 if skirt else float(u(0.0, 0.55)) if short else float(u(0.85, 1.0)),
            bottom_looseness=float(u(0, 1)) ** 1.5,
            skirt=skirt,
            flare=float(u(0.0, 0.5)),
            shoes=None if rng.random() < 0.12 else random_colour(rng),
            sole=random_colour(rng),
            shoe_top=float(u(0.05, 0.25)) if boots else float(u(-0.01, 0.03)),
            folds=float(u(0.0, 1.0)),
            mask=random_colour(rng) if rng.random() < 0.03 else None,
            glasses=bool(rng.random() < 0.15),
        )

    def _cloth(self, rng: np.random.Generator) -> Cloth:
        kind = rng.random()
        pattern = None
        if 0.52 < kind < 0.88:
            pattern = self._patterns[int(rng.integers(len(self._patterns)))]
        printed = None
        if kind >= 0.88 and self._prints:
            printed = self._prints[int(rng.integers(len(self._prints)))]
        return Cloth(
            random_colour(rng), random_colour(rng), pattern, printed,
            float(rng.uniform(0.6, 4.0)), float(rng.uniform(0.0, 0.09)),
        )  # fmt: skip

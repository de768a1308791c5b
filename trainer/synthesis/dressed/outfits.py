"""Draws what a person wears: garments, mixes of outfits, lengths, colours, patterns, hair, skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainer.rendering.mipmaps import Mipmaps
from trainer.rendering.textured import KEEP, RECOLOUR, Dye
from trainer.synthesis.dressed.garments import Clothes, Floats, Garment
from trainer.synthesis.textures import (
    linear_colour,
    muted_colour,
    random_colour,
    random_pattern,
    smooth_tile,
)

TEST_ONLY = frozenset({
    "male_casualsuit04", "male_worksuit01", "shoes05", "short03", "skin_male_young_light3",
    "skin_female_middleage_light2", "eyebrow005",
})  # fmt: skip
"""Garments and skins that dress test people and never training people."""

_UNUSED = frozenset({"skin_female_young_suit"})
"""A body suit painted on the skin would show as coloured arms under shirts."""

_PATTERNS = 32
_TILE = 128

# sRGB; natural colours with their shares
_HAIR = (
    ((22, 18, 17), 0.26), ((45, 32, 25), 0.24), ((78, 54, 38), 0.18), ((118, 86, 58), 0.11),
    ((186, 150, 104), 0.08), ((120, 56, 30), 0.04), ((150, 147, 143), 0.05),
    ((214, 210, 204), 0.02), ((150, 60, 110), 0.01), ((60, 90, 150), 0.01),
)  # fmt: skip
_GLOSS = {"skin": 0.10, "hair": 0.12, "shoes": 0.10, "eyes": 0.5, "outfit": 0.02, "hat": 0.01}

_SHORT_LEGS = (-0.62, -0.5)
"""Heights at which trousers are cut to shorts, m in the T-pose frame."""
_THREE_QUARTER = (-0.92, -0.72)
_SHORT_SLEEVES = (0.26, 0.38)
_HALF_SLEEVES = (0.40, 0.6)


@dataclass(frozen=True)
class Worn:
    """A garment with its colours."""

    garment: Garment
    texture: Mipmaps
    dye: Dye
    gloss: float
    bias: float


@dataclass(frozen=True)
class Look:
    """All that is drawn of a person."""

    worn: tuple[Worn, ...]
    """The skin first."""
    names: tuple[str, ...]
    """Files that the look was made from."""


class Outfits:
    """Draws looks from a clothes folder.

    Parameters
    ----------
    clothes : Clothes
    test : bool
        Also use what `TEST_ONLY` keeps from training, and prefer it.
    """

    def __init__(self, clothes: Clothes, *, test: bool = False) -> None:
        self._clothes, self._test = clothes, test
        rng = np.random.default_rng(9 + test)
        self._patterns = [
            random_pattern(rng, smooth_tile(rng, rng.uniform(1.3, 2.0)))[::2, ::2]
            for _ in range(_PATTERNS)
        ]

    def draw(self, masculine: float, rng: np.random.Generator) -> Look:
        """Draw a look.

        Parameters
        ----------
        masculine : float
            How masculine the body is, in standard deviations.
        rng : numpy.random.Generator
        """
        sex = "male" if masculine + rng.normal(0, 0.5) > 0 else "female"
        names: list[str] = []
        garments = self._clothing(sex, rng, names)
        worn = [self._dyed(garment, rng) for garment in garments]
        worn += self._head(sex, rng, names)
        skin = self._choice([s for s in self._clothes.skins if f"_{sex}_" in s], rng)
        names.insert(0, skin)
        tone = np.exp(rng.normal(0, 0.1) + rng.normal(0, 0.025, 3)).astype(np.float32)
        bare = Worn(
            self._clothes.uncovered_skin([w.garment for w in worn]),
            self._clothes.texture(f"{skin}.jpg"), Dye.factor(tone), _GLOSS["skin"], 0.0,
        )  # fmt: skip
        return Look((bare, *worn), tuple(names))

    def _choice(self, names: list[str], rng: np.random.Generator) -> str:
        held_out = [name for name in names if name in TEST_ONLY]
        names = [name for name in names if name not in TEST_ONLY | _UNUSED]
        if self._test and held_out and rng.random() < 0.6:
            names = held_out
        return names[int(rng.integers(len(names)))]

    def _clothing(self, sex: str, rng: np.random.Generator, names: list[str]) -> list[Garment]:
        """Draw outfit and shoes; the names are appended to `names`."""
        clothes = self._clothes
        worn_by = sex if rng.random() < 0.85 else ("female" if sex == "male" else "male")
        choices = clothes.names("outfit", worn_by)
        if sex == "male":
            choices = [name for name in choices if name != "female_elegantsuit01"]
        outfit = self._choice(choices, rng)
        names.append(outfit)
        whole = clothes.garment(outfit)
        parts = [whole]
        if rng.random() < 0.45 and len(clothes.tops(outfit).faces) > 1000:
            other = self._choice(choices, rng)
            both = min(len(clothes.tops(other).faces), len(clothes.bottoms(other).faces))
            if other != outfit and both > 1000:
                parts = [clothes.tops(outfit), clothes.bottoms(other)]
                names.append(other)
        long = float(whole.template[:, 1].min()) < -0.9
        draw = rng.random(4)
        below = None
        if draw[0] < 0.3 and "elegant" not in outfit and long:
            below = float(rng.uniform(*(_SHORT_LEGS if draw[1] < 0.6 else _THREE_QUARTER)))
        beyond = None
        if draw[2] < 0.4 and "elegant" not in outfit:
            beyond = float(rng.uniform(*(_SHORT_SLEEVES if draw[3] < 0.6 else _HALF_SLEEVES)))
        garments = [clothes.cut(part, below, beyond) for part in parts]
        if rng.random() < 0.93:
            shoes = self._choice(clothes.names("shoes"), rng)
            names.append(shoes)
            garments.append(self._trimmed(clothes.garment(shoes), garments))
        return garments

    @staticmethod
    def _trimmed(shoes: Garment, outfit: list[Garment]) -> Garment:
        """Return shoes without the part of the shaft that trousers cover."""
        hem = min(
            max(float(part.template[part.faces[:, 0], 1].min(initial=9)), part.hems[0])
            for part in outfit
        )
        top = max(hem, -1.12) if hem < -0.98 else -0.98
        lowest = shoes.template[shoes.faces][..., 1].min(axis=1)
        keep = lowest < top + 0.025
        return shoes.part(keep)

    def _dyed(self, garment: Garment, rng: np.random.Generator) -> Worn:
        """Return a garment of an outfit, or shoes, in random colours."""
        clothes = self._clothes
        texture = clothes.texture(garment.texture, garment.ambient)
        if garment.kind == "shoes":
            return self._shoes(garment, texture, rng)
        median = clothes.brightness(garment.name, garment.texture)
        count = len(median)
        mode = np.full(count, RECOLOUR, np.uint8)
        first = np.stack([random_colour(rng) for _ in range(count)])
        second = np.stack([random_colour(rng) for _ in range(count)])
        scale = np.zeros(count, np.float32)
        pattern = np.zeros((count, _TILE, _TILE), np.float32)
        original = rng.random(count) < 0.3
        original[0] = True
        jeans = rng.random() < 0.3
        for slot in range(count):
            if original[slot]:
                mode[slot] = KEEP
                first[slot] = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))
            elif slot == 2 and jeans:
                blue = np.array([48, 62, 92]) * np.exp(rng.normal(0, 0.35))
                first[slot] = linear_colour(blue + rng.normal(0, 6, 3))
            elif rng.random() < (0.35 if slot != 2 else 0.1):
                scale[slot] = rng.uniform(0.8, 3.5)
                pattern[slot] = self._patterns[int(rng.integers(_PATTERNS))]
                share = rng.uniform(0.3, 1.0)
                second[slot] = first[slot] + (second[slot] - first[slot]) * share
        dye = Dye(mode, first.astype(np.float32), second.astype(np.float32), median, scale, pattern)
        return Worn(garment, texture, dye, _GLOSS["outfit"], 0.003)

    def _shoes(self, garment: Garment, texture: Mipmaps, rng: np.random.Generator) -> Worn:
        if rng.random() < 0.5:
            dye = Dye.factor(np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.08, 3)))
        else:
            median = self._clothes.brightness(garment.name, garment.texture)[:1]
            dye = _dye(
                muted_colour(rng) if rng.random() < 0.7 else random_colour(rng), float(median[0])
            )
        return Worn(garment, texture, dye, _GLOSS["shoes"], 0.0)

    def _head(self, sex: str, rng: np.random.Generator, names: list[str]) -> list[Worn]:
        clothes = self._clothes
        shares = np.array([share for _, share in _HAIR])
        colour = np.array(_HAIR[int(rng.choice(len(_HAIR), p=shares / shares.sum()))][0], float)
        colour = linear_colour(colour * np.exp(rng.normal(0, 0.15)))
        out = []
        hat = rng.random() < 0.06
        bald = rng.random() < (0.1 if sex == "male" else 0.01)
        if hat:
            worn = clothes.garment(self._choice(clothes.names("hat"), rng))
            median = float(clothes.brightness(worn.name, worn.texture)[0])
            dye = _dye(random_colour(rng), median)
            texture = clothes.texture(worn.texture)
            out.append(Worn(worn, texture, dye, _GLOSS["hat"], 0.0))
            names.append(worn.name)
        if not bald and not hat:
            out.append(self._hair(self._choice(clothes.names("hair", sex), rng), colour))
            names.append(out[-1].garment.name)
        brow = self._choice(clothes.names("eyebrows"), rng)
        out.append(self._hair(brow, np.asarray(colour * 0.8, np.float32)))
        lashes = self._choice(clothes.names("eyelashes"), rng)
        out.append(self._hair(lashes, np.full(3, 0.01, np.float32)))
        eyes = clothes.garment("eyes_low")
        iris = clothes.texture(clothes.eyes[int(rng.integers(len(clothes.eyes)))])
        out.append(Worn(eyes, iris, Dye.factor(1.0), _GLOSS["eyes"], 0.0))
        return out

    def _hair(self, name: str, colour: Floats) -> Worn:
        garment = self._clothes.garment(name)
        texture = self._clothes.texture(garment.texture, opacity=True)
        median = float(self._clothes.brightness(name, garment.texture)[0])
        return Worn(garment, texture, _dye(colour, median), _GLOSS["hair"], 0.0)


def _dye(colour: Floats, median: float) -> Dye:
    first = np.asarray(colour, np.float32)[None]
    zero = np.zeros(1, np.float32)
    pattern = np.zeros((1, 1, 1), np.float32)
    return Dye(np.full(1, RECOLOUR, np.uint8), first, first, zero + median, zero, pattern)

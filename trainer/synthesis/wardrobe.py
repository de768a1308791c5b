"""Dressing the body at random: padded cloth, skirts, hair and hats, painted sample by sample.

Which part of the body a material covers is a function of the place on the mean rest body, the same
for every shape, so hems are clean lines and nothing is worked out twice. Skirts and long hair are
sheets of their own, bound to the joints nearby.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.types import Array, Ints
from trainer.rendering.renderer import linear_from_srgb
from trainer.synthesis.clothing import above_hairline, step

Floats = npt.NDArray[np.float32]

_TILE = 256
_TILES = 40

_SKINS = np.array([
    (255, 226, 202), (241, 198, 166), (228, 180, 140), (206, 148, 108), (172, 118, 82),
    (132, 84, 56), (92, 58, 40), (66, 42, 30),
])  # fmt: skip
_HAIRS = np.array([
    (22, 18, 16), (42, 30, 22), (70, 48, 32), (106, 74, 46), (160, 120, 76), (212, 180, 128),
    (128, 62, 34), (150, 148, 146), (210, 208, 204), (96, 40, 110), (40, 90, 130),
])  # fmt: skip

_SKIRT_ROWS, _SKIRT_COLUMNS = 9, 28
_MANE_ROWS, _MANE_COLUMNS = 8, 15

BODY, SKIRT, MANE = 0, 1, 2


def _linear(srgb: Array) -> Floats:
    return np.asarray(linear_from_srgb(np.clip(srgb, 0, 255) / 255.0), dtype=np.float32)


def random_colour(rng: np.random.Generator) -> Floats:
    """Linear colour (3,) of cloth and things: greys and darks more often than bright ones."""
    if rng.random() < 0.42:
        grey = rng.choice([rng.uniform(8, 70), rng.uniform(70, 190), rng.uniform(190, 252)])
        return _linear(grey + rng.normal(0, 5, 3))
    hue = rng.uniform(0, 6)
    saturation, value = rng.uniform(0.15, 0.95), rng.uniform(0.12, 0.95)
    offsets = np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1
    return _linear(255 * value * (1 - saturation * (1 - np.clip(offsets, 0, 1))))


def smooth_tile(rng: np.random.Generator, roughness: float, size: int = _TILE) -> Floats:
    """Periodic noise (size, size), mean 0 and standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency**roughness
    tile = np.fft.irfft2(spectrum)
    return np.asarray((tile - tile.mean()) / tile.std(), dtype=np.float32)


def _pattern(rng: np.random.Generator, noise: Floats) -> Floats:
    """A periodic pattern (T, T) of 0..1 between two colours of a cloth."""
    y, x = np.mgrid[0:_TILE, 0:_TILE] / _TILE
    kind = int(rng.integers(6))
    n, duty = int(rng.integers(4, 20)), rng.uniform(-0.7, 0.7)
    if kind == 0:
        raw = np.sin(2 * np.pi * n * y) - duty
    elif kind == 1:
        raw = np.sin(2 * np.pi * n * x) - duty
    elif kind == 2:
        lines = np.stack([np.sin(2 * np.pi * n * x), np.sin(2 * np.pi * n * y)]) > duty
        return np.asarray(lines.mean(axis=0), dtype=np.float32)
    elif kind == 3:
        raw = np.sin(2 * np.pi * n * x) * np.sin(2 * np.pi * n * y) - abs(duty)
    elif kind == 4:
        raw = noise * 2 - duty
    else:
        raw = np.sin(2 * np.pi * n * (x + y)) - duty
    return np.asarray(np.clip(raw * 6 + 0.5, 0, 1), dtype=np.float32)


@dataclass(frozen=True)
class Cloth:
    """Two colours and the pattern between them."""

    first: Floats
    second: Floats
    pattern: Floats | None
    """(T, T) 0..1; None = plain."""
    picture: npt.NDArray[np.uint8] | None
    """(h, w, 3) a print instead of the pattern."""
    scale: float
    """Tiles a metre."""
    weave: float
    """Strength of the fine grain."""

    def at(self, p: Floats, noise: Floats) -> Floats:
        """Linear colours (N, 3) at rest places (N, 3)."""
        across, up = p[:, 0] + 0.7 * p[:, 2], p[:, 1]
        n = len(noise)
        rows, columns = (up * 3 * n).astype(np.int64) % n, (across * 3 * n).astype(np.int64) % n
        grain = (1 + self.weave * noise[rows, columns])[:, None]
        if self.picture is not None:
            h, w = self.picture.shape[:2]
            rows = (-up * self.scale * w).astype(np.int64) % h
            columns = (across * self.scale * w).astype(np.int64) % w
            printed = (self.picture[rows, columns].astype(np.float32) / 255) ** 2.2
            return np.asarray(printed * grain)
        if self.pattern is None:
            return np.asarray(self.first * grain)
        n = len(self.pattern)
        rows = (up * self.scale * n).astype(np.int64) % n
        columns = (across * self.scale * n).astype(np.int64) % n
        share = self.pattern[rows, columns][:, None]
        return np.asarray((self.first + (self.second - self.first) * share) * grain)


@dataclass(frozen=True)
class Outfit:
    """What somebody wears and looks like; lengths in metres, colours linear."""

    skin: Floats
    hair: Floats
    hair_thick: float
    """0 = bald."""
    mane: float
    """Length of long hair below the ears; 0 = none."""
    beard: float
    hat: Floats | None
    top: Cloth | None
    sleeve: float
    """0 = none, 1 = to the wrist."""
    top_hem: float
    """Above the pelvis; may be negative."""
    collar: float
    top_loose: float
    open_front: Floats | None
    """Colour under an open jacket."""
    bottom: Cloth | None
    leg: float
    """0 = to the hip, 1 = to the ankle."""
    bottom_loose: float
    skirt: float
    """Length below the waist; 0 = none."""
    flare: float
    shoes: Floats | None
    sole: Floats
    shoe_top: float
    folds: float
    mask: Floats | None
    """A mouth mask's colour."""
    glasses: bool


@dataclass(frozen=True)
class Figure:
    """A dressed body at rest, ready to be posed; V' vertices, F' triangles."""

    outfit: Outfit
    rest: Array
    """(V', 3) with padding."""
    weights: Array
    """(V', J)"""
    faces: Ints
    """(F', 3) the body's first."""
    closed: int
    """How many of the triangles belong to closed surfaces; the others are sheets."""
    place: Floats
    """(V', 4) place on the mean rest body and the head's weight; what painting depends on."""
    material: npt.NDArray[np.int8]
    """(F',) `BODY`, `SKIRT` or `MANE`."""
    joints: Array
    """(J, 3) at rest."""
    gather: csr_matrix
    """(V', F') sums triangles' normals at their vertices."""


class Wardrobe:
    """Clothes for one body, drawn at random.

    Parameters
    ----------
    body : Body
        With SMPL's joint names and the face's key points.
    prints : list of (h, w, 3) uint8 arrays
        Picture pieces that some cloth is printed with.
    """

    def __init__(self, body: Body, prints: list[npt.NDArray[np.uint8]]) -> None:
        self.body = body
        rng = np.random.default_rng(7)
        self.noise = smooth_tile(rng, 1.2)
        self._soft = smooth_tile(rng, 2.0)
        self._patterns = [
            _pattern(rng, smooth_tile(rng, rng.uniform(1.3, 2.0))) for _ in range(_TILES)
        ]
        self._prints = prints
        p = body.template
        mean_joints = rest_joints(body, np.zeros(body.shape_count))
        self._joint = {name: mean_joints[k] for k, name in enumerate(body.joint_names)}
        self._index = {name: k for k, name in enumerate(body.joint_names)}
        points = body.keypoint_regressor @ p
        self._point = {name: points[k] for k, name in enumerate(body.keypoint_names)}
        head = body.skin_weights[:, self._index["head"]]
        self._place = np.column_stack([p, head]).astype(np.float32)
        self._sole = float(p[:, 1].min())
        self._smoothed = self._spanned(p)
        rows, columns = body.faces.ravel(), np.repeat(np.arange(len(body.faces)), 3)
        self._gather = csr_matrix((np.ones(rows.size), (rows, columns)), (len(p), len(body.faces)))
        self._normals = _normals(p, body.faces, self._gather)

    def _spanned(self, p: Array) -> tuple[Array, Array]:
        """How far cloth that spans hollows lies off the skin: torso and legs, feet; (V, 3) each."""
        faces = self.body.faces
        pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        link = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(p), len(p)))
        link = ((link + link.T) > 0).astype(float)
        mean = diags(1 / np.asarray(link.sum(axis=1)).ravel()) @ link
        out = []
        for rounds in (30, 60):
            moved = p.copy()
            for _ in range(rounds):
                moved += 0.55 * (mean @ moved - moved)
            out.append(moved - p)
        return out[0], out[1]

    # where materials lie: positive inside, metres, at places (N, 3) of the mean rest body

    def _top(self, p: Array, o: Outfit) -> Array:
        shoulder, wrist = self._joint["left_shoulder"][0], self._joint["left_wrist"][0]
        # a sleeveless top ends before the shoulder
        reach = shoulder - 0.02 + (o.sleeve * (wrist - shoulder + 0.02))
        hem = p[:, 1] - (self._joint["pelvis"][1] + o.top_hem)
        centre = self._joint["neck"] + [0.0, 0.035, 0.012]
        collar = np.linalg.norm((p[:, :3] - centre) * [1.0, 0.9, 0.9], axis=1) - o.collar
        below = np.maximum(collar, -(p[:, 1] - centre[1]) - 0.06)
        chin = self._point["chin"][1] - 0.035 - p[:, 1]
        return np.asarray(np.minimum.reduce([reach - np.abs(p[:, 0]), hem, below, chin]))

    def _bottom(self, p: Array, o: Outfit) -> Array:
        hip, ankle = self._joint["left_hip"][1], self._joint["left_ankle"][1]
        hem = p[:, 1] - (hip - 0.06 + o.leg * (ankle - 0.01 - hip + 0.06))
        waist = self._joint["pelvis"][1] + 0.1 - p[:, 1]
        return np.asarray(np.minimum.reduce([hem, waist, 0.32 - np.abs(p[:, 0])]))

    def _shoe(self, p: Array, o: Outfit) -> Array:
        ankle = self._joint["left_ankle"]
        top = ankle[1] + o.shoe_top - 0.12 * (p[:, 2] - ankle[2])
        return np.asarray(np.maximum(top, self._sole + 0.045) - p[:, 1])

    def _hair(self, p: Array) -> Array:
        return above_hairline(p, self._point["left_eye"], self._point["left_ear"])

    def draw(self, rng: np.random.Generator) -> Outfit:
        """An outfit at random."""
        u = rng.uniform
        tone = u(0, len(_SKINS) - 1)
        k = min(int(tone), len(_SKINS) - 2)
        skin = _SKINS[k] + (tone - k) * (_SKINS[k + 1] - _SKINS[k]) + rng.normal(0, 6, 3)
        hair = _linear(_HAIRS[int(rng.integers(len(_HAIRS)))] + rng.normal(0, 8, 3))
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
            skin=_linear(skin),
            hair=hair,
            hair_thick=0.0 if rng.random() < 0.08 else float(u(0.004, 0.045)),
            mane=float(u(0.04, 0.38)) if long else 0.0,
            beard=float(u(0.4, 1.0)) if not long and rng.random() < 0.22 else 0.0,
            hat=random_colour(rng) if rng.random() < 0.12 else None,
            top=None if rng.random() < 0.05 and not skirt else top,
            sleeve=sleeve,
            top_hem=float(u(-0.16, 0.03)) if rng.random() < 0.85 else float(u(-0.5, -0.16)),
            collar=float(u(0.075, 0.13)) if rng.random() < 0.85 else 0.06,
            top_loose=float(u(0, 1)) ** 1.5,
            open_front=random_colour(rng) if sleeve > 0.9 and rng.random() < 0.3 else None,
            bottom=top if one_piece else self._cloth(rng),
            # thighs that come through a skirt wear its cloth
            leg=skirt * 0.7 if skirt else float(u(0.0, 0.55)) if short else float(u(0.85, 1.0)),
            bottom_loose=float(u(0, 1)) ** 1.5,
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
        pattern = self._patterns[int(rng.integers(_TILES))] if 0.52 < kind < 0.88 else None
        picture = None
        if kind >= 0.88 and self._prints:
            picture = self._prints[int(rng.integers(len(self._prints)))]
        return Cloth(
            random_colour(rng), random_colour(rng), pattern, picture,
            float(rng.uniform(0.6, 4.0)), float(rng.uniform(0.0, 0.09)),
        )  # fmt: skip

    def dress(self, shape: Array, outfit: Outfit, rng: np.random.Generator) -> Figure:
        """Put an outfit on a body of a shape (S,)."""
        body, o = self.body, outfit
        place = body.template
        rest = body.template + body.shape_directions @ shape
        joints = rest_joints(body, shape)
        head = self._place[:, 3]
        side = np.abs(place[:, 0])
        torso_cloth = np.zeros(len(place))
        pad = np.zeros(len(place))
        pelvis, ankle = self._joint["pelvis"][1], self._joint["left_ankle"][1]
        shoulder, elbow = self._joint["left_shoulder"], self._joint["left_elbow"]
        if o.top is not None:
            cover = step(self._top(place, o), 0.015) * (head < 0.5)
            sleeve = np.clip((side - shoulder[0]) / (elbow[0] - shoulder[0]), 0, 1.4)
            low = np.clip((pelvis + 0.25 - place[:, 1]) / 0.3, 0, 1.5)
            amount = 0.004 + o.top_loose * (0.008 + 0.02 * sleeve + 0.024 * low)
            pad += cover * amount
            torso_cloth = np.maximum(torso_cloth, cover)
        if o.bottom is not None:
            cover = step(self._bottom(place, o), 0.02)
            down = np.clip((pelvis - place[:, 1]) / (pelvis - ankle), 0, 1)
            amount = 0.003 + o.bottom_loose * (0.006 + 0.03 * down**1.3)
            pad = np.maximum(pad, cover * amount)
            torso_cloth = np.maximum(torso_cloth, cover)
        noise = self._soft
        n = len(noise)
        shift = rng.uniform(0, n, 2)
        rows = ((place[:, 1] * 2.2 * n + shift[0]).astype(np.int64)) % n
        columns = (((place[:, 0] + 0.6 * place[:, 2]) * 2.2 * n + shift[1]).astype(np.int64)) % n
        folds = 0.004 * o.folds * noise[rows, columns]
        pad += torso_cloth * folds * (0.4 + o.top_loose)
        arm = (side > shoulder[0] - 0.03) & (place[:, 1] > shoulder[1] - 0.1)
        spanned = self._smoothed[0] * (0.8 * torso_cloth * ~arm)[:, None]
        if o.shoes is not None:
            shoe = step(self._shoe(place, o), 0.01) * (place[:, 1] < pelvis - 0.5)
            spanned = spanned + self._smoothed[1] * (0.8 * shoe)[:, None]
            pad = np.maximum(pad, 0.012 * shoe)
        if o.hair_thick or o.hat is not None:
            hair = step(self._hair(place), 0.012) * (head > 0.5)
            thick = o.hair_thick if o.hat is None else 0.02
            pad += hair * thick * (1 + 0.18 * noise[columns, rows])
        rest = rest + spanned + self._normals * pad[:, None]
        parts = [(rest, body.skin_weights, body.faces, self._place, BODY)]
        if o.skirt:
            parts.append(self._skirt(rest, joints, o, rng))
        if o.mane:
            parts.append(self._mane(rest, joints, o))
        return self._joined(outfit, joints, parts)

    def _joined(
        self, outfit: Outfit, joints: Array,
        parts: list[tuple[Array, Array, Ints, Floats, int]],
    ) -> Figure:  # fmt: skip
        counts = np.cumsum([0, *[len(part[0]) for part in parts]])
        faces = np.concatenate([part[2] + counts[k] for k, part in enumerate(parts)])
        gather = self._gather
        if len(parts) > 1:
            rows, columns = faces.ravel(), np.repeat(np.arange(len(faces)), 3)
            gather = csr_matrix((np.ones(rows.size), (rows, columns)), (counts[-1], len(faces)))
        return Figure(
            outfit=outfit,
            rest=np.concatenate([part[0] for part in parts]),
            weights=np.concatenate([part[1] for part in parts]),
            faces=faces,
            closed=len(self.body.faces),
            place=np.concatenate([part[3] for part in parts]).astype(np.float32),
            material=np.concatenate([np.full(len(part[2]), part[4], np.int8) for part in parts]),
            joints=joints,
            gather=gather,
        )

    def _skirt(
        self, rest: Array, joints: Array, o: Outfit, rng: np.random.Generator
    ) -> tuple[Array, Array, Ints, Floats, int]:
        """A cone from the waist down, carried by the pelvis above and the thighs below."""
        rows, columns = _SKIRT_ROWS, _SKIRT_COLUMNS
        pelvis = joints[0]
        near = (np.abs(rest[:, 1] - pelvis[1]) < 0.12) & (np.abs(rest[:, 0]) < 0.3)
        low, high = rest[near].min(axis=0), rest[near].max(axis=0)
        radius = (high - low)[[0, 2]] / 2 + 0.012
        middle = np.array([0.0, pelvis[1], (low[2] + high[2]) / 2])
        down = np.linspace(0, 1, rows)[:, None]
        angle = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
        pleats = 0.02 * o.folds * np.sin(angle * int(rng.integers(5, 11)) + rng.uniform(0, 6))
        # tight at the waist, full width at the hips, then wider by the flare
        hips = np.interp(down, [0, 0.25, 1.0], [0.84, 1.0, 1.0])
        wide = hips * (1 + o.flare * np.clip(down - 0.2, 0, None)) + pleats * down
        points = np.stack([
            middle[0] + radius[0] * wide * np.sin(angle),
            middle[1] + 0.13 - (o.skirt + 0.13) * down + 0 * angle,
            middle[2] + radius[1] * wide * np.cos(angle),
        ], axis=-1).reshape(-1, 3)  # fmt: skip
        weights = np.zeros((rows * columns, self.body.joint_count))
        legs = np.clip((down - 0.12) * 1.5, 0, 0.92) + 0 * angle
        left = step(np.sin(angle), 0.9) + 0 * down
        weights[:, self._index["left_hip"]] = (legs * left).ravel()
        weights[:, self._index["right_hip"]] = (legs * (1 - left)).ravel()
        weights[:, 0] = (1 - legs).ravel()
        faces = _grid_faces(rows, columns, closed=True)
        place = np.column_stack([points, np.zeros(len(points))]).astype(np.float32)
        # painted round the body: a print goes on at the sides
        place[:, 0] = (np.sin(angle / 2) * 0.6 + 0 * down).ravel()
        return points, weights, faces, place, SKIRT

    def _mane(
        self, rest: Array, joints: Array, o: Outfit
    ) -> tuple[Array, Array, Ints, Floats, int]:
        """Long hair: a sheet round the back of the head that falls over neck and back."""
        rows, columns = _MANE_ROWS, _MANE_COLUMNS
        skull = rest[self._place[:, 3] > 0.7]
        low, high = skull.min(axis=0), skull.max(axis=0)
        ear = (self.body.keypoint_regressor @ rest)[
            self.body.keypoint_names.index("left_ear")
        ]  # fmt: skip
        down = np.linspace(0, 1, rows)[:, None]
        angle = np.radians(np.linspace(-102, 102, columns))[None]
        top = ear[1] + 0.05
        length = top - ear[1] + o.mane + 0.06
        half = (high[0] - low[0]) / 2 + 0.006
        depth = ear[2] - low[2] + 0.008
        wide = np.interp(down, [0, 0.3, 1], [1.0, 1.08, 1.05 + 0.8 * o.mane])
        back = rest[(self._place[:, 3] < 0.3) & (np.abs(self._place[:, 0]) < 0.12)]
        behind = back[back[:, 1] > joints[self._index["spine2"]][1]][:, 2].min() - 0.012
        y = top - length * down
        z = ear[2] - depth * wide * np.cos(angle)
        lower = np.clip((ear[1] - 0.08 - y) / 0.12, 0, 1)
        z = np.where(np.cos(angle) > 0, np.minimum(z, z + lower * (behind - z)), z + 0 * y)
        points = np.stack([half * wide * np.sin(angle), y + 0 * angle, z], axis=-1).reshape(-1, 3)
        weights = np.zeros((rows * columns, self.body.joint_count))
        chest = (np.clip((ear[1] - 0.1 - y) / 0.3, 0, 0.75) + 0 * angle).ravel()
        weights[:, self._index["spine3"]] = chest
        weights[:, self._index["head"]] = 1 - chest
        place = np.column_stack([points, np.ones(len(points))]).astype(np.float32)
        return points, weights, _grid_faces(rows, columns, closed=False), place, MANE

    def paint(self, figure: Figure, place: Floats, material: npt.NDArray[np.int8]) -> Floats:
        """Linear colours (N, 3) of samples of `figure.place` on triangles of a material (N,)."""
        o = figure.outfit
        p, head = place[:, :3], place[:, 3] > 0.5
        n = len(self.noise)
        rows, columns = (p[:, 1] * n).astype(np.int64) % n, (p[:, 0] * n * 1.3).astype(np.int64) % n
        grain = self.noise[rows, columns][:, None]
        out = o.skin * (1 + 0.05 * grain)

        def lay(rows: npt.NDArray[np.bool_] | slice, cover: Array, over: Floats) -> None:
            share = cover.astype(np.float32)[:, None]
            out[rows] += share * (over - out[rows])

        of_body = material == BODY
        if head.any():
            self._face(out, p, head & of_body, o, grain)
        low = of_body & ~head
        if o.bottom is not None:
            rows_ = low & (p[:, 1] < self._joint["pelvis"][1] + 0.12)
            q = p[rows_]
            inside = self._bottom(q, o)
            lay(rows_, step(inside, 0.003), o.bottom.at(q, self.noise))
        if o.shoes is not None:
            rows_ = low & (p[:, 1] < self._joint["left_knee"][1] - 0.05)
            q = p[rows_]
            inside = self._shoe(q, o)
            lay(rows_, step(inside, 0.003), o.shoes)
            lay(rows_, step(self._sole + 0.022 - q[:, 1], 0.003), o.sole)
        if o.top is not None:
            rows_ = low & (p[:, 1] > self._joint["pelvis"][1] + o.top_hem - 0.01)
            q = p[rows_]
            inside = self._top(q, o)
            cloth = o.top.at(q, self.noise)
            if o.open_front is not None:
                front = (np.abs(q[:, 0]) < 0.055) & (q[:, 2] > 0.02)
                cloth = np.where(front[:, None], o.open_front, cloth)
            cloth = cloth * np.where(np.abs(inside - 0.012) < 0.004, 0.72, 1.0)[:, None]
            lay(rows_, step(inside, 0.003), cloth.astype(np.float32))
        sheet = material == SKIRT
        if sheet.any() and o.bottom is not None:
            out[sheet] = o.bottom.at(p[sheet], self.noise)
        sheet = material == MANE
        if sheet.any():
            strands = self.noise[rows[sheet] // 6, columns[sheet] * 3 % n][:, None]
            out[sheet] = o.hair * np.clip(1 + 0.3 * strands, 0.3, 2)
        return np.clip(out, 0, 4)

    def _face(
        self, out: Floats, p: Floats, rows: npt.NDArray[np.bool_], o: Outfit, grain: Floats
    ) -> None:
        eye, corner = self._point["left_eye"], self._point["left_mouth"]
        nose, chin = self._point["nose"], self._point["chin"]
        ear = self._point["left_ear"]
        q = p[rows]
        x, y = np.abs(q[:, 0]), q[:, 1]
        front = q[:, 2] > ear[2] + 0.035
        colours = out[rows]

        def lay(cover: Array, over: Floats | Array) -> None:
            nonlocal colours
            share = cover.astype(np.float32)[:, None]
            colours = colours + share * (over - colours)

        def ellipse(cx: float, cy: float, rx: float, ry: float, edge: float = 0.25) -> Array:
            return np.where(front, step(1 - np.hypot((x - cx) / rx, (y - cy) / ry), edge), 0.0)

        dark = _linear(np.array([44.0, 30, 24]))
        cheek = ellipse(eye[0] + 0.012, nose[1] - 0.008, 0.026, 0.02, 0.5)
        lay(0.4 * cheek, o.skin * [1, 0.7, 0.68])
        lay(0.35 * ellipse(eye[0], eye[1] + 0.002, 0.024, 0.014, 0.5), o.skin * 0.5)
        lay(0.75 * ellipse(eye[0], eye[1], 0.014, 0.0055), _linear(np.array([205.0, 195, 188])))
        lay(ellipse(eye[0], eye[1], 0.0066, 0.0066), dark)
        brow = eye[1] + 0.0235 - 14 * (x - eye[0] - 0.004) ** 2
        across = front & (np.abs(x - eye[0] - 0.001) < 0.021)
        lay(0.8 * np.where(across, step(0.0045 - np.abs(y - brow), 0.0025), 0.0), o.hair * 0.8)
        lay(0.5 * ellipse(0.007, nose[1] - 0.012, 0.0045, 0.003, 0.5), o.skin * 0.3)
        if o.beard:
            jaw = (y < corner[1] + 0.018 + 0.5 * np.clip(x - 0.03, 0, 1)) & (y > chin[1] - 0.05)
            lay(0.85 * o.beard * (front & jaw), o.hair * (1 + 0.2 * grain[rows]))
        lips = ellipse(0.0, corner[1] - 0.001, corner[0] + 0.004, 0.0105, 0.3)
        lay(0.75 * lips, o.skin * 0.3 + _linear(np.array([150.0, 50, 50])) * 0.6)
        if o.mask is not None:
            lay(1.0 * (front & (y < nose[1] + 0.012) & (y > chin[1] - 0.03)), o.mask)
        if o.glasses:
            reach = np.hypot((x - eye[0]) / 0.026, (y - eye[1]) / 0.019)
            bridge = (np.abs(y - eye[1] - 0.006) < 0.003) & (x < 0.012)
            lay(1.0 * (front & ((np.abs(reach - 1) < 0.14) | bridge)), dark)
        above = self._hair(q)
        if o.hat is not None:
            lay(step(above + 0.012, 0.004), o.hat * (1 + 0.03 * grain[rows]))
        elif o.hair_thick:
            on_ear = (x > ear[0] - 0.012) & (np.hypot(y - ear[1], q[:, 2] - ear[2]) < 0.03)
            cover = np.where(on_ear, 0.0, step(above + 0.004 * grain[rows][:, 0], 0.004))
            lay(cover, o.hair * np.clip(1 + 0.35 * grain[rows], 0.4, 2.0))
        out[rows] = colours


def _grid_faces(rows: int, columns: int, *, closed: bool) -> Ints:
    across = np.arange(columns if closed else columns - 1)
    grids = np.meshgrid(np.arange(rows - 1), across, indexing="ij")
    r, c = grids[0].ravel(), grids[1].ravel()
    next_c = (c + 1) % columns
    a, b = r * columns + c, r * columns + next_c
    d, e = (r + 1) * columns + c, (r + 1) * columns + next_c
    return np.concatenate([np.column_stack([a, d, b]), np.column_stack([b, d, e])]).astype(np.int64)


def _normals(points: Array, faces: Ints, gather: csr_matrix) -> Array:
    a, b, c = (points[faces[:, k]] for k in range(3))
    total = gather @ np.cross(b - a, c - a)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))


def posed(body: Body, figure: Figure, rotations: Array) -> tuple[Array, Array]:
    """Vertices (V', 3) m, without translation, and normals (V', 3) of a figure in a pose."""
    world, places = joint_transforms(body, rotations, figure.joints)
    shift = places - np.einsum("jab,jb->ja", world, figure.joints)
    both = np.concatenate([world, shift[..., None]], axis=-1).reshape(len(world), 12)
    blended = (figure.weights @ both).reshape(-1, 3, 4)
    vertices = np.einsum("vab,vb->va", blended[..., :3], figure.rest) + blended[..., 3]
    return vertices, _normals(vertices, figure.faces, figure.gather)

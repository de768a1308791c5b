"""Backgrounds of synthetic people: image parts without people, and painted places."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Image
from trainer.data.ccp import read_backgrounds
from trainer.data.lspet import ImageStore, JointSet, read_joint_set
from trainer.synthesis.textures import Floats, random_colour, smooth_tile

FREE_LICENCES = (4, 5, 7, 8)
"""COCO licence ids that allow commercial use and change: BY, BY-SA, none known, US government."""

_MIN_SIDE = 28
"""Pixels; narrower parts are left out."""
_LSPET_IMAGES = 2500
"""LSPET images searched; they are tight around the person, and most have no side wide enough."""
_BLURRED_IMAGES = 400
"""LSPET images used whole, blurred until no person can be recognized."""
_PAINTED = "painted"
"""Source of painted places in the labels of a set."""
_SHARES = {"ccp": 0.28, "lspet": 0.22, "coco": 0.14, _PAINTED: 0.36}


@dataclass(frozen=True)
class Piece:
    """A part of an image that shows no person."""

    image: Image
    source: str


class Backdrops:
    """Draws backgrounds.

    Parameters
    ----------
    ccp, lspet, coco : Path, optional
        The packed sets; None leaves a set out.
    test : bool
        Use the held-out images of CCP and LSPET instead of the others; COCO's are split by row.
    clean : bool
        Only painted places and COCO's images under `FREE_LICENCES`; no other set is allowed.

    Raises
    ------
    InputError
        If a set is missing or invalid.
    """

    def __init__(
        self,
        *,
        ccp: Path | None,
        lspet: Path | None,
        coco: Path | None,
        test: bool = False,
        clean: bool = False,
    ) -> None:
        if clean and (ccp is not None or lspet is not None):
            raise InputError("the images of CCP and LSPET are not free for commercial use")
        self._shares = dict(_SHARES)
        if clean:
            # few images are free: rare enough that the network does not memorize them
            self._shares["coco"] = 0.04
        self.pieces: dict[str, list[Piece]] = {}
        if ccp is not None:
            parts = read_backgrounds(ccp, held_out=test)
            self.pieces["ccp"] = [Piece(part, f"ccp/{k}") for k, part in enumerate(parts)]
        if lspet is not None:
            self.pieces["lspet"] = _beside_people(read_joint_set(lspet), test)
        if coco is not None:
            self.pieces["coco"] = _coco(coco, test, clean)
        rng = np.random.default_rng(11)
        self._noise = [smooth_tile(rng, rng.uniform(1.0, 2.2)) for _ in range(16)]

    def prints(self, count: int = 60) -> list[Image]:
        """Return small image patches that cloth can be printed with."""
        rng = np.random.default_rng(5)
        every = [piece.image for pieces in self.pieces.values() for piece in pieces]
        if not every:
            return []
        chosen = rng.integers(len(every), size=count)
        return [
            np.asarray(cv2.resize(every[k], (96, 96), interpolation=cv2.INTER_AREA), np.uint8)
            for k in chosen.tolist()
        ]

    def draw(
        self, size: tuple[int, int], rng: np.random.Generator, painted: float | None = None
    ) -> tuple[Image, str]:
        """Return a background of a width and height, and its source.

        `painted` is the weight of painted places beside the other sources, whose usual weights add
        up to 0.64.
        """
        kinds = [kind for kind in self._shares if kind == _PAINTED or self.pieces.get(kind)]
        weights = {**self._shares, _PAINTED: painted or self._shares[_PAINTED]}
        shares = np.array([weights[kind] for kind in kinds])
        kind = str(rng.choice(kinds, p=shares / shares.sum()))
        if kind == _PAINTED:
            image, source = self._painted(size, rng), _PAINTED
        else:
            piece = self.pieces[kind][int(rng.integers(len(self.pieces[kind])))]
            image, source = _fill(piece.image, size, rng), piece.source
        if rng.random() < 0.3:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 5)), np.uint8)
        return image, source

    def texture(self, size: tuple[int, int], rng: np.random.Generator) -> Image:
        """Return a texture for occluders: a piece of a background, or a colour with grain."""
        if rng.random() < 0.5:
            return self.draw(size, rng)[0]
        return self._coloured(size, rng, rng.uniform(0.0, 0.25))

    def _grain(self, size: tuple[int, int], rng: np.random.Generator) -> Floats:
        tile = self._noise[int(rng.integers(len(self._noise)))]
        part = int(rng.integers(20, len(tile)))
        y, x = rng.integers(0, len(tile) - part + 1, 2)
        cut = tile[y : y + part, x : x + part]
        return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC), np.float32)

    def _coloured(self, size: tuple[int, int], rng: np.random.Generator, grain: float) -> Image:
        colour = 255 * random_colour(rng) ** (1 / 2.2)
        other = 255 * random_colour(rng) ** (1 / 2.2)
        share = np.clip(0.5 + 0.5 * self._grain(size, rng), 0, 1)[..., None] * grain * 3
        mixed = colour + (other - colour) * np.clip(share, 0, 1)
        return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)

    def _painted(self, size: tuple[int, int], rng: np.random.Generator) -> Image:
        kinds: list[Callable[[tuple[int, int], np.random.Generator], Image]] = [
            self._room, self._leaves, self._room, self._clouds,
        ]  # fmt: skip
        return kinds[int(rng.integers(len(kinds)))](size, rng)

    def _clouds(self, size: tuple[int, int], rng: np.random.Generator) -> Image:
        """Return three colours blended by noise: foliage, fog, plaster."""
        out = self._coloured(size, rng, rng.uniform(0.2, 1)).astype(np.float32)
        for _ in range(2):
            share = np.clip(self._grain(size, rng) * rng.uniform(0.5, 3), 0, 1)[..., None]
            out += (255 * random_colour(rng) ** (1 / 2.2) - out) * share
        return np.clip(out, 0, 255).astype(np.uint8)

    def _leaves(self, size: tuple[int, int], rng: np.random.Generator) -> Image:
        """Return shapes of all sizes over each other: a cluttered place."""
        image = np.ascontiguousarray(self._coloured(size, rng, 0.3))
        extent = max(size)
        for _ in range(int(rng.integers(20, 140))):
            radius = extent * min(0.4, 0.02 / max(rng.random(), 0.02))
            at = rng.uniform(-0.1, 1.1, 2) * size
            corners = int(rng.integers(3, 9))
            angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
            if rng.random() < 0.4:  # walls, doors, screens: upright boxes
                angle = np.pi / 4 + np.arange(4) * np.pi / 2
            spokes = radius * rng.uniform(0.6, 1.4, len(angle))
            points = at + np.column_stack([np.cos(angle), np.sin(angle)]) * spokes[:, None]
            colour = (255 * random_colour(rng) ** (1 / 2.2)).tolist()
            cv2.fillPoly(image, [np.round(points).astype(np.int32)], colour, cv2.LINE_AA)
        grain = 1 + 0.12 * self._grain(size, rng)[..., None]
        return np.clip(image * grain, 0, 255).astype(np.uint8)

    def _room(self, size: tuple[int, int], rng: np.random.Generator) -> Image:
        """Return a wall, a floor and furniture along the wall."""
        width, height = size
        image = self._coloured(size, rng, rng.uniform(0, 0.25)).astype(np.float32)
        left, right = rng.uniform(0.75, 1.2, 2).tolist()
        top, bottom = rng.uniform(0.8, 1.15, 2).tolist()
        ramp = np.linspace(left, right, width)[None, :, None]
        image *= ramp * np.linspace(top, bottom, height)[:, None, None]
        horizon = int(height * rng.uniform(0.45, 0.95))
        floor = self._coloured(size, rng, rng.uniform(0, 0.4)).astype(np.float32)
        if rng.random() < 0.4 and horizon < height - 2:  # boards or tiles in perspective
            y = np.arange(1, height - horizon + 1)[:, None] / height
            x = (np.arange(width)[None] - width * rng.uniform(-0.5, 1.5)) / width
            lines = np.sin(x / y * rng.uniform(2, 12)) > rng.uniform(0.5, 0.98)
            if rng.random() < 0.5:
                lines |= np.sin(rng.uniform(1, 5) / y) > 0.9
            floor[horizon:] *= np.where(lines, rng.uniform(0.5, 0.9), 1.0)[..., None]
        image[horizon:] = floor[horizon:]
        painted: Image = np.ascontiguousarray(np.clip(image, 0, 255), dtype=np.uint8)
        for _ in range(int(rng.integers(0, 9))):
            w, h = (rng.uniform(0.05, 0.4, 2) * size).astype(int)
            x0 = int(rng.uniform(-0.1, 1) * width)
            foot = horizon if rng.random() < 0.5 else int(rng.uniform(0.1, 0.9) * height)
            colour = (255 * random_colour(rng) ** (1 / 2.2)).tolist()
            box = (x0, max(foot - h, 0)), (x0 + w, foot + int(rng.integers(0, 8)))
            cv2.rectangle(painted, *box, colour, -1, cv2.LINE_AA)
            if rng.random() < 0.5:
                edge = (255 * random_colour(rng) ** (1 / 2.2)).tolist()
                cv2.rectangle(painted, *box, edge, int(rng.integers(1, 4)), cv2.LINE_AA)
        return painted


def _fill(image: Image, size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Return a part of an image at a size, extended by reflection where it is too narrow."""
    if rng.random() < 0.5:
        image = image[:, ::-1]
    height, width = image.shape[:2]
    wanted = size[0] / size[1]
    if width / height < wanted and rng.random() < 0.6:
        side = min(int(height * wanted) - width, 3 * width)
        left = int(rng.integers(0, side + 1))
        wider = cv2.copyMakeBorder(image, 0, 0, left, side - left, cv2.BORDER_REFLECT)
        image = np.asarray(wider, dtype=np.uint8)
    elif width / height > wanted and rng.random() < 0.5:
        more = min(int(width / wanted) - height, 2 * height)
        above = more // 2
        taller = cv2.copyMakeBorder(image, above, more - above, 0, 0, cv2.BORDER_REFLECT)
        image = np.asarray(taller, dtype=np.uint8)
    height, width = image.shape[:2]
    part = min(width / wanted, height) * rng.uniform(0.7, 1.0)
    w, h = max(int(part * wanted), 2), max(int(part), 2)
    x, y = int(rng.integers(0, max(width - w, 0) + 1)), int(rng.integers(0, max(height - h, 0) + 1))
    cut = np.ascontiguousarray(image[y : y + h, x : x + w])
    method = cv2.INTER_AREA if w > size[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cut, size, interpolation=method), dtype=np.uint8)


def _sides(image: Image, box: Array, source: str) -> list[Piece]:
    """Return the parts beside, above and below a box that are large enough."""
    height, width = image.shape[:2]
    x0, y0 = (int(v) for v in np.clip(np.floor(box[:2]), 0, [width, height]))
    x1, y1 = (int(v) for v in np.clip(np.ceil(box[2:]), 0, [width, height]))
    parts = (image[:, :x0], image[:, x1:], image[:y0], image[y1:])
    return [
        Piece(np.ascontiguousarray(part), source)
        for part in parts
        if min(part.shape[:2]) >= _MIN_SIDE
    ]


def _beside_people(joint_set: JointSet, test: bool) -> list[Piece]:
    images = ImageStore(joint_set)
    last = len(joint_set) - 500
    rows = np.arange(last, len(joint_set)) if test else np.arange(last)
    rng = np.random.default_rng(3)
    pieces: list[Piece] = []
    for number, row in enumerate(rng.permutation(rows)[:_LSPET_IMAGES].tolist()):
        joints = joint_set.joints[row]
        known = joints[joints[:, 2] > 0, :2]
        if len(known) < 12:
            continue
        low, high = known.min(axis=0), known.max(axis=0)
        # the box of the joints leaves out hands, feet and hair
        margin = 0.1 * float((high - low).max())
        box = np.r_[low - margin, high + margin]
        image = images[row]
        pieces += _sides(image, box, f"lspet/{row}")
        if number < _BLURRED_IMAGES:
            soft = cv2.GaussianBlur(image, (0, 0), 0.06 * max(image.shape))
            small = cv2.resize(soft, None, fx=0.33, fy=0.33, interpolation=cv2.INTER_AREA)
            pieces.append(Piece(np.asarray(small, np.uint8), f"lspet/{row}/blurred"))
    return pieces


def _coco(folder: Path, test: bool, clean: bool) -> list[Piece]:
    path = folder / "labels.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            names, ids = file["name"], file["coco_image_id"]
            licences, boxes = file["coco_license"], file["person_bbox_xywh_orig"]
            scale, offset = file["scale"], file["offset"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not the packed COCO set: {error}") from error
    joint_set = read_joint_set(folder)
    images = ImageStore(joint_set)
    pieces = []
    for row in range(len(names)):
        if clean and int(licences[row]) not in FREE_LICENCES:
            continue
        if (row % 4 == 3) != test:
            continue
        # avoid every annotated person of the image, not only this one
        low, high = np.full(2, np.inf), np.full(2, -np.inf)
        for other in np.flatnonzero(ids == ids[row]):
            corner = boxes[other, :2]
            ends = np.stack([corner, corner + boxes[other, 2:]])
            stored = (ends - offset[row]) * scale[row]
            low, high = np.minimum(low, stored[0]), np.maximum(high, stored[1])
        box = np.r_[low, high] + 6 * np.array([-1, -1, 1, 1])
        pieces += _sides(images[row], box, f"coco/{int(ids[row])}/licence {int(licences[row])}")
    return pieces


def linear_mean(image: npt.NDArray[np.uint8]) -> Array:
    """Return the approximate mean linear colour (3,) of an image."""
    small = cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    return np.asarray((small**2.2).reshape(-1, 3).mean(axis=0))

"""Furniture and things of simple shapes, placed around a person in the world."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pymaf_live.body.rotations import about_x, about_y
from pymaf_live.types import Array, Ints
from trainer.rendering.mipmaps import Mipmaps, build_mipmaps
from trainer.rendering.textured import Dye, Part
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.textures import muted_colour, smooth_tile

_CELL = 0.12
"""Metres; larger faces are divided, since triangles near the camera are dropped whole."""


@dataclass(frozen=True)
class Prop:
    """A textured solid; V vertices, F triangles."""

    vertices: Array
    """(V, 3) m."""
    normals: Array
    """(V, 3)"""
    uv: Array
    """(V, 2)"""
    faces: Ints
    """(F, 3)"""
    texture: Mipmaps
    dye: Dye
    gloss: float = 0.03

    def moved(self, turn: Array, shift: Array) -> Prop:
        """Return the prop turned (3, 3) and moved (3,)."""
        vertices, normals = self.vertices @ turn.T + shift, self.normals @ turn.T
        return Prop(vertices, normals, self.uv, self.faces, self.texture, self.dye, self.gloss)

    def part(self, view: Array, translation: Array) -> Part:
        """Return the prop before a camera: `view` (3, 3) and `translation` (3,) of the world."""
        return Part(
            vertices=(self.vertices @ view.T + translation).astype(np.float32),
            normals=(self.normals @ view.T).astype(np.float32),
            place=np.zeros((len(self.vertices), 3), np.float32),
            faces=self.faces, uv=self.uv.astype(np.float32), face_uv=self.faces,
            face_dye=np.zeros(len(self.faces), np.uint8), texture=self.texture, dye=self.dye,
            owner=0, gloss=self.gloss, both_sides=True,
        )  # fmt: skip


class Workshop:
    """Makes furniture in random materials.

    Parameters
    ----------
    backdrops : Backdrops
        Source of textures.
    """

    def __init__(self, backdrops: Backdrops) -> None:
        self._backdrops = backdrops
        rng = np.random.default_rng(22)
        self._grain = [smooth_tile(rng, roughness, 128) for roughness in (0.7, 1.1, 1.6)]

    def material(self, rng: np.random.Generator) -> tuple[Mipmaps, Dye]:
        """Draw a texture and its colour."""
        if rng.random() < 0.25:
            return build_mipmaps(self._backdrops.texture((64, 64), rng)), Dye.factor(1.0)
        grain = self._grain[int(rng.integers(len(self._grain)))]
        if rng.random() < 0.6:  # wood, cloth, brushed metal: longer one way
            grain = np.repeat(grain[::8], 8, axis=0)
            grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), sigmaX=0.1, sigmaY=4))
            grain = grain if rng.random() < 0.5 else grain.T
        plain = np.clip((1 + rng.uniform(0, 0.22) ** 1.5 * grain) * 200, 0, 255).astype(np.uint8)
        return build_mipmaps(np.dstack([plain] * 3)), Dye.factor(muted_colour(rng) * 1.4)

    def box(self, size: Array | list[float], rng: np.random.Generator) -> Prop:
        """Return a box of a size (3,) m about its centre."""
        texture, dye = self.material(rng)
        return _solid(*_box(np.asarray(size, float)), texture, dye)

    def cylinder(self, radius: float, height: float, rng: np.random.Generator) -> Prop:
        """Return an upright cylinder about its centre."""
        texture, dye = self.material(rng)
        return _solid(*_cylinder(radius, height), texture, dye)

    def ball(self, radius: float, rng: np.random.Generator) -> Prop:
        """Return a ball."""
        texture, dye = self.material(rng)
        return _solid(*_ball(radius), texture, dye)

    def chair(
        self, seat: Array, facing: Array, back: float, ground: float, rng: np.random.Generator
    ) -> list[Prop]:
        """Return a chair or sofa.

        Parameters
        ----------
        seat : (3,) array
            Place on the seat below the hips, m.
        facing : (3, 3) array
            Turn about the vertical; the sitter faces +z.
        back : float
            Metres from `seat` to the front of its back, negative.
        ground : float
            Height of the ground, m.
        """
        sofa = rng.random() < 0.18
        wide = rng.uniform(0.9, 2.0) if sofa else rng.uniform(0.40, 0.56)
        thick, deep = (0.2, 0.62) if sofa else (rng.uniform(0.03, 0.1), rng.uniform(0.4, 0.5))
        tall = rng.uniform(0.25, 0.75)
        texture, dye = self.material(rng)
        parts: list[tuple[Array, Array]] = [
            (np.array([wide, thick, deep]), np.array([0, -thick / 2, back + deep / 2])),
        ]
        if rng.random() < 0.85:
            low = 0.0 if sofa else rng.uniform(0.0, 0.2)
            size = np.array([wide * rng.uniform(0.8, 1.0), tall - low, rng.uniform(0.03, 0.12)])
            parts.append((size, np.array([0, (tall + low) / 2, back - size[2] / 2])))
        legs = max(float(seat[1]) - thick - ground, 0.05)
        if rng.random() < 0.5:
            for x in (-1, 1):
                for z in (0.03, deep - 0.03):
                    at = np.array([x * (wide / 2 - 0.03), -thick - legs / 2, back + z])
                    parts.append((np.array([0.035, legs, 0.035]), at))
        else:
            at = np.array([0, -thick - legs / 2, back + deep / 2])
            parts.append((np.array([0.06, legs, 0.06]), at))
        if rng.random() < 0.3:  # arm rests
            for x in (-1, 1):
                at = np.array([x * (wide / 2 + 0.03), 0.2, back + deep / 2])
                parts.append((np.array([0.05, 0.04, deep * 0.8]), at))
        return [
            _solid(*_box(size), texture, dye).moved(facing, seat + facing @ at)
            for size, at in parts
        ]

    def desk(
        self, edge: Array, facing: Array, ground: float, rng: np.random.Generator
    ) -> tuple[list[Prop], float]:
        """Return a desk with things on it, and its depth in metres.

        Parameters
        ----------
        edge : (3,) array
            Middle of the near edge on the top, m.
        facing : (3, 3) array
            Turn about the vertical; the desk extends along +z.
        ground : float
        """
        wide, deep, thick = rng.uniform(0.9, 2.0), rng.uniform(0.5, 0.85), rng.uniform(0.02, 0.05)
        shift = rng.normal(0, 0.15)
        texture, dye = self.material(rng)
        boxes = [(np.array([wide, thick, deep]), np.array([shift, -thick / 2, deep / 2]))]
        legs = max(float(edge[1]) - thick - ground, 0.1)
        for x in (-1, 1):
            at = np.array([shift + x * (wide / 2 - 0.05), -thick - legs / 2, deep / 2])
            slab = 0.04 if rng.random() < 0.6 else 0.4
            boxes.append((np.array([slab, legs, deep * 0.9]), at))
        out = [_solid(*_box(size), texture, dye).moved(facing, edge + facing @ at)
               for size, at in boxes]  # fmt: skip
        for prop, at in self._things(deep, rng):
            out.append(prop.moved(facing, edge + facing @ at))
        return out, deep

    def _things(self, deep: float, rng: np.random.Generator) -> list[tuple[Prop, Array]]:
        """Return a laptop or keyboard, a mug, books and so on, with their places on a desk."""
        out: list[tuple[Prop, Array]] = []
        kind = rng.random()
        middle = rng.normal(0, 0.05)
        if kind < 0.4:  # keyboard and mouse
            out.append((self.box([0.42, 0.02, 0.13], rng), np.array([middle, 0.01, 0.17])))
            out.append((self.box([0.06, 0.03, 0.1], rng), np.array([middle + 0.3, 0.015, 0.17])))
        elif kind < 0.75:  # laptop; the camera above its screen is where we look from
            out.append((self.box([0.33, 0.015, 0.23], rng), np.array([middle, 0.008, 0.2])))
        for _ in range(int(rng.integers(0, 4))):
            at = np.array([rng.choice([-1, 1]) * rng.uniform(0.25, 0.7), 0, rng.uniform(0.1, deep)])
            what = rng.random()
            if what < 0.4:
                height = rng.uniform(0.07, 0.25)
                prop = self.cylinder(rng.uniform(0.025, 0.045), height, rng)
            else:
                height = rng.uniform(0.01, 0.2)
                size = [rng.uniform(0.08, 0.3), height, rng.uniform(0.08, 0.3)]
                prop = self.box(size, rng).moved(about_y(rng.uniform(-1, 1)), np.zeros(3))
            at[1] = height / 2
            out.append((prop, at))
        return out

    def screen(self, at: Array, facing: Array, rng: np.random.Generator) -> list[Prop]:
        """Return a monitor that faces -z, its middle at `at` (3,) m."""
        size = np.array([rng.uniform(0.3, 0.65), 0, 0.03])
        size[1] = size[0] * rng.uniform(0.56, 0.65)
        tilt = about_x(rng.normal(0, 0.12))
        return [self.box(size, rng).moved(facing @ tilt, at)]


def _solid(
    vertices: Array, normals: Array, uv: Array, faces: Ints, texture: Mipmaps, dye: Dye
) -> Prop:
    return Prop(vertices, normals, uv, faces, texture, dye)


def _box(size: Array) -> tuple[Array, Array, Array, Ints]:
    """Return vertices, normals, uv and faces of a box about its centre, in cells."""
    vertices, normals, uv, faces, start = [], [], [], [], 0
    for axis in range(3):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        n, m = (int(np.clip(np.ceil(size[k] / _CELL), 1, 14)) for k in (a, b))
        p, q = np.meshgrid(np.linspace(-0.5, 0.5, n + 1), np.linspace(-0.5, 0.5, m + 1))
        grid = np.arange((n + 1) * (m + 1)).reshape(m + 1, n + 1)
        quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], -1)
        quads = quads.reshape(-1, 4)
        triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        for sign in (-1.0, 1.0):
            points = np.zeros((p.size, 3))
            points[:, axis] = sign * size[axis] / 2
            points[:, a], points[:, b] = p.ravel() * size[a], q.ravel() * size[b]
            normal = np.zeros((p.size, 3))
            normal[:, axis] = sign
            vertices.append(points)
            normals.append(normal)
            uv.append(np.column_stack([p.ravel() * size[a], q.ravel() * size[b]]) + 0.5)
            faces.append((triangles if sign > 0 else triangles[:, ::-1]) + start)
            start += p.size
    return (np.concatenate(vertices), np.concatenate(normals), np.concatenate(uv),
            np.concatenate(faces).astype(np.int64))  # fmt: skip


def _cylinder(radius: float, height: float, count: int = 18) -> tuple[Array, Array, Array, Ints]:
    angle = np.linspace(0, 2 * np.pi, count + 1)
    around = np.column_stack([np.cos(angle), np.zeros(count + 1), np.sin(angle)])
    rows = [around * radius + [0, level * height / 2, 0] for level in (-1, 1)]
    side = np.concatenate(rows)
    normals = np.concatenate([around, around])
    uv = np.column_stack([np.tile(angle / np.pi, 2), np.repeat([0.0, 1.0], count + 1)])
    k = np.arange(count)
    faces = [np.column_stack([k, k + count + 1, k + 1]),
             np.column_stack([k + 1, k + count + 1, k + count + 2])]  # fmt: skip
    caps = []
    for level in (0, 1):
        start = len(side) + level * (count + 2)
        middle = start + count + 1
        caps.append(np.vstack([rows[level], [0, (2 * level - 1) * height / 2, 0]]))
        ring = [np.full(count, middle), start + k, start + k + 1]
        faces.append(np.column_stack(ring if level == 0 else ring[::-1]))
    vertices = np.concatenate([side, *caps])
    up = np.concatenate([np.tile([0.0, s, 0.0], (count + 2, 1)) for s in (-1, 1)])
    flat = np.concatenate([cap[:, [0, 2]] * 2 + 0.5 for cap in caps])
    return (vertices, np.concatenate([normals, up]), np.concatenate([uv, flat]),
            np.concatenate(faces).astype(np.int64))  # fmt: skip


def _ball(radius: float, count: int = 20) -> tuple[Array, Array, Array, Ints]:
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, count + 1), np.linspace(0, np.pi, count))
    normals = np.stack(
        [np.cos(around) * np.sin(down), np.cos(down), np.sin(around) * np.sin(down)], -1
    ).reshape(-1, 3)
    uv = np.column_stack([around.ravel() / np.pi, down.ravel() / np.pi])
    grid = np.arange(normals.shape[0]).reshape(around.shape)
    quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], -1)
    quads = quads.reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int64)
    return normals * radius, normals, uv, faces

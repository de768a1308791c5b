"""Painted rooms: floor, walls and ceiling in true perspective, with windows, doors and pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.body.rotations import about_y
from pymaf_live.types import Array, Image
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.dressed.garments import Floats
from trainer.synthesis.textures import TILE, muted_colour, random_colour, smooth_tile
from trainer.synthesis.view import View

_PIXELS = 90
"""Pixels a metre of a painted wall."""
_LARGEST = 640
_FINENESS = 0.75
"""Painted pixels a pixel of the picture: cameras are no sharper there."""

_HUNG = {
    "picture": (0.4, (0.3, 1.0, 0.3, 0.8)),
    "window": (0.2, (0.7, 1.8, 0.8, 1.5)),
    "door": (0.1, (0.8, 1.0, 2.0, 2.1)),
    "shelf": (0.2, (0.6, 1.5, 0.3, 1.9)),
    "cabinet": (0.1, (0.5, 1.4, 0.6, 1.9)),
}
"""Share, and least and greatest width and height in metres."""


class Rooms:
    """Paints rooms.

    Parameters
    ----------
    backdrops : Backdrops
        Source of posters and views from windows.
    """

    def __init__(self, backdrops: Backdrops) -> None:
        self._backdrops = backdrops
        rng = np.random.default_rng(21)
        self._noise = [smooth_tile(rng, r) for r in (1.0, 1.4, 1.8)]

    def paint(
        self, view: View, turn: Array, camera: Array, ground: float, keep: Array,
        light: tuple[Array, Array, Array], rng: np.random.Generator,
    ) -> Floats:  # fmt: skip
        """Paint the room around a scene.

        Parameters
        ----------
        view : View
        turn : (3, 3) array
            World to camera frame.
        camera : (3,) array
            Place of the camera in the world, m.
        ground : float
            Height of the floor, m.
        keep : (N, 3) array
            World points that lie inside the room, m.
        light : tuple of (3,) arrays
            Light from above, from below, and the sun's colour.
        rng : numpy.random.Generator

        Returns
        -------
        (H, W, 3) float32 array
            Linear.
        """
        yaw = about_y(rng.uniform(-0.6, 0.6) if rng.random() < 0.7 else rng.uniform(-3, 3))
        inside = np.vstack([keep, camera[None]]) @ yaw
        margin = rng.uniform(0.35, 3.0, 4)
        low, high = inside.min(axis=0), inside.max(axis=0)
        walls = np.array([low[0] - margin[0], high[0] + margin[1],
                          low[2] - margin[2], high[2] + margin[3]])  # fmt: skip
        ceiling = max(ground + rng.uniform(2.3, 3.4), high[1] + 0.3)
        width, height = (int(np.ceil(side * _FINENESS)) for side in view.size)
        x = ((np.arange(width) + 0.5) * view.size[0] / width - 0.5 - view.centre[0]) / view.focal
        y = ((np.arange(height) + 0.5) * view.size[1] / height - 0.5 - view.centre[1]) / view.focal
        grid = np.broadcast_arrays(x[None, :], y[:, None], np.ones((1, 1)))
        rays = np.stack(grid, axis=-1).reshape(-1, 3)
        # camera to world, then to the room
        rays = (rays @ (turn @ yaw)).astype(np.float32)
        start = (camera @ yaw).astype(np.float32)
        planes = [(0, walls[0]), (0, walls[1]), (2, walls[2]), (2, walls[3]), (1, ground),
                  (1, ceiling)]  # fmt: skip
        best = np.full(len(rays), np.inf, np.float32)
        which = np.zeros(len(rays), np.int64)
        for number, (axis, level) in enumerate(planes):
            along = rays[:, axis]
            with np.errstate(divide="ignore", invalid="ignore"):
                t = (level - start[axis]) / along
            nearer = (t > 1e-4) & (t < best)
            best[nearer], which[nearer] = t[nearer], number
        points = start + rays * best[:, None]
        out = np.zeros((len(rays), 3), np.float32)
        sky, below, _ = light
        wall_colour = muted_colour(rng) * 0.6 + 0.35 * rng.random()
        for number in range(6):
            seen = which == number
            if not seen.any():
                continue
            own = points[seen]
            if number < 4:
                a = own[:, 2] if number < 2 else own[:, 0]
                span = (walls[2], walls[3]) if number < 2 else (walls[0], walls[1])
                size = span[1] - span[0], ceiling - ground
                scale = min(_PIXELS, _LARGEST / max(size))
                texture = self._wall(size, scale, wall_colour, rng)
                colour = _sample(texture, scale, a - span[0], ceiling - own[:, 1])
                level = (sky + below) / 2 * rng.uniform(0.75, 1.1)
            elif number == 4:
                colour = self._floor(own[:, 0], own[:, 2], rng)
                level = sky
            else:
                colour = np.broadcast_to(wall_colour * 0.3 + 0.6, own.shape)
                level = below * rng.uniform(0.8, 1.3)
            out[seen] = colour * level
        out *= _corner_shade(points, which, planes)[:, None]
        painted = out.reshape(height, width, 3)
        return np.asarray(cv2.resize(painted, view.size, interpolation=cv2.INTER_LINEAR))

    def _wall(
        self, size: tuple[float, float], scale: float, colour: Floats, rng: np.random.Generator
    ) -> Floats:
        """Return a wall of a size in metres, `scale` pixels a metre: (h, w, 3), linear."""
        wide = size[0]
        w, h = max(int(wide * scale), 8), max(int(size[1] * scale), 8)
        image = np.empty((h, w, 3), np.float32)
        image[:] = colour * rng.uniform(0.85, 1.1)
        noise = self._noise[int(rng.integers(3))]
        grain = np.tile(noise, (h // TILE + 1, w // TILE + 1))[:h, :w, None]
        image *= 1 + 0.03 * rng.random() * grain
        if rng.random() < 0.2:  # wallpaper, tiles or panels
            period = int(scale * rng.uniform(0.08, 0.5)) + 2
            image[:, ::period] *= rng.uniform(0.7, 1.2)
            if rng.random() < 0.5:
                image[::period] *= rng.uniform(0.7, 1.2)
        for _ in range(rng.poisson(wide * 0.8)):
            self._hang(image, scale, rng)
        image[-int(0.09 * scale) - 1 :] *= rng.uniform(0.5, 1.3)
        return np.clip(image, 0, 1.5)

    def _hang(self, image: Floats, scale: float, rng: np.random.Generator) -> None:
        """Paint a window, a door, a shelf or a picture on a wall, in place."""
        h, w = image.shape[:2]
        kind = str(rng.choice(list(_HUNG), p=[share for share, _ in _HUNG.values()]))
        size = _HUNG[kind][1]
        wide = int(rng.uniform(size[0], size[1]) * scale) + 2
        tall = int(rng.uniform(size[2], size[3]) * scale) + 2
        x = int(rng.uniform(-0.2, 1) * w)
        foot = h if kind in ("door", "cabinet") else h - int(rng.uniform(0.7, 1.3) * scale)
        if kind == "shelf" and rng.random() < 0.5:
            foot = h
        y0, y1, x0, x1 = max(foot - tall, 0), min(foot, h), max(x, 0), min(x + wide, w)
        if y1 - y0 < 3 or x1 - x0 < 3:
            return
        frame = muted_colour(rng)
        image[y0:y1, x0:x1] = frame
        inner = image[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1]
        if inner.size == 0:
            return
        if kind in ("picture", "window"):
            picture = self._backdrops.draw((inner.shape[1], inner.shape[0]), rng)[0]
            inner[:] = (picture.astype(np.float32) / 255) ** 2.2
            if kind == "window":
                inner[:] = inner * 0.5 + rng.uniform(0.3, 1.2)
                inner[:, :: max(inner.shape[1] // 2, 2)] = frame
        elif kind == "shelf":
            self._books(inner, scale, rng)
        elif kind == "cabinet" and inner.shape[1] > 6:
            inner[:, inner.shape[1] // 2] *= 0.5

    @staticmethod
    def _books(inner: Floats, scale: float, rng: np.random.Generator) -> None:
        step = int(0.32 * scale) + 2
        inner *= 0.5
        for top in range(0, inner.shape[0], step):
            x = 0
            board = inner[top : top + step - 1]
            while x < inner.shape[1]:
                thick = int(rng.uniform(0.02, 0.06) * scale) + 1
                if rng.random() < 0.85:
                    start = int(rng.uniform(0.1, 0.5) * len(board))
                    board[start:, x : x + thick] = random_colour(rng) * rng.uniform(0.6, 1)
                x += thick

    def _floor(self, x: Array, z: Array, rng: np.random.Generator) -> Floats:
        """Return floor colours (N, 3) at places in metres: boards, tiles or carpet."""
        colour = muted_colour(rng) * 0.7 + 0.05
        if rng.random() < 0.5:  # wood
            colour = np.array([0.32, 0.18, 0.09], np.float32) * np.exp(rng.normal(0, 0.4))
        noise = self._noise[int(rng.integers(3))]
        columns, rows = ((x * 120).astype(np.int64) % TILE, (z * 30).astype(np.int64) % TILE)
        out = colour * (1 + 0.12 * rng.random() * noise[rows, columns])[:, None]
        style = rng.random()
        if style < 0.4:
            board = np.floor(x / rng.uniform(0.08, 0.2))
            shade = np.modf(np.sin(board * 12.9898) * 43758.5)[0]
            out = out * (1 + 0.15 * shade)[:, None]
        elif style < 0.7:
            side = rng.uniform(0.15, 0.6)
            joint = (np.mod(x, side) < 0.012) | (np.mod(z, side) < 0.012)
            out = out * np.where(joint, rng.uniform(0.5, 0.9), 1.0)[:, None]
        return np.asarray(np.clip(out, 0, 1), np.float32)


def _corner_shade(
    points: Array, which: npt.NDArray[np.int64], planes: list[tuple[int, float]]
) -> Floats:
    """Return a factor (N,) that darkens the corners of a room."""
    nearest = np.full(len(points), 9.0, np.float32)
    for number, (axis, level) in enumerate(planes):
        far = np.abs(points[:, axis] - np.float32(level))
        far[which == number] = 9.0
        np.minimum(nearest, far, out=nearest)
    return np.asarray(1 - 0.3 * np.exp(-nearest / 0.12), np.float32)


def _sample(texture: Floats, scale: float, across: Array, down: Array) -> Floats:
    """Return colours (N, 3) of a wall at places in metres from its upper corner."""
    h, w = texture.shape[:2]
    columns = np.clip((across * scale).astype(np.int64), 0, w - 1)
    rows = np.clip((down * scale).astype(np.int64), 0, h - 1)
    return np.asarray(texture[rows, columns])


def as_linear(image: Image) -> Floats:
    """Return an image as linear light."""
    return np.asarray((image.astype(np.float32) / 255) ** 2.2, np.float32)

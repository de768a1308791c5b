"""The demo clip's park: sky, trees, lawn and a paved square, painted from a seed.

The ground is a plane `height` metres below a level camera, so that a person on it is in true
perspective; everything beyond is painted back to front and blurred with distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from pymaf_live.types import Array, Camera
from trainer.rendering.renderer import Light, SunMap, blurred
from trainer.synthesis.clothing import Noise, colour

_FINE = 2
"""Background samples a pixel along each side."""
_FAR = 400.0
"""Metres; farther ground is painted as if it lay there."""


def afternoon(up: Array | None = None) -> Light:
    """Return a mild sun from the left behind the camera; directions in a level camera's frame."""
    to_sun = np.array([-0.62, -0.72, -0.48])
    return Light(
        to_sun=to_sun / np.linalg.norm(to_sun),
        sun=np.array([1.0, 0.93, 0.8]) * 0.82,
        sky=np.array([0.62, 0.7, 0.82]) * 0.52,
        ground=np.array([0.45, 0.42, 0.34]) * 0.42,
        up=np.array([0.0, -1.0, 0.0]) if up is None else up,
    )


@dataclass(frozen=True)
class Park:
    """A painted park; linear colours."""

    image: Array
    """(H, W, 3) without the person's shadow."""
    ground: Array
    """(H, W, 3) m, camera frame: place on the ground that a pixel sees; not finite above it."""
    light: Light


def paint_park(camera: Camera, height: float, rng: np.random.Generator) -> Park:
    """Paint a park as a level camera sees it.

    Parameters
    ----------
    camera : Camera
    height : float
        Metres of the camera above the ground.
    rng : numpy.random.Generator
    """
    light = afternoon()
    noise = Noise(rng)
    rough = Noise(rng, roughness=1.15)
    width, rows = camera.size[0] * _FINE, camera.size[1] * _FINE
    focal = camera.focal_length * _FINE
    principal = (camera.principal_point + 0.5) * _FINE - 0.5
    x = (np.arange(width) - principal[0])[None, :] / focal
    y = (np.arange(rows) - principal[1])[:, None] / focal
    image = _sky(x, y, noise)
    horizon = int(np.ceil(principal[1]))
    _far_trees(image, horizon, focal, noise, rng)
    image[horizon : horizon + 6] = image[horizon - 1]
    image[: horizon + 6] = blurred(image[: horizon + 6], 1.6 * _FINE)
    depth, ground = _ground(x, y[horizon:], height, noise, rough)
    image[horizon:] = ground
    near = np.broadcast_to(depth, ground.shape[:2])[..., None]
    soft = blurred(image, 1.1 * _FINE)[horizon:]
    image[horizon:] += (soft - image[horizon:]) * np.clip((near - 9) / 10, 0, 1)
    for distance, place, size, tint in _trees(rng):
        _tree(image, place, distance, size, tint, height, focal, principal, light, rng)
    _hedge(image, 12.5, 0.95, height, focal, principal, noise, rough, light)
    small = cv2.resize(image, camera.size, interpolation=cv2.INTER_AREA)

    px = (np.arange(camera.size[0]) - camera.principal_point[0])[None, :] / camera.focal_length
    py = (np.arange(camera.size[1]) - camera.principal_point[1])[:, None] / camera.focal_length
    with np.errstate(divide="ignore"):
        z = np.where(py > 0, height / py, np.inf)
    places = np.stack(np.broadcast_arrays(px * z, np.full_like(px, height), z), axis=-1)
    return Park(np.asarray(small, dtype=np.float64), places, light)


def _sky(x: Array, y: Array, noise: Noise) -> Array:
    up = np.clip(-y, 0.002, None)
    share = np.clip(up / 0.3, 0, 1)[..., None] ** 0.7
    sky = colour(206, 222, 234) + (colour(104, 158, 214) - colour(206, 222, 234)) * share
    # clouds lie on a plane overhead: they flatten and gather towards the horizon
    overhead = 1 / (up + 0.12)
    across, away = np.broadcast_arrays(x * overhead, overhead)
    cloud = noise.at(across * 0.55 + 0.13, away * 0.8, 9.0)
    detail = noise.at(across, away * 1.7, 4.0)
    cover = np.clip((cloud + 0.45 * detail - 0.15) / 1.5, 0, 1)[..., None] ** 1.2
    shade = np.clip(0.5 + 0.25 * detail, 0, 1)[..., None]
    white = colour(250, 249, 246) * shade + colour(214, 219, 226) * (1 - shade)
    return np.asarray(sky + (white - sky) * cover * 0.85)


def _far_trees(
    image: Array, horizon: int, focal: float, noise: Noise, rng: np.random.Generator
) -> None:
    """Paint three rows of tree tops in place, each darker and greener than the one behind."""
    columns = np.arange(image.shape[1])
    rows = np.arange(image.shape[0])[:, None]
    for distance, top, tint in (
        (160.0, 15.0, colour(150, 172, 170)),
        (95.0, 11.0, colour(112, 142, 112)),
        (60.0, 7.5, colour(82, 116, 72)),
    ):
        shift = rng.uniform(0, 100)
        metres = columns * distance / focal + shift
        crowns = np.abs(np.sin(metres * 0.55 + 1.3 * noise.at(metres, metres * 0, 90.0)))
        outline = top * (0.72 + 0.16 * crowns + 0.1 * noise.at(metres, metres * 0 + 0.4, 60.0))
        outline = outline + 0.5 * noise.at(metres, metres * 0 + 0.7, 7.0)
        line = horizon - outline * focal / distance
        inside = np.clip(rows - line[None, :], 0, 1)[:horizon]
        y_metres = (horizon - rows[:horizon]) * distance / focal
        leaves = noise.at(metres[None, :] + y_metres * 0.3, y_metres * 1.4 + 0 * metres, 14.0)
        light = 1 + 0.2 * leaves + 0.25 * (y_metres / top - 0.6)
        shaded = tint * np.clip(light, 0.45, 1.7)[..., None]
        image[:horizon] += (shaded - image[:horizon]) * inside[..., None]


def _ground(x: Array, y: Array, height: float, noise: Noise, rough: Noise) -> tuple[Array, Array]:
    z = np.minimum(height / np.maximum(y, 1e-6), _FAR)
    X, Z = np.broadcast_arrays(x * z, z)
    fade = np.clip(14 / Z, 0, 1)[..., None]
    patches = noise.at(X, Z, 17.0)[..., None]
    blades = rough.at(X, Z, 1.3)[..., None] * fade + 0.4 * rough.at(X, Z * 0.5, 6.0)[..., None]
    lawn = colour(104, 138, 62) * (1 + 0.12 * patches + 0.16 * blades)
    lawn = lawn + colour(60, 50, 10) * 0.25 * np.clip(patches, 0, 1)
    shade = np.clip(noise.at(X * 0.5 + 3, Z + 7, 31.0) * 1.2 - 0.3, 0, 1)
    shade = shade * np.clip((Z - 13) / 8, 0, 1)
    lawn = lawn * (1 - 0.45 * shade[..., None])
    # mowing stripes, as parks have
    lawn = lawn * (1 + 0.05 * np.tanh(4 * np.sin(X * 1.1 + 0.25 * Z)))[..., None]

    # flagstones of 0.85 x 0.55 m in running bond with their own shades and dark joints
    deep, wide = 0.55, 0.85
    row = np.floor(Z / deep)
    column = np.floor(X / wide + 0.5 * (row % 2))
    to_joint = np.minimum(
        np.abs((Z / deep + 0.5) % 1 - 0.5) * deep,
        np.abs((X / wide + 0.5 * (row % 2) + 0.5) % 1 - 0.5) * wide,
    )
    own = np.sin(row * 12.9898 + column * 78.233) * 43758.5453
    own = (own - np.floor(own) - 0.5)[..., None]
    stone = colour(188, 178, 162) * (1 + 0.16 * own + 0.05 * patches)
    stone = stone * (1 + 0.045 * rough.at(X, Z, 0.9)[..., None] * fade)
    stone = stone * (1 + 0.05 * noise.at(X + 5, Z, 2.3)[..., None])
    softness = 0.006 + 0.0012 * Z**2 / height
    joint = np.exp(-((to_joint / softness) ** 2))[..., None]
    stone = stone * (1 - 0.42 * joint * np.clip(0.012 / softness, 0, 1)[..., None] ** 0.3)
    far_edge = 8.3 + 0.06 * noise.at(X, Z * 0, 5.0)
    paved = np.clip((far_edge - Z) / 0.08, 0, 1)[..., None]
    kerb = np.exp(-(((Z - far_edge - 0.06) / 0.07) ** 2))[..., None]
    ground = lawn + (stone - lawn) * paved
    ground = ground + (colour(150, 144, 132) - ground) * kerb * 0.9
    # haze: the far lawn turns pale
    haze = np.clip((Z - 25) / 500, 0, 0.35)[..., None]
    return z, np.asarray(ground + (colour(120, 150, 104) - ground) * haze)


def _trees(rng: np.random.Generator) -> list[tuple[float, float, float, Array]]:
    """Return distance, sideways place and height in metres, and tint; far trees first."""
    tints = (colour(84, 122, 52), colour(104, 132, 54), colour(72, 110, 60))
    rows = [(46.0, -13.5, 10.0), (42.0, 3.5, 9.0), (38.0, 14.5, 10.5), (33.0, -4.5, 8.0)]
    rows += [(27.0, 8.4, 8.4), (22.0, -8.0, 8.2)]
    return [
        (distance, place + rng.uniform(-0.5, 0.5), size, tints[k % len(tints)])
        for k, (distance, place, size) in enumerate(rows)
    ]


def _tree(
    image: Array,
    place: float,
    distance: float,
    size: float,
    tint: Array,
    height: float,
    focal: float,
    principal: Array,
    light: Light,
    rng: np.random.Generator,
) -> None:
    """Paint a tree in place: a trunk, and a crown of leaf clumps lit by their place on it."""
    scale = focal / distance
    foot = np.array([principal[0] + place * scale, principal[1] + height * scale])
    margin = int(size * scale)
    x0, x1 = int(foot[0]) - margin, int(foot[0]) + margin
    if x1 <= 0 or x0 >= image.shape[1]:
        return
    layer = image.astype(np.float32)
    shadow = np.zeros(image.shape[:2], np.float32)
    axes = (int(size * 0.42 * scale), max(2, int(size * 0.42 * scale * height / distance * 1.2)))
    # the sun stands behind the camera on the left: shadows fall away and to the right
    drop = (int(foot[0] + 0.22 * size * scale), int(foot[1] - axes[1] * 0.2))
    cv2.ellipse(shadow, drop, axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    shadow = gaussian_filter(shadow, (axes[1] * 0.25, axes[0] * 0.15))
    shadow[: int(principal[1]) + 2] = 0
    layer *= 1 - 0.5 * shadow[..., None]
    bark = colour(70, 58, 46)
    trunk = np.array([[-0.024, 0.0], [-0.012, 0.5], [0.012, 0.5], [0.024, 0.0]]) * size
    outline = (foot + trunk * [1, -1] * scale).astype(np.int32)
    cv2.fillPoly(layer, [outline], tuple(float(v) for v in bark), cv2.LINE_AA)
    balls = np.array([[0.0, 0.66, 0.0, 0.25]])
    for _ in range(26):
        angle, level = rng.uniform(0, 2 * np.pi), rng.uniform(0.36, 0.94)
        # egg-shaped, wider below, with branches that stick out
        out = rng.uniform(0.5, 1.0) * 0.34 * np.sqrt(max(0.05, 1 - ((level - 0.58) / 0.4) ** 2))
        ball = [out * np.cos(angle), level, out * np.sin(angle)]
        balls = np.vstack([balls, [*ball, rng.uniform(0.05, 0.12)]])
    count = 15000
    chosen = balls[rng.choice(len(balls), count, p=balls[:, 3] ** 2 / (balls[:, 3] ** 2).sum())]
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    reach = rng.uniform(0.55, 1.05, count)[:, None]
    clump = chosen[:, :3] + direction * chosen[:, 3:] * reach
    normal = direction * 0.6 + (clump - [0, 0.62, 0]) / 0.3 * 0.4
    to_sun = light.to_sun * [1, -1, 1]
    facing = np.clip(normal @ to_sun, -1, 1)
    brightness = 0.3 + 0.62 * np.clip(facing + 0.25, 0, 1.25) + 0.13 * rng.standard_normal(count)
    brightness += 0.25 * (clump[:, 1] - 0.62)
    order = np.argsort(-clump[:, 2] + 0.25 * brightness)
    haze = float(np.clip((distance - 15) / 120, 0, 0.4))
    for k in order:
        middle = foot + clump[k, :2] * [1, -1] * size * scale
        radius = max(1, int(rng.uniform(0.004, 0.0105) * size * scale))
        leaf = tint * np.clip(brightness[k], 0.14, 1.5) * (1 + 0.08 * rng.standard_normal(3))
        leaf = leaf + (colour(176, 192, 180) - leaf) * haze
        cv2.circle(
            layer,
            (int(middle[0]), int(middle[1])),
            radius,
            tuple(float(v) for v in leaf),
            -1,
            cv2.LINE_AA,
        )
    soft = blurred(layer, 1.3 * _FINE)
    changed = np.abs(layer - image).max(axis=2) > 1e-4
    cover = gaussian_filter(changed.astype(np.float32), 1.3 * _FINE)[..., None]
    image += (soft - image) * np.clip(cover * 1.5, 0, 1)


def _hedge(
    image: Array,
    distance: float,
    tall: float,
    height: float,
    focal: float,
    principal: Array,
    noise: Noise,
    rough: Noise,
    light: Light,
) -> None:
    """Paint a clipped hedge with a gap across the image, in place."""
    scale = focal / distance
    columns = (np.arange(image.shape[1]) - principal[0]) / scale
    rows = ((np.arange(image.shape[0]) - principal[1]) / scale)[:, None]
    top = height - tall * (1 + 0.025 * noise.at(columns, columns * 0, 6.0))
    top = top - 0.02 * rough.at(columns, columns * 0 + 0.3, 1.0)
    gap = np.clip((np.abs(columns - 1.15) - 0.95) / 0.12, 0, 1)
    inside = np.clip((rows - top) * scale / 3, 0, 1) * np.clip((height - rows) * scale / 3, 0, 1)
    inside = inside * gap
    up = (height - rows) / tall
    leaves = rough.at(columns[None, :] + 0 * rows, rows + 0 * columns, 0.8)
    clumps = noise.at(columns[None, :] + 0 * rows, rows * 1.3 + 0 * columns, 3.0)
    shade = 0.62 + 0.38 * np.clip(up, 0, 1) + 0.17 * leaves + 0.1 * clumps
    rim = np.exp(-(((rows - top) / 0.05) ** 2)) * 0.35
    tint = colour(66, 100, 46) * np.clip(shade + rim, 0.15, 1.7)[..., None]
    foot = np.exp(-(np.clip(rows - height, 0, None) / 0.06)) * (rows >= height) * gap
    image *= 1 - 0.5 * foot[..., None]
    image += (blurred(tint, 0.9 * _FINE) - image) * gaussian_filter(inside, 1.0)[..., None]


def shadow_on_ground(park: Park, sun: SunMap, vertices: Array, height: float) -> Array:
    """Return the share (H, W, 3) of the ground's light that a person lets through.

    Combines the shadow of the sun with contact shadows near the ground.

    Parameters
    ----------
    park : Park
    sun : SunMap
        Shadow map of the person.
    vertices : (V, 3) array
        Metres, camera frame.
    height : float
        Metres of the camera above the ground.
    """
    light = park.light
    left = np.ones(park.image.shape)
    x, z = vertices[:, 0], vertices[:, 2]
    reach = 2.2
    inside = np.isfinite(park.ground).all(axis=-1)
    inside &= (park.ground[..., 0] > x.min() - 0.5) & (park.ground[..., 0] < x.max() + reach)
    inside &= (park.ground[..., 2] > z.min() - 0.5) & (park.ground[..., 2] < z.max() + reach)
    if not inside.any():
        return left
    places = park.ground[inside]
    lit = sun.lit(places, bias=0.0)
    # occlusion by parts close above: summed on a 2 cm grid, spread by their height
    step = 0.02
    corner = np.array([x.min() - 0.4, z.min() - 0.4])
    count = ((np.array([x.max(), z.max()]) + 0.4 - corner) / step).astype(int) + 2
    cover = np.zeros(count)
    for spread, low, high in ((0.035, -0.1, 0.07), (0.11, 0.07, 0.35)):
        above = height - vertices[:, 1]
        band = (above >= low) & (above < high)
        grid = np.zeros(count)
        at = ((np.stack([x, z], axis=1)[band] - corner) / step).astype(int)
        grid[at[:, 0], at[:, 1]] = 1.0
        cover += gaussian_filter(np.minimum(grid, 1.0), spread / step) * (0.85 if low < 0 else 0.5)
    at = np.clip(((places[:, [0, 2]] - corner) / step).astype(int), 0, count - 1)
    held = np.clip(cover[at[:, 0], at[:, 1]], 0, 0.8)
    sun_share = light.sun * -light.to_sun[1]
    share = sun_share / (sun_share + light.sky)
    left[inside] = (1 - share * (1 - lit[:, None])) * (1 - 0.75 * held[:, None])
    return left

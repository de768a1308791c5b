"""One picture of a synthetic person, and the exact truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, PointSet, crop_points_2d, crop_units_from_pixels
from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.body.rotations import about_y, about_z
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.types import Array, Crop, Image
from trainer.data.base import FACE_NAMES
from trainer.data.lspet import annotated_turn
from trainer.data.synthetic import HIDDEN, OUTSIDE, VISIBLE
from trainer.rendering.zbuffer import faces_camera, rasterize_opencv
from trainer.synthesis.backdrops import Backdrops, linear_mean
from trainer.synthesis.poses import Pose, Poses, seen
from trainer.synthesis.textures import random_colour
from trainer.synthesis.wardrobe import Figure, Wardrobe, pose_figure

CROP_SIZE = 256
"""Pixels of the crops that the truth is given for."""


_FINE = 2
"""Samples a pixel along each side."""
_REGION = 1.9
"""Side of the picture as a multiple of the joints' box."""
_MOST_MISFIT = 0.45
"""Crop units; a few pictures in a thousand are further off."""
_LEAST_SHOWN = 7
"""Of LSP's joints in a picture that truncates the person anyhow."""
_NEAREST = 0.16
"""Metres that no part of a body comes nearer to the camera."""
_TRUNCATED, _WITH_ANOTHER, _BEHIND_THINGS, _FURNISHED = 0.17, 0.16, 0.26, 0.55
_SHADOWED = 0.6

# how deep a key point lies under the skin, m; a surface nearer than that hides it
_DEPTHS = {
    "hip": 0.17, "shoulder": 0.11, "knee": 0.09, "elbow": 0.075, "ankle": 0.08, "wrist": 0.065,
    "neck": 0.13, "head_top": 0.09, "nose": 0.03, "eye": 0.03, "ear": 0.04,
}  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """What is known of a person in a picture; K key points, J joints, S shapes."""

    keypoints: Array
    """(K, 2) picture pixels, true also where hidden or outside."""
    visibility: npt.NDArray[np.uint8]
    """(K,) `OUTSIDE` the picture, `HIDDEN` or `VISIBLE`."""
    joints_3d: Array
    """(K, 3) m, relative to the hips' middle, frame of the crop."""
    rotations: Array
    """(J, 3, 3) frame of the crop."""
    shape: Array
    """(S,)"""
    camera: Array
    """(3,) s, tx, ty: the weak perspective nearest to the true one."""
    crop: Crop
    """Of `CROP_SIZE`, by the crop rule."""
    distance: float
    """Metres from the camera to the body's middle."""
    kind: str
    """'whole' or 'truncated'."""
    pose: str
    backdrop: str
    misfit: float
    """Greatest distance in crop units between the label's key points and the true ones, of those
    in the picture: what perspective does that the label's camera cannot say."""


@dataclass(frozen=True)
class _Light:
    to_sun: Array
    sun: Array
    sky: Array
    ground: Array
    up: Array


@dataclass(frozen=True)
class _Layer:
    """A drawn person: colours times coverage, coverage, and depth sample by sample."""

    colour: Array
    alpha: Array
    depth: Array
    """(2 H, 2 W) metres."""


@dataclass(frozen=True)
class _Place:
    """From metres before the camera to picture pixels: x / z * focal + centre."""

    focal: float
    centre: Array
    size: tuple[int, int]

    def pixels(self, points: Array) -> Array:
        depth = np.maximum(points[..., 2:], 0.05)
        return np.asarray(points[..., :2] / depth * self.focal + self.centre)


class Studio:
    """Makes pictures; everything that pictures share is worked out once.

    Parameters
    ----------
    body : Body
    poses : Poses
    backdrops : Backdrops
    side : int
        The pictures' longer side in pixels.
    """

    def __init__(self, body: Body, poses: Poses, backdrops: Backdrops, side: int = 288) -> None:
        self.body, self.poses, self.backdrops, self.side = body, poses, backdrops, side
        self.wardrobe = Wardrobe(body, backdrops.prints())
        self._lsp = PointSet.keypoints(body, "lsp")
        self._coco = PointSet.keypoints(body, "coco")
        names = [*LSP_NAMES, *FACE_NAMES]
        self._depth = np.array([
            next(depth for part, depth in _DEPTHS.items() if part in name) for name in names
        ])  # fmt: skip

    def keypoints(self, rotations: Array, shape: Array) -> Array:
        """The 19 key points (K, 3) m of a body."""
        face = self._coco.pose(rotations, shape)[: len(FACE_NAMES)]
        return np.concatenate([self._lsp.pose(rotations, shape), face])

    def render(self, rng: np.random.Generator) -> tuple[Image, Truth]:
        """A picture (H, W, 3) and its truth.

        A view so steep that no weak perspective comes near is drawn again.
        """
        while True:
            image, truth = self._picture(rng)
            if truth.misfit <= _MOST_MISFIT:
                return image, truth

    def _picture(self, rng: np.random.Generator) -> tuple[Image, Truth]:
        body = self.body
        truncated = rng.random() < _TRUNCATED
        pose = self.poses.draw(rng)
        webcam = truncated and rng.random() < 0.7
        if webcam:
            # who is before a webcam sits or stands upright and looks at it
            while not _upright(pose):
                pose = self.poses.draw(rng)
            pose = self._towards_camera(pose, rng)
        rotations = seen(pose, rng, webcam=webcam)
        shape = rng.normal(size=body.shape_count).clip(-2.5, 2.5)
        outfit = self.wardrobe.draw(rng)
        figure = self.wardrobe.dress(shape, outfit, rng)
        vertices, normals = pose_figure(body, figure, rotations)
        points = self.keypoints(rotations, shape)
        distance = float(np.exp(rng.uniform(np.log(1.3), np.log(8.0))))
        if webcam:
            distance = float(np.exp(rng.uniform(np.log(0.7), np.log(2.0))))
        middle = (points[:14].min(axis=0) + points[:14].max(axis=0)) / 2
        if webcam:
            middle = points[[8, 9, 12, 13]].mean(axis=0)
        shift = np.r_[rng.normal(0, 0.02, 2) * distance, distance] - middle
        shift[2] += max(0.0, _NEAREST - float((vertices[:, 2] + shift[2]).min()))
        vertices, points = vertices + shift, points + shift
        place = self._framed(points, truncated, webcam, rng)
        light = self._light(rng)
        backdrop, backdrop_name = self.backdrops.draw(place.size, rng)
        layer = self._draw(figure, vertices, normals, place, light, rng)
        canvas: Array = (backdrop.astype(np.float32) / 255) ** 2.2
        matched = self._matched(layer, backdrop, rng)
        another = rng.random() < _WITH_ANOTHER
        in_front = another and rng.random() < 0.35
        other = self._another(points, place, light, matched, rng, in_front) if another else None
        if other is not None and not in_front:
            canvas = _over(other, canvas)
        if rng.random() < _FURNISHED and pose.kind == "sit":
            self._chair(canvas, points, place, rng)
        if pose.grounded and not truncated and rng.random() < 0.5:
            _contact_shadow(canvas, points, place, rng)
        canvas = _over(_Layer(layer.colour * matched, layer.alpha, layer.depth), canvas)
        hidden: Array = np.zeros(place.size[::-1], np.float32)
        if other is not None and in_front:
            canvas = _over(other, canvas)
            hidden = np.maximum(hidden, other.alpha)
        desk = pose.kind == "sit" and rng.random() < _FURNISHED
        if desk or rng.random() < _BEHIND_THINGS:
            canvas, cover = self._things(canvas, points, place, desk, rng)
            hidden = np.maximum(hidden, cover)
        image = _photographed(canvas, rng)
        flat = place.pixels(points)
        visibility = self._visibility(points, flat, place, layer, hidden)
        flagged = np.column_stack([flat[:14], np.ones(14)])
        inside = visibility != OUTSIDE
        if truncated and rng.random() < 0.5 and inside[:14].sum() >= 4:
            # half of them as annotated sets have it: only what the picture shows
            flagged[:, 2] = inside[:14]
        turn = annotated_turn(flagged)
        crop = crop_from_points(flagged[flagged[:, 2] > 0, :2], turn, CROP_SIZE)
        in_crop = rotations.copy()
        in_crop[0] = about_z(-turn) @ in_crop[0]
        own = self.keypoints(in_crop, shape)
        units = crop_units_from_pixels(crop.to_crop(flat), CROP_SIZE)
        camera = nearest_camera(own[:, :2], units, np.where(inside, 1.0, 0.05))
        misses = np.linalg.norm(crop_points_2d(own, camera) - units, axis=1)[inside]
        return image, Truth(
            keypoints=flat,
            visibility=visibility,
            joints_3d=own - own[[2, 3]].mean(axis=0),
            rotations=in_crop,
            shape=shape,
            camera=camera,
            crop=crop,
            distance=float(shift[2] + middle[2]),
            kind="truncated" if truncated else "whole",
            pose=pose.source,
            backdrop=backdrop_name,
            misfit=float(misses.max()) if len(misses) else 0.0,
        )

    def _towards_camera(self, pose: Pose, rng: np.random.Generator) -> Pose:
        """Who sits before a webcam looks at it, more or less."""
        rotations = pose.rotations.copy()
        forward = rotations[0] @ np.array([0.0, 0.0, 1.0])
        now = float(np.arctan2(forward[0], forward[2]))
        wanted = rng.normal(0, 0.5)
        rotations[0] = about_y(wanted - now) @ rotations[0]
        return Pose(rotations, pose.kind, pose.source, pose.grounded)

    def _framed(
        self, points: Array, truncated: bool, webcam: bool, rng: np.random.Generator
    ) -> _Place:
        flat = points[:, :2] / np.maximum(points[:, 2:], 0.05)
        lsp = flat[:14]
        low, high = lsp.min(axis=0), lsp.max(axis=0)
        extent = float((high - low).max())
        side = self.side if rng.random() < 0.75 else int(rng.uniform(0.45, 1.0) * self.side)
        size = (side, side)
        if not truncated:
            reach = extent * _REGION * rng.uniform(0.92, 1.12)
            centre = (low + high) / 2 + rng.normal(0, 0.04, 2) * extent
        elif webcam:
            head, neck = flat[13], flat[12]
            hips, knees = flat[[2, 3]].mean(axis=0), flat[[1, 4]].mean(axis=0)
            unit = max(float(np.linalg.norm(head - neck)), 0.12 * extent)
            end = [neck + 0.4 * (hips - neck), hips, hips + 0.5 * (knees - hips)]
            stop = end[int(rng.choice(3, p=[0.4, 0.4, 0.2]))]
            top = min(head[1], neck[1]) - unit * rng.uniform(0.05, 1.2)
            bottom = max(stop[1], neck[1] + unit)
            reach = (bottom - top) * rng.uniform(0.95, 1.25)
            wide = rng.choice([1.0, 4 / 3, 16 / 9, 0.75], p=[0.3, 0.35, 0.25, 0.1])
            centre = np.array([
                (head[0] + neck[0]) / 2 + rng.normal(0, 0.12) * reach * wide, top + reach / 2,
            ])  # fmt: skip
            size = (side, int(side / wide)) if wide >= 1 else (int(side * wide), side)
            reach = reach * max(wide, 1.0)
        else:
            # the picture's edge runs through the body, but leaves enough to tell what it does
            for _ in range(20):
                reach = extent * rng.uniform(0.6, 1.2)
                anchor = flat[int(rng.choice([12, 13, 8, 9, 2, 3]))]
                centre = anchor + rng.normal(0, 0.15, 2) * reach
                inside = (np.abs(lsp - centre) < 0.48 * reach).all(axis=1)
                if inside.sum() >= _LEAST_SHOWN and inside[12]:
                    break
            else:
                reach, centre = 1.1 * extent, (low + high) / 2
        focal = max(size) / reach
        middle = (np.array(size) - 1) / 2
        return _Place(focal, middle - centre * focal, size)

    def _light(self, rng: np.random.Generator) -> _Light:
        azimuth, height = rng.uniform(-np.pi, np.pi), np.radians(rng.uniform(5, 85))
        up = about_z(np.radians(rng.normal(0, 6))) @ np.array([0.0, -1.0, 0.0])
        to_sun = np.array([
            np.cos(height) * np.sin(azimuth), -np.sin(height), np.cos(height) * np.cos(azimuth),
        ])  # fmt: skip
        # light from behind leaves only a dark shape: rarer than from the front
        if to_sun[2] > 0 and rng.random() < 0.6:
            to_sun[2] = -to_sun[2]
        strength = rng.uniform(0.0, 1.3) ** 1.3
        tint = np.exp(rng.normal(0, 0.12, 3))
        sky = rng.uniform(0.35, 0.9) * np.exp(rng.normal(0, 0.12, 3))
        return _Light(
            to_sun=to_sun,
            sun=(strength * tint).astype(np.float32),
            sky=sky.astype(np.float32),
            ground=(sky * rng.uniform(0.3, 0.9) * np.exp(rng.normal(0, 0.12, 3))).astype(
                np.float32
            ),
            up=up,
        )

    def _draw(
        self, figure: Figure, vertices: Array, normals: Array, place: _Place, light: _Light,
        rng: np.random.Generator,
    ) -> _Layer:  # fmt: skip
        flat = place.pixels(vertices)
        fine = (flat + 0.5) * _FINE - 0.5
        closed = figure.closed
        front = faces_camera(fine, figure.faces[:closed])
        chosen = np.concatenate([np.flatnonzero(front), np.arange(closed, len(figure.faces))])
        faces = figure.faces[chosen]
        size = (place.size[0] * _FINE, place.size[1] * _FINE)
        view = rasterize_opencv(fine, vertices[:, 2], faces, size)
        shadowed = rng.random() < _SHADOWED and float(light.sun.max()) > 0.2
        # sheets are seen from both sides: their normals turn to the camera
        towards = (normals * vertices).sum(axis=1)
        first = int(figure.faces[:closed].max()) + 1
        normals = normals.copy()
        flip = np.flatnonzero(towards[first:] > 0) + first
        normals[flip] *= -1
        lit = np.clip((normals @ light.to_sun + 0.12) / 1.12, 0, 1)
        height = (normals @ light.up) * 0.5 + 0.5
        values = np.column_stack([figure.place, lit, height]).astype(np.float32)
        if shadowed:
            values = np.column_stack([values, vertices + 0.012 * normals]).astype(np.float32)
        found = view.interpolate(values)
        material = figure.material[chosen][view.triangle[view.hit]]
        colour: Array = self.wardrobe.paint(figure, found[:, :4], material)
        sun: Array = found[:, 4]
        if shadowed:
            sun = sun * _reached(found[:, 6:9], vertices, figure.faces, light.to_sun)
        ambient = light.ground + (light.sky - light.ground) * found[:, 5:6]
        colour = colour * (ambient + light.sun * sun[:, None])
        out = np.zeros((size[1], size[0], 4), np.float32)
        out[view.hit, :3] = colour
        out[view.hit, 3] = 1
        small = np.asarray(cv2.resize(out, place.size, interpolation=cv2.INTER_AREA), np.float32)
        return _Layer(small[..., :3], small[..., 3], view.depth)

    def _matched(self, layer: _Layer, backdrop: Image, rng: np.random.Generator) -> Array:
        """A gain (3,) that sets the person into the background's light, more or less."""
        cover = float(layer.alpha.sum())
        if cover < 1:
            return np.ones(3, np.float32)
        person = layer.colour.reshape(-1, 3).sum(axis=0) / cover
        behind = linear_mean(backdrop)
        wanted = np.clip(behind.mean(), 0.04, 0.5) * np.exp(rng.normal(0, 0.45))
        gain = np.clip(wanted / max(float(person.mean()), 1e-3), 0.35, 3.0) ** 0.7
        tint = (behind + 0.05) / (behind.mean() + 0.05)
        return np.asarray(gain * tint ** rng.uniform(0, 0.35), dtype=np.float32)

    def _another(
        self, points: Array, place: _Place, light: _Light, gain: Array, rng: np.random.Generator,
        in_front: bool,
    ) -> _Layer | None:  # fmt: skip
        """Somebody else beside the person: behind, or at the edge in front."""
        pose = self.poses.draw(rng)
        rotations = seen(pose, rng)
        shape = rng.normal(size=self.body.shape_count).clip(-2.5, 2.5)
        figure = self.wardrobe.dress(shape, self.wardrobe.draw(rng), rng)
        vertices, normals = pose_figure(self.body, figure, rotations)
        centre = points[:14].mean(axis=0)
        depth = centre[2] + (rng.uniform(-0.3, -0.05) if in_front else rng.uniform(0.25, 2.0))
        if depth < 0.7:
            return None
        # towards an edge: far enough that it stays clear who is meant
        flat = place.pixels(points[:14])
        half = max(float(np.ptp(flat[:, 0])) / 2, 0.12 * place.size[0])
        way = rng.choice([-1.0, 1.0])
        apart = half * (rng.uniform(1.3, 2.0) if in_front else rng.uniform(0.5, 1.8))
        x = (flat[:, 0].mean() + way * apart - place.centre[0]) / place.focal * depth
        y = centre[1] / centre[2] * depth + rng.normal(0, 0.15)
        vertices = vertices + np.array([x, y, depth]) - vertices.mean(axis=0)
        if float(vertices[:, 2].min()) < _NEAREST:
            return None
        layer = self._draw(figure, vertices, normals, place, light, rng)
        return _Layer(layer.colour * gain, layer.alpha, layer.depth)

    def _chair(self, canvas: Array, points: Array, place: _Place, rng: np.random.Generator) -> None:
        """A seat and a back, flat, behind who sits."""
        flat = place.pixels(points[:14])
        hips, shoulders = flat[[2, 3]].mean(axis=0), flat[[8, 9]].mean(axis=0)
        trunk = float(np.linalg.norm(shoulders - hips))
        colour = random_colour(rng) * 0.6
        wide, tall = trunk * rng.uniform(0.4, 0.75), trunk * rng.uniform(0.1, 1.1)
        shift = rng.normal(0, 0.1) * trunk
        cover = np.zeros(canvas.shape[:2], np.float32)
        seat = 0.4 * trunk
        corners = np.array([[-wide, -tall], [wide, -tall], [wide, seat], [-wide, seat]])
        along = (shoulders - hips) / max(trunk, 1e-6)
        turn = np.array([[-along[1], along[0]], [-along[0], -along[1]]])
        corners = hips + np.array([shift, 0]) + corners @ turn
        cv2.fillPoly(cover, [np.round(corners * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        for leg in (-0.85, 0.85):
            foot = hips + np.array([shift + leg * wide, 1.3 * trunk])
            start = hips + np.array([shift + leg * wide, 0.3 * trunk])
            thick = max(int(0.08 * trunk), 1)
            cv2.line(cover, start.astype(int).tolist(), foot.astype(int).tolist(), 1.0, thick)
        canvas += cover[..., None] * (colour - canvas)

    def _things(
        self, canvas: Array, points: Array, place: _Place, desk: bool, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Things in front: a desk below, or boxes and round things anywhere on the person."""
        width, height = place.size
        flat = place.pixels(points[:14])
        low, high = flat.min(axis=0), flat.max(axis=0)
        extent = float((high - low).max())
        cover = np.zeros((height, width), np.float32)
        if desk:
            hips, shoulders = flat[[2, 3]].mean(axis=0), flat[[8, 9]].mean(axis=0)
            level = hips[1] + rng.uniform(-0.45, 0.15) * (shoulders[1] - hips[1]) * -1
            level = max(level, shoulders[1] + 0.35 * (hips[1] - shoulders[1]))
            slope = np.tan(rng.normal(0, 0.05)) * width
            thick = height if rng.random() < 0.6 else rng.uniform(0.05, 0.5) * extent
            corners = np.array([
                [-2, level], [width + 2, level + slope], [width + 2, level + slope + thick],
                [-2, level + thick],
            ])  # fmt: skip
            cv2.fillPoly(cover, [np.round(corners * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
        for _ in range(0 if desk and rng.random() < 0.6 else int(rng.integers(1, 3))):
            at = rng.uniform(low, high)
            size = extent * rng.uniform(0.05, 0.2, 2)
            turn = float(rng.uniform(0, 180))
            if rng.random() < 0.5:
                box = (at.tolist(), (2 * size).tolist(), turn)
                corners = np.round(cv2.boxPoints(box) * 16).astype(np.int32)
                cv2.fillPoly(cover, [corners], 1.0, cv2.LINE_AA, 4)
            else:
                ends = (at.astype(int).tolist(), np.maximum(size, 1).astype(int).tolist())
                cv2.ellipse(cover, *ends, turn, 0, 360, 1.0, -1, cv2.LINE_AA)
        texture = (self.backdrops.texture(place.size, rng).astype(np.float32) / 255) ** 2.2
        share = cover[..., None]
        return np.asarray(canvas + share * (texture - canvas)), cover

    def _visibility(
        self, points: Array, flat: Array, place: _Place, layer: _Layer, hidden: Array
    ) -> npt.NDArray[np.uint8]:
        """Whether key points (K, 3) m at pixels `flat` (K, 2) are in the picture and seen."""
        size = np.array(place.size)
        inside = ((flat > -0.5) & (flat < size - 0.5)).all(axis=1)
        x, y = np.clip(np.round(flat), 0, size - 1).astype(np.int64).T
        fine = np.round((flat + 0.5) * _FINE - 0.5)
        fine_x, fine_y = np.clip(fine, 0, size * _FINE - 1).astype(np.int64).T
        covered = hidden[y, x] > 0.5
        behind = layer.depth[fine_y, fine_x] < points[:, 2] - self._depth
        shown = np.where(covered | behind, HIDDEN, VISIBLE)
        return np.where(inside, shown, OUTSIDE).astype(np.uint8)


def nearest_camera(points: Array, units: Array, weights: Array) -> Array:
    """The s, tx, ty (3,) with which s (p + t) is nearest to crop places `units`, least squares.

    Parameters
    ----------
    points : (N, 2) array
        Metres.
    units : (N, 2) array
    weights : (N,) array
    """
    w = weights[:, None] / weights.sum()
    mean_p, mean_u = (w * points).sum(axis=0), (w * units).sum(axis=0)
    p, u = points - mean_p, units - mean_u
    spread = float((w * p * p).sum())
    scale = float((w * p * u).sum()) / spread if spread > 1e-12 else 1.0
    scale = max(scale, 1e-3)
    return np.asarray(np.r_[scale, mean_u / scale - mean_p])


def _upright(pose: Pose) -> bool:
    """Whether the trunk is within 40 degrees of the vertical."""
    return bool(pose.rotations[0][1, 1] > np.cos(np.radians(40)))


def _over(layer: _Layer, canvas: Array) -> Array:
    return np.asarray(layer.colour + canvas * (1 - layer.alpha[..., None]))


def _reached(places: Array, vertices: Array, faces: npt.NDArray[np.int64], to_sun: Array) -> Array:
    """How much of the sun reaches places (N, 3), 0..1, past the body itself."""
    away = -to_sun / np.linalg.norm(to_sun)
    right = np.cross(np.eye(3)[np.argmin(np.abs(away))], away)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(away, right), away])
    along = vertices @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    size = 200
    step = float((high - low)[:2].max()) / (size - 8)
    flat = (along[:, :2] - low[:2]) / step + 4
    view = rasterize_opencv(
        flat, along[:, 2] - low[2], faces, (size, size), perspective=False, weights=False
    )
    soft = places @ axes.T.astype(np.float32)
    at = ((soft[:, :2] - low[:2]) / step + 4).astype(np.float32)
    lit = np.zeros(len(places), np.float32)
    steps = ((0.0, 0.0), (1.1, 0.4), (-0.4, 1.1), (-1.1, -0.4), (0.4, -1.1))
    for dx, dy in steps:
        x = np.clip(np.round(at[:, 0] + dx), 0, size - 1).astype(np.int64)
        y = np.clip(np.round(at[:, 1] + dy), 0, size - 1).astype(np.int64)
        lit += (soft[:, 2] - low[2]) < view.depth[y, x] + 0.025
    return np.asarray(lit / len(steps))


def _contact_shadow(canvas: Array, points: Array, place: _Place, rng: np.random.Generator) -> None:
    """The ground darkens under the feet."""
    flat = place.pixels(points[:14])
    feet = flat[[0, 5]]
    extent = float(np.ptp(flat, axis=0).max())
    if float(feet[:, 1].max()) < flat[:, 1].max() - 0.1 * extent:
        return
    cover = np.zeros(canvas.shape[:2], np.float32)
    middle = feet.mean(axis=0) + np.array([0, 0.05 * extent])
    reach = [int(abs(feet[0, 0] - feet[1, 0]) / 2 + 0.09 * extent), int(0.035 * extent) + 1]
    cv2.ellipse(cover, middle.astype(int).tolist(), reach, 0, 0, 360, 1.0, -1)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 0.03 * extent + 0.5), np.float32)
    canvas *= 1 - float(rng.uniform(0.2, 0.7)) * cover[..., None]


def _photographed(canvas: Array, rng: np.random.Generator) -> Image:
    """What a camera makes of linear light: white balance, exposure, focus, gamma and noise."""
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.06, 3))
    if rng.random() < 0.05:
        gain = gain * 0.3  # low light
    image: Array = np.clip(canvas * gain.astype(np.float32), 0, 1)
    if rng.random() < 0.9:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.35, 0.9))))
    image = image ** np.float32(1 / (2.2 * np.exp(rng.normal(0, 0.1))))
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * np.float32(rng.uniform(0.55, 1.15))
    noise = float(rng.uniform(0, 1) ** 2 * 0.035)
    image = image + noise * rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.clip(image * 255 + 0.5, 0, 255), dtype=np.uint8)

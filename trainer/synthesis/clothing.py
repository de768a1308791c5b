"""Clothes, hair and a face for the demo clip's body, painted and padded in its rest pose.

Borders between materials are functions of the place on the rest body, evaluated for each sample
and not for each vertex, so that a hem is a clean line however coarse the mesh is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_matrix, diags

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.normals import vertex_normals
from pymaf_live.types import Array, Ints
from trainer.rendering.renderer import linear_from_srgb

_TILE = 512


class Noise:
    """Smooth periodic noise with detail at every scale, mean 0 and standard deviation 1."""

    def __init__(self, rng: np.random.Generator, roughness: float = 1.7) -> None:
        frequency = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None])
        frequency[0, 0] = np.inf
        spectrum = np.fft.rfft2(rng.standard_normal((_TILE, _TILE))) / frequency**roughness
        tile = np.fft.irfft2(spectrum)
        self._tile = (tile - tile.mean()) / tile.std()

    def at(self, x: Array, y: Array, period: float = 1.0) -> Array:
        """Return the noise at places of any shape; it repeats after `period` in their unit."""
        where = np.stack([np.asarray(y), np.asarray(x)]) * (_TILE / period)
        return np.asarray(map_coordinates(self._tile, where, order=1, mode="grid-wrap"))


def colour(*srgb: int) -> Array:
    """Return the linear colour (3,) of sRGB values 0..255."""
    return np.asarray(linear_from_srgb(np.array(srgb) / 255.0))


@dataclass(frozen=True)
class Palette:
    """Linear colours (3,) of one person's skin, hair and clothes."""

    skin: Array
    hair: Array
    shirt: Array
    stripe: Array
    trousers: Array
    shoes: Array
    sole: Array
    stripes: float = 0.075
    """Metres from stripe to stripe; 0 for a plain shirt."""


DEMO_PALETTE = Palette(
    skin=colour(222, 168, 136),
    hair=colour(62, 42, 30),
    shirt=colour(214, 84, 62),
    stripe=colour(243, 232, 214),
    trousers=colour(46, 62, 98),
    shoes=colour(232, 230, 224),
    sole=colour(150, 110, 76),
)


def step(value: Array, width: float) -> Array:
    """Return 0 below -width, 1 above width, and a smooth transition between."""
    t = np.clip(value / (2 * width) + 0.5, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def above_hairline(points: Array, eye: Array, ear: Array) -> Array:
    """Return the distance (N,) of a head's points (N, 3) above its hairline, m.

    `eye` and `ear` (3,) are their places on the rest body, which faces z.
    """
    line = np.interp(
        points[:, 2],
        [ear[2] - 0.05, ear[2] - 0.015, ear[2] + 0.012, ear[2] + 0.03, eye[2] - 0.02, eye[2]],
        [-0.075, -0.055, -0.012, 0.022, 0.052, 0.066],
    )
    return np.asarray(points[:, 1] - eye[1] - line)


class DressedBody:
    """A dressed body of one shape.

    Parameters
    ----------
    body : Body
        With SMPL's joint names and the key points of the face.
    shape : (S,) array
    palette : Palette
    rng : numpy.random.Generator
        Source of the fabric's noise.
    """

    def __init__(
        self, body: Body, shape: Array, palette: Palette, rng: np.random.Generator
    ) -> None:
        self.body = body
        self.palette = palette
        self.rest = rest_joints(body, shape)
        self.skin = body.template + body.shape_directions @ shape
        self._joint = {name: self.rest[k] for k, name in enumerate(body.joint_names)}
        points = body.keypoint_regressor @ self.skin
        self._point = {name: points[k] for k, name in enumerate(body.keypoint_names)}
        self._noise = Noise(rng)
        of_head = body.joint_names.index("head")
        self._head_weight = body.skin_weights[:, of_head]
        self._sole = float(self.skin[:, 1].min())
        self.vertices = self._padded()
        """(V, 3) rest vertices with clothes and hair."""
        self.attributes = np.column_stack([self.skin, self._head_weight, self.vertices])
        """(V, 7) rest place, weight of the head, padded rest place; painting depends on them. The
        face is painted by the skin, clothes by the padded place: padding slides vertices along the
        cloth, and hems and stripes must not slide along."""

    # borders, positive inside; metres

    def _shirt(self, p: Array) -> Array:
        elbow, shoulder = self._joint["left_elbow"][0], self._joint["left_shoulder"][0]
        sleeve = shoulder + 0.55 * (elbow - shoulder) - np.abs(p[:, 0])
        hem = p[:, 1] - (self._joint["pelvis"][1] - 0.045)
        centre = self._joint["neck"] + [0.0, 0.035, 0.012]
        collar = np.linalg.norm((p - centre) * [1.0, 0.9, 0.9], axis=1) - 0.09
        neck = np.maximum(collar, -(p[:, 1] - centre[1]) - 0.06)
        below = self._point["chin"][1] - 0.035 - p[:, 1]
        return np.asarray(np.minimum.reduce([sleeve, hem, neck, below]))

    def _trousers(self, p: Array) -> Array:
        hem = p[:, 1] - (self._joint["left_ankle"][1] - 0.012)
        waist = self._joint["pelvis"][1] + 0.12 - p[:, 1]
        return np.asarray(np.minimum.reduce([hem, waist, 0.3 - np.abs(p[:, 0])]))

    def _shoe(self, p: Array) -> Array:
        # low at the front of the ankle, higher at the heel
        top = self._joint["left_ankle"][1] + 0.02 - 0.12 * (p[:, 2] - self._joint["left_ankle"][2])
        return np.asarray(np.maximum(top, self._sole + 0.045) - p[:, 1])

    def _hair(self, p: Array) -> Array:
        eye, ear = self._point["left_eye"], self._point["left_ear"]
        strands = 0.004 * self._noise.at(np.arctan2(p[:, 0], p[:, 2]) / 6.3, p[:, 1], 0.5)
        above = above_hairline(p, eye, ear) + strands
        side = np.abs(p[:, 0])
        from_ear = np.hypot(p[:, 1] - ear[1], p[:, 2] - ear[2]) - 0.03
        on_ear = np.where(side > ear[0] - 0.012, from_ear, np.inf)
        return np.asarray(np.minimum(above, on_ear))

    def _padded(self) -> Array:
        p, faces = self.skin, self.body.faces
        count = len(p)
        pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        link = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
        link = ((link + link.T) > 0).astype(float)
        mean = diags(1 / np.asarray(link.sum(axis=1)).ravel()) @ link

        def smoothed(amount: Array, rounds: int) -> Array:
            out = p.copy()
            for _ in range(rounds):
                out += amount[:, None] * (mean @ out - out)
            return out

        head = self._head_weight
        shirt, trousers = step(self._shirt(p), 0.015), step(self._trousers(p), 0.02)
        shoe = step(self._shoe(p), 0.01) * (p[:, 1] < self._joint["left_knee"][1])
        cloth = np.maximum(shirt, trousers)
        # cloth spans hollows and smooths the shape under it; shoes have no toes
        armpit = self._joint["left_shoulder"][1] - 0.1
        arm = (np.abs(p[:, 0]) > self._joint["left_shoulder"][0] - 0.03) & (p[:, 1] > armpit)
        torso = cloth * ~arm
        out = p.copy()
        for amount, rounds in ((0.5 * torso, 30), (0.6 * shoe, 60)):
            out += smoothed(amount, rounds) - p
        normals = vertex_normals(out, faces)
        side = np.abs(p[:, 0])
        shoulder, elbow = self._joint["left_shoulder"][0], self._joint["left_elbow"][0]
        pelvis, ankle = self._joint["pelvis"][1], self._joint["left_ankle"][1]
        sleeve = np.clip((side - shoulder) / (elbow - shoulder), 0, 1)
        low = np.clip((pelvis + 0.25 - p[:, 1]) / 0.3, 0, 1)
        shirt_pad = 0.009 + 0.016 * sleeve + 0.012 * low
        down = np.clip((pelvis - p[:, 1]) / (pelvis - ankle), 0, 1)
        legs_pad = 0.006 + 0.018 * down**1.5
        folds = 0.0015 * self._noise.at(p[:, 0] + 0.6 * p[:, 2], p[:, 1], 0.6)
        pad = shirt * shirt_pad + np.clip(trousers - shirt, 0, 1) * legs_pad + cloth * folds
        hair = step(self._hair(p), 0.012) * (head > 0.5)
        tuft = 0.017 + 0.004 * self._noise.at(p[:, 0] * 2, p[:, 1] + p[:, 2], 0.4)
        pad += hair * tuft + 0.012 * shoe
        out += normals * pad[:, None]
        # smoothing has rounded the soles, which are flat on the ground
        under = (shoe > 0.5) & (p[:, 1] < self._sole + 0.012)
        out[under, 1] = self._sole - 0.006
        return out

    def paint(self, values: Array, _: Ints) -> Array:
        """Return linear colours (N, 3) of samples of `attributes` (N, 7); a renderer `Surface`."""
        p, head, cloth_place = values[:, :3], values[:, 3], values[:, 4:]
        palette = self.palette
        grain = self._noise.at(p[:, 0] + 0.7 * p[:, 2], p[:, 1] + 0.3 * p[:, 2], 0.35)[:, None]
        fine = self._noise.at(p[:, 0] * 3, p[:, 1] * 3 + p[:, 2] * 3, 0.2)[:, None]
        out = palette.skin * (1 + 0.03 * grain)
        out = self._face(p, out)

        def blend(inside: Array, width: float, over: Array) -> None:
            nonlocal out
            cover = step(inside, width)[:, None]
            out = out + cover * (over - out)

        hair = np.where(head > 0.5, self._hair(p), -1.0)
        blend(hair, 0.003, palette.hair * np.clip(1 + 0.35 * fine, 0.4, 2.0))
        p = cloth_place
        legs = np.where(np.abs(p[:, 0]) < 0.3, self._trousers(p), -1.0)
        seam = 1 - 0.25 * np.exp(-(((p[:, 2] - self._joint["left_knee"][2] + 0.01) / 0.006) ** 2))
        blend(legs, 0.002, palette.trousers * (1 + 0.12 * grain + 0.06 * fine) * seam[:, None])
        blend(legs * 0 + 0.012 - np.abs(legs - 0.012), 0.003, palette.trousers * 0.8)
        shoe = np.where(p[:, 1] < self._joint["left_knee"][1] - 0.2, self._shoe(p), -1.0)
        blend(shoe, 0.002, palette.shoes * (1 + 0.03 * grain))
        lace = np.sin((p[:, 2]) * 260.0) * 0.01 - 0.004
        foot_x = np.abs(np.abs(p[:, 0]) - self._joint["left_foot"][0])
        laced = (shoe > 0.01) & (foot_x < 0.022) & (p[:, 1] > self._sole + 0.055)
        blend(np.where(laced, lace, -1.0), 0.003, palette.shoes * 0.55)
        blend(np.where(shoe > 0, self._sole + 0.02 - p[:, 1], -1.0), 0.002, palette.sole)
        shirt = np.where(head < 0.5, self._shirt(p), -1.0)
        cloth = np.broadcast_to(palette.shirt, out.shape)
        if palette.stripes:
            shoulder = self._joint["left_shoulder"]
            wave = np.cos(2 * np.pi * p[:, 1] / palette.stripes) - 0.45
            plain = (np.abs(p[:, 0]) > shoulder[0] + 0.02) | (p[:, 1] > shoulder[1] - 0.02)
            band = step(np.where(plain, -1.0, wave), 0.12)[:, None]
            cloth = cloth + band * (palette.stripe - cloth)
        blend(shirt, 0.002, cloth * (1 + 0.05 * grain + 0.03 * fine))
        # stitched borders at neck, sleeves and hem
        blend(0.006 - np.abs(shirt - 0.007), 0.002, palette.shirt * 0.72)
        return out

    def _face(self, p: Array, out: Array) -> Array:
        eye, corner = self._point["left_eye"], self._point["left_mouth"]
        nose, chin = self._point["nose"], self._point["chin"]
        front = p[:, 2] > self._point["left_ear"][2] + 0.035
        x, y = np.abs(p[:, 0]), p[:, 1]
        skin = self.palette.skin

        def ellipse(cx: float, cy: float, rx: float, ry: float, edge: float = 0.25) -> Array:
            reach = 1 - np.hypot((x - cx) / rx, (y - cy) / ry)
            return np.where(front, step(reach, edge), 0.0)[:, None]

        def blend(cover: Array, over: Array) -> None:
            nonlocal out
            out = out + cover * (over - out)

        cheek = ellipse(eye[0] + 0.012, nose[1] - 0.008, 0.026, 0.02, 0.5)
        blend(0.35 * cheek, skin * [1, 0.62, 0.6])
        blend(0.3 * ellipse(eye[0], eye[1] + 0.002, 0.024, 0.014, 0.5), skin * 0.55)
        blend(0.9 * ellipse(eye[0], eye[1], 0.0155, 0.0068), colour(222, 212, 204))
        blend(ellipse(eye[0], eye[1], 0.0066, 0.0066), colour(52, 34, 24))
        lid = 0.0045 - np.abs(y - eye[1] - 0.0075 + 12 * (x - eye[0]) ** 2)
        lid = np.where(front & (np.abs(x - eye[0]) < 0.017), lid, -1.0)
        blend(0.85 * step(lid, 0.002)[:, None], colour(50, 30, 24))
        brow = eye[1] + 0.0235 - 14 * (x - eye[0] - 0.004) ** 2
        across = front & (np.abs(x - eye[0] - 0.001) < 0.02)
        arch = np.where(across, 0.0042 - np.abs(y - brow), -1.0)
        blend(0.85 * step(arch, 0.0025)[:, None], self.palette.hair)
        blend(0.5 * ellipse(0.007, nose[1] - 0.012, 0.0045, 0.003, 0.5), skin * 0.35)
        lips = ellipse(0.0, corner[1] - 0.001, corner[0] + 0.004, 0.0105, 0.3)
        blend(0.75 * lips, colour(176, 84, 78))
        parting = np.where(front & (x < corner[0] + 0.003), 0.0016 - np.abs(y - corner[1]), -1.0)
        blend(0.7 * step(parting, 0.0012)[:, None], colour(96, 40, 40))
        blend(0.12 * ellipse(0.0, chin[1] + 0.01, 0.03, 0.012, 0.6), skin * 0.6)
        return out

    def pose(self, rotations: Array, translation: Array) -> Array:
        """Return dressed vertices (V, 3) m of one pose; arguments as in `PointSet.pose`."""
        world, places = joint_transforms(self.body, rotations, self.rest)
        shift = places - np.einsum("jab,jb->ja", world, self.rest)
        weights = self.body.skin_weights
        turned = np.tensordot(weights, world, axes=(1, 0))
        moved = np.einsum("vab,vb->va", turned, self.vertices) + weights @ shift
        return np.asarray(moved + translation)

"""Dresses bodies at random: padded cloth, skirts, hair and hats on the mesh of the body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.normals import VertexNormals
from pymaf_live.types import Array, Image, Ints
from trainer.synthesis.cloth_sheets import BODY, Part, SheetBuilder
from trainer.synthesis.clothing import step
from trainer.synthesis.figure_painter import FigurePainter
from trainer.synthesis.garment_regions import GarmentRegions
from trainer.synthesis.outfits import Outfit, OutfitSampler
from trainer.synthesis.textures import Floats, random_pattern, smooth_tile

_PATTERNS = 40
_SMOOTHING_BODY, _SMOOTHING_FEET = 30, 60
"""Rounds of smoothing after which the skin spans its hollows as cloth and shoes do."""


@dataclass(frozen=True)
class Figure:
    """A dressed body at rest, ready to be posed; V' vertices, F' triangles."""

    outfit: Outfit
    rest: Array
    """(V', 3) m, padded."""
    weights: Array
    """(V', J) skin weights."""
    faces: Ints
    """(F', 3), those of the body first."""
    closed: int
    """Number of triangles that belong to closed surfaces; the rest are sheets."""
    place: Floats
    """(V', 4) place on the mean rest body and the head's weight; painting depends on it."""
    material: npt.NDArray[np.int8]
    """(F',) `BODY`, `SKIRT` or `LONG_HAIR`."""
    joints: Array
    """(J, 3) m at rest."""
    normals: VertexNormals


class Wardrobe:
    """Clothes for one body, drawn at random.

    Parameters
    ----------
    body : Body
        With SMPL's joint names and the key points of the face.
    prints : sequence of (h, w, 3) uint8 arrays
        Image patches that some cloth is printed with.
    """

    def __init__(self, body: Body, prints: Sequence[Image]) -> None:
        self.body = body
        rng = np.random.default_rng(7)
        noise = smooth_tile(rng, 1.2)
        self._soft_noise = smooth_tile(rng, 2.0)
        patterns = [
            random_pattern(rng, smooth_tile(rng, rng.uniform(1.3, 2.0))) for _ in range(_PATTERNS)
        ]
        self._outfits = OutfitSampler(patterns, prints)
        self._regions = GarmentRegions(body)
        self._painter = FigurePainter(self._regions, noise)
        head = body.skin_weights[:, body.joint_names.index("head")]
        self._place = np.column_stack([body.template, head]).astype(np.float32)
        self._sheets = SheetBuilder(body, self._place)
        self._smoothed = _smoothing_offsets(body)
        self._body_normals = VertexNormals(body.faces, len(body.template))
        self._normals = self._body_normals(body.template)

    def draw(self, rng: np.random.Generator) -> Outfit:
        """Draw an outfit at random."""
        return self._outfits.draw(rng)

    def dress(self, shape: Array, outfit: Outfit, rng: np.random.Generator) -> Figure:
        """Put an outfit on a body of a shape (S,)."""
        body = self.body
        rest = body.template + body.shape_directions @ shape
        joints = rest_joints(body, shape)
        span, thickness = self._padding(outfit, rng)
        rest = rest + span + self._normals * thickness[:, None]
        parts = [Part(rest, body.skin_weights, body.faces, self._place, BODY)]
        if outfit.skirt:
            parts.append(self._sheets.skirt(rest, joints, outfit, rng))
        if outfit.long_hair:
            parts.append(self._sheets.long_hair(rest, joints, outfit))
        return self._join(outfit, joints, parts)

    def paint(self, figure: Figure, place: Floats, material: npt.NDArray[np.int8]) -> Floats:
        """Return linear colours (N, 3) of samples of `figure.place` on triangles of a material."""
        return self._painter.paint(figure.outfit, place, material)

    def _padding(self, outfit: Outfit, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return how far cloth spans hollows (V, 3) and how thick it lies on the skin (V,), m."""
        place = self.body.template
        joints, regions = self._regions.joints, self._regions
        head, side = self._place[:, 3], np.abs(place[:, 0])
        cloth = np.zeros(len(place))
        thickness = np.zeros(len(place))
        pelvis, ankle = joints["pelvis"][1], joints["left_ankle"][1]
        shoulder, elbow = joints["left_shoulder"], joints["left_elbow"]
        if outfit.top is not None:
            cover = step(regions.top(place, outfit), 0.015) * (head < 0.5)
            sleeve = np.clip((side - shoulder[0]) / (elbow[0] - shoulder[0]), 0, 1.4)
            low = np.clip((pelvis + 0.25 - place[:, 1]) / 0.3, 0, 1.5)
            amount = 0.004 + outfit.top_looseness * (0.008 + 0.02 * sleeve + 0.024 * low)
            thickness += cover * amount
            cloth = np.maximum(cloth, cover)
        if outfit.bottom is not None:
            cover = step(regions.bottom(place, outfit), 0.02)
            down = np.clip((pelvis - place[:, 1]) / (pelvis - ankle), 0, 1)
            amount = 0.003 + outfit.bottom_looseness * (0.006 + 0.03 * down**1.3)
            thickness = np.maximum(thickness, cover * amount)
            cloth = np.maximum(cloth, cover)
        noise = self._soft_noise
        n = len(noise)
        shift = rng.uniform(0, n, 2)
        rows = ((place[:, 1] * 2.2 * n + shift[0]).astype(np.int64)) % n
        columns = (((place[:, 0] + 0.6 * place[:, 2]) * 2.2 * n + shift[1]).astype(np.int64)) % n
        folds = 0.004 * outfit.folds * noise[rows, columns]
        thickness += cloth * folds * (0.4 + outfit.top_looseness)
        arm = (side > shoulder[0] - 0.03) & (place[:, 1] > shoulder[1] - 0.1)
        span = self._smoothed[0] * (0.8 * cloth * ~arm)[:, None]
        if outfit.shoes is not None:
            shoe = step(regions.shoe(place, outfit), 0.01) * (place[:, 1] < pelvis - 0.5)
            span = span + self._smoothed[1] * (0.8 * shoe)[:, None]
            thickness = np.maximum(thickness, 0.012 * shoe)
        if outfit.hair_thickness or outfit.hat is not None:
            hair = step(regions.hair(place), 0.012) * (head > 0.5)
            thick = outfit.hair_thickness if outfit.hat is None else 0.02
            thickness += hair * thick * (1 + 0.18 * noise[columns, rows])
        return span, thickness

    def _join(self, outfit: Outfit, joints: Array, parts: list[Part]) -> Figure:
        counts = np.cumsum([0, *[len(part.rest) for part in parts]])
        faces = np.concatenate([part.faces + counts[k] for k, part in enumerate(parts)])
        normals = self._body_normals
        if len(parts) > 1:
            normals = VertexNormals(faces, int(counts[-1]))
        return Figure(
            outfit=outfit,
            rest=np.concatenate([part.rest for part in parts]),
            weights=np.concatenate([part.weights for part in parts]),
            faces=faces,
            closed=len(self.body.faces),
            place=np.concatenate([part.place for part in parts]).astype(np.float32),
            material=np.concatenate(
                [np.full(len(part.faces), part.material, np.int8) for part in parts]
            ),
            joints=joints,
            normals=normals,
        )


def pose_figure(body: Body, figure: Figure, rotations: Array) -> tuple[Array, Array]:
    """Return vertices (V', 3) m, without translation, and normals (V', 3) of a figure in a pose."""
    world, places = joint_transforms(body, rotations, figure.joints)
    shift = places - np.einsum("jab,jb->ja", world, figure.joints)
    both = np.concatenate([world, shift[..., None]], axis=-1).reshape(len(world), 12)
    blended = (figure.weights @ both).reshape(-1, 3, 4)
    vertices = np.einsum("vab,vb->va", blended[..., :3], figure.rest) + blended[..., 3]
    return vertices, figure.normals(vertices)


def _smoothing_offsets(body: Body) -> tuple[Array, Array]:
    """Return the offsets (V, 3) m of cloth that spans hollows: of torso and legs, of the feet."""
    points, faces = body.template, body.faces
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = len(points)
    link = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    link = ((link + link.T) > 0).astype(float)
    mean = diags(1 / np.asarray(link.sum(axis=1)).ravel()) @ link
    offsets = []
    for rounds in (_SMOOTHING_BODY, _SMOOTHING_FEET):
        moved = points.copy()
        for _ in range(rounds):
            moved += 0.55 * (mean @ moved - moved)
        offsets.append(moved - points)
    return offsets[0], offsets[1]

"""Clothes, hair, skins and eyes of a clothes folder, bound to the open body.

The folder holds MakeHuman's CC0 assets: `base_mesh.npz` (the undecimated body with its texture
places), `open_body_base.npz` (its vertices in the open body's T-pose, with shape directions and
skin weights), `garments/NAME.npz` and `textures/`. A garment's vertices lie on base vertices j with
weights w_j and an offset o in MakeHuman's rest pose, scaled by s along each axis:

    template = sum_j w_j t_j + (sum_j w_j R_j)(s0 o)
    directions = sum_j w_j D_j + (sum_j w_j R_j)(s1 o)
    skin weights = sum_j w_j W_j

so that it follows every shape and pose by the body's own skinning.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from scipy.spatial import cKDTree

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints, Mask
from trainer.rendering.mipmaps import Mipmaps, build_mipmaps

_DECIMETRE = 0.1
_BASE_VERTICES = 19_158
_JOINTS = 24
_CROTCH = -0.43
"""Metres in the T-pose frame; sheets that bridge both legs below it are skirts."""
_HIP, _KNEE = -0.307, -0.679
"""Heights of the mean body's joints in the T-pose frame, m."""
_PELVIS, _HIPS, _KNEES = 0, (1, 2), (4, 5)
WAIST = -0.20
"""Height between tops and bottoms in the T-pose frame, m."""
_BIG_PIECE = 300
"""Triangles; smaller pieces are ties, belts and buttons."""

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Garment:
    """A garment in the open body's T-pose frame; V vertices, F triangles."""

    name: str
    kind: str
    """'skin', 'outfit', 'shoes', 'hair', 'hat', 'eyes', 'eyebrows', 'eyelashes' and so on."""
    sex: str
    """'male', 'female' or 'both'."""
    template: Floats
    """(V, 3) m."""
    directions: Floats
    """(V, 3 S) m per shape coefficient, S for each coordinate."""
    weights: Floats
    """(V, J) skin weights."""
    weld: Ints
    """(V,) the same number for vertices at one place."""
    faces: Ints
    uv: Floats
    face_uv: Ints
    face_piece: Ints
    """(F,) mesh part: shirt, trousers, tie."""
    face_slot: Bytes
    """(F,) dye of the triangle: 0 small pieces, 1 tops, 2 bottoms, 3 a second top."""
    hidden: Ints
    """Base vertices whose skin the garment hides."""
    texture: str
    ambient: str
    """Texture of ambient light, or ''."""
    opacity: bool
    hems: tuple[float, float] = (-1e9, 1e9)
    """Metres in the T-pose frame: what lies lower, or farther from the middle, is cut off."""

    def shaped(self, shape: Array) -> Floats:
        """Return the vertices (V, 3) m at rest of a body of a shape (S,)."""
        moved = self.directions @ np.asarray(shape, np.float32)[: self.directions.shape[-1]]
        return np.asarray(self.template + moved, np.float32)

    def part(self, keep: Mask, hidden: Ints | None = None) -> Garment:
        """Return the garment with only some triangles (F,), and what it then hides."""
        return replace(
            self,
            faces=self.faces[keep],
            face_uv=self.face_uv[keep],
            face_piece=self.face_piece[keep],
            face_slot=self.face_slot[keep],
            hidden=self.hidden if hidden is None else hidden,
        )


class Clothes:
    """A clothes folder.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        If the folder is missing or incomplete.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / "manifest.json").is_file():
            raise InputError(
                f"{folder} holds no clothes (there is no manifest.json); "
                "see docs/notes/dressed-people.md for where they come from"
            )
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            self._kinds = {
                str(name): (str(entry["kind"]), str(entry["sex"]))
                for name, entry in manifest["garments"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{folder / 'manifest.json'} is invalid: {error}") from error
        self._base = self._read("open_body_base.npz")
        self._mesh = self._read("base_mesh.npz")
        self.skins = sorted(path.stem for path in (folder / "textures").glob("skin_*.jpg"))
        self.eyes = sorted(path.name for path in (folder / "textures").glob("eye_*.jpg"))
        if not self.skins or not self.eyes:
            raise InputError(f"{folder / 'textures'} holds no skins or eyes")

    def names(self, kind: str, sex: str | None = None) -> list[str]:
        """Return the garments of a kind that a sex wears, sorted."""
        wanted = {sex, "both"} if sex is not None else {"male", "female", "both"}
        return sorted(n for n, (k, s) in self._kinds.items() if k == kind and s in wanted)

    @cached_property
    def base_template(self) -> Floats:
        """(B, 3) m, base vertices of the mean body in T-pose."""
        return np.asarray(self._base["v_template"], np.float32)

    @cached_property
    def _base_weights(self) -> Array:
        weights = np.zeros((_BASE_VERTICES, _JOINTS))
        ids, values = self._base["w_ids"].astype(np.int64), self._base["w"].astype(np.float64)
        np.put_along_axis(weights, ids, values, 1)
        return weights

    @cached_property
    def skin(self) -> Garment:
        """The whole body in full detail, as a garment that hides nothing."""
        mesh = self._mesh
        faces = mesh["body_f"].astype(np.int64)
        used = int(faces.max()) + 1
        template = self.base_template[:used]
        return Garment(
            name="skin", kind="skin", sex="both", template=template,
            directions=self._base["shapedirs"][:used].astype(np.float32),
            weights=self._base_weights[:used].astype(np.float32), weld=np.arange(used),
            faces=faces, uv=mesh["uv"].astype(np.float32),
            face_uv=mesh["body_f_uv"].astype(np.int64), face_piece=np.zeros(len(faces), np.int64),
            face_slot=np.zeros(len(faces), np.uint8), hidden=np.zeros(0, np.int64),
            texture="", ambient="", opacity=False,
        )  # fmt: skip

    @cached_property
    def masculine(self) -> Array:
        """(S,) unit direction of shape coefficients along which bodies grow masculine."""
        shapes = self._read("shapes.npz")
        names = [str(name) for name in shapes["names"]]
        man, woman = (names.index(f"caucasian-{sex}-young") for sex in ("male", "female"))
        offsets = shapes["offsets"].astype(np.float64) * _DECIMETRE
        turned = np.einsum(
            "vij,vj->vi", self._base["rot"].astype(np.float64), offsets[man] - offsets[woman]
        )
        turned = turned[: len(self.skin.template)]
        along = np.einsum("vcs,vc->s", self.skin.directions, turned - turned.mean(axis=0))
        return np.asarray(along / np.linalg.norm(along))

    def uncovered_skin(self, garments: list[Garment]) -> Garment:
        """Return the skin without triangles whose three corners some garment hides."""
        hidden = np.zeros(_BASE_VERTICES, bool)
        for garment in garments:
            hidden[garment.hidden] = True
        return self.skin.part(np.asarray(~hidden[self.skin.faces].all(axis=1)))

    @cache  # noqa: B019 - one folder lives as long as the process
    def garment(self, name: str) -> Garment:
        """Return a garment.

        Raises
        ------
        InputError
            If its file is missing or invalid.
        """
        raw = self._read(f"garments/{name}.npz")
        try:
            return self._bind(name, raw)
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(
                f"{self._folder / 'garments' / name}.npz is invalid: {error}"
            ) from error

    def tops(self, name: str) -> Garment:
        """Return the pieces of an outfit above the waist, with the skin that they hide."""
        return self._half(name, True)

    def bottoms(self, name: str) -> Garment:
        """Return the pieces of an outfit below the waist, with the skin that they hide."""
        return self._half(name, False)

    @cache  # noqa: B019
    def _half(self, name: str, upper: bool) -> Garment:
        garment = self.garment(name)
        centres = garment.template[garment.faces].mean(axis=1)[:, 1]
        keep = np.zeros(len(garment.faces), bool)
        for piece in np.unique(garment.face_piece):
            own = garment.face_piece == piece
            keep[own] = (float(centres[own].mean()) > WAIST) == upper
        if keep.all() or not keep.any():
            return garment.part(keep)
        mine = garment.template[np.unique(garment.faces[keep])]
        others = garment.template[np.unique(garment.faces[~keep])]
        places = self.base_template[garment.hidden]
        near = cKDTree(mine).query(places)[0] < cKDTree(others).query(places)[0]
        return garment.part(keep, garment.hidden[near])

    def cut(self, garment: Garment, below: float | None, beyond: float | None) -> Garment:
        """Return a garment with shorter legs or sleeves; the skin there shows again.

        Parameters
        ----------
        garment : Garment
        below : float, optional
            Height in the T-pose frame, m; triangles lower than this are dropped.
        beyond : float, optional
            Distance from the middle, m; triangles farther out along the arms are dropped.
        """
        places = self.base_template[garment.hidden]
        corners = garment.template[garment.faces]
        keep, still = np.ones(len(corners), bool), np.ones(len(places), bool)
        lowest, widest = garment.hems
        if below is not None:
            lowest = below
            keep &= corners[..., 1].max(axis=1) > below
            still &= places[:, 1] > below + 0.03
        if beyond is not None:
            widest = beyond
            keep &= np.abs(corners[..., 0]).min(axis=1) < beyond
            still &= np.abs(places[:, 0]) < beyond - 0.03
        return replace(garment.part(keep, garment.hidden[still]), hems=(lowest, widest))

    @cache  # noqa: B019
    def texture(self, name: str, ambient: str = "", opacity: bool = False) -> Mipmaps:
        """Return a texture; the fourth channel is an opacity or the ambient light of a second one.

        Raises
        ------
        InputError
            If a picture is missing or broken.
        """
        image = self._picture(name)
        side = 1024 if name.startswith("skin_") or opacity else 512
        if max(image.shape[:2]) > side:
            image = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))
        if not opacity:
            image = np.ascontiguousarray(image[..., :3])
            if ambient:
                light = self._picture(ambient)[..., 0]
                light = np.asarray(cv2.resize(light, image.shape[1::-1]), np.uint8)
                image = np.dstack([image, light])
        return build_mipmaps(image, opacity=opacity)

    @cache  # noqa: B019
    def brightness(self, name: str, texture: str) -> Floats:
        """Return the median brightness (4,) 0..1 of a garment's texture under each dye."""
        garment = self.garment(name)
        image = self._picture(texture).astype(np.float32) / 255
        middle = garment.uv[garment.face_uv].mean(axis=1)
        height, width = image.shape[:2]
        x = np.clip((middle[:, 0] * width).astype(int), 0, width - 1)
        y = np.clip(((1 - middle[:, 1]) * height).astype(int), 0, height - 1)
        texels = image[y, x]
        light = texels[:, :3] @ np.array([0.3, 0.6, 0.1], np.float32)
        out = np.full(4, 0.5, np.float32)
        for slot in range(4):
            own = (garment.face_slot == slot) & (texels[:, 3] > 0.3)
            if own.any():
                out[slot] = max(float(np.median(light[own])), 0.02)
        return out

    def _picture(self, name: str) -> Bytes:
        path = self._folder / "textures" / name
        try:
            with PillowImage.open(path) as file:
                return np.asarray(file.convert("RGBA"), np.uint8)
        except (OSError, ValueError) as error:
            raise InputError(f"the texture {path} cannot be read: {error}") from error

    def _read(self, name: str) -> dict[str, npt.NDArray[np.generic]]:
        path = self._folder / name
        try:
            with np.load(path, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} cannot be read: {error}") from error

    def _bind(self, name: str, raw: dict[str, npt.NDArray[np.generic]]) -> Garment:
        ids = np.asarray(raw["base_ids"], np.int64)
        share = np.asarray(raw["weights"], np.float64)
        base, turns = self._base["v_template"].astype(np.float64), self._base["rot"]
        moves = self._base["shapedirs"].astype(np.float64)
        template = np.einsum("nk,nkc->nc", share, base[ids])
        directions = np.einsum("nk,nkcb->ncb", share, moves[ids])
        turn = np.einsum("nk,nkij->nij", share, turns[ids].astype(np.float64))
        offsets = np.asarray(raw["offsets"], np.float64) * _DECIMETRE
        start, slope = _scales(raw, base, moves)
        template += np.einsum("nij,nj->ni", turn, offsets * start)
        directions += np.einsum("nij,njb->nib", turn, offsets[:, :, None] * slope)
        weights = np.einsum("nk,nkj->nj", share, self._base_weights[ids]).clip(0)
        weights /= weights.sum(axis=1, keepdims=True)
        faces = np.asarray(raw["f"], np.int64)
        piece = np.asarray(raw["face_piece"], np.int64)
        _hang_skirts(template, weights, faces, piece)
        rounded = np.round(template / 1e-5).astype(np.int64)
        _, weld = np.unique(rounded, axis=0, return_inverse=True)
        kind = str(raw["kind"])
        island = np.asarray(raw["face_island"], np.int64)
        slot = np.zeros(len(faces), np.uint8)
        if kind == "outfit":
            slot = _slots(template[faces].mean(axis=1)[:, 1], piece, island)
        return Garment(
            name=name, kind=kind, sex=str(raw["sex"]), template=template.astype(np.float32),
            directions=directions.astype(np.float32), weights=weights.astype(np.float32),
            weld=weld.ravel().astype(np.int64), faces=faces, uv=np.asarray(raw["uv"], np.float32),
            face_uv=np.asarray(raw["f_uv"], np.int64), face_piece=piece, face_slot=slot,
            hidden=np.asarray(raw["delete_verts"], np.int64), texture=str(raw["texture"]),
            ambient=str(raw["ao"]), opacity=kind in ("hair", "eyebrows", "eyelashes"),
        )  # fmt: skip


def _scales(
    raw: dict[str, npt.NDArray[np.generic]], base: Array, moves: Array
) -> tuple[Array, Array]:
    """Return the scale (3,) of a garment's offsets on the mean body, and its slope (3, S)."""
    start, slope = np.ones(3), np.zeros((3, moves.shape[-1]))
    ids = np.asarray(raw["scale_ids"], np.int64)
    lengths = np.asarray(raw["scale_len"], np.float64) * _DECIMETRE
    for axis in range(3):
        first, second = ids[axis]
        if lengths[axis] > 0:
            across = base[first, axis] - base[second, axis]
            start[axis] = abs(across) / lengths[axis]
            change = moves[first, axis] - moves[second, axis]
            slope[axis] = np.sign(across) * change / lengths[axis]
    return start, slope


def _slots(height: Array, piece: Ints, island: Ints) -> Bytes:
    """Return the dye (F,) of each triangle from the heights (F,) of its piece or island."""
    big = [p for p in np.unique(piece) if (piece == p).sum() > _BIG_PIECE]
    group = island if len(big) == 1 else piece
    out = np.zeros(len(piece), np.uint8)
    tops = 0
    for number in np.unique(group):
        own = group == number
        if own.sum() <= (_BIG_PIECE if len(big) > 1 else 40):
            continue
        if float(height[own].mean()) < WAIST:
            out[own] = 2
        else:
            out[own] = 1 if tops == 0 or len(big) == 1 else 3
            tops += 1
    return out


def _hang_skirts(template: Array, weights: Array, faces: Ints, piece: Ints) -> None:
    """Hang sheets that bridge both legs from the pelvis, in place.

    Bound to the thighs alone they would tear into two trouser legs. Lower down they follow both
    legs, shared smoothly from side to side.
    """
    for number in np.unique(piece):
        own = faces[piece == number]
        corners = template[own]
        bridging = (corners[..., 1].max(axis=1) < _CROTCH) & (corners[..., 0].min(axis=1) < -1e-4)
        bridging &= corners[..., 0].max(axis=1) > 1e-4
        if bridging.sum() < 4:
            continue
        used = np.unique(own)
        place, old = template[used], weights[used]
        leg = _smooth((_HIP + 0.07 - place[:, 1]) / 0.14)
        left = _smooth(0.5 + place[:, 0] / 0.18)
        knee = _smooth((_KNEE + 0.06 - place[:, 1]) / 0.16)
        new = old.copy()
        new[:, _PELVIS] += old[:, _HIPS + _KNEES].sum(axis=1)
        new[:, _HIPS + _KNEES] = 0
        new *= (1 - leg)[:, None]
        for side, hip, shin in ((left, _HIPS[0], _KNEES[0]), (1 - left, _HIPS[1], _KNEES[1])):
            new[:, hip] += leg * side * (1 - knee)
            new[:, shin] += leg * side * knee
        weights[used] = new


def _smooth(value: Array) -> Array:
    value = np.clip(value, 0, 1)
    return np.asarray(value * value * (3 - 2 * value))

"""Contact sheets: bodies drawn over their crops, many to a picture, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pymaf_live.body import Body, PointSet, crop_points_2d, pixels_from_crop_units
from pymaf_live.errors import OutputError
from pymaf_live.inference.preprocess import cut
from pymaf_live.types import Array, Crop, Image
from trainer.body.blazepose_landmarker import SIZE
from trainer.data.fits import Fits
from trainer.fitting.teacher import ImageReader

_TILES = 24

_LIGHT = np.array([-0.3, -0.5, -0.8])
_LEFT = np.array([235.0, 120.0, 60.0])
_RIGHT = np.array([70.0, 140.0, 235.0])


def draw_body(
    image: Image, body: Body, mesh: PointSet, rotations: Array, shape: Array, camera: Array
) -> Image:
    """Draw a body over its crop by the painter's algorithm, its left warm and its right cool.

    Parameters
    ----------
    image : (S, S, 3) uint8 array
    body : Body
    mesh : PointSet
        All vertices of `body`.
    rotations : (J, 3, 3) array
    shape : (S,) array
    camera : (3,) array
        s, tx, ty in crop units.
    """
    vertices = mesh.pose(rotations, shape)
    flat = pixels_from_crop_units(crop_points_2d(vertices, camera), image.shape[0])
    corners = vertices[body.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    # y down and z away turn outward normals with the body, so those that face us have z < 0
    order = np.argsort(-corners[:, :, 2].mean(axis=1))
    order = order[normals[order, 2] < 0]
    light = 0.35 + 0.65 * np.clip(normals @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)
    left = body.template[body.faces].mean(axis=1)[:, 0] > 0
    colours = np.where(left[:, None], _LEFT, _RIGHT) * light[:, None]
    points = np.round(flat[body.faces] * 16).astype(np.int32)
    drawn = np.ascontiguousarray(image).copy()
    for face in order:
        cv2.fillConvexPoly(drawn, points[face], colours[face].tolist(), cv2.LINE_8, 4)
    return cv2.addWeighted(drawn, 0.7, image, 0.3, 0).astype(np.uint8)


def write_sheet(path: Path, tiles: Sequence[Image], columns: int = 8) -> None:
    """Write equally large tiles as one picture, row by row.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    blank = np.zeros_like(tiles[0])
    padded = [*tiles, *[blank] * (-len(tiles) % columns)]
    rows = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.vstack(rows)[..., ::-1]):
        raise OutputError(f"cannot write {path}")


def sheets_of_fits(
    folder: Path, body: Body, picture: ImageReader, fits: Fits, before: Fits | None = None
) -> None:
    """Write sheets: fits at random, the worst that were kept, some that were left out.

    Parameters
    ----------
    folder : Path
    body : Body
    picture : function
        Row to picture.
    fits : Fits
    before : Fits, optional
        An earlier round's: a sheet shows what is kept now and was not then, both beside the crop.
    """
    random = np.random.default_rng(0)
    kept, left = np.flatnonzero(fits.kept), np.flatnonzero(~fits.kept)
    badness = fits.residual_2d / 0.1 + fits.residual_3d / 0.2
    chosen = {
        "random": random.permutation(kept)[:_TILES],
        "worst": kept[np.argsort(-badness[kept])][:_TILES],
        "left_out": random.permutation(left)[:_TILES],
    }
    if before is not None:
        new = np.flatnonzero(fits.kept & ~before.kept)
        chosen["newly_kept"] = random.permutation(new)[:_TILES]
    mesh = PointSet.vertices(body)
    for name, rows in chosen.items():
        shown = [fits] if before is None else [before, fits]
        tiles = []
        for row in rows.tolist():
            image = cut(picture(row), Crop(fits.frame_from_crop[row].astype(np.float64), SIZE))
            drawn = [
                draw_body(image, body, mesh, f.rotations[row], f.shape[row], f.camera[row])
                for f in shown
            ]
            tiles.append(np.hstack([image, *drawn]))
        if tiles:
            write_sheet(folder / f"fits_{name}.jpg", tiles, columns=4)

"""Contact sheets: many crops in one image, with bodies or labels drawn over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pymaf_live.body import Body, PointSet, crop_points_2d, pixels_from_crop_units
from pymaf_live.errors import OutputError
from pymaf_live.inference.preprocess import cut
from pymaf_live.types import Array, Crop, Image
from trainer.body.blazepose_landmarker import SIZE
from trainer.data.fits import Fits
from trainer.data.synthetic import SyntheticDataset, read_synthetic

if TYPE_CHECKING:
    from trainer.evaluation.inference import CropEstimates

_TILES = 24
_COLUMNS = 4
_SYNTHETIC_TILE = 240
"""Pixels."""

_LIGHT = np.array([-0.3, -0.5, -0.8])
_LEFT = np.array([235.0, 120.0, 60.0])
_RIGHT = np.array([70.0, 140.0, 235.0])
_KEYPOINT_COLOURS = ((120, 120, 120), (255, 70, 60), (70, 255, 80))
"""By visibility: outside the image, hidden, visible."""


def draw_body(
    image: Image, body: Body, mesh: PointSet, rotations: Array, shape: Array, camera: Array
) -> Image:
    """Draw a body over its crop by the painter's algorithm, left in orange and right in blue.

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
    # y down and z away turn outward normals with the body, so those that face the camera have z < 0
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
    """Write equally large tiles as one image, row by row.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    blank = np.zeros_like(tiles[0])
    padded = [*tiles, *[blank] * (-len(tiles) % columns)]
    rows = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.vstack(rows)[..., ::-1]):
        raise OutputError(f"cannot write {path}")


def write_fit_sheets(
    folder: Path,
    body: Body,
    image: Callable[[int], Image],
    fits: Fits,
    before: Fits | None = None,
) -> None:
    """Write sheets of fits: random ones, the worst that were kept, and rejected ones.

    Parameters
    ----------
    folder : Path
        The files are ``fits_random.jpg`` and so on.
    body : Body
    image : callable
        Row -> (H, W, 3) uint8 RGB.
    fits : Fits
    before : Fits, optional
        Fits of an earlier round. One more sheet shows fits that are kept only now; every tile
        shows both.
    """
    random = np.random.default_rng(0)
    kept, rejected = np.flatnonzero(fits.kept), np.flatnonzero(~fits.kept)
    errors = fits.residual_2d / 0.1 + fits.residual_3d / 0.2
    chosen = {
        "random": random.permutation(kept)[:_TILES],
        "worst": kept[np.argsort(-errors[kept])][:_TILES],
        "left_out": random.permutation(rejected)[:_TILES],
    }
    if before is not None:
        new = np.flatnonzero(fits.kept & ~before.kept)
        chosen["newly_kept"] = random.permutation(new)[:_TILES]
    mesh = PointSet.vertices(body)
    shown = [fits] if before is None else [before, fits]
    for name, rows in chosen.items():
        tiles = []
        for row in rows.tolist():
            crop = Crop(fits.frame_from_crop[row].astype(np.float64), SIZE)
            tile = cut(image(row), crop)
            drawn = [
                draw_body(tile, body, mesh, f.rotations[row], f.shape[row], f.camera[row])
                for f in shown
            ]
            tiles.append(np.hstack([tile, *drawn]))
        if tiles:
            write_sheet(folder / f"fits_{name}.jpg", tiles, columns=_COLUMNS)


def write_estimate_sheets(
    folder: Path,
    name: str,
    found: CropEstimates,
    image: Callable[[int], Image],
    errors: Array,
    body: Body,
) -> None:
    """Write three sheets of crops, each beside its last estimate.

    Parameters
    ----------
    folder : Path
    name : str
        The files are ``NAME_worst.jpg``, ``NAME_random.jpg`` and ``NAME_best.jpg``.
    found : CropEstimates
        Of N crops.
    image : callable
        Index -> (H, W, 3) uint8 RGB.
    errors : (N,) array
        Rank of the estimates; NaN = unknown, shown only among the random ones.
    body : Body
    """
    mesh, estimates = PointSet.vertices(body), found.estimates
    known = np.flatnonzero(~np.isnan(errors))
    order = known[np.argsort(-errors[known], kind="stable")]
    chosen = {
        "worst": order[:_TILES],
        "random": np.random.default_rng(0).permutation(len(errors))[:_TILES],
        "best": order[::-1][:_TILES],
    }
    for kind, indices in chosen.items():
        tiles = []
        for index in indices.tolist():
            tile = cut(image(index), found.crops[index])
            drawn = draw_body(
                tile,
                body,
                mesh,
                estimates.rotations[-1, index],
                estimates.shape[-1, index],
                estimates.camera[-1, index],
            )
            tiles.append(np.hstack([tile, drawn]))
        if tiles:
            write_sheet(folder / f"{name}_{kind}.jpg", tiles, columns=_COLUMNS)


def write_synthetic_sheet(path: Path, folder: Path, count: int = 30) -> None:
    """Write a sheet of the first images of a synthetic set, with key points and crop outlines.

    Raises
    ------
    InputError
        If there is no such set.
    OutputError
        If the sheet cannot be written.
    """
    people = read_synthetic(folder)
    rows = range(min(count, len(people)))
    write_sheet(path, [_synthetic_tile(people, row) for row in rows], columns=6)


def _synthetic_tile(people: SyntheticDataset, row: int) -> Image:
    image, labels = people.image(row), people.table
    height, width = image.shape[:2]
    scale = _SYNTHETIC_TILE / max(height, width)
    tile = np.zeros((_SYNTHETIC_TILE, _SYNTHETIC_TILE, 3), np.uint8)
    small = cv2.resize(image, (round(width * scale), round(height * scale)))
    tile[: small.shape[0], : small.shape[1]] = small
    points = (labels.keypoints[row] + 0.5) * scale - 0.5
    for (x, y), visibility in zip(points.tolist(), labels.visibility[row].tolist(), strict=True):
        colour = _KEYPOINT_COLOURS[visibility]
        cv2.circle(tile, (round(x), round(y)), 2, colour, -1, cv2.LINE_AA)
    crop, last = people.labels(row).crop, labels.crop_size - 1
    corners = crop.to_frame(np.array([[0, 0], [last, 0], [last, last], [0, last]], float))
    outline = np.round(((corners + 0.5) * scale - 0.5) * 16).astype(np.int32)
    cv2.polylines(tile, [outline], True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    return tile

"""Dense correspondence: the body part, and the place on it, that every cell of a map sees."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.errors import ModelError
from pymaf_live.resources import resource
from pymaf_live.types import Array, Ints
from trainer.body.torch_body import Skeleton, SkinnedVertices, project_weak_perspective
from trainer.rendering.batch_rasterizer import rasterize_batch
from trainer.rendering.rasterizer import rasterize

PARTS = 24
"""DensePose's surface parts, numbered from 1; 0 is the background."""
PARTS6 = ("head", "torso", "left_arm", "right_arm", "left_leg", "right_leg")
"""Parts of the LSP segmentation benchmark, numbered from 1; 0 is the background."""


@dataclass(frozen=True)
class Surface:
    """Labels and texture coordinates of a body's F faces."""

    part: Ints
    """(F,) 1 .. `PARTS`."""
    part6: Ints
    """(F,) 1 .. 6, in the order of `PARTS6`."""
    uv: Array
    """(F, 3, 2) place of each corner on its part, 0..1."""


def load_surface(body: Body, path: Path | None = None) -> Surface:
    """Read the surface coordinates from a body's file.

    Parameters
    ----------
    body : Body
    path : Path, optional
        The shipped body's file by default.

    Raises
    ------
    ModelError
        If the file has none, or they do not fit the body.
    """
    path = path or resource("body/open_body.npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            part6, uv, faces = (np.asarray(file[k]) for k in ("face_part6", "uv", "uv_f"))
        corners = uv.astype(np.float64)[faces]
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(f"{path} has no valid surface coordinates: {error}") from error
    count = len(body.faces)
    valid = (
        part6.shape == (count,)
        and corners.shape == (count, 3, 2)
        and bool(((corners >= 0) & (corners <= 1)).all())
        and set(np.unique(part6)) <= set(range(len(PARTS6)))
        and set(np.unique(body.face_part)) <= set(range(1, PARTS + 1))
    )
    if not valid:
        raise ModelError(f"the surface coordinates in {path} do not fit the body")
    return Surface(body.face_part, part6.astype(np.int64) + 1, corners)


def part_map(
    points: Array, depth: Array, faces: Ints, face_part: Ints, size: tuple[int, int]
) -> Ints:
    """Return the part (H, W) that every pixel sees, 0 for none.

    Parameters
    ----------
    points, depth, faces, size
        See `trainer.rendering.rasterizer.rasterize`; a parallel view.
    face_part : (F,) array
        Numbered from 1.
    """
    raster = rasterize(points, depth, faces, size)
    return np.where(raster.triangle >= 0, face_part[raster.triangle], 0)


@dataclass(frozen=True)
class DenseMaps:
    """Labels of every cell of B maps."""

    part: Tensor
    """(B, H, W) int64: 0 = background, 1 .. `PARTS`."""
    u: Tensor
    """(B, H, W) 0..1 within the part; 0 in the background."""
    v: Tensor
    """(B, H, W), like `u`."""


class BodyMaps(nn.Module):
    """Renders dense maps of bodies from rotations, shape and camera.

    Parameters
    ----------
    body : Body
    surface : Surface, optional
        The shipped body's by default.
    """

    faces: Tensor
    part: Tensor
    uv: Tensor

    def __init__(self, body: Body, surface: Surface | None = None) -> None:
        super().__init__()
        surface = surface or load_surface(body)
        self.skeleton = Skeleton(body)
        self.vertices = SkinnedVertices(body, np.arange(len(body.template)))
        self.register_buffer("faces", torch.tensor(body.faces), persistent=False)
        # one row more than there are faces: the last, -1, is the background
        part = torch.tensor(np.append(surface.part, 0))
        self.register_buffer("part", part, persistent=False)
        uv = np.concatenate([surface.uv, np.zeros((1, 3, 2))])
        self.register_buffer("uv", torch.tensor(uv, dtype=torch.float32), persistent=False)

    @torch.no_grad()
    def forward(self, rotations: Tensor, shape: Tensor, camera: Tensor, size: int) -> DenseMaps:
        """Render maps of bodies in crop units.

        Parameters
        ----------
        rotations : (B, J, 3, 3) tensor
        shape : (B, S) tensor
        camera : (B, 3) tensor
            s, tx, ty in crop units.
        size : int
            Cells a side. -1 and 1 are the centres of the outermost cells, as where the network
            samples its maps.
        """
        rest = self.skeleton.rest(shape)
        world, joints = self.skeleton(rotations, rest)
        posed = self.vertices(world, joints, rest, shape)
        flat = (project_weak_perspective(posed, camera) + 1) / 2 * (size - 1)
        triangle, weights = self._rasterize(flat, posed[..., 2], size)
        uv = (weights[..., None] * self.uv[triangle]).sum(-2)
        return DenseMaps(self.part[triangle], uv[..., 0], uv[..., 1])

    def _rasterize(self, points: Tensor, depth: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Return the triangle (B, size, size) and the weights (B, size, size, 3) of each cell."""
        if points.device.type != "cpu":
            return rasterize_batch(points, depth, self.faces, (size, size))
        faces = self.faces.numpy()
        rasters = [
            rasterize(flat, z, faces, (size, size))
            for flat, z in zip(points.numpy(), depth.numpy(), strict=True)
        ]
        triangle = np.array([raster.triangle for raster in rasters], np.int64)
        weights = np.array([raster.weights for raster in rasters], np.float32)
        cells = (-1, size, size)
        return torch.from_numpy(triangle).view(cells), torch.from_numpy(weights).view(*cells, 3)

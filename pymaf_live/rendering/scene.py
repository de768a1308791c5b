"""Scene to be rendered over one image: posed bodies, camera and the image region they cover."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pymaf_live.body import project
from pymaf_live.rendering.rasteriser import NEAR, Floats
from pymaf_live.rendering.style import OverlayStyle, person_visibility
from pymaf_live.rendering.surface import BodySurface, RestMesh, Surfaces
from pymaf_live.types import Array, Camera, Image, Person

_MAX_CACHED_MESHES = 16
"""People whose shaped meshes are cached."""
_NEAR_MARGIN, _FAR_MARGIN = 0.98, 1.02


@dataclass(frozen=True)
class ImageRegion:
    """Part of an image in whole pixels: columns x0..x1 - 1, rows y0..y1 - 1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.y1 - self.y0

    def crop(self, image: Image) -> Image:
        """Return a view of the region in an image (H, W, 3)."""
        return image[self.y0 : self.y1, self.x0 : self.x1]


@dataclass(frozen=True)
class PosedBody:
    """A person ready to be rendered."""

    person: Person
    mesh: RestMesh
    bones: Floats
    """(J, 3, 4) transforms from the rest body to the camera frame, m."""
    colour: Floats
    """(3,) sRGB 0..1."""
    paint: Floats
    """(V, 4) see `DisplayMesh.paint`."""
    visibility: float
    """0..1; people with low confidence are drawn fainter."""
    key: tuple[str, int]
    """Buffer key: name of the scene builder and id of the person."""


@dataclass(frozen=True)
class RenderScene:
    """Everything that is drawn over one image."""

    people: tuple[PosedBody, ...]
    region: ImageRegion
    """Image region that contains everything drawn."""
    near: float
    """Near plane in metres."""
    far: float
    """Far plane in metres."""
    camera: Camera
    style: OverlayStyle
    surface: BodySurface
    stroke: float
    """Radius of the skeleton's lines in image pixels."""


class SceneBuilder:
    """Builds scenes and caches each person's shaped mesh from frame to frame.

    Parameters
    ----------
    surfaces : Surfaces
    name : str
        Keeps the buffers of several builders apart that one visual draws.
    """

    def __init__(self, surfaces: Surfaces, name: str = "") -> None:
        self.surfaces = surfaces
        self._name = name
        self._meshes: OrderedDict[tuple[BodySurface, int], RestMesh] = OrderedDict()

    def build(
        self,
        people: Sequence[Person],
        camera: Camera,
        size: tuple[int, int],
        style: OverlayStyle,
        view: Array | None = None,
    ) -> RenderScene | None:
        """Build the scene for one image.

        Parameters
        ----------
        people : sequence of Person
        camera : Camera
        size : tuple of int
            Width and height of the image in pixels.
        style : OverlayStyle
        view : (3, 4) array, optional
            Rotation and translation (m) from the people's camera frame to that of `camera`, for
            rendering from another viewpoint.

        Returns
        -------
        RenderScene or None
            None if there is nothing to draw.
        """
        stroke = max(1.2, 0.0022 * float(np.hypot(*size)))
        surface = self.surfaces.of(style)
        posed, boxes, depths = [], [], []
        for person in people:
            visibility = person_visibility(person)
            if visibility <= 0:
                continue
            mesh = self._mesh(surface, person)
            bones = surface.bones(person)
            if view is not None:
                person = person_in_view(person, view, camera)
                bones = _transformed(bones, view)
            extent = BodySurface.extent(mesh, bones, camera)
            if extent is None:
                continue
            box = extent[0]
            if style.draws_skeleton or style.points or style.box:
                points = person.joints_2d[np.isfinite(person.joints_2d).all(axis=1)]
                box = _union(box, points, stroke * 4)
            colour, paint = style.colour_of(person.id), surface.vertex_paint(style, person)
            posed.append(
                PosedBody(person, mesh, bones, colour, paint, visibility, (self._name, person.id))
            )
            boxes.append(box)
            depths.append(extent[1])
        if not posed:
            return None
        box = np.array(boxes)
        low = np.clip(np.floor(box[:, :2].min(axis=0)) - 1, 0, size)
        high = np.clip(np.ceil(box[:, 2:].max(axis=0)) + 2, 0, size)
        region = ImageRegion(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        if region.width <= 0 or region.height <= 0:
            return None
        near = max(NEAR, float(np.min(depths)) * _NEAR_MARGIN)
        far = float(np.max(depths)) * _FAR_MARGIN
        return RenderScene(tuple(posed), region, near, far, camera, style, surface, stroke)

    def _mesh(self, surface: BodySurface, person: Person) -> RestMesh:
        key = (surface, person.id)
        mesh = self._meshes.get(key)
        if mesh is None or not surface.same_shape(mesh.shape, person.shape):
            mesh = surface.rest_mesh(person.shape)
        self._meshes[key] = mesh
        self._meshes.move_to_end(key)
        while len(self._meshes) > _MAX_CACHED_MESHES:
            self._meshes.popitem(last=False)
        return mesh


def person_in_view(person: Person, view: Array, camera: Camera) -> Person:
    """Return the person with joints in another camera's frame and image.

    Parameters
    ----------
    person : Person
    view : (3, 4) array
        Rotation and translation (m) from the person's camera frame to that of `camera`.
    camera : Camera
    """
    joints = person.joints @ view[:, :3].T + view[:, 3]
    points = project(joints, camera)
    box = np.r_[points.min(axis=0), points.max(axis=0)]
    return replace(person, joints=joints, joints_2d=points, box=box)


def _transformed(bones: Floats, view: Array) -> Floats:
    moved = np.einsum("ab,jbc->jac", view[:, :3], bones.astype(np.float64))
    moved[:, :, 3] += view[:, 3]
    return np.asarray(moved, np.float32)


def _union(box: Array, points: Array, margin: float) -> Array:
    """Return the smallest box around a box (4,) and points (N, 2) with a margin."""
    if not len(points):
        return box
    low = np.minimum(box[:2], points.min(axis=0) - margin)
    high = np.maximum(box[2:], points.max(axis=0) + margin)
    return np.concatenate([low, high])

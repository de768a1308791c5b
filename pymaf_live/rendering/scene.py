"""What is to be drawn of one frame: who, and in which part of the picture."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pymaf_live.body import project
from pymaf_live.rendering.rasteriser import NEAR, Floats
from pymaf_live.rendering.style import Look, person_colour, presence
from pymaf_live.rendering.surface import RestMesh, Surface
from pymaf_live.types import Array, Camera, Person

_MOST_MESHES = 16
"""People whose shaped meshes are kept."""


@dataclass(frozen=True)
class Window:
    """A part of the picture in whole pixels: columns x0..x1 - 1, rows y0..y1 - 1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Pixels."""
        return self.y1 - self.y0


@dataclass(frozen=True)
class Posed:
    """A person ready to be drawn."""

    person: Person
    mesh: RestMesh
    bones: Floats
    """(J, 3, 4) from the rest body to the camera frame, m."""
    colour: Floats
    """(3,) sRGB 0..1."""
    presence: float
    """0..1; a person that the network doubts is drawn fainter."""
    key: tuple[str, int]
    """Names the person's buffers: that of the stage and the person's number."""


@dataclass(frozen=True)
class Scene:
    """All that is drawn over one picture."""

    people: tuple[Posed, ...]
    window: Window
    """Holds all that is drawn."""
    near: float
    far: float
    """Metres."""
    camera: Camera
    look: Look
    stroke: float
    """Radius of the skeleton's lines in picture pixels."""


class Stage:
    """Makes scenes; keeps the shaped mesh of each person from frame to frame.

    Parameters
    ----------
    surface : Surface
    name : str
        Tells the buffers of stages apart that one visual draws.
    """

    def __init__(self, surface: Surface, name: str = "") -> None:
        self.surface = surface
        self._name = name
        self._meshes: OrderedDict[int, RestMesh] = OrderedDict()

    def scene(
        self,
        people: Sequence[Person],
        camera: Camera,
        size: tuple[int, int],
        look: Look,
        view: Array | None = None,
    ) -> Scene | None:
        """What is to be drawn over a picture.

        Parameters
        ----------
        people : sequence of Person
        camera : Camera
        size : tuple of int
            Width, height of the picture in pixels.
        look : Look
        view : (3, 4) array, optional
            From the people's camera frame to that of `camera`, rotation and shift in metres, for
            looking from elsewhere.

        Returns
        -------
        Scene or None
            None if there is nothing to draw.
        """
        stroke = max(1.2, 0.0022 * float(np.hypot(*size)))
        posed, boxes, depths = [], [], []
        for person in people:
            present = presence(person)
            if present <= 0:
                continue
            mesh = self._mesh(person)
            bones = self.surface.bones(person)
            if view is not None:
                person = seen_from(person, view, camera)
                bones = _moved(bones, view)
            extent = Surface.extent(mesh, bones, camera)
            if extent is None:
                continue
            box = extent[0]
            if look.skeleton or look.points or look.box:
                points = person.joints_2d[np.isfinite(person.joints_2d).all(axis=1)]
                box = _union(box, points, stroke * 4)
            tint = person_colour(person.id) if look.tint is None else look.tint
            key = (self._name, person.id)
            posed.append(Posed(person, mesh, bones, np.asarray(tint, np.float32), present, key))
            boxes.append(box)
            depths.append(extent[1])
        if not posed:
            return None
        box = np.array(boxes)
        low = np.clip(np.floor(box[:, :2].min(axis=0)) - 1, 0, size)
        high = np.clip(np.ceil(box[:, 2:].max(axis=0)) + 2, 0, size)
        window = Window(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        if window.width <= 0 or window.height <= 0:
            return None
        near = max(NEAR, float(np.min(depths)) * 0.98)
        far = float(np.max(depths)) * 1.02
        return Scene(tuple(posed), window, near, far, camera, look, stroke)

    def _mesh(self, person: Person) -> RestMesh:
        mesh = self._meshes.get(person.id)
        if mesh is None or not self.surface.same_shape(mesh.shape, person.shape):
            mesh = self.surface.rest_mesh(person.shape)
        self._meshes[person.id] = mesh
        self._meshes.move_to_end(person.id)
        while len(self._meshes) > _MOST_MESHES:
            self._meshes.popitem(last=False)
        return mesh


def _moved(bones: Floats, view: Array) -> Floats:
    whole = np.einsum("ab,jbc->jac", view[:, :3], bones.astype(np.float64))
    whole[:, :, 3] += view[:, 3]
    return np.asarray(whole, np.float32)


def seen_from(person: Person, view: Array, camera: Camera) -> Person:
    """The same person with the joints where another camera sees them."""
    joints = person.joints @ view[:, :3].T + view[:, 3]
    seen = project(joints, camera)
    box = np.r_[seen.min(axis=0), seen.max(axis=0)]
    return replace(person, joints=joints, joints_2d=seen, box=box)


def _union(box: Array, points: Array, margin: float) -> Array:
    """Smallest box about a box (4,) and points (N, 2) with a margin."""
    if not len(points):
        return box
    low = np.minimum(box[:2], points.min(axis=0) - margin)
    high = np.maximum(box[2:], points.max(axis=0) + margin)
    return np.concatenate([low, high])

"""Surface of a body for rendering: shaped rest mesh, bone matrices, skinning, image extent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.display_mesh import (
    WEIGHTS_PER_VERTEX,
    DisplayMesh,
    body_mesh,
    display_mesh,
    is_dressable,
)
from pymaf_live.body.normals import VertexNormals
from pymaf_live.rendering.rasteriser import NEAR, Floats, Ints32
from pymaf_live.rendering.style import OverlayStyle, part_colours, score_colours
from pymaf_live.types import Array, BodyStyle, Camera, Person

_SHAPE_TOLERANCE = 2e-4
"""Metres; shapes count as equal if no vertex differs by more than this."""


@dataclass(frozen=True)
class RestMesh:
    """Shaped body in the rest pose."""

    shape: Array
    """(S,) shape coefficients."""
    vertices: Floats
    """(V, 3) m, body frame."""
    normals: Floats
    """(V, 3) outward, unit length."""
    bone_boxes: Floats
    """(J, 8, 3) corners of the box around all vertices that a joint moves; NaN if none."""


class BodySurface:
    """Computes meshes and bone transforms of people; independent of OpenGL.

    Parameters
    ----------
    body : Body
    mesh : DisplayMesh, optional
        Mesh on the body's skeleton; the body's own by default.
    """

    def __init__(self, body: Body, mesh: DisplayMesh | None = None) -> None:
        self.body = body
        mesh = mesh or body_mesh(body)
        self.faces = mesh.faces
        self.paint = mesh.paint
        """(V, 4) see `DisplayMesh.paint`."""
        self._template = mesh.template
        vertices = len(mesh.template)
        self._directions = mesh.directions.reshape(vertices * 3, -1)
        # greatest displacement of any vertex per unit of each coefficient, m
        self._reach = np.linalg.norm(mesh.directions, axis=1).max(axis=0)
        self._normals = VertexNormals(mesh.faces.astype(np.int64), vertices)
        self.joints, self.weights = _strongest(mesh.skin_weights, WEIGHTS_PER_VERTEX)
        self._skin = mesh.skin_weights
        by_joint = csr_matrix(mesh.skin_weights.T > 0)
        self._moved, self._starts = by_joint.indices, by_joint.indptr
        zero = np.zeros(body.shape_count)
        self._rest_mean = rest_joints(body, zero)
        self._rest_directions = np.stack(
            [rest_joints(body, unit) - self._rest_mean for unit in np.eye(body.shape_count)], -1
        ).reshape(*self._rest_mean.shape, body.shape_count)

    @cached_property
    def part_paint(self) -> Floats:
        """(V, 4) paint in the colours of the body parts; of the body's own mesh only."""
        parts = np.zeros(len(self._template), np.int64)
        parts[self.faces.ravel()] = np.repeat(self.body.face_part, 3) - 1
        return _opaque(part_colours(int(self.body.face_part.max()))[parts])

    @cached_property
    def edges(self) -> Ints32:
        """(E, 2) vertices of each edge of the mesh, once."""
        pairs = np.concatenate(
            [self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]
        )
        return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int32)

    def vertex_paint(self, style: OverlayStyle, person: Person) -> Floats:
        """Return the paint (V, 4) of a person, see `DisplayMesh.paint`; the same array if equal."""
        if style.parts:
            return self.part_paint
        if style.body != "confidence":
            return self.paint
        colours = score_colours(person.joint_score)
        return _opaque(np.asarray(self._skin @ colours, np.float32))

    def same_shape(self, one: Array, other: Array) -> bool:
        """Return True if two shapes (S,) are indistinguishable when rendered."""
        return bool(np.abs(one - other) @ self._reach < _SHAPE_TOLERANCE)

    def rest_mesh(self, shape: Array) -> RestMesh:
        """Return the rest mesh of a shape (S,)."""
        moved = self._directions @ np.asarray(shape, np.float32)
        vertices = self._template + moved.reshape(-1, 3)
        normals = self._normals(vertices)
        boxes = np.full((self.body.joint_count, 8, 3), np.nan, np.float32)
        for joint in range(self.body.joint_count):
            own = vertices[self._moved[self._starts[joint] : self._starts[joint + 1]]]
            if len(own):
                ends = np.stack([own.min(axis=0), own.max(axis=0)])
                boxes[joint] = np.stack(np.meshgrid(*ends.T), -1).reshape(8, 3)
        return RestMesh(np.array(shape, np.float64), vertices, normals, boxes)

    def bones(self, person: Person) -> Floats:
        """Return transforms (J, 3, 4) from rest points to the camera frame, in metres."""
        rest = self._rest_mean + self._rest_directions @ person.shape
        world, places = joint_transforms(self.body, person.rotations, rest)
        shift = places + person.translation - np.einsum("jab,jb->ja", world, rest)
        return np.concatenate([world, shift[..., None]], axis=-1).astype(np.float32)

    def pose(self, mesh: RestMesh, bones: Floats) -> tuple[Floats, Floats]:
        """Skin on the CPU; return vertices (V, 3) in m and unit normals (V, 3), camera frame."""
        blend = (self._skin @ bones.reshape(len(bones), 12)).reshape(-1, 3, 4)
        # column by column: einsum takes ten times as long for thousands of small products
        columns = [np.ascontiguousarray(blend[..., column]) for column in range(4)]
        vertices, normals = columns[3], np.zeros_like(mesh.normals)
        for axis in range(3):
            vertices += columns[axis] * mesh.vertices[:, axis, None]
            normals += columns[axis] * mesh.normals[:, axis, None]
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        return vertices, normals

    @staticmethod
    def extent(mesh: RestMesh, bones: Floats, camera: Camera) -> tuple[Array, Array] | None:
        """Return a conservative bound of a posed body in the image.

        A skinned vertex is a weighted mean of its positions under each joint's motion, so it lies
        in the convex hull of the transformed boxes.

        Returns
        -------
        box : (4,) array
            x0, y0, x1, y1 in frame pixels (may lie outside the frame).
        depths : (2,) array
            Minimum and maximum z in metres; the minimum is at least `NEAR`.
        None
            If the body lies entirely behind the camera or is not finite.
        """
        corners = np.einsum("jab,jkb->jka", bones[..., :3], mesh.bone_boxes)
        corners = (corners + bones[:, None, :, 3]).reshape(-1, 3).astype(np.float64)
        corners = corners[np.isfinite(mesh.bone_boxes).all(axis=2).ravel()]
        if not len(corners) or not np.isfinite(corners).all():
            return None
        depth = corners[:, 2]
        if depth.max() <= NEAR:
            return None
        depths = np.array([max(float(depth.min()), NEAR), float(depth.max())])
        if depth.min() <= NEAR:
            # a hull that crosses the camera's plane may appear anywhere
            return np.array([0.0, 0.0, *camera.size]), depths
        pixels = corners[:, :2] / depth[:, None] * camera.focal_length + camera.principal_point
        return np.r_[pixels.min(axis=0), pixels.max(axis=0)], depths


class Surfaces:
    """Surfaces of one body, one per mesh that a style draws; made when first used.

    Parameters
    ----------
    body : Body
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self._made: dict[str, BodySurface] = {}

    def of(self, style: OverlayStyle) -> BodySurface:
        """Return the surface that a style draws."""
        return self._surface("body" if style.parts else _mesh_name(style.body))

    def _surface(self, name: str) -> BodySurface:
        # a body of another topology is drawn by its own mesh
        if not is_dressable(self.body):
            name = "body"
        if name not in self._made:
            mesh = None if name == "body" else display_mesh(self.body, name)
            self._made[name] = BodySurface(self.body, mesh)
        return self._made[name]


def _opaque(colours: Floats) -> Floats:
    """Return the paint (V, 4) of colours (V, 3) that are the same for everyone."""
    return np.concatenate([colours, np.zeros((len(colours), 1), np.float32)], axis=1)


def _mesh_name(style: BodyStyle) -> str:
    return style if style in ("clothed", "wireframe") else "body"


def _strongest(weights: Array, count: int) -> tuple[Floats, Floats]:
    """Return joint indices (V, 4) and weights (V, 4) of each vertex's `count` strongest joints.

    Weights sum to 1; unused places have joint 0 and weight 0.
    """
    count = min(count, weights.shape[1])
    order = np.argsort(-weights, axis=1)[:, :count]
    strongest = np.take_along_axis(weights, order, axis=1)
    strongest = strongest / strongest.sum(axis=1, keepdims=True)
    unused = WEIGHTS_PER_VERTEX - count
    joints = np.pad(order, ((0, 0), (0, unused))).astype(np.float32)
    return joints, np.pad(strongest, ((0, 0), (0, unused))).astype(np.float32)

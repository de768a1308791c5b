"""Poses dressed people and turns them into parts of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.types import Array
from trainer.rendering.textured import Part, vertex_normals
from trainer.synthesis.dressed.garments import Floats
from trainer.synthesis.dressed.outfits import Look


@dataclass(frozen=True)
class Posed:
    """A dressed person in a world whose y axis points up, root at the origin."""

    look: Look
    shape: Array
    """(S,)"""
    rotations: Array
    """(J, 3, 3)"""
    vertices: tuple[Floats, ...]
    """(V, 3) m of each worn garment, the skin first."""

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Least and greatest coordinates (3,) m of skin and shoes."""
        every = [
            vertices
            for vertices, worn in zip(self.vertices, self.look.worn, strict=True)
            if worn.garment.kind in ("skin", "shoes")
        ]
        return (
            np.asarray(np.min([v.min(axis=0) for v in every], axis=0), np.float64),
            np.asarray(np.max([v.max(axis=0) for v in every], axis=0), np.float64),
        )


def pose_look(body: Body, look: Look, shape: Array, rotations: Array) -> Posed:
    """Return a dressed person in a pose (J, 3, 3)."""
    joints = rest_joints(body, shape)
    world, places = joint_transforms(body, rotations, joints)
    shift = places - np.einsum("jab,jb->ja", world, joints)
    both = np.concatenate([world, shift[..., None]], axis=-1).reshape(len(world), 12)
    both = both.astype(np.float32)
    posed = []
    for worn in look.worn:
        garment = worn.garment
        rest = garment.shaped(shape)
        turns = (garment.weights @ both).reshape(-1, 3, 4)
        posed.append(np.einsum("vab,vb->va", turns[..., :3], rest) + turns[..., 3])
    return Posed(look, shape, rotations, tuple(np.asarray(v, np.float32) for v in posed))


def person_parts(posed: Posed, view: Array, translation: Array, owner: int) -> list[Part]:
    """Return the parts of a person before a camera.

    Parameters
    ----------
    posed : Posed
    view : (3, 3) array
        World to camera frame.
    translation : (3,) array
        Of the world's origin in the camera frame, m.
    owner : int
        Number of the person.
    """
    parts = []
    for vertices, worn in zip(posed.vertices, posed.look.worn, strict=True):
        garment = worn.garment
        seen = (vertices @ view.T + translation).astype(np.float32)
        rest = garment.template
        place = np.column_stack([rest[:, 0] + 0.7 * rest[:, 2], rest[:, 1], np.abs(rest[:, 0])])
        parts.append(
            Part(
                vertices=seen,
                normals=vertex_normals(seen, garment.faces, garment.weld),
                place=place.astype(np.float32),
                faces=garment.faces,
                uv=garment.uv,
                face_uv=garment.face_uv,
                face_dye=garment.face_slot if len(worn.dye.mode) > 1 else garment.face_slot * 0,
                texture=worn.texture,
                dye=worn.dye,
                owner=owner,
                gloss=worn.gloss,
                both_sides=garment.kind not in ("skin", "eyes"),
                opacity=garment.opacity,
                bias=worn.bias,
                hems=garment.hems,
            )
        )
    return parts

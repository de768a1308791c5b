#!/usr/bin/env python3
"""Build "Alex", our body in the bundled CC0 clothes, as a character of four kinds of programs.

``python -m tools.make_alex FOLDER`` writes ``alex.vrm`` (VRM 1.0), ``alex_mixamo.fbx`` (Mixamo's
names and axes, T-pose), ``alex_unreal.fbx`` (the mannequin's names and axes, A-pose, twist bones, a
root bone, z up) and ``alex_wild.glb`` (names without meaning, x up, bones turned at random, scale
100). The first is shipped as ``resources/characters/alex.vrm``; tests build the others.
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, joint_transforms, rest_joints
from pymaf_live.body.display_mesh import DisplayMesh, display_mesh
from pymaf_live.characters.model import Character, CharacterMesh, Material, Texture, compose
from pymaf_live.export.character_fbx import write_new_fbx
from pymaf_live.export.character_gltf import finish, new_parts
from pymaf_live.export.gltf_buffer import write_chunks
from pymaf_live.export.options import Rig
from pymaf_live.export.rig_presets import PRESETS
from pymaf_live.export.rigs import rig_skeleton
from pymaf_live.types import Array, Ints

SHIRT = (0.23, 0.43, 0.72)
"""sRGB colour of the shirt."""
_BLOCK = 8
"""Pixels of a colour's square in the texture."""
_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
_X_UP = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
_TWISTS = ("upperarm", "lowerarm")


def alex(rig: Rig, body: Body | None = None) -> Character:
    """Return Alex on a rig, in metres, y up."""
    body = body or default_body()
    rest = rest_joints(body, np.zeros(body.shape_count))
    lowest = float(body.template[:, 1].min())
    bones = rig_skeleton(body, rest, lowest, rig)
    mesh = display_mesh(body, "clothed")
    world, places = joint_transforms(body, bones.body_rotations, rest)
    vertices = _skinned(mesh, world, places - np.einsum("jab,jb->ja", world, rest))
    vertices = vertices - [rest[0, 0], lowest, rest[0, 2]]
    placed = np.tile(np.eye(4), (len(bones.names), 1, 1))
    placed[:, :3, :3], placed[:, :3, 3] = bones.rest_rotation, bones.rest_position
    local = placed.copy()
    for node, parent in enumerate(bones.parents):
        if parent >= 0:
            local[node] = np.linalg.inv(placed[parent]) @ placed[node]
    joint_nodes = np.flatnonzero(bones.joint >= 0)
    order = np.argsort(-mesh.skin_weights, axis=1)[:, :4]
    weights = np.take_along_axis(mesh.skin_weights, order, axis=1).astype(np.float64)
    texture, painted = _palette(mesh)
    outside = _without_inner_layer(mesh)
    vertex, colour, faces = _one_colour_a_face(outside.astype(np.int64), painted)
    colours = texture.size[0] // _BLOCK
    uv = np.column_stack([(colour + 0.5) / colours, np.full(len(colour), 0.5)])
    names = PRESETS[rig].names
    joints = zip(body.joint_names, joint_nodes, strict=True)
    humanoid = {names[joint]: int(node) for joint, node in joints if joint in names}
    return Character(
        path=Path("alex"),
        sha256="",
        kind="glb",
        names=bones.names,
        parents=np.asarray(bones.parents, dtype=np.int64),
        local=local,
        source_nodes=np.arange(len(bones.names)),
        meshes=(
            CharacterMesh(
                name="Alex",
                vertices=vertices[vertex],
                faces=faces,
                uv=uv,
                material=0,
                nodes=joint_nodes,
                inverse_bind=np.linalg.inv(placed[joint_nodes]),
                joints=order[vertex].astype(np.int64),
                weights=(weights / weights.sum(axis=1, keepdims=True))[vertex],
            ),
        ),
        materials=(Material("Alex", (1.0, 1.0, 1.0, 1.0), 0, double_sided=True),),
        textures=(texture,),
        metres=1.0,
        humanoid=humanoid if rig == "vrm" else {},
    )


def _skinned(mesh: DisplayMesh, world: Array, shift: Array) -> Array:
    """Return the vertices (V, 3) of the mean shape with posed joints."""
    turned = np.einsum("vj,jab->vab", mesh.skin_weights, world)
    moved = np.einsum("vab,vb->va", turned, mesh.template)
    return np.asarray(moved + mesh.skin_weights @ shift)


def _palette(mesh: DisplayMesh) -> tuple[Texture, Ints]:
    """Return a texture with one square per colour of the mesh, and each vertex's colour (V,)."""
    share = mesh.paint[:, 3:]
    colours = mesh.paint[:, :3] * (1 - share + share * np.array(SHIRT))
    table, index = np.unique((255 * colours).round().astype(np.uint8), axis=0, return_inverse=True)
    image = np.repeat(np.repeat(table[None], _BLOCK, axis=0), _BLOCK, axis=1)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "PNG", optimize=True)
    size = (image.shape[1], image.shape[0])
    return Texture("alex.png", file.getvalue(), "image/png", size), index.ravel()


def _without_inner_layer(mesh: DisplayMesh) -> Ints:
    """Return the faces without the inner layer of the cloth at hems, cuffs and collars.

    It lies exactly on the outer one, turned inwards and painted darker, for renderers that draw
    outsides only. Others, such as Blender, draw both at the same depth, and dark patches show.
    """
    _, place = np.unique(mesh.template, axis=0, return_inverse=True)
    corners = np.sort(place.ravel()[mesh.faces], axis=1)
    _, triangle, count = np.unique(corners, axis=0, return_inverse=True, return_counts=True)
    brightness = mesh.paint[mesh.faces, :3].sum(axis=(1, 2))
    brightest = np.zeros(len(count))
    np.maximum.at(brightest, triangle.ravel(), brightness)
    return np.asarray(mesh.faces[brightness == brightest[triangle.ravel()]])


def _one_colour_a_face(faces: Ints, colour: Ints) -> tuple[Ints, Ints, Ints]:
    """Split vertices where colours meet, so that no triangle runs across the palette.

    Returns
    -------
    vertex, colour : (N,) arrays
        Of the new vertices: the vertex that they copy, and their colour.
    faces : (F, 3) array
        Of the new vertices.
    """
    own = np.median(colour[faces], axis=1).astype(np.int64)
    pairs = np.stack([faces.ravel(), np.repeat(own, 3)], axis=1)
    unique, index = np.unique(pairs, axis=0, return_inverse=True)
    return unique[:, 0], unique[:, 1], index.reshape(-1, 3)


def with_twist_bones(character: Character) -> Character:
    """Return a character on Unreal's rig with a twist bone on each upper and lower arm."""
    names, parents = list(character.names), character.parents.tolist()
    local = list(character.local)
    mesh = character.meshes[0]
    nodes, bind = mesh.nodes.tolist(), list(mesh.inverse_bind)
    joints = np.pad(mesh.joints, ((0, 0), (0, 4)))
    weights = np.pad(mesh.weights, ((0, 0), (0, 4)))
    for side in ("l", "r"):
        for slot, (bone, end) in enumerate(zip(_TWISTS, ("lowerarm", "hand"), strict=True)):
            node, next_node = names.index(f"{bone}_{side}"), names.index(f"{end}_{side}")
            offset = local[next_node][:3, 3]
            names.append(f"{bone}_twist_01_{side}")
            parents.append(node)
            local.append(np.eye(4))
            local[-1][:3, 3] = 0.1 * offset if slot == 0 else 0.9 * offset
            joint = nodes.index(node)
            nodes.append(len(names) - 1)
            bind.append(np.linalg.inv(local[-1]) @ bind[joint])
            along = (mesh.vertices @ bind[joint][:3, :3].T + bind[joint][:3, 3]) @ offset
            along = np.clip(along / (offset @ offset), 0.0, 1.0)
            share = 1 - along if slot == 0 else along
            for column in range(mesh.joints.shape[1]):
                own = mesh.joints[:, column] == joint
                moved = np.where(own, weights[:, column] * share, 0.0)
                weights[:, column] -= moved
                target = 4 + 2 * (side == "r") + slot
                joints[own, target] = len(nodes) - 1
                weights[:, target] += moved
    new = replace(
        mesh,
        nodes=np.array(nodes),
        inverse_bind=np.stack(bind),
        joints=joints,
        weights=weights,
    )
    return replace(
        character,
        names=tuple(names),
        parents=np.array(parents),
        local=np.stack(local),
        source_nodes=np.arange(len(names)),
        meshes=(new,),
    )


def wild(character: Character) -> Character:
    """Return a character with odd axes, names without meaning, and an armature scaled by 100."""
    rng = np.random.default_rng(4)
    turns = Rotation.random(len(character.names), rng=rng).as_matrix()
    placed = compose(character.local, character.parents)
    placed[:, :3, :3] = placed[:, :3, :3] @ turns
    placed[:, :3, 3] /= 100.0
    local = placed.copy()
    for node, parent in enumerate(character.parents):
        if parent >= 0:
            local[node] = np.linalg.inv(placed[parent]) @ placed[node]
    armature = np.eye(4)
    armature[:3, :3] = 100.0 * _X_UP
    mesh = character.meshes[0]
    world = armature @ placed
    # the vertices stay as they are, in a space that is not the file's
    space = np.eye(4)
    space[:3, :3] = _X_UP
    bind = np.linalg.inv(world[mesh.nodes]) @ space
    first = np.zeros(len(mesh.faces), dtype=bool)
    first[: len(first) // 2] = True
    moved = replace(mesh, nodes=mesh.nodes + 1, inverse_bind=bind)
    return replace(
        character,
        names=("thing", *(f"b{(7 * n) % 31:02d}" for n in range(len(character.names)))),
        parents=np.r_[-1, character.parents + 1],
        local=np.concatenate([armature[None], local]),
        source_nodes=np.arange(len(character.names) + 1),
        meshes=(_part(moved, first, "upper"), _part(moved, ~first, "lower")),
        humanoid={},
    )


def _part(mesh: CharacterMesh, faces: Any, name: str) -> CharacterMesh:
    used, index = np.unique(mesh.faces[faces], return_inverse=True)
    return replace(
        mesh,
        name=name,
        vertices=mesh.vertices[used],
        faces=index.reshape(-1, 3),
        uv=None if mesh.uv is None else mesh.uv[used],
        joints=mesh.joints[used],
        weights=mesh.weights[used],
    )


def turned(character: Character, axes: Array) -> Character:
    """Return a character whose file world is rotated by `axes` (3, 3)."""
    move = np.eye(4)
    move[:3, :3] = axes
    roots = np.flatnonzero(character.parents < 0)
    local = character.local.copy()
    local[roots] = move @ local[roots]
    meshes = tuple(
        replace(
            mesh,
            vertices=mesh.vertices @ axes.T,
            inverse_bind=mesh.inverse_bind @ np.linalg.inv(move),
        )
        for mesh in character.meshes
    )
    return replace(character, local=local, meshes=meshes)


def write_vrm(path: Path, character: Character) -> None:
    """Write a character as VRM 1.0."""
    document, buffer = new_parts(character, np.eye(3))
    bones = {bone: {"node": int(node)} for bone, node in character.humanoid.items()}
    bones = {bone: node for bone, node in bones.items() if "MiddleProximal" not in bone}
    document["extensionsUsed"] = ["VRMC_vrm"]
    document["extensions"] = {
        "VRMC_vrm": {"specVersion": "1.0", "meta": _META, "humanoid": {"humanBones": bones}}
    }
    finish(document, buffer)
    write_chunks(path, document, buffer)


_META: Mapping[str, Any] = {
    "name": "Alex",
    "version": "1",
    "authors": ["PyMAF Live", "MakeHuman (body and clothes)"],
    "licenseUrl": "https://vrm.dev/licenses/1.0/",
    "avatarPermission": "everyone",
    "commercialUsage": "corporation",
    "creditNotation": "unnecessary",
    "allowRedistribution": True,
    "modification": "allowModificationRedistribution",
    "otherLicenseUrl": "https://creativecommons.org/publicdomain/zero/1.0/",
}


def write_glb(path: Path, character: Character) -> None:
    """Write a character as glTF."""
    document, buffer = new_parts(character, np.eye(3))
    finish(document, buffer)
    write_chunks(path, document, buffer)


def write_all(folder: Path) -> dict[str, Path]:
    """Write the four files into a folder and return them by rig."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "vrm": folder / "alex.vrm",
        "mixamo": folder / "alex_mixamo.fbx",
        "unreal": folder / "alex_unreal.fbx",
        "wild": folder / "alex_wild.glb",
    }
    body = default_body()
    write_vrm(paths["vrm"], alex("vrm", body))
    write_new_fbx(paths["mixamo"], alex("mixamo", body), None, Fraction(30), "")
    unreal = turned(with_twist_bones(alex("unreal", body)), _Z_UP)
    write_new_fbx(paths["unreal"], unreal, None, Fraction(30), "", up="z")
    write_glb(paths["wild"], wild(alex("smpl", body)))
    return paths


def main() -> int:
    """Write the files into the folder named on the command line and print their sizes."""
    for rig, path in write_all(Path(sys.argv[1])).items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        print(f"{rig:8} {path} {path.stat().st_size / 1e6:.2f} MB {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The character: data types, and the limits that files are held to.

Frames of reference: *local* is relative to the parent node, *file world* is that of the file's
scene, in its own unit and with its own up and forward axes. `measure.Measures` leads from the file
world to the character's own frame (metres, y up, facing +z).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints

Kind = Literal["glb", "gltf", "vrm", "fbx"]

MAX_FILE_BYTES = 256 << 20
MAX_NODES = 8192
MAX_DEPTH = 512
MAX_MESHES = 2048
MAX_VERTICES = 2_000_000
MAX_TRIANGLES = 1_000_000
MAX_TEXTURES = 512
MAX_TEXTURE_BYTES = 64 << 20
MAX_TEXTURE_SIDE = 8192
"""Pixels."""
MAX_NAME = 256
"""Characters of a name that are kept."""


@dataclass(frozen=True, eq=False)
class Texture:
    """Encoded image of a file."""

    name: str
    content: bytes
    mime: str
    """'image/png' or 'image/jpeg'."""
    size: tuple[int, int]
    """Width, height in pixels."""


@dataclass(frozen=True)
class Material:
    """Appearance of a mesh, reduced to what the preview and the exports can show."""

    name: str
    colour: tuple[float, float, float, float]
    """Linear RGBA 0..1, multiplied by the texture."""
    texture: int = -1
    """Index into `Character.textures`; -1 without one."""
    toon: bool = False
    """True for MToon and unlit materials, which ignore most of the light."""
    transparent: bool = False
    double_sided: bool = False


@dataclass(frozen=True, eq=False)
class CharacterMesh:
    """Triangles with one material, moved by J nodes; V vertices, F triangles.

    A mesh that moves rigidly with a node has that node as its only joint.
    """

    name: str
    vertices: Array
    """(V, 3) in the space that `inverse_bind` starts from, file units."""
    faces: Ints
    """(F, 3) counter-clockwise seen from outside."""
    uv: Array | None
    """(V, 2), v downwards as in glTF; None without texture coordinates."""
    material: int
    """Index into `Character.materials`."""
    nodes: Ints
    """(J,) node of each joint."""
    inverse_bind: Array
    """(J, 4, 4) from the space of `vertices` to the node's."""
    joints: Ints
    """(V, K) indices into `nodes`."""
    weights: Array
    """(V, K) rows sum to 1."""
    skinned: bool = True
    """False for a mesh that moves rigidly with one node."""


@dataclass(frozen=True, eq=False)
class Character:
    """Skeleton, meshes and textures of a file; B nodes, parents before children."""

    path: Path
    sha256: str
    """SHA-256 of the file, hexadecimal; the key of its saved mapping."""
    kind: Kind
    names: tuple[str, ...]
    """(B,) as in the file; may repeat."""
    parents: Ints
    """(B,) -1 at a root."""
    local: Array
    """(B, 4, 4) rest transforms relative to the parent, file units."""
    source_nodes: Ints
    """(B,) index of the node in the file (glTF) or id of its model (FBX)."""
    meshes: tuple[CharacterMesh, ...]
    materials: tuple[Material, ...]
    textures: tuple[Texture, ...]
    metres: float
    """Metres per file unit, as the file states it."""
    humanoid: Mapping[str, int] = field(default_factory=dict)
    """Node of each bone that the file itself names (VRM), by VRM 1.0's names."""
    notes: tuple[str, ...] = ()
    """Remarks on what was left out."""

    @cached_property
    def rest(self) -> Array:
        """(B, 4, 4) rest transforms in the file world."""
        return compose(self.local, self.parents)

    @cached_property
    def joint_nodes(self) -> frozenset[int]:
        """Nodes that move skinned vertices."""
        skinned = [mesh.nodes for mesh in self.meshes if mesh.skinned]
        return frozenset(int(node) for nodes in skinned for node in nodes)

    @property
    def triangle_count(self) -> int:
        """Number of triangles of all meshes."""
        return sum(len(mesh.faces) for mesh in self.meshes)

    def children(self, node: int) -> list[int]:
        """Return the child nodes of a node."""
        return [int(child) for child in np.flatnonzero(self.parents == node)]


def compose(local: Array, parents: Ints) -> Array:
    """Return world transforms (..., B, 4, 4) of local ones; parents come before children."""
    world = np.array(local, dtype=np.float64)
    for node, parent in enumerate(parents):
        if parent >= 0:
            world[..., node, :, :] = world[..., parent, :, :] @ world[..., node, :, :]
    return world


def parents_first(path: Path, parents: Ints) -> Ints:
    """Return an order of nodes in which parents come before their children.

    Raises
    ------
    InputError
        If nodes are their own ancestors, or the hierarchy is too deep.
    """
    depth = np.full(len(parents), -1)
    for start in range(len(parents)):
        chain: list[int] = []
        node = start
        while node >= 0 and depth[node] < 0:
            if len(chain) > MAX_DEPTH:
                raise InputError(f"{path}: the nodes form a cycle, or more than {MAX_DEPTH} levels")
            chain.append(node)
            node = int(parents[node])
        above = int(depth[node]) if node >= 0 else -1
        for each in reversed(chain):
            above += 1
            depth[each] = above
    return np.argsort(depth, kind="stable")


def clean_name(name: str) -> str:
    """Return a name without control characters, of bounded length."""
    return "".join(c for c in name if c.isprintable())[:MAX_NAME]

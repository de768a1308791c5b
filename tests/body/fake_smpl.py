"""Synthetic files in SMPL's layout, for tests without the licensed ones.

The body is the open body enlarged by the factor `SCALE`, with some faces split to change the
vertex count, reordered vertices and synthetic pose directions. `write_old_pickle` writes the file
as Python 2 with chumpy did: protocol 2, chumpy objects, a sparse regressor, bytes as latin-1 text.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.sparse import csc_matrix

SCALE = 1.04


def fake_smpl(body, split=200, pose_directions=True, seed=0):
    """Return the entries of an SMPL file, and the row of each vertex of the open body in it."""
    random = np.random.default_rng(seed)
    faces = body.faces[random.choice(len(body.faces), split, replace=False)]
    first = len(body.template)
    rows = np.zeros((first + split, first))
    rows[np.arange(first), np.arange(first)] = 1
    rows[first + np.arange(split)[:, None], faces] = 1 / 3
    order = random.permutation(first + split)
    place = np.argsort(order)
    chosen = {tuple(face): first + k for k, face in enumerate(faces)}
    split_faces = []
    for face in body.faces:
        middle = chosen.get(tuple(face))
        if middle is None:
            split_faces.append(face)
        else:
            a, b, c = face
            split_faces += [[a, b, middle], [b, c, middle], [c, a, middle]]
    joints = body.joint_count
    regressor = np.zeros((joints, first + split))
    regressor[:, :first] = body.joint_regressor.toarray()
    vertices = (rows @ body.template)[order] * SCALE
    parents = body.parents.astype(np.uint32)
    parents[0] = np.uint32(2**32 - 1)
    directions = np.einsum("vu,ucs->vcs", rows, body.shape_directions)[order]
    pose = random.normal(scale=2e-3, size=(first + split, 3, 9 * (joints - 1)))
    entries = {
        "v_template": vertices,
        "f": place[np.array(split_faces)].astype(np.uint32),
        "shapedirs": np.concatenate([directions, directions[:, :, :5]], axis=2),
        "J_regressor": csc_matrix(regressor[:, order]),
        "weights": (rows @ body.skin_weights)[order],
        "kintree_table": np.stack([parents, np.arange(joints, dtype=np.uint32)]),
        "J": np.zeros((joints, 3)),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    if pose_directions:
        entries["posedirs"] = pose.astype(np.float32)
    return entries, place[:first]


def small_smpl(body, vertices=160, seed=1):
    """Return a body with few vertices and SMPL's joint tree; its surface is meaningless."""
    random = np.random.default_rng(seed)
    vertex_rows = np.sort(random.choice(len(body.template), vertices, replace=False))
    joints = body.joint_count
    regressor = random.uniform(size=(joints, vertices)) ** 8
    regressor /= regressor.sum(axis=1, keepdims=True)
    parents = body.parents.astype(np.uint32)
    parents[0] = np.uint32(2**32 - 1)
    return {
        "v_template": body.template[vertex_rows],
        "f": random.integers(0, vertices, (2 * vertices, 3)).astype(np.uint32),
        "shapedirs": body.shape_directions[vertex_rows],
        "J_regressor": csc_matrix(regressor),
        "weights": body.skin_weights[vertex_rows]
        / body.skin_weights[vertex_rows].sum(1, keepdims=True),
        "kintree_table": np.stack([parents, np.arange(joints, dtype=np.uint32)]),
        "posedirs": random.normal(scale=0.01, size=(vertices, 3, 9 * (joints - 1))),
    }


class _Chumpy:
    """Provides `chumpy.ch.Ch` and `chumpy.reordering.Select` while a pickle is written."""

    def __enter__(self):
        chumpy, ch, reordering = (
            types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")
        )
        ch.Ch = type("Ch", (), {"__module__": "chumpy.ch"})
        reordering.Select = type("Select", (ch.Ch,), {"__module__": "chumpy.reordering"})
        self.modules = {m.__name__: m for m in (chumpy, ch, reordering)}
        sys.modules.update(self.modules)
        return ch.Ch, reordering.Select

    def __exit__(self, *_):
        for name in self.modules:
            del sys.modules[name]


def write_old_pickle(path: Path, entries) -> Path:
    """Write the entries as a Python 2 pickle with chumpy objects."""
    with _Chumpy() as (Ch, Select):

        def chumpy_array(values):
            array = Ch()
            array.__dict__.update(
                x=np.asarray(values),
                _dirty_vars={"x"},
                _parents=None,
                _cache={"r": None, "drs": {}},
            )
            return array

        content = dict(entries)
        for name in ("v_template", "weights", "J"):
            if name in content:
                content[name] = chumpy_array(content[name])
        if "shapedirs" in content:
            full = np.asarray(content["shapedirs"])
            indices = np.arange(full.size)
            select = Select()
            select.__dict__.update(
                a=chumpy_array(full.ravel()), idxs=indices, preferred_shape=full.shape
            )
            content["shapedirs"] = select
        buffer = io.BytesIO()
        _OldPickler(buffer, protocol=2).dump(content)
    data = buffer.getvalue()
    # module names of older library versions
    for new, old in (
        (b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"),
        (b"cscipy.sparse._csc\n", b"cscipy.sparse.csc\n"),
    ):
        assert new in data
        data = data.replace(new, old)
    path.write_bytes(data)
    return path


class _OldPickler(pickle._Pickler):
    """Writes bytes and text as Python 2's `str`, without an encoding."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def _string(self, value):
        raw = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[bytes] = _string
    dispatch[str] = _string

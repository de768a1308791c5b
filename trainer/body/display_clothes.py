"""Clothes of the display body: the open body in a T-shirt, trousers, shoes and short hair.

The garments come from a folder of CC0 clothes (docs/notes/dressed-people.md), are decimated by
half-edge collapses, so that binding and skin weights carry over exactly, and merged with the skin
that they leave uncovered into one mesh on the open body's skeleton. Rims of sleeves, legs and
collars get a second, inner layer, because only outsides are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from pymaf_live.body import Body, default_body
from pymaf_live.body.display_mesh import DisplayMesh, save_display_meshes
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array, Ints
from trainer.body.open_body.decimate import decimate
from trainer.body.open_body.geometry import boundary_edges
from trainer.synthesis.dressed.garments import Clothes, Garment

_OUTFIT, _SHOES, _HAIR = "male_casualsuit06", "shoes01", "short01"
_OUTFIT_VERTICES, _SHOE_VERTICES, _HAIR_VERTICES, _WIRE_VERTICES = 1_900, 560, 1_300, 700
_HEM = -1.02
"""Height in the T-pose frame, m; shafts of the shoes above it lie inside the trousers."""
_RIM = 0.05
"""Metres; triangles this near to an open edge are drawn from the inside as well."""
_SOLE = 0.035
"""Metres above the lowest point of the shoes."""

# sRGB 0..1; the shirt has the person's own colour
_SKIN, _HAIR_COLOUR, _TROUSERS = (0.80, 0.64, 0.54), (0.25, 0.19, 0.16), (0.30, 0.34, 0.43)
_SHOE, _SOLE_COLOUR = (0.27, 0.26, 0.27), (0.85, 0.84, 0.82)
_SHIRT = (1.0, 1.0, 1.0)
_INSIDE = 0.7
"""Brightness of the inner layer of cloth, which lies in the shade."""


@dataclass(frozen=True)
class Layer:
    """Part of the mesh: V vertices and F triangles of its own."""

    template: Array
    directions: Array
    weights: Array
    faces: Ints
    colours: Array
    tint: Array


def build_display_clothes(folder: Path, out: Path, reporter: Reporter = SILENT) -> None:
    """Write the meshes that dress the open body on the screen.

    Parameters
    ----------
    folder : Path
        Folder of clothes.
    out : Path
        File to write; replaced.
    reporter : Reporter

    Raises
    ------
    InputError
        If the folder is incomplete.
    OutputError
        If the file cannot be written.
    """
    body = default_body()
    clothes = Clothes(folder)
    outfit, shoes = clothes.garment(_OUTFIT), _without_shafts(clothes.garment(_SHOES))
    hair = clothes.garment(_HAIR)
    reporter.progress(0.1, "skin")
    layers = [_uncovered_skin(body, clothes, [outfit, shoes])]
    for fraction, garment, vertices in (
        (0.2, outfit, _OUTFIT_VERTICES),
        (0.5, shoes, _SHOE_VERTICES),
        (0.6, hair, _HAIR_VERTICES),
    ):
        reporter.progress(fraction, garment.name)
        layers.append(_garment_layer(garment, vertices))
    layers = [with_rims(layer) for layer in layers[:3]] + layers[3:]
    reporter.progress(0.8, "wireframe")
    save_display_meshes(
        out, body.sha256, {"clothed": _merged(layers), "wireframe": _wireframe(body)}
    )
    reporter.progress(1.0)


def _without_shafts(shoes: Garment) -> Garment:
    keep = shoes.template[shoes.faces][..., 1].max(axis=1) < _HEM
    return shoes.part(np.asarray(keep))


def _uncovered_skin(body: Body, clothes: Clothes, garments: list[Garment]) -> Layer:
    """Return the body's own triangles that no garment hides."""
    # every vertex of the open body is one of the undecimated body's
    distance, base = cKDTree(clothes.base_template).query(body.template)
    if distance.max() > 1e-4:
        raise ValueError("the clothes are bound to another body")
    hidden = np.zeros(len(clothes.base_template), bool)
    for garment in garments:
        hidden[garment.hidden] = True
    faces = body.faces[~hidden[base][body.faces].all(axis=1)]
    count = len(body.template)
    directions, weights = body.shape_directions, body.skin_weights
    colours = np.tile(np.array(_SKIN), (count, 1))
    layer = Layer(body.template, directions, weights, faces, colours, np.zeros(count))
    return _used(layer)


def _garment_layer(garment: Garment, vertices: int) -> Layer:
    """Return a garment with at most about `vertices` vertices."""
    _, first = np.unique(garment.weld, return_index=True)
    faces = first[garment.weld][garment.faces]
    proper = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    faces, slot = faces[proper], garment.face_slot[proper]
    template = garment.template.astype(np.float64)
    top = np.zeros(len(template), bool)
    top[faces[slot == 1]] = True
    # pieces are reduced one by one, so that shirt and trousers stay apart
    share = vertices / len(np.unique(faces))
    reduced = []
    for piece in np.unique(slot):
        own = faces[slot == piece]
        target = int(share * len(np.unique(own)))
        factor = np.ones(len(template))
        reduced.append(decimate(template, own, target, frozenset(), factor, profile=False))
    count = len(template)
    colours, tint = np.zeros((count, 3)), np.zeros(count)
    if garment.kind == "outfit":
        colours[:], colours[top], tint[top] = _TROUSERS, _SHIRT, 1.0
    elif garment.kind == "shoes":
        low = template[:, 1] < template[:, 1].min() + _SOLE
        colours[:], colours[low] = _SHOE, _SOLE_COLOUR
    else:
        colours[:] = _HAIR_COLOUR
    directions = garment.directions.astype(np.float64)
    layer = Layer(template, directions, garment.weights, np.concatenate(reduced), colours, tint)
    return _used(layer)


def with_rims(layer: Layer) -> Layer:
    """Return the layer with reversed copies of the triangles near its open edges."""
    edges = np.array(boundary_edges(layer.faces))
    if not len(edges):
        return layer
    near = cKDTree(layer.template[edges.ravel()]).query(layer.template)[0] < _RIM
    inner = layer.faces[near[layer.faces].all(axis=1)][:, ::-1]
    count = len(layer.template)
    copied = np.unique(inner)
    renumbered = np.zeros(count, np.int64)
    renumbered[copied] = count + np.arange(len(copied))

    def doubled(values: Array, share: float = 1.0) -> Array:
        return np.concatenate([values, share * values[copied]])

    return Layer(
        doubled(layer.template),
        doubled(layer.directions),
        doubled(layer.weights),
        np.concatenate([layer.faces, renumbered[inner]]),
        doubled(layer.colours, _INSIDE),
        doubled(layer.tint),
    )


def _used(layer: Layer) -> Layer:
    """Return the layer with only the vertices that a triangle uses."""
    used, faces = np.unique(layer.faces, return_inverse=True)
    return Layer(
        layer.template[used], layer.directions[used], layer.weights[used],
        faces.reshape(-1, 3), layer.colours[used], layer.tint[used],
    )  # fmt: skip


def _merged(layers: list[Layer]) -> DisplayMesh:
    starts = np.cumsum([0, *(len(layer.template) for layer in layers)])
    return _display_mesh(
        Layer(
            np.concatenate([layer.template for layer in layers]),
            np.concatenate([layer.directions for layer in layers]),
            np.concatenate([layer.weights for layer in layers]),
            np.concatenate([layer.faces + s for layer, s in zip(layers, starts, strict=False)]),
            np.concatenate([layer.colours for layer in layers]),
            np.concatenate([layer.tint for layer in layers]),
        )
    )


def _wireframe(body: Body) -> DisplayMesh:
    """Return a coarse version of the body, whose edges can be told apart on the screen."""
    count = len(body.template)
    faces = decimate(
        body.template, body.faces, _WIRE_VERTICES, frozenset(), np.ones(count), profile=False
    )
    return _display_mesh(
        _used(
            Layer(
                body.template,
                body.shape_directions,
                body.skin_weights,
                faces,
                np.ones((count, 3)),
                np.ones(count),
            )
        )
    )


def _display_mesh(layer: Layer) -> DisplayMesh:
    return DisplayMesh(
        faces=layer.faces.astype(np.int32),
        template=layer.template.astype(np.float32),
        directions=layer.directions.astype(np.float32),
        skin_weights=layer.weights.astype(np.float32),
        paint=np.c_[layer.colours, layer.tint].astype(np.float32),
    )

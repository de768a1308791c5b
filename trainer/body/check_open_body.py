"""Checks of a body file: properties that the program relies on, and body measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.body import Body, load_body, rest_joints
from pymaf_live.resources import resource
from pymaf_live.types import Array, Ints
from trainer.body.open_body.geometry import mesh_volume
from trainer.body.open_body.population import DENSITY
from trainer.body.open_body.skeleton import MIRROR

_BODIES = 200
"""Number of random bodies that are measured and checked."""


def winding_numbers(points: Array, faces: Ints, positions: Array) -> Array:
    """Return the winding numbers (N,) of positions (N, 3): 1 inside a closed mesh, 0 outside.

    Jacobson et al., 'Robust inside-outside segmentation using generalized winding numbers'
    (SIGGRAPH 2013); the solid angle is Van Oosterom and Strackee's.
    """
    a, b, c = (points[faces[:, k]][None] - positions[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    top = (a * np.cross(b, c)).sum(axis=2)
    bottom = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
    return np.asarray(2 * np.arctan2(top, bottom).sum(axis=1) / (4 * np.pi))


def check_mesh(body: Body) -> dict[str, bool]:
    """Check that the mesh is one closed surface, wound outwards, without unused vertices."""
    faces = body.faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {(int(a), int(b)) for a, b in edges}
    undirected = len(np.unique(np.sort(edges, axis=1), axis=0))
    return {
        "closed, consistently wound": len(directed) == len(edges)
        and all((b, a) in directed for a, b in directed),
        "one sphere (Euler number 2)": len(body.template) - undirected + len(faces) == 2,
        "wound outwards": bool(mesh_volume(body.template, faces) > 0),
        "no unused vertices": len(np.unique(faces)) == len(body.template),
    }


def check_symmetry(body: Body, mirror_vertex: Array) -> dict[str, bool]:
    """Check that left and right are mirror images."""
    other = mirror_vertex.astype(int)
    regressor = body.joint_regressor.toarray()
    sample = set(body.sample_vertices.tolist())
    return {
        "template symmetric": np.allclose(body.template, body.template[other] * MIRROR, atol=1e-6),
        "shape directions symmetric": np.allclose(
            body.shape_directions, body.shape_directions[other] * MIRROR[:, None], atol=1e-6
        ),
        "skin weights symmetric": np.allclose(
            body.skin_weights, body.skin_weights[other][:, body.joint_mirror], atol=1e-5
        ),
        "joint regressor symmetric": np.allclose(
            regressor, regressor[body.joint_mirror][:, other], atol=1e-5
        ),
        "sampled vertices distinct and symmetric": len(sample) == len(body.sample_vertices)
        and set(other[body.sample_vertices].tolist()) == sample,
    }


def check_charts(arrays: dict[str, Array]) -> dict[str, bool]:
    """Check that the texture charts fit the mesh and no face is flipped in its chart."""
    corners = arrays["uv"].astype(float)[arrays["uv_f"]]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    part = arrays["face_part"]
    flipped = sum(
        min(int((area[part == k] > 0).sum()), int((area[part == k] < 0).sum()))
        for k in np.unique(part)
    )
    return {
        "charts lie on the mesh": bool(
            (arrays["uv_vertex"][arrays["uv_f"]] == arrays["f"]).all()
            and (arrays["uv_part"][arrays["uv_f"]] == part[:, None]).all()
        ),
        "no face flipped or degenerate in its chart": flipped == 0
        and bool((np.abs(area) > 1e-12).all()),
    }


def check_joints_inside(body: Body, shapes: Array) -> dict[str, bool]:
    """Check that every joint lies inside the body for shapes (N, S)."""
    joints = rest_joints(body, shapes)
    outside = 0
    for shape, positions in zip(shapes, joints, strict=True):
        skin = body.template + body.shape_directions @ shape
        outside += int((winding_numbers(skin, body.faces, positions) < 0.5).sum())
    return {f"joints inside {len(shapes)} random bodies": outside == 0}


def describe_body(body: Body, shapes: Array) -> list[str]:
    """Return the body's sizes and the stature and weight of shapes (N, S), one line each."""
    skins = body.template + np.einsum("vcs,ns->nvc", body.shape_directions, shapes)
    stature = np.ptp(skins[:, :, 1], axis=1)
    weight = DENSITY * mesh_volume(skins, body.faces)
    bmi = weight / stature**2
    most = int((body.skin_weights > 0).sum(axis=1).max())
    distance = np.min(
        [
            np.linalg.norm(body.template - body.template[vertex], axis=1)
            for vertex in body.sample_vertices
        ],
        axis=0,
    )
    return [
        f"{len(body.template)} vertices, {len(body.faces)} faces, {body.joint_count} joints, "
        f"{body.shape_count} shapes, {len(body.keypoint_names)} key points",
        f"mean body: {np.ptp(body.template[:, 1]):.3f} m, "
        f"{DENSITY * mesh_volume(body.template, body.faces):.1f} kg",
        f"{len(shapes)} random bodies: {stature.mean():.2f} +- {stature.std():.2f} m, "
        f"{weight.mean():.0f} +- {weight.std():.0f} kg, "
        f"BMI {bmi.mean():.1f} +- {bmi.std():.1f}",
        f"at most {most} joints per vertex; every vertex is within "
        f"{1000 * distance.max():.0f} mm of a sampled one",
    ]


def check_file(path: Path | None = None) -> tuple[list[str], dict[str, bool]]:
    """Check a body file.

    Parameters
    ----------
    path : Path, optional
        The shipped body by default.

    Returns
    -------
    lines : list of str
        Measurements of the body.
    checks : dict of str to bool
        Result of every check by its name.

    Raises
    ------
    ModelError
        If the file is not a body.
    """
    path = path or resource("body/open_body.npz")
    body = load_body(path)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    shapes = np.random.default_rng(1).standard_normal((_BODIES, body.shape_count))
    weights = csr_matrix(body.skin_weights)
    return describe_body(body, shapes), {
        **check_mesh(body),
        "at most four joints per vertex": int(np.diff(weights.indptr).max()) <= 4,
        **check_symmetry(body, arrays["mirror_vertex"]),
        **check_charts(arrays),
        **check_joints_inside(body, shapes),
    }

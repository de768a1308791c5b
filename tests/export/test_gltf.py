"""Tests of the glTF export, with pygltflib as independent reader."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pygltflib import GLTF2
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.export import gltf
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions
from pymaf_live.takes.take import Take
from tests.export.judges import khronos_report
from tests.helpers.take import make_take, moving_limbs, walking_past

RATE = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    times = np.arange(30) / float(RATE)
    shapes = np.zeros((30, body.shape_count))
    shapes[:, :2] = [1.5, -1.0]
    return make_take(
        body,
        times,
        {1: moving_limbs(body, times, 1.2)},
        {1: walking_past(times)},
        rate=RATE,
        shapes={1: shapes},
    )


def array(document: GLTF2, index: int) -> np.ndarray:
    accessor = document.accessors[index]
    view = document.bufferViews[accessor.bufferView]
    dtype = {5126: "<f4", 5121: "u1", 5123: "<u2", 5125: "<u4"}[accessor.componentType]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor.type]
    values = np.frombuffer(document.binary_blob(), dtype, accessor.count * width, view.byteOffset)
    return values.reshape(-1, width)


def vertices_in_file(path: Path, frame: int) -> np.ndarray:
    """Return the vertices skinned by the file's weights, as glTF's specification defines it."""
    document = GLTF2().load_binary(str(path))
    moves = {}
    for channel in document.animations[0].channels:
        sampler = document.animations[0].samplers[channel.sampler]
        moves[channel.target.node, channel.target.path] = array(document, sampler.output)[frame]
    world: dict[int, np.ndarray] = {}

    def walk(index: int, above: np.ndarray) -> None:
        node = document.nodes[index]
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(moves[index, "rotation"]).as_matrix()
        local[:3, 3] = moves.get((index, "translation"), node.translation)
        world[index] = above @ local
        for child in node.children or []:
            walk(child, world[index])

    skin = document.skins[0]
    walk(skin.joints[0], np.eye(4))
    inverse = array(document, skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    bones = np.stack([world[joint] @ inverse[i] for i, joint in enumerate(skin.joints)])
    attributes = document.meshes[0].primitives[0].attributes
    points = np.c_[
        array(document, attributes.POSITION), np.ones(len(array(document, attributes.POSITION)))
    ]
    weights, joints = array(document, attributes.WEIGHTS_0), array(document, attributes.JOINTS_0)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    blended = np.einsum("vk,vkij->vij", weights, bones[joints])
    return np.einsum("vij,vj->vi", blended, points)[:, :3]


@pytest.mark.parametrize("rig", ["smpl", "mixamo", "vrm"])
def test_skinned_mesh_of_the_file_equals_the_take(
    body: Body, take: Take, tmp_path: Path, rig: str
) -> None:
    options = ExportOptions(rig=rig, world="camera")  # type: ignore[arg-type]
    (path,) = FORMATS["glb"](take, body, tmp_path / "a.glb", options)
    posed = PointSet.vertices(body)
    for row in (0, 13, 29):
        rotations = matrix_from_axis_angle(take.pose[row])
        wanted = posed.pose(rotations, take.shape[row], take.translation[row]) * [1, -1, -1]
        found = vertices_in_file(path, row)
        assert np.linalg.norm(found - wanted, axis=-1).max() < 1e-4


def test_rate_is_exact_in_the_extras_and_the_times(body: Body, take: Take, tmp_path: Path) -> None:
    (done,) = FORMATS["glb"].write(take, body, tmp_path / "a.glb")
    document = GLTF2().load_binary(str(done.path))
    animation = document.animations[0]
    assert animation.extras["frame_rate"] == [30000, 1001]
    times = array(document, animation.samplers[0].input)[:, 0]
    np.testing.assert_allclose(times, np.arange(30) * 1001 / 30000, atol=1e-6)
    assert done.rate == pytest.approx(30000 / 1001, rel=1e-6)


def test_quaternion_signs_are_continuous(body: Body, take: Take, tmp_path: Path) -> None:
    times = np.arange(90) / 30
    turns = moving_limbs(body, times)
    turns[:, 0] = turns[:, 0] @ Rotation.from_euler("y", 4 * times[:, None]).as_matrix()
    spinning = make_take(body, times, {1: turns}, {1: walking_past(times)})
    (path,) = FORMATS["glb"](spinning, body, tmp_path / "a.glb")
    document = GLTF2().load_binary(str(path))
    for channel in document.animations[0].channels:
        if channel.target.path == "rotation":
            sampler = document.animations[0].samplers[channel.sampler]
            q = array(document, sampler.output)
            assert (q[1:] * q[:-1]).sum(axis=1).min() > 0.9


def test_without_mesh_a_skeleton_is_written(body: Body, take: Take, tmp_path: Path) -> None:
    (path,) = FORMATS["glb"](take, body, tmp_path / "a.glb", ExportOptions(mesh=False))
    document = GLTF2().load_binary(str(path))
    assert not document.meshes
    (skin,) = document.skins
    assert skin.joints == list(range(body.joint_count))
    assert [node.name for node in document.nodes] == list(body.joint_names)


def test_wrong_file_is_not_kept(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quaternions = gltf.quaternion_from_matrix
    monkeypatch.setattr(gltf, "quaternion_from_matrix", lambda R: quaternions(R) + 0.05)
    with pytest.raises(OutputError, match="mm off"):
        FORMATS["glb"](take, body, tmp_path / "a.glb")
    assert not list(tmp_path.iterdir())


def test_file_with_a_wrong_rate_is_not_kept(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    floats = gltf.floats
    monkeypatch.setattr(
        gltf, "floats", lambda d, b, i: floats(d, b, i) * (1.001 if i == 0 else 1.0)
    )
    with pytest.raises(OutputError, match=r"29\.9401 frames per second instead of 29\.97"):
        FORMATS["glb"](take, body, tmp_path / "a.glb")
    assert not list(tmp_path.iterdir())


@pytest.mark.interop
@pytest.mark.parametrize("mesh", [True, False], ids=["mesh", "bones"])
@pytest.mark.parametrize("rig", RIGS)
def test_khronos_validator_reports_no_error(
    body: Body, take: Take, tmp_path: Path, rig: str, mesh: bool
) -> None:
    options = ExportOptions(rig=rig, rest_first=True, mesh=mesh)  # type: ignore[arg-type]
    (path,) = FORMATS["glb"](take, body, tmp_path / "a.glb", options)
    report = khronos_report(path)
    assert '"numErrors":0,"numWarnings":0' in report, report

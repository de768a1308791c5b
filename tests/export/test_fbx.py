"""Tests of the FBX export, with ufbx as independent reader."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.export import fbx, fbx_document, fbx_objects
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, moving_limbs, walking_past

RATE = Fraction(30000, 1001)

# ufbx can crash if an object is destroyed early: keep all objects, in a separate process
SKINNED = """
import gc, json, os, sys
import ufbx
gc.disable()
kept = []
def keep(thing):
    kept.append(thing)
    return thing
scene = keep(ufbx.load_file(sys.argv[1]))
settings = keep(scene.settings)
options = keep(ufbx.EvaluateOpts())
found = {"rate": float(settings.frames_per_second), "unit": float(settings.unit_meters)}
geometry = keep(keep(scene.meshes)[0])
weights = keep(keep(keep(geometry.skin_deformers)[0]).weights)
found["weights"] = [float(keep(weights[i]).weight) for i in range(len(weights))]
normals = keep(keep(geometry.vertex_normal).values)
found["normal"] = [[float(n.x), float(n.y), float(n.z)]
                   for n in (keep(normals[i]) for i in range(0, len(normals), 997))]
curves = keep(scene.anim_curves)
found["times"] = [float(keep(k).time) for k in keep(keep(curves[0]).keyframes)]
clusters = keep(keep(keep(geometry.skin_deformers)[0]).clusters)
evaluated = keep(ufbx.evaluate_scene(scene, keep(scene.anim), float(sys.argv[2])))
mesh = keep(keep(evaluated.meshes)[0])
deformer = keep(keep(mesh.skin_deformers)[0])
matrices = []
for cluster in keep(deformer.clusters):
    matrix = keep(keep(cluster).geometry_to_world)
    matrices.append([[float(getattr(keep(getattr(matrix, c)), a)) for c in ("c0", "c1", "c2", "c3")]
                     for a in "xyz"])
found["matrices"] = matrices
found["spans"] = [[int(keep(v).weight_begin), int(v.num_weights)] for v in keep(deformer.vertices)]
found["cluster"] = [int(keep(weights[i]).cluster_index) for i in range(len(weights))]
found["points"] = [[float(p.x), float(p.y), float(p.z)]
                   for p in (keep(q) for q in keep(mesh.vertices))]
print(json.dumps(found), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    times = np.arange(30) / float(RATE)
    turns = {1: moving_limbs(body, times, 1.2)}
    return make_take(body, times, turns, {1: walking_past(times)}, rate=RATE)


def read(path: Path, seconds: float) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", SKINNED, str(path), repr(seconds)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("unit", "metres"), [("cm", 0.01), ("m", 1.0)])
def test_ufbx_skins_the_mesh_like_the_take(
    body: Body, take: Take, tmp_path: Path, unit: str, metres: float
) -> None:
    options = ExportOptions(unit=unit, world="camera")  # type: ignore[arg-type]
    (path,) = FORMATS["fbx"](take, body, tmp_path / "a.fbx", options)
    row = 13
    found = read(path, float(row / RATE))
    assert found["unit"] == metres
    assert found["rate"] == pytest.approx(29.97003, abs=1e-4)
    np.testing.assert_allclose(found["times"], np.arange(30) * 1001 / 30000, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(found["normal"], axis=1), 1, atol=1e-6)
    points = np.c_[np.array(found["points"]), np.ones(len(body.template))]
    matrices = np.array(found["matrices"])
    skinned = np.zeros((len(points), 3))
    weights, cluster = np.array(found["weights"]), np.array(found["cluster"])
    for vertex, (start, count) in enumerate(found["spans"]):  # type: ignore[arg-type]
        each = slice(start, start + count)
        assert weights[each].sum() == pytest.approx(1, abs=1e-6)
        moved = np.einsum("kij,j->ki", matrices[cluster[each]], points[vertex])
        skinned[vertex] = weights[each] @ moved
    rotations = matrix_from_axis_angle(take.pose[row])
    wanted = PointSet.vertices(body).pose(rotations, take.shape[row], take.translation[row])
    wanted = wanted * [1, -1, -1]
    assert np.linalg.norm(skinned * metres - wanted, axis=-1).max() < 1e-4


@pytest.mark.parametrize(
    ("rig", "rate"),
    [*((rig, None) for rig in RIGS), ("smpl", Fraction(24)), ("smpl", Fraction(25, 2))],
)
def test_every_rig_and_rate_passes_verification(
    body: Body, take: Take, tmp_path: Path, rig: str, rate: Fraction | None
) -> None:
    options = ExportOptions(rig=rig, rate=rate, rest_first=True)  # type: ignore[arg-type]
    (done,) = FORMATS["fbx"].write(take, body, tmp_path / "a.fbx", options)
    assert done.joint_error is not None
    assert done.joint_error < 1e-5
    assert done.rate == pytest.approx(float(rate or RATE), rel=1e-6)


def nested_lists(content: bytes) -> list[tuple[str, bool]]:
    """Return the name of every scene object of a file and if it contains a list of nodes."""

    def node(start: int) -> tuple[str, int, int]:
        end, _, size, length = struct.unpack_from("<IIIB", content, start)
        name = content[start + 13 : start + 13 + length].decode()
        return name, start + 13 + length + size, end

    start = 27
    while (top := node(start))[0] != "Objects":
        start = top[2]
    start, found = top[1], []
    while (each := node(start))[2]:
        name, children, end = each
        found.append((name, content[children:end].endswith(bytes(13))))
        start = end
    return found


@pytest.mark.parametrize("mesh", [True, False])
def test_every_object_has_a_list_of_nodes_even_if_it_is_empty(
    body: Body, take: Take, tmp_path: Path, mesh: bool
) -> None:
    (path,) = FORMATS["fbx"](take, body, tmp_path / "a.fbx", ExportOptions(mesh=mesh))
    found = nested_lists(path.read_bytes())
    # the FBX SDK and assimp ignore the whole animation if its layer has none
    assert "AnimationLayer" in dict(found)
    assert all(has_list for _, has_list in found)


def test_wrong_file_is_not_kept(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    angles = fbx_objects.continuous_angles
    monkeypatch.setattr(fbx_objects, "continuous_angles", lambda R, order: angles(R, order) + 0.05)
    with pytest.raises(OutputError, match="mm off"):
        FORMATS["fbx"](take, body, tmp_path / "a.fbx")
    assert not list(tmp_path.iterdir())


def test_file_with_a_wrong_stated_rate_is_not_kept(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fbx_document.TIME_MODES, RATE, 6)  # 30
    with pytest.raises(OutputError, match="frames per second"):
        FORMATS["fbx"](take, body, tmp_path / "a.fbx")
    assert not list(tmp_path.iterdir())


def test_file_that_ufbx_cannot_read_is_an_output_error(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(file: object, top: object, written: object) -> None:
        file.write(b"Kaydara FBX Binary  \0\x1a\0" + b"\0" * 50)  # type: ignore[attr-defined]

    monkeypatch.setattr(fbx, "write_file", cut_short)
    with pytest.raises(OutputError, match="cannot be read back"):
        FORMATS["fbx"](take, body, tmp_path / "a.fbx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rate", "remarks"),
    [
        (RATE, ("99.9 %", "scene to 30", "export at 30")),
        (Fraction(24000, 1001), ("99.9 %", "scene to 24", "export at 24")),
        (Fraction(25, 2), ("104.2 %", "scene to 12", "export at 12")),
        (Fraction(3, 10), ("30 %", "scene to 1 ", "export at 1 ")),
        (Fraction(1, 1_000_000), ("too long for Blender",)),
        (Fraction(25), ()),
    ],
)
def test_note_describes_blenders_handling_of_fractional_rates(
    body: Body, tmp_path: Path, rate: Fraction, remarks: tuple[str, ...]
) -> None:
    times = np.arange(3) / float(rate)
    turns = {1: moving_limbs(body, times)}
    take = make_take(body, times, turns, {1: walking_past(np.zeros(3))}, rate=rate)
    (file,) = FORMATS["fbx"].write(take, body, tmp_path / "a.fbx")
    assert all(remark in file.note for remark in remarks)
    assert ("Blender" in file.note) == bool(remarks)

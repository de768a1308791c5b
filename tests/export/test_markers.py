"""Tests of marker files (TRC, C3D) with readers from elsewhere, and of SMPL parameters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import ezc3d
import numpy as np
import pytest
from trc import TRCData

from pymaf_live.body import Body, PointSet, default_body, pose_joints
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.markers import MARKERS
from pymaf_live.export.options import ExportOptions, Unit
from pymaf_live.takes.take import Take
from tests.export.judges import unavailable
from tests.helpers.take import make_take, moving_limbs, walking_past

FRAMES = 20
RATE = Fraction(30000, 1001)
MISSING = np.array([False] * 6 + [True] * 4 + [False] * 10)
"""Frames in which the person is not seen."""
Y_UP = np.array([1.0, -1.0, -1.0])
Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From the camera frame: x, then forward, then up."""

_OPENSIM = """
import sys
import numpy as np
import opensim
table = opensim.TimeSeriesTableVec3(sys.argv[1])
rows = [table.getRowAtIndex(i) for i in range(table.getNumRows())]
count = table.getNumColumns()
np.savez(
    sys.argv[2],
    names=list(table.getColumnLabels()),
    times=list(table.getIndependentColumn()),
    points=[[[row[k][axis] for axis in range(3)] for k in range(count)] for row in rows],
    unit=table.getTableMetaDataString("Units"),
    rate=float(table.getTableMetaDataString("DataRate")),
)
"""


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    times = np.arange(FRAMES) / float(RATE)
    seen = np.flatnonzero(~MISSING)
    shapes = np.tile(np.random.default_rng(4).normal(size=body.shape_count), (len(seen), 1))
    return make_take(
        body,
        times,
        {1: moving_limbs(body, times)[seen]},
        {1: walking_past(times)[seen]},
        rate=RATE,
        frames={1: seen},
        shapes={1: shapes},
    )


@pytest.fixture(scope="module")
def expected(body: Body, take: Take) -> dict[str, np.ndarray]:
    """Return each marker's positions (N, 3) m in the camera frame in the frames that are seen."""
    names = [*dict.fromkeys(MARKERS.values())]
    rows = body.keypoint_regressor[[body.keypoint_names.index(name) for name in names]]
    points = PointSet.from_rows(body, rows).pose(
        matrix_from_axis_angle(take.pose), take.shape, take.translation
    )
    places = dict(zip(names, points.transpose(1, 0, 2), strict=True))
    return {marker: places[name] for marker, name in MARKERS.items()}


@pytest.fixture
def written(body: Body, take: Take, tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, unit: Unit | None = None) -> Path:
        options = ExportOptions(world="camera", unit=unit)
        (file,) = FORMATS[name].write(take, body, FORMATS[name].target(tmp_path / "a"), options)
        assert "missing there" in file.note
        return file.path

    return write


def largest_distance(
    expected: dict[str, np.ndarray], found: dict[str, np.ndarray], axes: np.ndarray
) -> float:
    """Return the largest distance in metres; markers must be missing where they should be."""
    assert set(found) == set(expected)
    distance = 0.0
    for name, places in found.items():
        assert np.isnan(places).any(axis=1).tolist() == MISSING.tolist()
        distance = max(distance, float(np.abs(places[~MISSING] - expected[name] @ axes).max()))
    return distance


def test_trc_is_read_by_another_reader(
    written: Callable[..., Path], expected: dict[str, np.ndarray]
) -> None:
    data = TRCData()
    data.load(str(written("trc")))
    assert (data["NumFrames"], data["NumMarkers"], data["Units"]) == (FRAMES, 26, "mm")
    assert data["DataRate"] == pytest.approx(float(RATE), rel=1e-9)
    np.testing.assert_allclose(data["Time"], np.arange(FRAMES) / float(RATE), atol=1e-9)
    found = {name: np.array(data[name]) / 1000 for name in data["Markers"]}
    assert largest_distance(expected, found, np.diag(Y_UP)) < 1e-6


@pytest.mark.interop
@pytest.mark.parametrize("unit", [None, "m"])
def test_opensim_reads_trc(
    written: Callable[..., Path],
    expected: dict[str, np.ndarray],
    tmp_path: Path,
    unit: Unit | None,
) -> None:
    folder = os.environ.get("PYMAF_LIVE_OPENSIM") or unavailable("OpenSim is not installed")
    subprocess.run(
        [sys.executable, "-c", _OPENSIM, str(written("trc", unit)), str(tmp_path / "read.npz")],
        env={**os.environ, "PYTHONPATH": folder},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=120,
    )
    with np.load(tmp_path / "read.npz") as file:
        read = dict(file)
    assert str(read["unit"]) == (unit or "mm")
    assert float(read["rate"]) == pytest.approx(float(RATE), rel=1e-9)
    np.testing.assert_allclose(read["times"], np.arange(FRAMES) / float(RATE), atol=1e-9)
    scale = 1 if unit else 1000
    found = {str(name): read["points"][:, k] / scale for k, name in enumerate(read["names"])}
    assert largest_distance(expected, found, np.diag(Y_UP)) < 1e-6


def test_c3d_is_read_by_both_libraries(
    written: Callable[..., Path], expected: dict[str, np.ndarray]
) -> None:
    path = written("c3d")  # the package c3d has read it in the check
    content = ezc3d.c3d(str(path))
    point = content["parameters"]["POINT"]
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"][0] == pytest.approx(float(RATE), rel=1e-6)
    assert [point[name]["value"] for name in ("X_SCREEN", "Y_SCREEN")] == [["+X"], ["+Z"]]
    places = content["data"]["points"][:3].transpose(1, 2, 0) / 1000
    found = dict(zip(point["LABELS"]["value"], places, strict=True))
    assert largest_distance(expected, found, Z_UP) < 1e-6


def test_a_marker_that_reads_back_elsewhere_is_refused(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pymaf_live.export.trc._DIGITS", {"m": 2})
    with pytest.raises(OutputError, match="mm off"):
        FORMATS["trc"](take, body, tmp_path / "a.trc", ExportOptions(unit="m"))
    assert not list(tmp_path.iterdir())


def test_smpl_parameters_give_the_joints_in_both_frames(
    body: Body, take: Take, tmp_path: Path
) -> None:
    (path,) = FORMATS["smpl"](take, body, tmp_path / "a.smpl.npz")
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    assert data["pose"].shape == data["pose_world"].shape == (FRAMES, 72)
    assert data["betas"].shape == (FRAMES, body.shape_count)
    assert np.ptp(data["betas"], axis=0).max() == 0
    assert float(data["fps"]) == pytest.approx(float(RATE), rel=1e-12)
    np.testing.assert_array_equal(data["seen"], ~MISSING)
    joints = {}
    for frame in ("", "_world"):
        turns = matrix_from_axis_angle(data["pose" + frame].reshape(FRAMES, -1, 3))
        joints[frame] = pose_joints(body, turns, data["betas"], data["trans" + frame])
    # the camera frame is the take's, and its matrix projects onto the image
    camera = joints[""][~MISSING]
    np.testing.assert_allclose(camera, take.joints, atol=1e-6)
    pixels = camera @ data["K"].T
    np.testing.assert_allclose(pixels[..., :2] / pixels[..., 2:], take.joints_2d, atol=1e-2)
    # the world is a rigid motion away, upright and on the ground
    lengths = [np.linalg.norm(each[:, 4] - each[:, 15], axis=-1) for each in joints.values()]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-9)
    assert np.abs(joints["_world"][0, 0, [0, 2]]).max() < 1e-6
    assert joints["_world"][0, 15, 1] > joints["_world"][0, 0, 1] > 0.5

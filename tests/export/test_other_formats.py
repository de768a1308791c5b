"""Tests of the CSV, AMASS, silhouette and USD exports."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import Interrupted, OutputError
from pymaf_live.export import amass, mask_workers
from pymaf_live.export import csv as csv_format
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions
from pymaf_live.takes.take import Take
from tests.helpers.reporter import RecordingReporter
from tests.helpers.take import make_take, moving_limbs, standing, walking_past

RATE = Fraction(30000, 1001)
needs_usd = pytest.mark.skipif(
    importlib.util.find_spec("pxr") is None, reason="usd-core is not installed"
)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    times = np.arange(12) / float(RATE)
    turns = {1: moving_limbs(body, times, 0.8)}
    return make_take(body, times, turns, {1: walking_past(times)}, rate=RATE)


@pytest.mark.parametrize(("unit", "scale"), [("m", 1.0), ("cm", 100.0)])
def test_csv_contains_units_joints_and_rotations(
    body: Body, take: Take, tmp_path: Path, unit: str, scale: float
) -> None:
    options = ExportOptions(unit=unit, world="camera")  # type: ignore[arg-type]
    (path,) = FORMATS["csv"](take, body, tmp_path / "a.csv", options)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    for frame in (0, 7, 11):
        row = rows[frame]
        assert int(row["frame"]) == frame
        assert float(row["time_s"]) == pytest.approx(frame * 1001 / 30000, abs=1e-9)
        assert row["seen"] == "1"
        for joint, name in enumerate(body.joint_names):
            place = [float(row[f"{name}_{axis}_{unit}"]) for axis in "xyz"]
            wanted = take.joints[frame, joint] * [1, -1, -1]
            np.testing.assert_allclose(np.array(place) / scale, wanted, atol=1e-5)
            w, *xyz = (float(row[f"{name}_q{part}"]) for part in "wxyz")
            turn = Rotation.from_quat([*xyz, w])
            own = Rotation.from_rotvec(take.pose[frame, joint])
            if joint == 0:
                own = Rotation.from_rotvec([np.pi, 0, 0]) * own
            assert (turn.inv() * own).magnitude() < 1e-5


def test_csv_marks_frames_without_a_measurement(body: Body, tmp_path: Path) -> None:
    times = np.arange(10) / 30
    there = np.r_[0:4, 6:9]
    turns, places = {1: standing(body, 7)}, {1: walking_past(times[there])}
    gaps = make_take(body, times, turns, places, frames={1: there})
    (done,) = FORMATS["csv"].write(gaps, body, tmp_path / "a.csv")
    with done.path.open(newline="", encoding="utf-8") as file:
        seen = [row["seen"] for row in csv.DictReader(file)]
    assert "".join(seen) == "1111001110"
    assert "not seen in 3 of 10 frames" in done.note


def test_csv_with_wrong_rotations_is_not_kept(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = csv_format.quaternion_from_matrix
    monkeypatch.setattr(csv_format, "quaternion_from_matrix", lambda R: turned(R) + 0.02)
    with pytest.raises(OutputError, match="rotations put joints"):
        FORMATS["csv"](take, body, tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


def test_rig_does_not_affect_formats_without_rigs(body: Body, take: Take, tmp_path: Path) -> None:
    (path,) = FORMATS["csv"](take, body, tmp_path / "a.csv", ExportOptions(rig="unreal"))
    assert "pelvis_x_m,pelvis_y_m" in path.read_text().splitlines()[0]
    assert "root_x_m" not in path.read_text().splitlines()[0]


def test_amass_file_poses_the_body_as_amass_does(body: Body, take: Take, tmp_path: Path) -> None:
    options = ExportOptions(world="camera")
    (path,) = FORMATS["amass"](take, body, tmp_path / "a.amass.npz", options)
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    assert {"trans", "poses", "betas", "dmpls", "gender", "mocap_framerate"} <= set(found)
    assert found["poses"].shape == (12, 156)
    assert found["betas"].shape == (16,)
    assert str(found["gender"]) == "neutral"
    assert float(found["mocap_framerate"]) == float(RATE)
    # vertices = skinned(poses, betas) + trans, in AMASS's z-up world
    rotations = np.tile(np.eye(3), (12, body.joint_count, 1, 1))
    own = found["poses"].reshape(12, 52, 3)[:, :22]
    rotations[:, :22] = matrix_from_axis_angle(own)
    vertices = PointSet.vertices(body).pose(
        rotations, np.tile(found["betas"][: body.shape_count], (12, 1)), found["trans"]
    )
    hands = [body.joint_names.index(f"{side}_hand") for side in ("left", "right")]
    bodily = body.skin_weights[:, hands].sum(axis=1) == 0
    wanted = PointSet.vertices(body).pose(
        matrix_from_axis_angle(take.pose), take.shape, take.translation
    )
    z_up = np.stack([wanted[..., 0], wanted[..., 2], -wanted[..., 1]], axis=-1)
    assert np.abs(vertices - z_up)[:, bodily].max() < 1e-6


def test_wrong_amass_file_is_not_kept(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = amass.axis_angle_from_matrix
    monkeypatch.setattr(amass, "axis_angle_from_matrix", lambda R: turned(R) * 1.02)
    with pytest.raises(OutputError, match="mm off"):
        FORMATS["amass"](take, body, tmp_path / "a.amass.npz")
    assert not list(tmp_path.iterdir())


def test_masks_from_several_processes_equal_those_from_one(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = np.arange(70) / 30
    turns, places = moving_limbs(body, times), walking_past(times)
    beside = places + np.array([0.5, 0, 1])
    take = make_take(body, times, {1: turns, 2: turns}, {1: places, 2: beside})
    reporter = RecordingReporter()
    monkeypatch.setattr(mask_workers, "available_cores", lambda: 2)
    FORMATS["mask"](take, body, tmp_path / "one_masks")
    monkeypatch.setattr(mask_workers, "_MIN_PARALLEL_FRAMES", 60)
    FORMATS["mask"](take, body, tmp_path / "two_masks", reporter=reporter)
    names = [path.name for path in sorted((tmp_path / "one_masks").iterdir())]
    assert names == [path.name for path in sorted((tmp_path / "two_masks").iterdir())]
    assert len(names) == 70
    for name in names:
        one, two = ((tmp_path / f"{n}_masks" / name).read_bytes() for n in ("one", "two"))
        assert one == two
    fractions = reporter.fractions
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    with pytest.raises(Interrupted):
        FORMATS["mask"](
            take, body, tmp_path / "no_masks", reporter=RecordingReporter(cancel_after=0.0)
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one_masks", "two_masks"]


def test_body_beyond_the_image_or_behind_the_camera_is_clipped(body: Body, tmp_path: Path) -> None:
    # the trunk fills the image, with vertices far outside; the feet are behind the camera
    turns = np.tile(standing(body, 1), (2, 1, 1, 1))
    near = np.array([[0.0, 0.1, 0.35], [30.0, 0.0, 4.0]])
    take = make_take(body, np.arange(2) / 30, {1: turns}, {1: near})
    (folder,) = FORMATS["mask"](take, body, tmp_path / "a_masks")
    within, outside = (cv2.imread(str(path), -1) for path in sorted(folder.iterdir()))
    assert within[360, 640] == 255
    assert within.mean() > 0.25 * 255
    assert not outside.any()


def test_silhouettes_cover_the_body_only(body: Body, tmp_path: Path) -> None:
    times = np.arange(3) / 30
    turns, places = {1: standing(body, 2)}, {1: np.tile([0.2, 0.1, 4.0], (2, 1))}
    take = make_take(body, times, turns, places, frames={1: np.array([0, 2])})
    (folder,) = FORMATS["mask"](take, body, tmp_path / "a_masks")
    images = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(folder.iterdir())]
    assert [image.shape for image in images] == [(720, 1280)] * 3
    assert not images[1].any()  # no person
    mask = images[0]
    assert set(np.unique(mask)) == {0, 255}
    x, y = take.joints_2d[0].round().astype(int).T
    assert (mask[y, x] == 255).all()
    ys, xs = np.nonzero(mask)
    vertices = PointSet.vertices(body).pose(
        standing(body, 1), np.zeros((1, body.shape_count)), np.array([[0.2, 0.1, 4.0]])
    )[0]
    u = take.focal_length * vertices[:, 0] / vertices[:, 2] + take.principal_point[0]
    v = take.focal_length * vertices[:, 1] / vertices[:, 2] + take.principal_point[1]
    assert abs(xs.min() - u.min()) < 1.5
    assert abs(xs.max() - u.max()) < 1.5
    assert abs(ys.min() - v.min()) < 1.5
    assert abs(ys.max() - v.max()) < 1.5
    # black between the legs, no holes within the trunk
    _, parts = cv2.connectedComponents(mask)
    assert parts.max() == 1
    hips = take.joints_2d[0, [body.joint_names.index(f"{s}_ankle") for s in ("left", "right")]]
    between = hips.mean(axis=0).round().astype(int)
    assert mask[between[1], between[0]] == 0


def test_invisible_body_leaves_black_images(body: Body, tmp_path: Path) -> None:
    times = np.arange(2) / 30
    places = {1: np.array([[0.0, 0.0, -3.0], [500.0, 0.0, 1.0]])}
    take = make_take(body, times, {1: standing(body, 2)}, places)
    (folder,) = FORMATS["mask"](take, body, tmp_path / "a_masks")
    assert not any(cv2.imread(str(path)).any() for path in folder.iterdir())


def test_silhouettes_of_images_keep_names_and_sizes_inside_the_folder(
    body: Body, tmp_path: Path
) -> None:
    times = np.arange(3, dtype=float)
    places = {1: np.tile([0.0, 0.2, 4.0], (3, 1))}
    take = make_take(body, times, {1: standing(body, 3)}, places)
    cameras = np.array([[64, 48, 60.0, 32, 24], [48, 64, 60.0, 24, 32], [64, 48, 60.0, 32, 24]])
    take = replace(take, picture_name=("a.jpg", "../../a.png", "ünï.jpg"), picture_camera=cameras)
    (folder,) = FORMATS["mask"](take, body, tmp_path / "in" / "a_masks")
    found = {path.name: cv2.imdecode(np.fromfile(path, np.uint8), 0) for path in folder.iterdir()}
    assert set(found) == {"a.png", "a_2.png", "ünï.png"}
    assert found["a_2.png"].shape == (64, 48)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_folder_with_other_files_is_never_replaced(body: Body, take: Take, tmp_path: Path) -> None:
    folder = tmp_path / "a_masks"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(OutputError):
            FORMATS["mask"](take, body, folder, force=force)
    assert (folder / "thesis.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["a_masks"]


@needs_usd
@pytest.mark.parametrize("rig", RIGS)
def test_usd_skinning_equals_the_take(body: Body, take: Take, tmp_path: Path, rig: str) -> None:
    from pxr import Gf, Usd, UsdGeom, UsdSkel, UsdValidation, Vt

    options = ExportOptions(rig=rig, unit="cm", world="camera")  # type: ignore[arg-type]
    (done,) = FORMATS["usd"].write(take, body, tmp_path / "ä.usd", options)
    assert done.rate == float(RATE)
    stage = Usd.Stage.Open(str(done.path))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert not UsdValidation.ValidationContext(validators).Validate(stage)
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 0.01
    assert stage.GetTimeCodesPerSecond() == float(RATE)
    assert stage.GetEndTimeCode() == 11
    root = UsdSkel.Root(stage.GetDefaultPrim())
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.TraverseInstanceProxies())
    skeleton = UsdSkel.Skeleton(stage.GetPrimAtPath("/person/skeleton"))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/person/body"))
    skinning = cache.GetSkinningQuery(mesh.GetPrim())
    transforms = cache.GetSkelQuery(skeleton).ComputeSkinningTransforms(7)
    points = Vt.Vec3fArray([Gf.Vec3f(p) for p in mesh.GetPointsAttr().Get()])
    assert skinning.ComputeSkinnedPoints(transforms, points, 7)
    wanted = PointSet.vertices(body).pose(
        matrix_from_axis_angle(take.pose[7]), take.shape[7], take.translation[7]
    ) * [1, -1, -1]
    distance = np.linalg.norm(np.array(points) / 100 - wanted, axis=-1)
    # bound in the A-pose: only blended skin at the shoulders deviates a little
    assert distance.max() < (0.04 if rig == "unreal" else 1e-4)
    assert np.median(distance) < 1e-4


@needs_usd
@pytest.mark.parametrize("name", ["usda", "usdz"])
def test_usd_as_text_and_as_package_hold_the_same_as_the_binary(
    body: Body, take: Take, tmp_path: Path, name: str
) -> None:
    from pxr import Usd, UsdSkel, UsdValidation

    rotations = []
    for kind in ("usd", name):
        (path,) = FORMATS[kind](take, body, tmp_path / f"a.{kind}")
        stage = Usd.Stage.Open(str(path))
        validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
        assert not UsdValidation.ValidationContext(validators).Validate(stage)
        motion = UsdSkel.Animation(stage.GetPrimAtPath("/person/motion"))
        rotations.append(np.array(motion.GetRotationsAttr().Get(5)))
        assert stage.GetTimeCodesPerSecond() == float(RATE)
    np.testing.assert_array_equal(*rotations)
    start = {"usda": b"#usda 1.0", "usdz": b"PK"}[name]
    assert path.read_bytes().startswith(start)


def test_without_usd_core_the_error_says_what_to_install(
    body: Body, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pxr", None)
    with pytest.raises(OutputError, match=r"pip install 'pymaf-live\[usd\]'"):
        FORMATS["usd"](take, body, tmp_path / "a.usd")
    assert not list(tmp_path.iterdir())


def test_masks_larger_than_any_image_are_refused(body: Body, tmp_path: Path) -> None:
    times = np.arange(2) / 30
    take = make_take(body, times, {1: standing(body, 2)}, {1: np.tile([0.0, 0.0, 4.0], (2, 1))})
    huge = replace(take, frame_size=(60_000, 60_000))
    with pytest.raises(OutputError, match="60000x60000"):
        FORMATS["mask"](huge, body, tmp_path / "a_masks")
    assert list(tmp_path.iterdir()) == []

"""Synthetic people: true labels, reproducible and complete sets, and clean sets."""

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_live.body import PointSet, crop_points_2d, default_body, pixels_from_crop_units
from pymaf_live.errors import InputError, OutputError, UsageError
from pymaf_live.tracking.crop import SIDE
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.base import KEYPOINT_NAMES
from trainer.data.crop_views import nearest_camera
from trainer.data.motion.clips import FREE_FORMATS
from trainer.data.synthetic import HIDDEN, OUTSIDE, VISIBLE, read_synthetic
from trainer.synthesis import generate as command
from trainer.synthesis.backdrops import FREE_LICENCES, Backdrops
from trainer.synthesis.everyday_poses import EverydayPoses
from trainer.synthesis.generate import SynthesisOptions, generator, synthesize, take_finished
from trainer.synthesis.poses import TEST_CLIPS, Poses
from trainer.synthesis.render_sample import SampleRenderer
from trainer.synthesis.wardrobe import Wardrobe, pose_figure


@pytest.fixture(scope="module")
def no_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder without data: everyday poses before painted places need no files."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def renderer() -> SampleRenderer:
    body = default_body()
    return SampleRenderer(
        body, Poses(body, motion=None), Backdrops(ccp=None, lspet=None, coco=None), 128
    )


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "IMAGES_PER_SHARD", 3)


def options(data: Path, **changes: object) -> SynthesisOptions:
    settings: dict[str, object] = {"count": 7, "seed": 5, "size": 96, "data": str(data)}
    return SynthesisOptions(**{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(no_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "made"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "IMAGES_PER_SHARD", 3)
        synthesize(folder, options(no_data))
    return folder


def test_truth_is_consistent_and_agrees_with_the_image(renderer: SampleRenderer) -> None:
    body = renderer.body
    mesh = PointSet.vertices(body)
    coverage = []
    for row in range(12):
        image, truth = renderer.render(np.random.default_rng([1, row]))
        assert image.dtype == np.uint8
        assert max(image.shape[:2]) <= 128
        own = renderer.keypoints(truth.rotations, truth.shape)
        np.testing.assert_allclose(own - own[[2, 3]].mean(axis=0), truth.joints_3d, atol=1e-9)
        label = truth.crop.to_frame(
            pixels_from_crop_units(crop_points_2d(own, truth.camera), truth.crop.size)
        )
        inside = truth.visibility != OUTSIDE
        misses = np.linalg.norm(label - truth.keypoints, axis=1)[inside]
        # a crop unit is half the crop's side
        assert misses.max() == pytest.approx(truth.misfit * truth.crop.side / 2, rel=1e-6)
        height, width = image.shape[:2]
        within = ((truth.keypoints > -0.5) & (truth.keypoints < [width - 0.5, height - 0.5])).all(1)
        assert np.array_equal(within, inside)
        if truth.kind == "whole":
            assert inside[:14].all()
            extent = np.ptp(truth.crop.to_crop(truth.keypoints[:14]), axis=0).max()
            assert extent * SIDE == pytest.approx(truth.crop.size)
        # the labelled body covers the key points that are seen
        flat = crop_points_2d(mesh.pose(truth.rotations, truth.shape), truth.camera)
        mask = np.zeros((height, width), np.uint8)
        pixels = truth.crop.to_frame(pixels_from_crop_units(flat, truth.crop.size))
        for face in np.round(pixels[body.faces] * 16).astype(np.int32):
            cv2.fillConvexPoly(mask, face, 1, cv2.LINE_8, 4)
        near = cv2.dilate(mask, np.ones((7, 7), np.uint8))
        seen = np.round(truth.keypoints[truth.visibility == VISIBLE]).astype(int)
        coverage += [near[y, x] for x, y in seen.clip(0, [width - 1, height - 1]).tolist()]
    assert np.mean(coverage) > 0.97


def test_the_person_is_rendered_at_the_true_place(
    renderer: SampleRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grey(size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, str]:
        return np.full((size[1], size[0], 3), 118, np.uint8), "grey"

    monkeypatch.setattr(renderer.backdrops, "draw", grey)
    for name in ("_WITH_ANOTHER", "_OCCLUDED", "_FURNISHED", "_TRUNCATED"):
        monkeypatch.setattr(f"trainer.synthesis.render_sample.{name}", 0.0)
    # without camera effects, so that only the person differs from grey
    monkeypatch.setattr(
        "trainer.synthesis.render_sample.record_image",
        lambda canvas, _: (np.clip(canvas, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8),
    )
    monkeypatch.setattr("trainer.synthesis.render_sample.add_contact_shadow", lambda *_: None)
    on_person, elsewhere = [], []
    for row in range(10):
        image, truth = renderer.render(np.random.default_rng([2, row]))
        changed = np.abs(image.astype(int) - 118).max(axis=2) > 3
        x, y = np.round(truth.keypoints).astype(int).T
        seen = truth.visibility == VISIBLE
        on_person.append(cv2.dilate(changed.astype(np.uint8), np.ones((3, 3)))[y[seen], x[seen]])
        low, high = truth.keypoints.min(axis=0), truth.keypoints.max(axis=0)
        margin = 0.25 * float((high - low).max()) + 3
        rows, columns = np.nonzero(changed)
        far = (columns < low[0] - margin) | (columns > high[0] + margin)
        far |= (rows < low[1] - margin) | (rows > high[1] + margin)
        elsewhere.append(far.mean())
    assert np.mean(np.concatenate(on_person)) > 0.97
    assert np.max(elsewhere) < 0.02


def test_the_nearest_camera_is_the_least_squares_solution() -> None:
    random = np.random.default_rng(0)
    points, camera = random.normal(size=(19, 2)), np.array([0.8, 0.1, -0.3])
    exact = camera[0] * (points + camera[1:])
    np.testing.assert_allclose(nearest_camera(points, exact, np.ones(19)), camera, atol=1e-12)
    noisy, weights = exact + 0.1 * random.normal(size=exact.shape), random.uniform(0.1, 1, 19)
    found = nearest_camera(points, noisy, weights)
    # as a linear system in s, s tx, s ty
    system = np.zeros((38, 3))
    system[:19, 0], system[19:, 0] = points[:, 0], points[:, 1]
    system[:19, 1], system[19:, 2] = 1, 1
    root = np.sqrt(np.r_[weights, weights])
    s, sx, sy = np.linalg.lstsq(system * root[:, None], noisy.T.ravel() * root, rcond=None)[0]
    np.testing.assert_allclose(found, [s, sx / s, sy / s], atol=1e-9)


def test_clothes_stay_near_the_skin_and_move_with_it(renderer: SampleRenderer) -> None:
    body, random = renderer.body, np.random.default_rng(3)
    wardrobe = Wardrobe(body, [])
    pose, _ = EverydayPoses(body, np.random.default_rng(0)).draw(random)
    shape = random.normal(size=body.shape_count)
    skin = PointSet.vertices(body).pose(pose, shape)
    for _ in range(4):
        figure = wardrobe.dress(shape, wardrobe.draw(random), random)
        vertices, normals = pose_figure(body, figure, pose)
        off = np.linalg.norm(vertices[: len(skin)] - skin, axis=1)
        assert off.max() < 0.12
        assert np.median(off) < 0.03
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-6)


def test_everyday_poses_are_possible_and_of_every_kind() -> None:
    body = default_body()
    everyday, random = EverydayPoses(body, np.random.default_rng(0)), np.random.default_rng(1)
    drawn = [everyday.draw(random) for _ in range(300)]
    rotations = np.stack([pose for pose, _ in drawn])
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-9)
    # the few that go past a limit are drawn again by `Poses`
    assert violates_joint_limits(body, rotations).mean() < 0.1
    assert {kind for _, kind in drawn} == {"stand", "sit", "step", "crouch", "kneel", "lie"}
    joints = {name: k for k, name in enumerate(body.joint_names)}
    sitting = rotations[[kind == "sit" for _, kind in drawn]]
    # a thigh that rests downwards points forward
    thigh = sitting[:, joints["left_hip"]] @ [0.0, -1.0, 0.0]
    assert (thigh[:, 2] > 0.6).all()


def test_poses_are_possible_in_all_directions_and_balanced_between_sides(
    renderer: SampleRenderer,
) -> None:
    random = np.random.default_rng(4)
    drawn = [renderer.poses.draw(random).rotations for _ in range(200)]
    assert violates_joint_limits(renderer.body, np.stack(drawn)).mean() < 0.01
    forward = np.stack([rotations[0] @ [0.0, 0.0, 1.0] for rotations in drawn])
    quarter = np.histogram(np.arctan2(forward[:, 0], forward[:, 2]), 4, (-np.pi, np.pi))[0]
    assert quarter.min() > 30
    elbow = (
        renderer.body.joint_names.index("left_elbow"),
        renderer.body.joint_names.index("right_elbow"),
    )
    bend = [np.mean([np.trace(rotations[k]) for rotations in drawn]) for k in elbow]
    assert bend[0] == pytest.approx(bend[1], abs=0.25)


def test_the_reader_returns_the_truth(made: Path, no_data: Path) -> None:
    people, body = read_synthetic(made), default_body()
    assert len(people) == 7
    people.check_body(body.sha256)
    with pytest.raises(InputError, match="another body"):
        people.check_body("0" * 64)
    renderer_ = command._open_renderer(options(no_data))
    for row in (0, 3, 6):
        image, truth = renderer_.render(generator(options(no_data), row))
        labels = people.labels(row)
        assert people.image(row).shape == image.shape
        assert np.abs(people.image(row).astype(int) - image).mean() < 12
        np.testing.assert_allclose(labels.keypoints[:, :2], truth.keypoints, atol=1e-3)
        weights = {OUTSIDE: 0.0, HIDDEN: 0.5, VISIBLE: 1.0}
        assert labels.keypoints[:, 2].tolist() == [weights[v] for v in truth.visibility.tolist()]
        assert labels.body is not None
        np.testing.assert_allclose(labels.body.rotations, truth.rotations, atol=1e-6)
        np.testing.assert_allclose(labels.body.camera, truth.camera, atol=1e-5)
        assert (labels.body.joint_trust == 1).all()
        assert labels.joints_3d is not None
        assert labels.joints_3d.shape == (len(KEYPOINT_NAMES), 4)
        matrix = truth.crop.frame_from_crop
        np.testing.assert_allclose(labels.crop.frame_from_crop, matrix, rtol=1e-5, atol=1e-4)
    assert json.loads(people.table.settings)["seed"] == 5


def _content(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in folder.glob("images_*.zip")}
    with np.load(folder / "labels.npz") as file:
        return found | {name: file[name].tobytes() for name in file.files}


def test_an_interrupted_run_continues_to_the_same_set(
    made: Path, no_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = command._make_shard, []

    def killed(*arguments: object) -> object:
        calls.append(arguments[3])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    folder = tmp_path / "again"
    monkeypatch.setattr(command, "_make_shard", killed)
    with pytest.raises(KeyboardInterrupt):
        synthesize(folder, options(no_data))
    assert not (folder / "labels.npz").exists()
    with pytest.raises(InputError, match="not finished"):
        read_synthetic(folder)
    # complete shards can be used before the others
    assert take_finished(folder, options(no_data), tmp_path / "part") == 3
    part, whole = read_synthetic(tmp_path / "part"), read_synthetic(made)
    assert [part.encoded(row) for row in range(3)] == [whole.encoded(row) for row in range(3)]
    with pytest.raises(OutputError, match="exists"):
        take_finished(folder, options(no_data), tmp_path / "part")
    with pytest.raises(InputError, match="these options"):
        take_finished(folder, options(no_data, seed=9), tmp_path / "other")
    synthesize(folder, options(no_data))
    assert calls == [0, 1, 1, 2]
    assert _content(folder) == _content(made)
    assert sorted(path.name for path in folder.iterdir()) == [
        "images_00.zip", "images_01.zip", "images_02.zip", "labels.npz",
    ]  # fmt: skip
    synthesize(folder, options(no_data))
    assert calls == [0, 1, 1, 2]


@pytest.mark.integration
def test_two_processes_make_the_same_set(made: Path, no_data: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "two", options(no_data), workers=2)
    assert _content(tmp_path / "two") == _content(made)


def test_another_set_is_not_changed(made: Path, no_data: Path) -> None:
    before = _content(made)
    with pytest.raises(OutputError, match="other options"):
        synthesize(made, options(no_data, seed=6))
    assert _content(made) == before


def test_test_and_training_sets_differ(renderer: SampleRenderer, no_data: Path) -> None:
    numbers = [
        generator(options(no_data, test=test, clean=clean), 0).random()
        for test in (False, True)
        for clean in (False, True)
    ]
    assert len(set(numbers)) == 4


@pytest.mark.parametrize(
    "changes", [{"count": 0}, {"count": 10**9}, {"size": 1}, {"size": 10**6}, {"seed": -1}]
)
def test_invalid_options_are_rejected(
    no_data: Path, tmp_path: Path, changes: dict[str, int]
) -> None:
    with pytest.raises(UsageError):
        synthesize(tmp_path / "set", options(no_data, **changes))
    assert not (tmp_path / "set").exists()


def test_a_missing_data_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        synthesize(tmp_path / "set", options(tmp_path / "nowhere"))


def test_an_output_path_that_is_a_file_is_rejected(no_data: Path, tmp_path: Path) -> None:
    (tmp_path / "set").write_text("mine")
    with pytest.raises(OutputError):
        synthesize(tmp_path / "set", options(no_data))
    assert (tmp_path / "set").read_text() == "mine"


def _damaged(made: Path, folder: Path, **changes: object) -> Path:
    shutil.copytree(made, folder)
    with np.load(made / "labels.npz") as file:
        arrays = {name: file[name] for name in file.files}
    for name, value in changes.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = np.asarray(value(arrays[name]) if callable(value) else value)
    np.savez(folder / "labels.npz", **arrays)  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": None},
        {"keypoints": lambda a: a[:, :5]},
        {"keypoints": lambda a: a * np.nan},
        {"rotations": lambda a: a * 2},
        {"visibility": lambda a: a + 7},
        {"shard": lambda a: a.astype(float) + 0.5},
        {"name": lambda a: np.arange(len(a))},
        {"name": lambda a: a[:0]},
        {"crop_size": 0},
    ],
)
def test_damaged_labels_are_one_clear_error(
    made: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(InputError, match=r"labels\.npz"):
        read_synthetic(_damaged(made, tmp_path / "set", **changes))


def test_missing_and_broken_images_are_named(made: Path, tmp_path: Path) -> None:
    folder = _damaged(made, tmp_path / "set")
    with pytest.raises(InputError, match=r"there is no .*labels\.npz"):
        read_synthetic(tmp_path)
    (folder / "images_01.zip").unlink()
    with zipfile.ZipFile(folder / "images_02.zip", "w") as archive:
        archive.writestr("0000006.jpg", b"")
    people = read_synthetic(folder)
    with pytest.raises(InputError, match=r"0000003\.jpg"):
        people.image(3)
    with pytest.raises(InputError, match=r"0000006\.jpg"):
        people.image(6)
    (folder / "labels.npz").write_bytes(b"PK but not really")
    with pytest.raises(InputError, match="no synthetic labels"):
        read_synthetic(folder)


def test_clean_sets_reject_sources_that_are_not_free() -> None:
    body = default_body()
    with pytest.raises(InputError, match="not free"):
        Poses(body, motion=None, fits=np.zeros((1, 24, 3, 3), np.float32), clean=True)
    with pytest.raises(InputError, match="not free"):
        Backdrops(ccp=Path("ccp"), lspet=None, coco=None, clean=True)


def test_training_poses_use_free_motion_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def read(_: Path, formats: object, __: object) -> list[object]:
        asked.append(formats)
        return []

    monkeypatch.setattr("trainer.synthesis.poses.read_motions", read)
    Poses(default_body(), motion=tmp_path)
    Poses(default_body(), motion=tmp_path, clean=True)
    Poses(default_body(), motion=tmp_path, clean=True, test=True)
    assert asked == [FREE_FORMATS] * 3
    assert not any("bandai" in name or "amass" in name for name in FREE_FORMATS)


def test_clean_backdrops_are_free(lspet: Path) -> None:
    coco = lspet.parent / "coco_mini"
    backdrops = Backdrops(ccp=None, lspet=None, coco=coco, clean=True)
    sources = [piece.source for piece in backdrops.pieces["coco"]]
    assert sources
    assert {int(source.split()[-1]) for source in sources} <= set(FREE_LICENCES)
    random = np.random.default_rng(0)
    drawn = {backdrops.draw((32, 32), random)[1] for _ in range(60)}
    assert all(source == "painted" or source in sources for source in drawn)


def test_test_clips_exist_and_are_separate(lspet: Path) -> None:
    listed = {
        entry["file"] for entry in json.loads((lspet.parent / "mocap" / "index.json").read_text())
    }
    assert listed >= TEST_CLIPS
    assert len(TEST_CLIPS) < len(listed) / 3

"""Dressed people: garments follow the body, labels are exact, seeds reproduce."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pymaf_live.body import (
    PointSet,
    default_body,
    person_from_estimate,
    pixels_from_crop_units,
)
from pymaf_live.body.camera import camera_from_crop, crop_points_2d
from pymaf_live.body.rotations import about_z, matrix_from_axis_angle
from pymaf_live.errors import InputError
from pymaf_live.types import Estimate
from tests.helpers.paths import SHARED
from trainer.commands.app import main
from trainer.data.augmentation import Augmentation
from trainer.data.crop_augmentation import augment_framing
from trainer.data.crops import CropDataset
from trainer.data.synthetic import VISIBLE, read_synthetic
from trainer.synthesis.backdrops import Backdrops
from trainer.synthesis.dressed.cameras import looking_at
from trainer.synthesis.dressed.garments import Clothes
from trainer.synthesis.dressed.outfits import TEST_ONLY, Outfits
from trainer.synthesis.dressed.people import pose_look
from trainer.synthesis.dressed.picture import DressedRenderer, draw_parts, scene_parts
from trainer.synthesis.dressed.scene import GROUPS
from trainer.synthesis.generate import SynthesisOptions, synthesize
from trainer.synthesis.poses import Poses

CLOTHES = SHARED / "assets" / "clothes"
needs_clothes = pytest.mark.skipif(
    not CLOTHES.is_dir(), reason="needs the clothes in ../shared/assets/clothes"
)


@pytest.fixture(scope="module")
def clothes() -> Clothes:
    return Clothes(CLOTHES)


@pytest.fixture(scope="module")
def renderer(clothes: Clothes) -> DressedRenderer:
    body = default_body()
    backdrops = Backdrops(ccp=None, lspet=None, coco=None)
    return DressedRenderer(body, clothes, Poses(body, motion=None), backdrops, 160)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    options = SynthesisOptions(
        count=8, seed=3, size=160, data=str(folder), clothes=str(CLOTHES), test=True
    )
    synthesize(folder / "dressed", options)
    return folder / "dressed"


def test_a_folder_without_clothes_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="holds no clothes"):
        Clothes(tmp_path)
    out = tmp_path / "set"
    asked = ["synthesize", "--count", "1", "--data", str(tmp_path), "--out", str(out)]
    assert main([*asked, "--dressed", "--clothes", str(tmp_path)]) == 3
    assert "no clothes folder" in capsys.readouterr().err
    assert main([*asked, "--dressed"]) == 2
    assert "--dressed needs --clothes" in capsys.readouterr().err
    assert not out.exists()


def test_a_camera_sees_its_target_in_the_middle() -> None:
    place, target = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, -1.0])
    turn = looking_at(place, target, 0.0)
    seen = turn @ (target - place)
    np.testing.assert_allclose(seen[:2], 0, atol=1e-12)
    assert seen[2] > 0
    assert np.linalg.det(turn) == pytest.approx(1)
    assert (turn @ [0, 1, 0])[1] < 0  # up is up in the picture


@needs_clothes
def test_the_bound_skin_is_the_open_body(clothes: Clothes) -> None:
    # in every shape and pose the skin's surface is that of the body whose labels are given
    body = default_body()
    rng = np.random.default_rng(0)
    shape = rng.normal(size=body.shape_count)
    rotations = matrix_from_axis_angle(rng.normal(0, 0.3, (body.joint_count, 3)))
    look = Outfits(clothes).draw(0.0, rng)
    skin = pose_look(body, look, shape, rotations).vertices[0]
    labelled = PointSet.vertices(body).pose(rotations, shape)
    distance, _ = cKDTree(skin).query(labelled)
    assert np.median(distance) < 1e-3
    assert np.percentile(distance, 99) < 5e-3


@needs_clothes
def test_garments_lie_on_the_skin_in_every_shape_and_pose(clothes: Clothes) -> None:
    body = default_body()
    rng = np.random.default_rng(1)
    outfits = Outfits(clothes)
    for _ in range(4):
        shape = rng.normal(0, 1.5, body.shape_count).clip(-2.5, 2.5)
        rotations = matrix_from_axis_angle(rng.normal(0, 0.25, (body.joint_count, 3)))
        look = outfits.draw(1.0, rng)
        posed = pose_look(body, look, shape, rotations)
        tree = cKDTree(posed.vertices[0])
        for worn, vertices in zip(look.worn[1:], posed.vertices[1:], strict=True):
            if worn.garment.kind in ("outfit", "shoes"):
                used = vertices[np.unique(worn.garment.faces)]
                distance = tree.query(used)[0]
                assert np.median(distance) < 0.03, worn.garment.name
                assert distance.max() < 0.25, worn.garment.name


@needs_clothes
def test_skin_under_cloth_is_not_drawn(clothes: Clothes) -> None:
    suit = clothes.garment("male_elegantsuit01")
    left = clothes.uncovered_skin([suit])
    assert len(left.faces) < 0.8 * len(clothes.skin.faces)
    hidden = np.zeros(len(clothes.base_template), bool)
    hidden[suit.hidden] = True
    assert not hidden[left.faces].all(axis=1).any()
    # shorter sleeves and legs uncover the skin again
    short = clothes.cut(suit, -0.5, 0.3)
    assert len(clothes.uncovered_skin([short]).faces) > len(left.faces)
    assert short.hems == (-0.5, 0.3)


@needs_clothes
def test_training_people_wear_nothing_that_is_kept_for_tests(clothes: Clothes) -> None:
    rng = np.random.default_rng(2)
    for test in (False, True):
        outfits = Outfits(clothes, test=test)
        worn = {name for _ in range(25) for name in outfits.draw(rng.normal(), rng).names}
        assert bool(worn & TEST_ONLY) == test


@needs_clothes
def test_groups_have_their_distances_and_people(renderer: DressedRenderer) -> None:
    rng = np.random.default_rng(4)
    distances = {group: [] for group in GROUPS}
    for group in GROUPS:
        for _ in range(6):
            scene = renderer.planner.draw(group, rng)
            chest = scene.camera.seen(scene.points[[8, 9]])[:, 2].mean()
            distances[group].append(float(chest))
            assert scene.group == group
    assert max(distances["webcam"]) < 2.2
    assert max(distances["sport"]) > max(distances["webcam"])


@needs_clothes
def test_the_person_is_where_the_key_points_are(renderer: DressedRenderer) -> None:
    rng = np.random.default_rng(5)
    for _ in range(3):
        image, truth = renderer.render(rng)
        assert truth.dressed is not None
        mask = truth.dressed.mask
        assert mask.shape == image.shape[:2]
        seen = truth.visibility == VISIBLE
        size = np.array(image.shape[1::-1])
        x, y = np.clip(np.round(truth.keypoints[seen]), 0, size - 1).astype(int).T
        grown = np.zeros_like(mask)
        grown[1:-1, 1:-1] = np.max(
            [mask[1 + dy : len(mask) - 1 + dy, 1 + dx : mask.shape[1] - 1 + dx] == 1
             for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0)  # fmt: skip
        inner = (x > 0) & (y > 0) & (x < size[0] - 1) & (y < size[1] - 1)
        assert grown[y[inner], x[inner]].mean() > 0.9


@needs_clothes
def test_furniture_and_people_are_drawn_with_their_numbers(renderer: DressedRenderer) -> None:
    rng = np.random.default_rng(9)
    scene = renderer.planner.draw("several", rng)
    canvas = draw_parts(scene_parts(scene), scene.camera)
    assert set(np.unique(canvas.owner)) <= set(range(-1, 2 + len(scene.others)))
    assert (canvas.owner == 1).any()


@needs_clothes
def test_labels_project_to_the_key_points(small_set: Path) -> None:
    people, body = read_synthetic(small_set), default_body()
    table = people.table
    assert table.perspective is not None
    lsp = PointSet.keypoints(body, "lsp")
    assert set(table.group) <= set(GROUPS)
    for row in range(len(people)):
        crop = people.labels(row).crop
        along = crop.frame_from_crop[:, 0]
        rotations = table.rotations[row].astype(float).copy()
        # back from the crop's frame to the picture's
        rotations[0] = about_z(float(np.arctan2(along[1], along[0]))) @ rotations[0]
        points = lsp.pose(rotations, table.shape[row].astype(float))
        points += table.perspective.translation[row]
        safe = points[:, 2] > 0.1
        flat = points[:, :2] / points[:, 2:] * table.perspective.focal[row]
        flat += table.perspective.principal[row]
        np.testing.assert_allclose(flat[safe], table.keypoints[row][:14][safe], atol=0.02)


@needs_clothes
def test_decoding_a_label_with_its_camera_gives_the_true_orientation(small_set: Path) -> None:
    people, body = read_synthetic(small_set), default_body()
    table = people.table
    assert table.perspective is not None
    for row in range(len(people)):
        labels = people.labels(row)
        assert labels.body is not None
        assert labels.view is not None
        estimate = Estimate(
            rotations=labels.body.rotations,
            shape=labels.body.shape,
            camera=labels.body.camera,
            score=1.0,
            joint_score=np.ones(body.joint_count),
        )
        person = person_from_estimate(body, estimate, labels.crop, labels.view)
        true = about_z(labels.crop.turn) @ table.rotations[row, 0]
        np.testing.assert_allclose(person.rotations[0], true, atol=1e-5)
        # 3D joints and bodies have left the camera's frame together
        posed = PointSet.keypoints(body, "lsp").pose(labels.body.rotations, labels.body.shape)
        joints = labels.joints_3d[:14, :3]
        np.testing.assert_allclose(posed - posed[[2, 3]].mean(axis=0), joints, atol=1e-4)


@needs_clothes
def test_an_augmented_crop_has_the_labels_of_its_own_view(small_set: Path) -> None:
    people, body = read_synthetic(small_set), default_body()
    crops = CropDataset([people], body, 256, Augmentation(shift=0.3, turn=20.0))
    for row in range(len(people)):
        labels, random = people.labels(row), np.random.default_rng(row)
        assert labels.body is not None
        assert labels.view is not None
        framing = augment_framing(labels, people.image(row), 256, random, crops.augmentation)
        sample = crops._labelled(np.zeros((256, 256, 3), np.uint8), labels, framing, 1.0)
        own = camera_from_crop(labels.crop, labels.view) @ labels.body.rotations[0]
        augmented = camera_from_crop(framing.crop, labels.view) @ sample.rotations[0]
        np.testing.assert_allclose(augmented, own, atol=1e-9)


@needs_clothes
def test_the_weak_camera_is_near_the_visible_key_points(small_set: Path) -> None:
    people, body, misses = read_synthetic(small_set), default_body(), []
    lsp = PointSet.keypoints(body, "lsp")
    for row in range(len(people)):
        labels, table = people.labels(row), people.table
        own = lsp.pose(labels.body.rotations, labels.body.shape)
        found = pixels_from_crop_units(crop_points_2d(own, labels.body.camera), 256)
        wanted = labels.crop.to_crop(labels.keypoints[:14, :2])
        inside = table.visibility[row][:14] > 0
        miss = np.linalg.norm(found - wanted, axis=1)[inside].max()
        misses.append(miss)
    # a camera turned to the crop's centre is nearer to weak perspective than the picture's
    assert np.mean(misses) < 128 * table.misfit.mean()


@needs_clothes
def test_the_same_seed_gives_the_same_bytes(small_set: Path, tmp_path: Path) -> None:
    text = read_synthetic(small_set).table.settings
    assert '"clothes"' in text
    options = SynthesisOptions(
        count=4, seed=3, size=160, data=str(small_set.parent), clothes=str(CLOTHES), test=True
    )
    synthesize(tmp_path / "again", options)
    first, again = read_synthetic(small_set), read_synthetic(tmp_path / "again")
    for row in range(4):
        assert first.encoded(row) == again.encoded(row)
        np.testing.assert_array_equal(first.mask(row), again.mask(row))
    np.testing.assert_array_equal(first.table.keypoints[:4], again.table.keypoints)


@needs_clothes
def test_a_missing_mask_is_named(small_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("labels.npz", "images_00.zip"):
        (folder / name).write_bytes((small_set / name).read_bytes())
    with pytest.raises(InputError, match=r"the mask 0000002\.png is missing"):
        read_synthetic(folder).mask(2)


@needs_clothes
def test_a_damaged_garment_is_named(tmp_path: Path) -> None:
    for name in ("manifest.json", "base_mesh.npz", "open_body_base.npz", "textures"):
        (tmp_path / name).symlink_to(CLOTHES / name)
    (tmp_path / "garments").mkdir()
    (tmp_path / "garments" / "shoes01.npz").write_bytes(b"no npz")
    with pytest.raises(InputError, match=r"shoes01\.npz cannot be read"):
        Clothes(tmp_path).garment("shoes01")

"""Tests of augmented crops: exact labels under every transform, images changed by the effects."""

from dataclasses import fields, replace

import numpy as np
import pytest
from pydantic import ValidationError

pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import crop_points_2d, default_body
from tests.trainer.fake_dataset import DotPeople, colour
from trainer.data.augmentation import Augmentation
from trainer.data.base import KEYPOINT_MIRROR, KEYPOINT_NAMES
from trainer.data.crop_augmentation import Framing, augment_framing, image_outline
from trainer.data.crops import CropDataset
from trainer.data.occlusion import add_occluders, body_mask, paste_person, trunk_mask
from trainer.data.photometric import add_sensor_noise, compress_jpeg, motion_blur

PROBABILITIES = (
    "flip", "lost", "upside_down", "truncate", "others", "occlude", "background", "blur",
    "motion_blur", "dark", "grey", "coarse", "noise", "jpeg",
)  # fmt: skip
STILL = Augmentation(
    turn=0, scale=0, shift=0, colour=0, contrast=0, **dict.fromkeys(PROBABILITIES, 0.0)
)
MOVING = {"turn": 30.0, "scale": 0.2, "shift": 0.1}
SIZE = 128


@pytest.fixture(scope="module")
def body():
    return default_body()


@pytest.fixture(scope="module")
def people(body):
    return DotPeople(body)


def crops_of(people, body, size=SIZE, backgrounds=None, **changes):
    options = STILL.model_copy(update=changes)
    return CropDataset([people], body, size, options, backgrounds)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        MOVING,
        {"flip": 1.0},
        {**MOVING, "flip": 1.0},
        {**MOVING, "lost": 1.0, "flip": 1.0},
        {"upside_down": 1.0},
        {"truncate": 1.0},
        {**MOVING, "truncate": 1.0, "flip": 1.0},
    ],
    ids=lambda changes: "+".join(changes) or "still",
)
def test_all_labels_are_consistent(body, people, changes):
    """The posed body matches the 2D and 3D key points under every transform."""
    crops = crops_of(people, body, **changes)
    hips = [KEYPOINT_NAMES.index(f"{side}_hip") for side in ("left", "right")]
    for seed in range(12):
        sample = crops.sample(0, seed % len(people), np.random.default_rng(seed))
        posed = people.posed(sample.rotations, sample.shape)
        np.testing.assert_allclose(
            crop_points_2d(posed, sample.camera), sample.keypoints, atol=2e-4
        )
        middle = posed[hips].mean(axis=0)
        np.testing.assert_allclose(posed - middle, sample.joints_3d, atol=2e-4)
        assert sample.fitted == sample.person == 1


def test_mirroring_swaps_sides_and_weights(body, people):
    plain, mirrored = (
        crops_of(people, body, flip=flip).sample(0, 1, np.random.default_rng(3))
        for flip in (0.0, 1.0)
    )
    swap = list(KEYPOINT_MIRROR)
    np.testing.assert_array_equal(mirrored.image, plain.image[:, ::-1])
    np.testing.assert_array_equal(mirrored.keypoint_weight, plain.keypoint_weight[swap])
    np.testing.assert_array_equal(mirrored.joints_3d_weight, plain.joints_3d_weight[swap])
    names = list(body.joint_names)
    left, right = names.index("left_knee"), names.index("right_knee")
    assert mirrored.joint_trust[left] == plain.joint_trust[right]
    row = KEYPOINT_NAMES.index("left_ear")
    assert KEYPOINT_NAMES[swap[row]] == "right_ear"
    assert mirrored.keypoints[row, 0] == -plain.keypoints[swap[row], 0]


def test_dots_are_at_the_labelled_positions(body, people):
    crops = crops_of(people, body, size=256, **MOVING)
    right = total = 0
    for seed in range(8):
        sample = crops.sample(0, seed % 4, np.random.default_rng(seed))
        pixels = ((sample.keypoints + 1) * 128 - 0.5).round().astype(int)
        for index, (x, y) in enumerate(pixels[:12]):
            if 0 <= x < 256 and 0 <= y < 256 and sample.image[y, x].any():
                total += 1
                right += np.abs(sample.image[y, x].astype(int) - colour(index)).max() < 30
    assert total > 60
    # some dots occlude others
    assert right > 0.85 * total


def test_missing_labels_have_no_weight(body, people):
    class Flat(DotPeople):
        def labels(self, row):
            return replace(super().labels(row), body=None, joints_3d=None)

    sample = crops_of(Flat(body), body, **MOVING, flip=1.0).sample(0, 0, np.random.default_rng(0))
    assert (sample.fitted, sample.person) == (0, 1)
    assert not sample.joint_trust.any()
    assert not sample.joints_3d_weight.any()
    assert sample.keypoint_weight.all()
    assert sample.rotations.shape == (body.joint_count, 3, 3)


def test_without_augmentation_the_crop_is_unchanged(body, people):
    crops = CropDataset([people], body, SIZE, None)
    sample = crops.sample(0, 2, np.random.default_rng(0))
    known = people.labels(2)
    np.testing.assert_allclose(sample.rotations, known.body.rotations, atol=1e-12)
    np.testing.assert_allclose(sample.camera, known.body.camera, atol=1e-9)
    np.testing.assert_allclose(sample.joints_3d, known.joints_3d[:, :3], atol=1e-12)
    assert sample.image.shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize(
    "effect",
    ["others", "occlude", "blur", "motion_blur", "dark", "grey", "coarse", "noise", "jpeg"],
)
def test_effect_changes_only_the_image(body, people, effect):
    changed = 0
    for seed in range(10):
        plain, other = (
            crops_of(people, body, **MOVING, **changes).sample(0, 0, np.random.default_rng(seed))
            for changes in ({}, {effect: 1.0})
        )
        for field in fields(plain):
            if field.name != "image":
                np.testing.assert_array_equal(
                    getattr(plain, field.name), getattr(other, field.name)
                )
        changed += (plain.image != other.image).any()
    # sometimes the other person is the same row, or lies outside the image
    assert changed >= (4 if effect == "others" else 9)


def test_zero_probabilities_change_nothing(body, people):
    plain = CropDataset([people], body, SIZE, None).sample(0, 0, np.random.default_rng(0))
    still = crops_of(people, body).sample(0, 0, np.random.default_rng(0))
    np.testing.assert_array_equal(still.image, plain.image)


def test_truncation_reduces_the_weights_outside_the_outline(body, people):
    """Outside the outline the image is black, and only the weights there are reduced."""
    ends = 0
    for seed in range(24):
        random = np.random.default_rng(seed)
        known, image = people.labels(0), people.image(0)
        options = STILL.model_copy(update={"truncate": 1.0, "truncated_weight": 0.25})
        framing = augment_framing(known, image, SIZE, random, options)
        sample = CropDataset([people], body, SIZE, options)._labelled(
            framing.black_outside(np.full((SIZE, SIZE, 3), 200, np.uint8)), known, framing, 0.25
        )
        pixels = (sample.keypoints + 1) * SIZE / 2 - 0.5
        inside = np.abs(sample.keypoints).max(axis=1) <= 1
        for point, weight, full, within in zip(
            pixels, sample.keypoint_weight, known.keypoints[:, 2], inside, strict=True
        ):
            x, y = point.round().astype(int)
            near = within and 2 <= x < SIZE - 2 and 2 <= y < SIZE - 2
            around = sample.image[y - 2 : y + 3, x - 2 : x + 3] if near else None
            if not within or (near and not around.any()):
                assert weight == full * 0.25
                ends += 1
            elif near and (around == 200).all():
                assert weight == full
    assert ends > 50


def test_half_of_the_truncated_crops_surround_the_visible_part(people):
    known, image = people.labels(0), people.image(0)
    options = STILL.model_copy(update={"truncate": 1.0})
    sides = np.array([
        augment_framing(known, image, SIZE, np.random.default_rng(seed), options).crop.side
        for seed in range(200)
    ])  # fmt: skip
    assert 0.3 < (sides < known.crop.side - 1e-6).mean() < 0.6
    assert sides.min() > 0.3 * known.crop.side


def test_points_are_visible_inside_outline_and_crop(people):
    known = people.labels(0)
    crop = known.crop
    middle = crop.centre
    square = np.array([[-20, -20], [20, -20], [20, 20], [-20, 20]]) + middle
    points = middle + np.array([[0, 0], [19, -19], [21, 0], [0, -21], [crop.side, 0]])
    assert Framing(crop, square).shows(points).tolist() == [True, True, False, False, False]
    assert not Framing(crop, np.zeros((0, 2))).shows(points).any()
    assert not Framing(crop, np.zeros((0, 2))).black_outside(np.ones((192, 192, 3), np.uint8)).any()
    assert image_outline(np.zeros((4, 6, 3), np.uint8), 0.0).tolist() == [
        [0, 0], [5, 0], [5, 3], [0, 3]
    ]  # fmt: skip


def test_other_person_never_covers_the_trunk(body, people):
    sample = CropDataset([people], body, SIZE, None).sample(0, 0, np.random.default_rng(0))
    points = (sample.keypoints + 1) * SIZE / 2 - 0.5
    known = np.ones(len(points), bool)
    trunk, whole = trunk_mask(points, known, SIZE), body_mask(points, known, SIZE)
    assert (whole >= trunk).all()
    assert whole.sum() > 1.2 * trunk.sum()
    other, everywhere = np.full_like(sample.image, 250), np.full((SIZE, SIZE), 255, np.uint8)
    pasted = paste_person(sample.image, other, everywhere, trunk)
    np.testing.assert_array_equal(pasted[trunk > 0], sample.image[trunk > 0])
    assert (pasted[trunk == 0] == 250).mean() > 0.8
    assert trunk_mask(points, np.zeros(len(points), bool), SIZE) is None


def test_other_people_come_from_all_sets(body):
    sets = [DotPeople(body, 3), DotPeople(body, 2, seed=1)]
    crops = CropDataset(sets, body, SIZE, STILL.model_copy(update={"others": 1.0}))
    for seed in range(40):
        crops.sample(0, 0, np.random.default_rng(seed))
    assert set(sets[0].asked) == {0, 1, 2}
    assert set(sets[1].asked) == {0, 1}


def test_occluders_take_surfaces_from_backgrounds():
    image, ground = np.full((SIZE, SIZE, 3), 10, np.uint8), np.full((70, 90, 3), 251, np.uint8)
    seen = [
        add_occluders(image, np.full((1, 2), 64.0), np.random.default_rng(seed), [ground])
        for seed in range(40)
    ]
    covered = [(one != image).any(axis=2).mean() for one in seen]
    assert min(covered) > 0
    assert max(covered) < 0.8
    assert any((one == 251).all(axis=2).mean() > 0.01 for one in seen)


def test_motion_blur_keeps_length_brightness_and_position():
    image = np.zeros((64, 64, 3), np.uint8)
    image[32, 32] = 255
    for angle in (0.0, 0.6, np.pi / 2, 2.5):
        seen = motion_blur(image, 12.0, angle)[..., 0].astype(float)
        assert abs(seen.sum() - 255) < 0.1 * 255
        y, x = np.nonzero(seen)
        way = np.array([np.cos(angle), np.sin(angle)])
        along = x * way[0] + y * way[1]
        across = x * way[1] - y * way[0]
        assert 9 <= np.ptp(along) <= 14
        assert np.ptp(across) <= 3
        centre = np.array([x.mean(), y.mean()])
        np.testing.assert_allclose(centre, [32, 32], atol=1.0)
    flat = np.full((40, 40, 3), 77, np.uint8)
    np.testing.assert_array_equal(motion_blur(flat, 9.0, 1.0), flat)


def test_sensor_noise_has_the_given_strength_and_jpeg_keeps_colours():
    flat = np.full((200, 200, 3), 128, np.uint8)
    flat[..., 0] = 180
    noisy = add_sensor_noise(flat, 6.0, np.random.default_rng(0)).astype(float)
    assert abs(noisy[..., 1].std() - 6.0) < 0.4
    # shot noise grows with the square root of the light
    assert abs(noisy[..., 0].std() - 6.0 * np.sqrt(0.5 + 180 / 255)) < 0.4
    np.testing.assert_allclose(compress_jpeg(flat, 40).mean((0, 1)), [180, 128, 128], atol=4)


def test_crops_without_people_get_the_same_effects(body, people):
    ground = np.random.default_rng(0).integers(60, 200, (90, 120, 3)).astype(np.uint8)
    plain, dark = (
        crops_of(people, body, backgrounds=[ground], background=1.0, dark=probability).sample(
            0, 0, np.random.default_rng(5)
        )
        for probability in (0.0, 1.0)
    )
    assert plain.person == dark.person == 0
    assert not plain.keypoint_weight.any()
    assert not plain.joints_3d_weight.any()
    assert dark.image.mean() < 0.8 * plain.image.mean()


def test_sample_depends_only_on_its_seed(body, people):
    every = Augmentation(**dict.fromkeys(PROBABILITIES, 0.5))
    ground = [np.full((80, 80, 3), 9, np.uint8)]
    crops = CropDataset([people, DotPeople(body, 3, seed=1)], body, SIZE, every, ground)
    first = [crops.sample(i % 2, i % 3, np.random.default_rng(i)) for i in range(12)]
    for index in reversed(range(12)):
        again = crops.sample(index % 2, index % 3, np.random.default_rng(index))
        for field in fields(again):
            np.testing.assert_array_equal(
                getattr(again, field.name), getattr(first[index], field.name)
            )


def test_invalid_options_are_rejected_and_few_keys_suffice():
    assert Augmentation(turn=14.0, scale=0.13, shift=0.05).flip == 0.5
    for wrong in ({"jpeg": 1.5}, {"dark": float("nan")}, {"turn": -1}, {"fog": 0.5}):
        with pytest.raises(ValidationError):
            Augmentation(**wrong)

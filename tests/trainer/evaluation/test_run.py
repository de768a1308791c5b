"""Tests of the protocols on synthetic people, with a network that returns the true bodies."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import default_body, rest_joints  # noqa: E402
from pymaf_live.body.rotations import about_z  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.tracking.crop import CropRule, crop_about  # noqa: E402
from pymaf_live.types import Crop  # noqa: E402
from tests.trainer.fake_dataset import DotPeople  # noqa: E402
from tests.trainer.fake_people import SIDE, write_people  # noqa: E402
from trainer.data.lspet import read_joint_set  # noqa: E402
from trainer.evaluation.calibration import measure_calibration  # noqa: E402
from trainer.evaluation.inference import estimate_twice  # noqa: E402
from trainer.evaluation.lsp_parts import measure_lsp_parts  # noqa: E402
from trainer.evaluation.lspet import estimate_annotated, measure_lspet  # noqa: E402
from trainer.evaluation.masks import (  # noqa: E402
    MaskedPeople,
    estimate_masked,
    mask_confusion,
    measure_masks,
    read_masked_people,
)
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer  # noqa: E402
from trainer.evaluation.network import Estimates  # noqa: E402
from trainer.evaluation.oracle import measure_oracle  # noqa: E402
from trainer.evaluation.pose3d import estimate_people, measure_people  # noqa: E402
from trainer.evaluation.report import markdown, write_json  # noqa: E402
from trainer.evaluation.truncated import (  # noqa: E402
    blackened,
    exploded,
    measure_truncated,
    shrunk,
    visible,
)


@pytest.fixture(scope="module")
def bodies():
    return BodyPoser(default_body())


class FakeNetwork:
    """Returns the bodies passed to it one after the other, regardless of the crops.

    It has two levels; the shapes of the first are wrong.
    """

    size, levels = 256, 2

    def __init__(self, rotations, shape, camera, rule=CropRule()):  # noqa: B008
        self.bodies = [rotations, shape, camera]
        self.rule = rule
        self.next_row = 0

    def estimate(self, crops):
        assert crops.shape[1:] == (self.size, self.size, 3)
        rows = (self.next_row + np.arange(len(crops))) % len(self.bodies[0])
        self.next_row += len(crops)
        rotations, shape, camera = (np.stack([a[rows], a[rows]]) for a in self.bodies)
        shape[0, :, 0] += 2.0
        # the darker the crop, the higher the score
        score = 1 - crops.mean(axis=(1, 2, 3)) / 255
        return Estimates(rotations, shape, camera, score, np.full(rotations.shape[1:3], 0.5))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return folder, write_people(folder, 4)


def test_lspet_with_true_estimates(people, bodies):
    folder, fits = people
    joint_set, rows = read_joint_set(folder), range(1, 4)
    network = FakeNetwork(fits.rotations[1:], fits.shape[1:], fits.camera[1:])
    found = estimate_annotated(network, joint_set, rows)
    figures = measure_lspet(found, joint_set, rows, bodies, fits)
    assert figures["pck"][1] == 1
    assert figures["mpjpe_to_fits_mm"][1] == pytest.approx(0, abs=0.01)
    assert figures["pa_mpjpe_to_fits_mm"][0] > 1
    assert figures["impossible"] == [0, 0]


def test_3d_errors_of_people_with_bodies(bodies):
    dots = DotPeople(bodies.body)
    labels = [dots.labels(row).body for row in range(len(dots))]
    truth = [
        np.stack([getattr(label, name) for label in labels])
        for name in ("rotations", "shape", "camera")
    ]
    found, known = estimate_people(FakeNetwork(*truth), dots)
    figures = measure_people(found, known, bodies)
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "pve_mm", "mpjpe_skeleton_mm"):
        assert figures[name][1] == pytest.approx(0, abs=0.01)
        assert figures[name][0] > 1
    assert figures["pck"][1] == 1

    # a root turned about the line of sight changes every metric but PA-MPJPE
    rolled = [part.copy() for part in truth]
    rolled[0][:, 0] = np.diag([-1.0, -1.0, 1.0]) @ rolled[0][:, 0]
    found, known = estimate_people(FakeNetwork(*rolled), dots)
    figures = measure_people(found, known, bodies)
    assert figures["pa_mpjpe_mm"][1] == pytest.approx(0, abs=0.01)
    assert figures["mpjpe_mm"][1] > 300


def test_3d_errors_of_people_with_joints_only(bodies):
    class JointPeople(DotPeople):
        def labels(self, row):
            labels = super().labels(row)
            joints = labels.joints_3d.copy()
            # an arm without an annotation may be anywhere
            joints[9:12] = [[9, 9, 9, 0]]
            return type(labels)(labels.crop, labels.keypoints, None, joints)

    dots = JointPeople(bodies.body)
    labels = [DotPeople.labels(dots, row).body for row in range(len(dots))]
    truth = [
        np.stack([getattr(label, name) for label in labels])
        for name in ("rotations", "shape", "camera")
    ]
    found, known = estimate_people(FakeNetwork(*truth), dots)
    figures = measure_people(found, known, bodies)
    assert figures["mpjpe_mm"][1] == pytest.approx(0, abs=0.01)
    assert figures["mpjpe_mm"][0] > 1
    assert "pve_mm" not in figures


def rendered_truth(fits, bodies, joint_set, size=(SIDE, SIDE)):
    renderer = PartRenderer(bodies)
    crops = estimate_annotated(
        FakeNetwork(fits.rotations, fits.shape, fits.camera), joint_set, range(len(joint_set))
    ).crops
    return [
        renderer(fits.rotations[row], fits.shape[row], fits.camera[row], crops[row], size)
        for row in range(len(crops))
    ]


def test_masks_with_true_estimates(people, bodies, tmp_path):
    folder, fits = people
    joint_set = read_joint_set(folder)
    parts = rendered_truth(fits, bodies, joint_set)
    names = [Path(name).stem for name in joint_set.names]
    with zipfile.ZipFile(tmp_path / "images_00.zip", "w") as archive:
        for name, part in zip(names, parts, strict=True):
            image = np.full((SIDE, SIDE, 3), 60, np.uint8)
            archive.writestr(f"{name}.jpg", cv2.imencode(".jpg", image)[1].tobytes())
            mask = ((part > 0) * 255).astype(np.uint8)
            archive.writestr(f"{name}_mask.png", cv2.imencode(".png", mask)[1].tobytes())
    np.savez(
        tmp_path / "labels.npz",
        name=np.array([f"{name}.jpg" for name in names]),
        mask_name=np.array([f"{name}_mask.png" for name in names]),
    )
    masked = read_masked_people(tmp_path, count=3)
    assert masked.names == tuple(f"{name}.jpg" for name in names[1:])

    # the first pass runs on upright crops, in whose frame the true rotations differ
    passes = estimate_masked(
        FakeNetwork(fits.rotations[1:], fits.shape[1:], fits.camera[1:]), masked, bodies
    )
    annotated = estimate_annotated(
        FakeNetwork(fits.rotations[1:], fits.shape[1:], fits.camera[1:]), joint_set, range(1, 4)
    )
    figures = measure_masks((passes[0], annotated), masked, bodies)
    assert figures["f1_foreground"][1] == 1
    assert figures["accuracy"][1] == 1
    assert figures["f1_foreground"][0] < 0.99
    assert figures["f1_foreground_one_look"] < 0.99

    (tmp_path / "images_00.zip").unlink()
    with zipfile.ZipFile(tmp_path / "images_00.zip", "w") as archive:
        archive.writestr("nothing", b"")
    with pytest.raises(InputError, match=names[1]):
        read_masked_people(tmp_path, count=3)


def test_oracle_moves_a_body_into_its_mask(people, bodies):
    folder, fits = people
    joint_set = read_joint_set(folder)
    masks = [part > 0 for part in rendered_truth(fits, bodies, joint_set)[:1]]
    masked = MaskedPeople(("a",), [], masks)
    beside = fits.camera[:1] + np.array([0.0, 0.1, 0.0])
    network = FakeNetwork(fits.rotations[:1], fits.shape[:1], beside)
    found = estimate_annotated(network, joint_set, range(1))
    renderer = PartRenderer(bodies)
    before = mask_confusion(found, masked, renderer, -1).f1[1]
    after = measure_oracle(found, masked, bodies, steps=25)["f1_foreground"]
    assert before < 0.8
    assert after > 0.9


def test_lsp_parts_with_true_estimates(people, bodies, tmp_path):
    folder, fits = people
    joint_set = read_joint_set(folder)
    (tmp_path / "images").mkdir()
    maps = tmp_path / "data" / "lsp"
    maps.mkdir(parents=True)
    joints = np.zeros((3, 14, 4))
    joints[:2] = joint_set.joints[:, :, :2].transpose(2, 1, 0)
    savemat(tmp_path / "joints.mat", {"joints": joints})
    unlabelled = 0.0
    for row, part in enumerate(rendered_truth(fits, bodies, joint_set)):
        # body pixels without a label are wrong in the accuracy: there they are background
        unlabelled += (part[:, : SIDE // 2] > 0).sum() / part.size / 4
        image = np.full((SIDE, SIDE, 3), 60, np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"im{row + 1:04d}.jpg"), image)
        labels = part.astype(np.uint8)
        cv2.imwrite(str(maps / f"im{row + 1:04d}_segmentation.png"), labels)
        # pixels without an annotation are ignored
        labels[:, : SIDE // 2] = 255
        cv2.imwrite(str(maps / f"im{row + 1:04d}_part_segmentation.png"), labels)
    network = FakeNetwork(fits.rotations, fits.shape, fits.camera)
    figures = measure_lsp_parts(network, tmp_path, tmp_path, bodies, rows=range(4))
    assert unlabelled > 0.001
    assert figures["parts_accuracy"][1] == pytest.approx(1 - unlabelled)
    for name in ("foreground_accuracy", "foreground_f1", "parts_f1"):
        assert figures[name][1] == pytest.approx(1), name
        assert figures[name][0] < 1
    (maps / "im0002_part_segmentation.png").unlink()
    with pytest.raises(InputError, match="im0002_part_segmentation"):
        measure_lsp_parts(network, tmp_path, tmp_path, bodies, rows=range(4))


def test_cut_at_the_waist_removes_the_knees():
    joints = np.ones((14, 3))
    legs = [(90, 180), (92, 150), (90, 110), (110, 110), (108, 150), (110, 180)]
    arms = [(70, 110), (75, 80), (85, 60), (115, 60), (125, 80), (130, 110)]
    upright = [*legs, *arms, (100, 50), (100, 30)]
    joints[:, :2] = upright
    waist, chest = visible(joints, "waist"), visible(joints, "chest")
    assert waist[:, 2].tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert chest[:, 2].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 1]
    image = np.full((200, 200, 3), 200, np.uint8)
    black = blackened(image, joints, "waist")
    assert (black[:115] == 200).all()
    assert (black[120:] == 0).all()


def halved_shins(bodies):
    """Return shape coefficients that halve the length of the shins."""
    body = bodies.body
    knee, ankle = (body.joint_names.index(f"left_{name}") for name in ("knee", "ankle"))
    per_coefficient = rest_joints(body, np.eye(body.shape_count)) - rest_joints(
        body, np.zeros(body.shape_count)
    )
    longer = (per_coefficient[:, ankle] - per_coefficient[:, knee])[:, 1]
    mean = rest_joints(body, np.zeros(body.shape_count))
    length = (mean[ankle] - mean[knee])[1]
    return -0.5 * length * longer / (longer**2).sum()


def test_exploded_and_shrunk_bodies_are_detected(bodies):
    count = 7
    rotations = np.tile(np.eye(3), (1, count, bodies.body.joint_count, 1, 1))
    shape = np.zeros((1, count, bodies.body.shape_count))
    camera = np.tile([0.5, 0.0, 0.0], (1, count, 1))
    shape[0, 1, 0] = 40.0
    # the opposite shape is far too small
    shape[0, 6] = halved_shins(bodies)
    camera[0, 2, 0] = -0.5
    camera[0, 3] = [0.5, 30.0, 0.0]
    rotations[0, 4, 3, 0, 0] = np.nan
    camera[0, 5, 0] = 20.0
    found = Estimates(rotations, shape, camera, np.ones(count), np.ones((count, 24)))
    assert exploded(found, 0, bodies).tolist() == [False, True, True, True, True, True, False]
    assert shrunk(found, 0, bodies).tolist()[-1]
    assert not shrunk(found, 0, bodies)[0]


def test_truncation_is_measured_at_both_cuts(people, bodies):
    folder, fits = people
    figures = measure_truncated(
        FakeNetwork(fits.rotations, fits.shape, fits.camera),
        read_joint_set(folder),
        range(4),
        bodies,
    )
    for cut in ("waist", "chest"):
        assert figures[f"{cut}_people"] == 4
        assert len(figures[f"{cut}_pck_visible"]) == 2
        assert figures[f"{cut}_impossible"] == [0, 0]


def test_second_pass_runs_on_the_refined_crop(bodies):
    rotations = np.tile(np.eye(3), (1, bodies.body.joint_count, 1, 1))
    # lying on the side, the head towards the image's right
    rotations[0, 0] = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1.0]])
    network = FakeNetwork(
        rotations, np.zeros((1, bodies.body.shape_count)), np.array([[0.5, 0, 0]])
    )
    crops = [crop_about(np.array([100.0, 100.0]), 200.0, 0.0, 256)]
    image = np.zeros((200, 200, 3), np.uint8)
    first, second = estimate_twice(network, bodies, lambda _: image, crops, "test")
    assert first.crops[0].turn == 0
    assert second.crops[0].turn == pytest.approx(np.pi / 2, abs=0.05)


UPRIGHT = CropRule(turned=False, side=1.2)


def test_crops_follow_the_models_own_rule(people, bodies):
    folder, fits = people
    joint_set, rows = read_joint_set(folder), range(4)
    annotated = [Crop(matrix, 256) for matrix in fits.frame_from_crop]
    assert max(abs(crop.turn) for crop in annotated) > 0.1
    # the true bodies, in the frames of upright crops
    rotations = fits.rotations.copy()
    for row, crop in enumerate(annotated):
        rotations[row, 0] = about_z(crop.turn) @ rotations[row, 0]
    network = FakeNetwork(rotations, fits.shape, fits.camera, UPRIGHT)
    found = estimate_annotated(network, joint_set, rows)
    for crop, joints in zip(found.crops, joint_set.joints, strict=True):
        known = joints[joints[:, 2] > 0, :2]
        assert crop.turn == 0
        assert crop.side == pytest.approx(1.2 * np.ptp(known, axis=0).max())
    figures = measure_lspet(found, joint_set, rows, bodies, fits)
    assert figures["mpjpe_to_fits_mm"][1] == pytest.approx(0, abs=0.01)
    images = [np.zeros((50, 50, 3), np.uint8)] * 4
    _, second = estimate_twice(network, bodies, images.__getitem__, found.crops, "test")
    assert all(crop.turn == 0 for crop in second.crops)


def test_labels_are_compared_in_the_frame_of_the_models_own_crop(bodies):
    dots = DotPeople(bodies.body)
    labels = [dots.labels(row) for row in range(len(dots))]
    assert labels[0].crop.turn == pytest.approx(0.3)
    # the true bodies, in the frames of upright crops
    rotations = np.stack([one.body.rotations for one in labels])
    rotations[:, 0] = about_z(0.3) @ rotations[:, 0]
    shape, camera = (
        np.stack([getattr(one.body, n) for one in labels]) for n in ("shape", "camera")
    )
    found, known = estimate_people(FakeNetwork(rotations, shape, camera, UPRIGHT), dots)
    for one, crop in zip(labels, found.crops, strict=True):
        assert crop.turn == 0
        assert crop.side == pytest.approx(1.2 * np.ptp(one.keypoints[:14, :2], axis=0).max())
    figures = measure_people(found, known, bodies)
    for name in ("mpjpe_mm", "pve_mm", "mpjpe_skeleton_mm"):
        assert figures[name][1] == pytest.approx(0, abs=0.01)
    joints_only = [replace(one, body=None) for one in known]
    figures = measure_people(found, joints_only, bodies)
    assert figures["mpjpe_mm"][1] == pytest.approx(0, abs=0.01)


def test_calibration_ranks_people_above_backgrounds(people, bodies, tmp_path):
    folder, fits = people
    joint_set, rows = read_joint_set(folder), range(4)
    with zipfile.ZipFile(tmp_path / "images_00.zip", "w") as archive:
        bright = np.full((200, 300, 3), 250, np.uint8)
        archive.writestr("a.jpg", cv2.imencode(".jpg", bright)[1].tobytes())
        mask = np.zeros((200, 300), np.uint8)
        mask[:, 120:180] = 255
        archive.writestr("a.png", cv2.imencode(".png", mask)[1].tobytes())
    np.savez(tmp_path / "labels.npz", name=["a.jpg"], mask_name=["a.png"])
    network = FakeNetwork(fits.rotations, fits.shape, fits.camera)
    found = estimate_annotated(network, joint_set, rows)
    figures = measure_calibration(network, found, joint_set, rows, bodies, tmp_path)
    assert figures["score_auc"] == 1
    assert figures["joint_found_mean"] == 1


def test_table_and_json(tmp_path):
    report = {
        "protocols": {"lspet": {"pck": [0.25, 0.5], "impossible": float("nan")}},
        "not_measured": {"coco": "no data: --coco"},
    }
    text = markdown(report)
    assert "| protocol | figure | level 1 | last |" in text
    assert "| lspet | `pck` | 0.25 | 0.5 |" in text
    assert "|  | `impossible` |  | - |" in text
    assert "Not measured: coco" in text
    write_json(tmp_path / "a.json", report)
    read = json.loads((tmp_path / "a.json").read_text())
    assert read["protocols"]["lspet"] == {"pck": [0.25, 0.5], "impossible": None}

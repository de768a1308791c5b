"""A lifter learns depth from 2D key points, and the fit takes its depth from it."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
import torch

from pymaf_live.body import PointSet, default_body
from pymaf_live.errors import InputError, Interrupted
from pymaf_live.system.reporter import SilentReporter
from tests.helpers.paths import ROOT
from tests.trainer.fake_people import write_people
from tests.trainer.fitting.test_fit import fake_teacher
from trainer.commands.app import main
from trainer.data.base import KEYPOINT_NAMES
from trainer.data.coco import COCO_NAMES
from trainer.data.fitted import FittedDataset
from trainer.data.lspet import read_joint_set
from trainer.fitting.fit import fit
from trainer.fitting.fitter import BodyFitter, FitOptions
from trainer.fitting.lifted_fit import fit_lifted
from trainer.fitting.lifter import (
    LiftedPoses,
    Lifter,
    LifterConfig,
    encode,
    lift,
    read_lifter,
    write_lifter,
)
from trainer.fitting.lifter_input import observations
from trainer.fitting.lifter_noise import Observations, observe
from trainer.fitting.lifter_poses import (
    POINT_MIRROR,
    POINTS,
    PoseBank,
    centre_hips,
    draw_views,
    make_pose_bank,
    read_pose_bank,
    write_pose_bank,
)
from trainer.fitting.lifter_training import LifterTraining, lifter_loss, train_lifter
from trainer.fitting.targets import build_fit_targets, crop_annotations

TINY = LifterConfig(width=64, depth=1, hypotheses=2)
PEOPLE = 12


@pytest.fixture(scope="module")
def bank() -> PoseBank:
    return make_pose_bank(default_body(), None, 300)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    truth = write_people(folder, PEOPLE)
    return truth, crop_annotations(FittedDataset(read_joint_set(folder)))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def top_error(lifter: Lifter, bank: PoseBank) -> float:
    viewed = draw_views(bank, 300, generator(99))
    lifted = lift(lifter, observe(viewed, generator(98)))
    return float(lifter_loss(lifted, viewed.points)[1])


def test_views_are_upright_and_project_the_points(bank):
    viewed = draw_views(bank, 200, generator())
    shoulders = viewed.flat[:, [8, 9]].mean(1)
    assert shoulders[:, 0].abs().max() < 1e-4
    assert (shoulders[:, 1] < 0).all()
    assert viewed.points[:, [2, 3]].mean(1).abs().max() < 1e-5
    # bones keep their lengths under every view
    length = (bank.points[:, 0] - bank.points[:, 1]).norm(dim=-1)
    seen = (viewed.points[:, 0] - viewed.points[:, 1]).norm(dim=-1)
    assert length.min() - 1e-4 < seen.min()
    assert seen.max() < length.max() + 1e-4
    # some people turn their back on the camera, some face it
    across = viewed.points[:, 3, 0] - viewed.points[:, 2, 0]
    assert 0.2 < (across > 0).float().mean() < 0.8


def test_the_input_does_not_depend_on_unit_and_origin(bank):
    viewed = draw_views(bank, 20, generator())
    seen = observe(viewed, generator(1))

    def moved(points):
        known = (points[..., 2:] > 0).float()
        return torch.cat([(points[..., :2] * 37 + 120) * known, points[..., 2:]], -1)

    others = Observations(
        moved(seen.keypoints), moved(seen.landmarks), seen.world, seen.world_known
    )
    assert (encode(others) - encode(seen)).abs().max() < 1e-3


def test_a_tiny_lifter_learns(tmp_path, bank):
    path = tmp_path / "lifter.safetensors"
    before = top_error(Lifter(TINY), bank)
    lifter = train_lifter(path, bank, TINY, LifterTraining(steps=90, batch=96))
    assert top_error(lifter, bank) < 0.8 * before
    again, rest = read_lifter(path)
    assert not rest
    assert top_error(again, bank) == pytest.approx(top_error(lifter, bank), abs=1e-6)
    with pytest.raises(InputError, match="finished lifter"):
        train_lifter(path, bank, TINY, LifterTraining(steps=160))


def test_the_lifter_of_the_trainer_knows_depth(bank):
    path = ROOT / "trainer/fitting/lifter.safetensors"
    lifter, rest = read_lifter(path)
    assert not rest
    # 83 mm on 600 poses of every kind
    assert top_error(lifter, bank) < 0.1


class _Cancel(SilentReporter):
    """Cancels after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def cancelled(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_an_interrupted_training_continues_as_if_it_had_not_been(tmp_path, bank, monkeypatch):
    monkeypatch.setattr("trainer.fitting.lifter_training._SECONDS_BETWEEN_SAVES", 0.0)
    training = LifterTraining(steps=8, batch=32)
    whole = train_lifter(tmp_path / "a.safetensors", bank, TINY, training)
    with pytest.raises(Interrupted):
        train_lifter(tmp_path / "b.safetensors", bank, TINY, training, reporter=_Cancel(5))
    continued = train_lifter(tmp_path / "b.safetensors", bank, TINY, training)
    for first, second in zip(whole.parameters(), continued.parameters(), strict=True):
        torch.testing.assert_close(first, second)


def true_points(truth) -> torch.Tensor:
    body = default_body()
    sets = [PointSet.keypoints(body, "lsp"), PointSet.keypoints(body, "coco")]
    lsp, coco = (points.pose(truth.rotations, truth.shape) for points in sets)
    landmarks = PointSet.keypoints(body, "blazepose").pose(truth.rotations, truth.shape)
    points = np.concatenate([lsp, coco[:, :5], landmarks], axis=1)
    return centre_hips(torch.tensor(points, dtype=torch.float32))


@pytest.mark.integration
def test_true_depth_in_a_hypothesis_makes_a_better_fit(people):
    truth, annotated = people
    teacher = fake_teacher(truth, 0.02)
    # the teacher sees everyone flat
    teacher.world[..., 2] = 0
    body = default_body()
    points = true_points(truth)
    wrong = points * torch.tensor([1.0, 1.0, -1.0])
    hypotheses = torch.stack([wrong, points], 1)
    score = torch.log(torch.tensor([[0.45, 0.55]])).expand(PEOPLE, 2)
    lifted = LiftedPoses(hypotheses, score, torch.full((PEOPLE, 2, POINTS), 0.05))
    options = FitOptions(steps=100)
    fitter = BodyFitter(body, options)
    targets = build_fit_targets(annotated, teacher, options.trust_torso, options.trust_spread)
    best = fit_lifted(fitter, targets, lifted)
    with torch.no_grad():
        found = fitter.points(best.parameters).permute(2, 1, 0)
    error = (centre_hips(found) - points)[:, :12].norm(dim=-1).mean()
    expected = best.expected_error(lifted)
    assert (expected > 0.02 + 0.8 * 0.05).all()
    # hypotheses that agree are surer
    sure = LiftedPoses(torch.stack([points, points], 1), score, lifted.spread)
    assert (best.expected_error(sure) < expected).all()
    flat = fit(body, annotated, teacher, options)
    without = (true_points(flat) - points)[:, :12].norm(dim=-1).mean()
    assert error < 0.06
    assert error < 0.6 * without


@pytest.mark.integration
def test_the_fit_runs_with_an_untrained_lifter(people):
    truth, annotated = people
    teacher = fake_teacher(truth, 0.02)
    torch.manual_seed(0)
    lifter = Lifter(TINY).eval()
    seen = observations(annotated, teacher)
    assert seen.keypoints.shape == (PEOPLE, len(KEYPOINT_NAMES), 3)
    fits = fit(default_body(), annotated, teacher, FitOptions(steps=20), lifter=lifter)
    assert np.isfinite(fits.rotations).all()
    # poses of an untrained network are not kept
    assert not fits.kept.any()


def test_mirrored_points_are_their_own_mirror():
    order = np.array(POINT_MIRROR)
    assert (order[order] == np.arange(POINTS)).all()


def test_bad_files_are_refused_in_one_line(tmp_path, bank):
    write_pose_bank(tmp_path / "poses.npz", bank)
    assert len(read_pose_bank(tmp_path / "poses.npz").points) == 300
    write_lifter(tmp_path / "lifter.safetensors", Lifter(TINY))
    for read, name, words in (
        (read_pose_bank, "poses.npz", "contains no poses"),
        (read_lifter, "lifter.safetensors", "contains no lifter"),
    ):
        (tmp_path / name).write_bytes(b"torn")
        with pytest.raises(InputError, match=words) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)
        with pytest.raises(InputError):
            read(tmp_path / f"missing_{name}")
    write_lifter(tmp_path / "small.safetensors", Lifter(TINY))
    with pytest.raises(InputError, match="another size"):
        train_lifter(tmp_path / "small.safetensors", bank, LifterConfig(32, 1), LifterTraining())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train-lifter", "--mocap", "missing"], 3, "there is no folder missing"),
        (["train-lifter", "--steps", "0"], 2, "at least 1"),
        (["fit", "--set", "coco={set}", "--second-teacher", "votes.npz"], 2, "LSPET's joints only"),
        (["fit", "--lspet", "{set}", "--lifter", "missing"], 3, "there is no lifter missing"),
        (["fit", "--lspet", "{set}", "--second-teacher", "missing"], 3, "no second teacher's"),
    ],
)
def test_wrong_options_are_one_line(tmp_path, monkeypatch, capsys, arguments, code, words):
    write_people(tmp_path, 4)
    if "coco={set}" in arguments:
        with np.load(tmp_path / "labels.npz") as file:
            arrays = dict(file)
        arrays["joint_names"] = np.array(COCO_NAMES)
        arrays["joints"] = np.concatenate([arrays["joints"], arrays["joints"][:, :3]], axis=1)
        np.savez(tmp_path / "labels.npz", **arrays)
    monkeypatch.chdir(tmp_path)
    assert main([argument.format(set=tmp_path) for argument in arguments]) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert words in " ".join(lines)
    assert not any("Traceback" in line for line in lines)

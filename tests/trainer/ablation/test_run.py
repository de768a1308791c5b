"""Tests of the ablation: an equal budget, stored results, and verdicts."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("matplotlib", reason="the extra `train` is not installed")

import trainer.ablation.run as ablation  # noqa: E402
from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError, UsageError  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from trainer.ablation.features import Features, read_features  # noqa: E402
from trainer.ablation.learning import AblationSetup, train_variant  # noqa: E402
from trainer.ablation.neck import Neck  # noqa: E402
from trainer.ablation.report import markdown  # noqa: E402
from trainer.ablation.run import Comparison, ablate  # noqa: E402
from trainer.ablation.variants import TABLES, VARIANTS  # noqa: E402
from trainer.data.crops import CropDataset  # noqa: E402
from trainer.data.fits import write_fits  # noqa: E402
from trainer.data.fitted import FittedDataset  # noqa: E402
from trainer.data.lspet import read_joint_set  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.training.config import read_run_config  # noqa: E402

CONFIG = """
name = "small"
[network]
encoder = "blazepose_lite"
grid = 5
point_widths = [8, 4]
feature_width = 16
hidden = 16
activation = true
[schedule]
images = 1000
batch = 2
learning_rate = 1e-3
warm_up = 2
ema_decay = 0.5
"""
HELD_OUT = 4
PEOPLE = 10


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    fits = write_people(folder, PEOPLE)
    write_fits(folder / "fits.npz", fits)
    (folder / "small.toml").write_text(CONFIG)
    return folder, read_joint_set(folder), fits


def result(pck, error, loss=1.0):
    levels = [pck - 0.03, pck - 0.02, pck - 0.01, pck]
    errors = [error + 30, error + 20, error + 10, error]
    return {"pck": levels, "mpjpe_to_fits_mm": errors, "pa_mpjpe_to_fits_mm": errors, "loss": loss}


BUDGET = {
    "minutes": 2.0, "people": 9100, "held_out": 500, "device": "CPU thread", "pictures": 9600,
    "slowest": "read_dense",
}  # fmt: skip


def test_verdicts_compare_with_the_order_in_the_paper():
    results = {
        "global": [result(0.30, 150), result(0.31, 151), result(0.29, 149)],
        "mesh": [result(0.40, 130), result(0.41, 131), result(0.39, 129)],
        "mesh_dense": [result(0.38, 140), result(0.42, 120), result(0.40, 131)],
    }
    page = markdown(results, BUDGET, "plot.png")
    first = page.split("## Table 4")[0]
    assert "| 30.0 ± 1.0 | 150.0 ± 1.0 |" in first
    verdicts = [line for line in first.splitlines() if line.startswith("- *")]
    # 10 points at a standard error of 0.8 are significant, 0 at 1.3 are not
    assert "PCK 10.0 % better, as the paper" in verdicts[0]
    assert "MPJPE 20.0 mm better, as the paper" in verdicts[0]
    assert verdicts[1].count("within chance") == 3
    swapped = {**results, "global": results["mesh"], "mesh": results["global"]}
    swapped_page = markdown(swapped, BUDGET, "plot.png")
    assert "PCK 10.0 % worse, **against the paper**" in swapped_page
    assert "9,600 images" in page
    # the paper's figures stand beside ours
    assert "| 150.0 ± 1.0 | 84.1 | 150.0 ± 1.0 | 55.6 |" in first
    assert "mean ± standard" in page.lower()
    assert "3 seeds" in page


def test_one_seed_confirms_nothing():
    results = {"global": [result(0.30, 150)], "mesh": [result(0.40, 130)]}
    page = markdown(results, {**BUDGET, "device": "cuda"}, "plot.png")
    assert "(one seed)" in page
    assert "as the paper" not in page.replace("as the paper's", "")


def test_tables_contain_all_variants_and_each_is_a_network():
    shown = {name for table in TABLES for name in table.rows} | {"mesh_start"}
    assert shown == set(VARIANTS)
    networks = [v.network(NetworkConfig(encoder="blazepose_lite")) for v in VARIANTS.values()]
    assert len(set(networks)) == len(VARIANTS)
    for table in TABLES:
        assert {name for pair in table.order for name in pair} <= set(table.rows)


def test_neck_computes_a_trainable_pyramid():
    maps = [100 * torch.randn(2, channels, side, side) for channels, side in ((6, 8), (5, 16))]
    neck = Neck(maps, channels=7)
    encoded = neck(maps)
    assert [tuple(one.shape) for one in encoded.maps] == [(2, 7, 8, 8), (2, 7, 16, 16)]
    assert encoded.summary.shape == (2, neck.summary_width)
    encoded.maps[-1].sum().backward()
    assert neck.lateral[0].weight.grad.abs().sum() > 0
    # maps of any magnitude are normalised alike
    np.testing.assert_allclose(
        Neck([1000 * m for m in maps], 7).spread0, 1000 * neck.spread0, rtol=1e-4
    )


def fake_features(body, people, seed=0):
    random = np.random.default_rng(seed)
    maps = tuple(
        random.normal(size=(2, people, 3, side, side)).astype(np.float16) for side in (8, 16, 32)
    )
    joints, keypoints = body.joint_count, 19
    upright = np.broadcast_to(np.diag([1.0, -1.0, -1.0]), (2, people, joints, 3, 3))
    shapes = {
        "keypoints": (keypoints, 2), "keypoint_weight": (keypoints,), "joints_3d": (keypoints, 3),
        "joints_3d_weight": (keypoints,), "shape": (body.shape_count,), "joint_trust": (joints,),
        "fitted": (), "person": (), "landmarks": (33, 2), "landmark_weight": (33,),
        "outline": (4, 2),
    }  # fmt: skip
    labels = {name: np.ones((2, people, *shape), np.float32) for name, shape in shapes.items()}
    labels["rotations"] = upright.astype(np.float32)
    labels["camera"] = np.tile(np.float32([0.8, 0, 0.3]), (2, people, 1))
    return Features(maps, labels)


def test_all_variants_see_the_same_people_in_the_same_order(monkeypatch):
    body = default_body()
    config = read_run_config(CONFIG, "small")
    setup = AblationSetup(config, body, InitialEstimate.upright(body), fake_features(body, 5), 5)
    seen = []
    batch = Features.batch

    def recorded(self, rows, mirrored, device="cpu"):
        seen.append((rows.tolist(), mirrored.tolist()))
        return batch(self, rows, mirrored, device)

    monkeypatch.setattr(Features, "batch", recorded)
    orders = []
    for name in ("global", "mesh_dense"):
        seen.clear()
        model, loss = train_variant(setup, VARIANTS[name].network(config.network), 3, steps=4)
        assert np.isfinite(loss)
        assert not model.training
        orders.append(seen[1:])
    assert orders[0] == orders[1]
    people = [row for rows, _ in orders[0] for row in rows]
    assert sorted(people[:5]) == list(range(5))


def test_invalid_comparisons_are_rejected(tmp_path):
    paths = {name: tmp_path for name in ("out", "config_file", "lspet", "fits", "landmark_file")}
    with pytest.raises(UsageError, match="no variant 'mash'"):
        ablate(Comparison(1, variants=("mash",)), **paths)
    with pytest.raises(UsageError, match="above 0"):
        ablate(Comparison(0), **paths)


def test_features_are_computed_once_and_only_for_the_same_data(people, blazepose, tmp_path):
    _, joint_set, fits = people
    body, file = default_body(), blazepose / "pose_landmark_lite.tflite"
    features = read_features(tmp_path, joint_set, fits, body, file, [0, 3])
    assert [one.shape for one in features.maps] == [
        (2, 2, 96, 8, 8), (2, 2, 56, 16, 16), (2, 2, 24, 32, 32)
    ]  # fmt: skip
    sample = CropDataset([FittedDataset(joint_set, fits)], body, 256, None).sample(
        0, 3, np.random.default_rng(0)
    )
    np.testing.assert_allclose(features.labels["camera"][0, 1], sample.camera, rtol=1e-5)
    # LSP's right ankle in the mirror image is the left one, with x negated
    mirrored = features.labels["keypoints"][1, 1, 0]
    np.testing.assert_allclose(mirrored, sample.keypoints[5] * [-1, 1], rtol=1e-5)
    changed = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = read_features(tmp_path, joint_set, fits, body, file, [0, 3])
    assert changed == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    np.testing.assert_array_equal(again.maps[2], features.maps[2])
    with pytest.raises(InputError, match="other data"):
        read_features(tmp_path, joint_set, replace(fits, kept=~fits.kept), body, file, [0, 3])
    (tmp_path / "block_0000.npz").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"block_0000\.npz is damaged"):
        read_features(tmp_path, joint_set, fits, body, file, [0, 3])


@pytest.mark.integration
def test_killed_comparison_resumes_with_the_same_budget(people, blazepose, tmp_path, monkeypatch):
    folder, _, _ = people
    monkeypatch.setattr(ablation, "VALIDATION_COUNT", HELD_OUT)
    paths = {
        "out": tmp_path, "config_file": folder / "small.toml", "lspet": folder,
        "fits": folder / "fits.npz", "landmark_file": blazepose / "pose_landmark_lite.tflite",
    }  # fmt: skip
    comparison = Comparison(0.002, seeds=1, variants=("global", "mesh_dense"))
    train, done = ablation.train_variant, []

    def killed_at_second(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(arguments)
        return train(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ablation, "train_variant", killed_at_second)
        with pytest.raises(KeyboardInterrupt):
            ablate(comparison, **paths)
    first = (tmp_path / "global_0.json").read_bytes()
    budget = json.loads((tmp_path / "budget.json").read_text())
    assert set(budget["seconds_a_picture"]) == set(VARIANTS)
    page = ablate(comparison, **paths)
    assert (tmp_path / "global_0.json").read_bytes() == first
    assert json.loads((tmp_path / "budget.json").read_text()) == budget
    levels = json.loads((tmp_path / "mesh_dense_0.json").read_text())["mpjpe_to_fits_mm"]
    assert len(levels) == 4
    assert "mesh-aligned, pyramid, dense supervised" in page.read_text(encoding="utf-8")
    assert (tmp_path / "ablation.png").stat().st_size > 10_000
    with pytest.raises(InputError, match="other minutes"):
        ablate(replace(comparison, minutes=5), **paths)

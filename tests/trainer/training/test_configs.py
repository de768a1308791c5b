"""Tests of the shipped configurations."""

from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from trainer.network.config import NetworkConfig
from trainer.training.config import read_config_file
from trainer.training.losses import LossWeights

FOLDER = ROOT / "trainer" / "configs"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_is_valid(path: Path) -> None:
    read_config_file(path)


def test_resnet50_is_the_papers_configuration() -> None:
    _, config = read_config_file(FOLDER / "resnet50.toml")
    assert config.network == NetworkConfig(auxiliary="dense", crop_rule="upright 1.20")
    weights = config.losses
    assert (weights.keypoints_2d, weights.joints_3d) == (300, 300)
    assert (weights.rotations, weights.shape) == (60, 0.06)
    assert weights == LossWeights(normalisation="published")
    schedule = config.schedule
    assert (schedule.learning_rate, schedule.encoder_rate, schedule.batch) == (5e-5, 5e-5, 64)
    assert schedule.weight_decay == 0
    # every 2D set has pseudo labels
    assert {one.kind: str(one.fits) for one in config.data if one.fits} == {
        "lsp": "lsp_fits", "lspet": "fits", "mpii": "mpii_fits", "coco": "coco_fits"
    }  # fmt: skip
    shares: Counter[str] = Counter()
    for one in config.data:
        shares[one.kind if one.kind in ("h36m", "mpi_inf_3dhp") else "wild"] += one.ratio
    assert shares == pytest.approx({"h36m": 0.5, "wild": 0.3, "mpi_inf_3dhp": 0.2})
    assert {one.kind for one in config.data} == {
        "h36m", "mpi_inf_3dhp", "lsp", "lspet", "mpii", "coco"
    }  # fmt: skip

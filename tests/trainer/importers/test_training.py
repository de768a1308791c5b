"""Tests of training with an imported body, whose sizes come from its file."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import default_body, pose_joints  # noqa: E402
from pymaf_live.body.registry import BODY_VARIABLE, import_body  # noqa: E402
from tests.body.fake_smpl import fake_smpl, write_old_pickle  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from tests.trainer.fitting.test_fit import fake_teacher  # noqa: E402
from tests.trainer.tiny_run import TinyEncoder  # noqa: E402
from trainer.data.fitted import FittedDataset  # noqa: E402
from trainer.data.lspet import read_joint_set  # noqa: E402
from trainer.evaluation.metrics import joint_error, procrustes  # noqa: E402
from trainer.fitting.fit import fit  # noqa: E402
from trainer.fitting.fitter import FitOptions  # noqa: E402
from trainer.fitting.targets import crop_annotations  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402


def test_network_samples_on_the_imported_mesh_and_trains(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "user")
    entries, _ = fake_smpl(default_body(), pose_directions=False)
    shapes = 7
    imported = import_body(write_old_pickle(tmp_path / "model.pkl", entries), "smpl", shapes)
    monkeypatch.setenv(BODY_VARIABLE, "smpl")
    body = default_body()
    assert body.sha256 == imported.sha256
    torch.manual_seed(0)
    config = NetworkConfig(
        grid=3, point_widths=(4, 4), point_channels=2, hidden=16, dropout=0.0, activation=True
    )
    model = PyMAF(config, body, InitialEstimate.upright(body), encoder=TinyEncoder())
    image, target = torch.rand(2, 3, 64, 64), torch.tensor(0.3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        last = model(image).levels[-1]
        loss = ((last.shape - target) ** 2).mean() + ((last.camera - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert last.shape.shape == (2, shapes)
    assert last.rotations.shape == (2, body.joint_count, 3, 3)
    assert losses[-1] < 0.5 * losses[0]
    assert len(model.body.skin.weights) == len(np.unique(body.sample_vertices))


def test_people_are_fitted_with_an_imported_body(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "user")
    entries, _ = fake_smpl(default_body(), pose_directions=False)
    import_body(write_old_pickle(tmp_path / "model.pkl", entries), "smpl", 7)
    monkeypatch.setenv(BODY_VARIABLE, "smpl")
    body = default_body()
    (tmp_path / "people").mkdir()
    truth = write_people(tmp_path / "people", 6)
    people = crop_annotations(FittedDataset(read_joint_set(tmp_path / "people")))
    fits = fit(body, people, fake_teacher(truth, 0.02), FitOptions(steps=80))
    assert fits.shape.shape == (6, 7)
    found = pose_joints(body, fits.rotations, fits.shape)
    true = pose_joints(body, truth.rotations, truth.shape)
    assert joint_error(procrustes(found, true), true) < 0.045
    assert np.isfinite(fits.residual_2d).all()

"""Tests of 3DPW's protocol: Human3.6M's pelvis as root, and a body of each gender."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.system.reporter import SilentReporter  # noqa: E402
from tests.trainer.evaluation.test_run import FakeNetwork  # noqa: E402
from tests.trainer.fake_dataset import DotPeople  # noqa: E402
from trainer.evaluation import genders  # noqa: E402
from trainer.evaluation.genders import gendered_bodies  # noqa: E402
from trainer.evaluation.mesh_eval import BodyPoser  # noqa: E402
from trainer.evaluation.pose3d import estimate_people, measure_people  # noqa: E402


@pytest.fixture(scope="module")
def bodies():
    return BodyPoser(default_body())


@pytest.fixture(scope="module")
def estimated(bodies):
    dots = DotPeople(bodies.body)
    labels = [dots.labels(row).body for row in range(len(dots))]
    truth = [
        np.stack([getattr(label, name) for label in labels])
        for name in ("rotations", "shape", "camera")
    ]
    return estimate_people(FakeNetwork(*truth), dots)


def test_root_is_the_pelvis_where_the_set_has_it(bodies, estimated):
    found, known = estimated
    joints_only = [replace(one, body=None) for one in known]
    figures = measure_people(found, joints_only, bodies)
    assert figures["mpjpe_mm"][1] == pytest.approx(0, abs=0.01)
    # a pelvis 3 cm from the estimate's moves every joint by 3 cm
    rotations, shape = found.estimates.rotations[1], found.estimates.shape[1]
    own = bodies.pelvis(rotations, shape)[:, 0]
    middle = bodies.paper_joints(rotations, shape)[:, [2, 3]].mean(axis=1)
    with_pelvis = [
        replace(one, pelvis=pelvis + np.array([0.0, 0.03, 0.0]))
        for one, pelvis in zip(joints_only, own - middle, strict=True)
    ]
    figures = measure_people(found, with_pelvis, bodies)
    assert figures["mpjpe_mm"][1] == pytest.approx(30, abs=0.01)
    assert figures["pa_mpjpe_mm"][1] == pytest.approx(0, abs=0.01)


def test_body_errors_are_relative_to_the_pelvis(bodies, estimated, monkeypatch):
    found, known = estimated
    real = BodyPoser.pelvis
    calls = []

    def moved(self, rotations, shape):
        calls.append(len(rotations))
        # the truth's pelvis is asked for first
        return real(self, rotations, shape) + (0.05 if len(calls) == 1 else 0.0)

    monkeypatch.setattr(BodyPoser, "pelvis", moved)
    figures = measure_people(found, known, bodies)
    for name in ("mpjpe_mm", "pve_mm"):
        assert figures[name][1] == pytest.approx(50 * 3**0.5, rel=1e-3)
    assert figures["pa_mpjpe_mm"][1] == pytest.approx(0, abs=0.01)


class Messages(SilentReporter):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


def test_people_are_posed_with_the_body_of_their_gender(bodies, estimated, monkeypatch):
    found, known = estimated
    taller = replace(bodies.body, template=bodies.body.template * 1.1)
    monkeypatch.setattr(genders, "body_by_name", lambda name: {"smpl_male": taller}[name])
    truth, counts = gendered_bodies("mfnm", bodies, {"m": "smpl_male"}, reporter := Messages())
    assert counts == {"posed_with_neutral_body": 1}
    assert reporter.lines == [
        "1 people have a gender and are posed with the neutral body; give --female-body"
    ]
    assert [one is bodies for one in truth] == [False, True, True, False]
    assert truth[0] is truth[3]
    figures = measure_people(found, known, bodies, truth)
    assert 20 < figures["pve_mm"][1] < 100
    men = measure_people(found.select([0, 3]), [known[0], known[3]], bodies, [truth[0]] * 2)
    assert figures["pve_mm"][1] == pytest.approx(men["pve_mm"][1] / 2, rel=1e-3)

    assert gendered_bodies("nnn", bodies, {}) == (None, {})
    other = replace(bodies.body, template=bodies.body.template[1:])
    monkeypatch.setattr(genders, "body_by_name", lambda _: other)
    with pytest.raises(InputError, match="another mesh"):
        gendered_bodies("m", bodies, {"m": "x"})

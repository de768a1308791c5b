"""Retargeting of a take: bones keep their directions, joints stay close."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body, joint_transforms, pose_joints, rest_joints
from pymaf_live.body.registry import import_body
from pymaf_live.body.retarget import retarget_poses
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.cli.app import main
from pymaf_live.errors import InputError, ModelError
from pymaf_live.takes.npz_file import read_take, write_take
from pymaf_live.takes.retarget import retarget_take
from pymaf_live.takes.take import Take
from tests.body.fake_smpl import fake_smpl, write_old_pickle
from tests.helpers.take import make_take, moving_limbs, walking_past

ROWS = 30


def synthetic_take(body: Body) -> Take:
    times = np.arange(12) / 30
    return make_take(body, times, {0: moving_limbs(body, times)}, {0: walking_past(times)})


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def poses(body: Body) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    rotations = matrix_from_axis_angle(random.normal(scale=0.35, size=(ROWS, 24, 3)))
    rotations[:, 0] = np.diag([1.0, -1.0, -1.0]) @ rotations[:, 0]
    return rotations, random.normal(scale=0.7, size=(ROWS, 10)), random.normal(size=(ROWS, 3))


def slimmer(body: Body) -> Body:
    """Return a body with other proportions: lower, wider, with arms lowered by 15 degrees."""
    template = body.template * [1.06, 0.94, 1.0]
    for side, name in ((1, "left"), (-1, "right")):
        joint = body.joint_regressor[body.joint_names.index(f"{name}_shoulder")] @ template
        far = np.clip((side * template[:, 0] - side * joint[0, 0]) / 0.05, 0, 1)[:, None]
        c, s = np.cos(np.radians(15)), -side * np.sin(np.radians(15))
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        template = template * (1 - far) + far * ((template - joint) @ turn.T + joint)
    return replace(body, template=template, sha256="5" * 64)


def test_the_same_body_keeps_its_joints(body: Body, poses: tuple[np.ndarray, ...]) -> None:
    found = retarget_poses(body, body, *poses)
    joints = pose_joints(body, *poses)
    assert np.linalg.norm(found.joints - joints, axis=-1).mean() < 0.004


def test_the_reported_error_is_the_joint_distance(
    body: Body, poses: tuple[np.ndarray, ...]
) -> None:
    target = slimmer(body)
    found = retarget_poses(body, target, *poses)
    joints = pose_joints(target, found.rotations, found.shape, found.translation)
    apart = np.linalg.norm(joints - pose_joints(body, *poses), axis=-1).mean(axis=1)
    np.testing.assert_allclose(found.error, apart, atol=1e-9)
    assert found.error.mean() < 0.015
    identity = found.rotations @ found.rotations.swapaxes(-1, -2)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)


def test_the_error_is_half_that_of_copied_rotations(
    body: Body, poses: tuple[np.ndarray, ...]
) -> None:
    target = slimmer(body)
    found = retarget_poses(body, target, *poses)
    wanted = pose_joints(body, *poses)
    plain = pose_joints(target, *poses)
    plain += (wanted - plain).mean(axis=1, keepdims=True)
    before = np.linalg.norm(plain - wanted, axis=-1).mean()
    assert found.error.mean() < 0.5 * before


def test_limbs_keep_their_twist(body: Body, poses: tuple[np.ndarray, ...]) -> None:
    """A forearm that twists about its own axis does so on the other body too."""
    rotations, shape, translation = (values[:2].copy() for values in poses)
    rotations[1], shape[1], translation[1] = rotations[0], shape[0], translation[0]
    elbow = body.joint_names.index("left_elbow")
    wrist = body.joint_names.index("left_wrist")
    rest = rest_joints(body, shape[0])
    axis = rest[wrist] - rest[elbow]
    turn = matrix_from_axis_angle(0.8 * axis / np.linalg.norm(axis))
    rotations[1, elbow] = rotations[1, elbow] @ turn
    target = slimmer(body)
    found = retarget_poses(body, target, rotations, shape, translation)
    world, _ = joint_transforms(target, found.rotations, rest_joints(target, found.shape))
    between = world[0, elbow].T @ world[1, elbow]
    assert np.arccos((np.trace(between) - 1) / 2) == pytest.approx(0.8, abs=0.02)


def test_a_take_survives_the_way_there_and_back(body: Body) -> None:
    take, target = synthetic_take(body), slimmer(body)
    there, error = retarget_take(take, body, target)
    assert there.body_sha256 == target.sha256
    assert error.shape == take.frame.shape
    back, _ = retarget_take(there, target, body)
    apart = np.linalg.norm(back.joints - take.joints, axis=-1).mean()
    assert apart < 0.02
    with pytest.raises(InputError, match="another body file"):
        retarget_take(there, body, target)


def test_unrelated_bodies_are_refused(body: Body, poses: tuple[np.ndarray, ...]) -> None:
    other = replace(body, joint_names=tuple(f"bone{k}" for k in range(24)))
    with pytest.raises(ModelError, match="0 joints in common"):
        retarget_poses(body, other, *poses)


def test_the_command_line_retargets_a_take(
    body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "user")
    entries, _ = fake_smpl(body, pose_directions=False)
    target = import_body(write_old_pickle(tmp_path / "model.pkl", entries), "smpl")
    given, out, amass = (tmp_path / name for name in ("a.npz", "b.npz", "c.amass.npz"))
    write_take(given, synthetic_take(body))
    assert main(["export", str(given), "--to", str(out), str(amass), "--body", "smpl"]) == 0
    assert "joints within" in capsys.readouterr().out
    assert read_take(out).body_sha256 == target.sha256
    with np.load(amass) as file:
        assert str(file["body_sha256"]) == target.sha256
    code = main(["export", str(given), "--to", str(tmp_path / "d.npz"), "--body", "unknown"])
    assert code == 5
    assert "only open, smpl" in capsys.readouterr().err

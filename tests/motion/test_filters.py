"""Tests of the filters against filterpy, SciPy and closed-form solutions."""

from __future__ import annotations

import numpy as np
import pytest
from filterpy.kalman import KalmanFilter
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from pymaf_live.body import default_body
from pymaf_live.body.rotations import axis_angle_from_rotation
from pymaf_live.motion import root_position_filter, rotation_filter
from pymaf_live.motion.forward_backward import smooth_forward_backward
from pymaf_live.motion.motion_model import MotionModel, VelocityProcess
from pymaf_live.motion.outlier_gate import Measurement
from pymaf_live.motion.root_position_filter import bearing_from_position, position_from_bearing
from pymaf_live.motion.rotation_filter import RotationState


def van_loan(walk: VelocityProcess, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return transition and process noise of a decaying velocity by Van Loan's method."""
    A = np.array([[0.0, 1.0], [0.0, -walk.decay_rate]])
    noise = np.diag([0.0, walk.noise_density])
    block = expm(np.block([[-A, noise], [np.zeros((2, 2)), A.T]]) * dt)
    F = block[2:, 2:].T
    return F, F @ block[:2, 2:]


@pytest.mark.parametrize("dt", [1 / 120, 1 / 30, 0.1])
def test_transition_and_noise_match_van_loans_method(dt: float) -> None:
    for walk in (
        MotionModel.live(0.5).rotation,
        MotionModel.live(0.5).lateral,
        MotionModel.live(0.5).depth,
    ):
        F, Q = van_loan(walk, dt)
        np.testing.assert_allclose(walk.transition(dt), F, rtol=1e-9)
        np.testing.assert_allclose(walk.process_noise(dt, np.array(0.0)), Q, rtol=1e-6)


def test_rotation_about_one_axis_matches_filterpy() -> None:
    walk = VelocityProcess(noise_density=3.0, speed_gain=0.0, decay_rate=8.0)
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.01, 0.06, 80))
    angles = 2.0 * np.sin(3 * times) + 4.0 * times + random.normal(0, 0.03, 80)  # many turns
    # whole turns are indistinguishable; steps between frames stay below half a turn
    axis = np.array([1.0, -2.0, 0.5]) / np.linalg.norm([1.0, -2.0, 0.5])
    turns = Rotation.from_rotvec(angles[:, None] * axis).as_matrix()[:, None]
    variance, everyone = np.array([0.03**2]), np.array([True])

    belief = RotationState.initial(turns[0], variance)
    before, after, ways = [belief], [belief], [np.eye(2)]
    for index in range(1, 80):
        dt = float(times[index] - times[index - 1])
        expected = after[-1].predicted(dt, walk)
        before.append(expected)
        after.append(expected.updated(dt, turns[index], variance, everyone))
        ways.append(walk.transition(dt))
    smooth = rotation_filter.rts_smooth(before, after, ways)

    reference = KalmanFilter(dim_x=2, dim_z=1)
    reference.H, reference.R = np.array([[1.0, 0.0]]), np.array([[0.03**2]])
    reference.x = np.array([angles[0], 0.0])
    reference.P = np.diag([0.03**2, after[0].covariance[0, 1, 1]])
    means, covariances, Fs, Qs = [reference.x], [reference.P], [np.eye(2)], [np.zeros((2, 2))]
    for index in range(1, 80):
        dt = float(times[index] - times[index - 1])
        Fs.append(walk.transition(dt))
        Qs.append(walk.process_noise(dt, np.array(0.0), after[index - 1].nis[0]))
        reference.predict(F=Fs[-1], Q=Qs[-1])
        reference.update(np.array([angles[index]]))
        means.append(reference.x)
        covariances.append(reference.P)
    wanted, *_ = reference.rts_smoother(np.array(means), np.array(covariances), Fs, Qs)

    def apart(rotations: np.ndarray, angle: np.ndarray) -> np.ndarray:
        true = Rotation.from_rotvec(angle[:, None] * axis)
        return (true.inv() * Rotation.from_matrix(rotations[:, 0])).magnitude()

    live = np.array([belief.rotations for belief in after])
    assert apart(live, np.array(means)[:, 0]).max() < 1e-7
    assert apart(smooth, wanted[:, 0]).max() < 1e-7
    np.testing.assert_allclose(after[-1].covariance[0], covariances[-1], rtol=1e-9)


def test_large_innovations_increase_the_process_noise() -> None:
    walk, variance, everyone = VelocityProcess(0.1, 0.0, 8.0), np.array([0.03**2]), np.array([True])
    random = np.random.default_rng(3)

    def mean_nis(angles: np.ndarray) -> float:
        turns = Rotation.from_euler("x", angles[:, None]).as_matrix()[:, None]
        belief = RotationState.initial(turns[0], variance)
        for turn in turns[1:]:
            belief = belief.predicted(1 / 30, walk).updated(1 / 30, turn, variance, everyone)
        return float(belief.nis[0])

    times = np.arange(300) / 30
    # one axis of three is noisy: a third of the modelled variance
    calm = [mean_nis(random.normal(0, 0.03, 300)) for _ in range(20)]
    assert np.mean(calm) < 0.5
    assert mean_nis(0.8 * np.sin(15 * times)) > 3.0
    # three times the density
    np.testing.assert_allclose(
        walk.process_noise(0.03, np.array(0.0), 3.0),
        3 * walk.process_noise(0.03, np.array(0.0), 0.2),
    )


def test_result_does_not_depend_on_the_frame_of_reference() -> None:
    body, random = default_body(), np.random.default_rng(2)
    steps = Rotation.from_rotvec(random.normal(0, 0.1, (40, body.joint_count, 3)).reshape(-1, 3))
    turns = steps.as_matrix().reshape(40, body.joint_count, 3, 3)
    for index in range(1, 40):
        turns[index] = turns[index - 1] @ turns[index]
    frame = Rotation.from_euler("xyz", [1.0, 2.0, 3.0]).as_matrix()
    times, score = np.arange(40) / 30, np.ones(body.joint_count)
    where = np.array([0.2, 0.1, 4.0])
    plain, _ = smooth_forward_backward(
        [Measurement(turn, where, score) for turn in turns],
        times,
        body.joint_mirror,
        MotionModel.live(0.5),
    )
    turned, _ = smooth_forward_backward(
        [Measurement(frame @ turn, where, score) for turn in turns],
        times,
        body.joint_mirror,
        MotionModel.live(0.5),
    )
    np.testing.assert_allclose(turned, frame @ plain, atol=1e-9)


def test_bearing_and_position_convert_into_each_other() -> None:
    places = np.array([[0.5, -0.2, 3.0], [-2.0, 1.0, 8.0]])
    seen = bearing_from_position(places)
    np.testing.assert_allclose(seen, [[1 / 6, -1 / 15, np.log(3)], [-0.25, 0.125, np.log(8)]])
    np.testing.assert_allclose(position_from_bearing(seen), places)
    # positions behind the camera stay finite
    assert np.isfinite(bearing_from_position(np.array([1.0, 1.0, -2.0]))).all()


def test_position_smoother_matches_filterpy() -> None:
    model, random = MotionModel.offline(0.5), np.random.default_rng(1)
    times = np.cumsum(random.uniform(0.02, 0.05, 60))
    places = np.c_[times, 0 * times, 4 + 0.3 * times] + random.normal(0, 0.01, (60, 3))
    filtering = root_position_filter.RootPositionFilter(places[0], model)
    before, after = [filtering.state], [filtering.state]
    for index in range(1, 60):
        filtering.predict(float(times[index] - times[index - 1]), model)
        before.append(filtering.state)
        filtering.update(float(times[index] - times[index - 1]), places[index], model, 1.0)
        after.append(filtering.state)
    steps = np.diff(times, prepend=times[0])
    ways = [root_position_filter.transition(float(dt), model) for dt in steps]
    # process noise in filterpy's form
    added = [b[1] - F @ a[1] @ F.T for F, a, b in zip(ways[1:], after, before[1:], strict=False)]
    wanted, *_ = KalmanFilter(dim_x=6, dim_z=3).rts_smoother(
        np.array([mean for mean, _ in after]),
        np.array([covariance for _, covariance in after]),
        Fs=ways,
        Qs=[np.zeros((6, 6)), *added],
    )
    smooth = root_position_filter.rts_smooth(before, after, ways)
    np.testing.assert_allclose(smooth, position_from_bearing(wanted[:, :3]), atol=1e-6)
    error = np.linalg.norm(smooth - np.c_[times, 0 * times, 4 + 0.3 * times], axis=1)
    assert error.mean() < 0.6 * 0.016


def test_axis_angle_from_rotation_matches_scipy() -> None:
    random = np.random.default_rng(6)
    axes = random.normal(size=(400, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.r_[np.zeros(5), np.geomspace(1e-12, np.pi, 390), np.pi - 10.0 ** -np.arange(3, 8)]
    wanted = Rotation.from_rotvec(axes * angles[:, None])
    found = axis_angle_from_rotation(wanted.as_matrix())
    assert (Rotation.from_rotvec(found).inv() * wanted).magnitude().max() < 1e-9
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), angles, atol=1e-9)

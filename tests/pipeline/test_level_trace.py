"""Trace of the network's levels, and where they sample the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pymaf_live.body import Body, default_body
from pymaf_live.inference import open_session
from pymaf_live.pipeline.level_trace import LevelTracer
from pymaf_live.pipeline.person_estimator import PersonEstimator
from pymaf_live.tracking import PersonTracker
from pymaf_live.types import Camera, Crop, Estimate, Frame
from tests.helpers.model import SCALE, UPRIGHT, write_fake_model

BOX = np.array([[280.0, 120.0, 360.0, 360.0]])


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def estimator_of(path: Path, body: Body) -> PersonEstimator:
    session = open_session(path, "onnxruntime")
    tracker = PersonTracker(None, session.metadata.input_size)
    return PersonEstimator(body, session, None, tracker, None, boxes={"0": BOX, "1": BOX})


def frame(index: int = 0) -> Frame:
    image = np.zeros((480, 640, 3), np.uint8)
    image[120:360, 280:360] = 255
    return Frame(index, index / 30, image)


def test_results_have_levels_only_with_inspect(tmp_path: Path, body: Body) -> None:
    path = write_fake_model(tmp_path / "levels.onnx", body, 64, levels=3)
    estimator = estimator_of(path, body)
    assert estimator.estimate(frame()).level_traces == ()
    estimator.inspect = True
    result = estimator.estimate(frame(1))
    estimator.close()
    (trace,) = result.level_traces
    assert trace.person == result.raw[0].id
    assert_allclose(trace.levels[-1].joints, result.raw[0].joints)
    # coarser levels have a smaller scale, so the body is farther away
    depths = [level.translation[2] for level in trace.levels]
    assert_allclose([depths[0] / depths[2], depths[1] / depths[2]], [1 / 0.8, 1 / 0.9], rtol=0.01)
    assert trace.dense is None
    assert [len(points) for points in trace.sample_points] == [
        21 * 21,
        *[len(body.sample_vertices)] * 2,
    ]


def test_a_model_with_one_level_has_one_level(tmp_path: Path, body: Body) -> None:
    estimator = estimator_of(write_fake_model(tmp_path / "one.onnx", body, 64), body)
    estimator.inspect = True
    (trace,) = estimator.estimate(frame()).level_traces
    estimator.close()
    assert len(trace.levels) == 1
    # under the mesh of a level that the file does not contain
    assert len(trace.sample_points[0]) == 0


def test_points_are_sampled_on_a_grid_and_then_under_the_previous_level(body: Body) -> None:
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = UPRIGHT
    shape, score = np.zeros(body.shape_count), np.ones(body.joint_count)
    estimates = [
        Estimate(rotations, shape, np.array([scale, 0.1, -0.2]), 1.0, score)
        for scale in (SCALE, 0.5)
    ]
    turn = np.radians(20)
    matrix = 3 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    crop = Crop(np.c_[matrix, [100.0, 50.0]], 64)
    trace = LevelTracer(body, (3, 0)).trace(estimates, crop, Camera.for_frame((640, 480)), 4)
    grid, mesh = trace.sample_points
    # outer edges of the crop, whose pixel centres lie at whole numbers
    corners = np.array([[-0.5, -0.5], [63.5, -0.5], [-0.5, 63.5], [63.5, 63.5]])
    expected = corners @ matrix.T + [100.0, 50.0]
    for corner in expected:
        assert np.linalg.norm(grid - corner, axis=1).min() < 1e-9
    assert len(grid) == 9
    # upright in the rest pose: the template rotated by 180 degrees about x at the root joint
    root = np.asarray(body.joint_regressor @ body.template)[0]
    rest = body.template[body.sample_vertices] - root
    posed = np.c_[rest[:, 0], -rest[:, 1]] + root[:2]
    units = SCALE * (posed + np.array([0.1, -0.2]))
    pixels = (units + 1) * 32 - 0.5
    assert_allclose(mesh, pixels @ matrix.T + [100.0, 50.0], atol=1e-4)

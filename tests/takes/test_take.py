"""Meshes, cameras and plain values of a take."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import Body, default_body, pose_joints
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import InputError, UsageError
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera
from tests.helpers.take import SIZE, make_take, moving_limbs, walking_past

TIMES = np.arange(5) / 30


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    """Person 1 in all frames, person 2 in frames 3 and 4."""
    return make_take(
        body,
        TIMES,
        {1: moving_limbs(body, TIMES), 2: moving_limbs(body, TIMES[:2])},
        {1: walking_past(TIMES), 2: walking_past(TIMES[:2], 1.0)},
        frames={1: np.arange(5), 2: np.array([3, 4])},
    )


def test_vertices_carry_the_joints_of_the_take(body: Body, take: Take) -> None:
    vertices = take.vertices(3, 2)
    assert vertices.shape == body.template.shape
    row = int(np.flatnonzero((take.frame == 3) & (take.person == 2))[0])
    # skinned by hand: sum over joints of weight * transformed rest vertex
    rotations, shape = matrix_from_axis_angle(take.pose[row]), take.shape[row]
    rest_vertices = body.template + body.shape_directions @ shape
    rest_joints = body.joint_regressor @ rest_vertices
    world = np.empty((body.joint_count, 3, 3))
    for joint, parent in enumerate(body.parents):
        world[joint] = rotations[joint] if parent < 0 else world[parent] @ rotations[joint]
    joints = pose_joints(body, rotations, shape, take.translation[row])
    offsets = rest_vertices[:, None] - rest_joints[None]
    posed = np.einsum("vj,jab,vjb->va", body.skin_weights, world, offsets)
    posed += body.skin_weights @ joints
    np.testing.assert_allclose(vertices, posed, atol=1e-4)


def test_the_person_is_optional_where_one_person_is_in_the_frame(take: Take) -> None:
    np.testing.assert_array_equal(take.vertices(0), take.vertices(0, 1))
    with pytest.raises(UsageError, match="several people"):
        take.vertices(3)


def test_missing_frames_and_people_are_usage_errors(take: Take) -> None:
    with pytest.raises(UsageError, match="no frame 5"):
        take.vertices(5)
    with pytest.raises(UsageError, match="no person 2 in frame 0"):
        take.vertices(0, 2)


def test_a_take_of_a_body_that_is_not_installed_is_refused(take: Take) -> None:
    with pytest.raises(InputError, match="another body"):
        replace(take, body_sha256="0" * 64).vertices(0)
    with pytest.raises(InputError, match="another body"):
        _ = replace(take, body_sha256="0" * 64).faces


def test_faces_index_the_vertices(body: Body, take: Take) -> None:
    assert take.faces.shape == body.faces.shape
    assert take.faces.max() == len(take.vertices(0)) - 1


def test_camera_projects_the_joints_onto_their_image_points(take: Take) -> None:
    camera = take.camera
    assert isinstance(camera, Camera)
    assert camera.size == SIZE
    joints = take.joints[0]
    projected = joints[:, :2] / joints[:, 2:] * camera.focal_length + camera.principal_point
    np.testing.assert_allclose(projected, take.joints_2d[0], atol=1e-6)


def test_to_dict_is_json_with_every_frame_and_person(take: Take) -> None:
    named = replace(take, person_number=(2,), person_name=("Ann",))
    content = json.loads(json.dumps(named.to_dict()))
    assert [len(frame["people"]) for frame in content["frames"]] == [1, 1, 1, 2, 2]
    assert [frame["time"] for frame in content["frames"]] == TIMES.tolist()
    second = content["frames"][3]["people"][1]
    assert (second["id"], second["name"], second["predicted"]) == (2, "Ann", False)
    row = np.flatnonzero((take.frame == 3) & (take.person == 2))[0]
    np.testing.assert_allclose(second["joints"], take.joints[row])
    assert content["frame_size"] == list(SIZE)
    assert content["joint_names"] == list(take.joint_names)

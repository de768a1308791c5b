"""The shipped body file passes its checks, and the checks can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from trainer.body import check_open_body
from trainer.body.open_body.geometry import mesh_volume
from trainer.commands.app import main


def test_mesh_is_closed_and_wound_outwards() -> None:
    assert all(check_open_body.check_mesh(default_body()).values())


def test_hole_and_flipped_face_are_detected() -> None:
    body = default_body()
    hole = check_open_body.check_mesh(replace(body, faces=body.faces[1:]))
    assert not hole["closed, consistently wound"]
    flipped = body.faces.copy()
    flipped[0] = flipped[0][::-1]
    assert not check_open_body.check_mesh(replace(body, faces=flipped))[
        "closed, consistently wound"
    ]
    inside_out = check_open_body.check_mesh(replace(body, faces=body.faces[:, ::-1]))
    assert not inside_out["wound outwards"]


def test_joints_lie_inside_and_a_joint_outside_is_detected() -> None:
    body = default_body()
    shapes = np.zeros((1, body.shape_count))
    assert all(check_open_body.check_joints_inside(body, shapes).values())
    # a regressor that moves a joint half a metre outwards
    tip = int(np.argmax(body.template[:, 0]))
    regressor = body.joint_regressor.tolil()
    regressor[20] = 0
    regressor[20, tip] = 2.0
    moved = replace(body, joint_regressor=regressor.tocsr())
    assert not any(check_open_body.check_joints_inside(moved, shapes).values())


def test_winding_numbers_of_a_cube() -> None:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    from scipy.spatial import ConvexHull

    hull = ConvexHull(corners)
    faces = hull.simplices.copy()
    a, b, c = (corners[faces[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * hull.equations[:, :3]).sum(1) < 0
    faces[inward] = faces[inward][:, ::-1]
    numbers = check_open_body.winding_numbers(
        corners, faces.astype(np.int64), np.array([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5]])
    )
    np.testing.assert_allclose(numbers, [1, 0], atol=1e-9)
    assert mesh_volume(corners, faces.astype(np.int64)) == pytest.approx(1.0)


def test_invalid_body_file_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "body.npz").write_bytes(b"nothing")
    assert main(["check-body", str(tmp_path / "body.npz")]) == 5
    message = capsys.readouterr().err.strip()
    assert message.startswith("trainer: ")
    assert "\n" not in message

"""The shipped clothed and wireframe meshes fit the open body."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pymaf_live.body import default_body
from pymaf_live.body.display_mesh import (
    DisplayMesh,
    body_mesh,
    display_mesh,
    is_dressable,
    load_display_meshes,
    save_display_meshes,
)
from pymaf_live.errors import ModelError
from pymaf_live.resources import resource


@pytest.mark.parametrize(("name", "most"), [("clothed", 0.06), ("wireframe", 0.001)])
def test_every_vertex_stays_near_the_body_of_any_shape(name: str, most: float) -> None:
    body = default_body()
    mesh = display_mesh(body, name)
    for shape in (np.zeros(10), np.eye(10)[0] * 2, np.eye(10)[2] * -2):
        own = body.template + body.shape_directions @ shape
        drawn = mesh.template + mesh.directions @ shape.astype(np.float32)
        assert cKDTree(own).query(drawn)[0].max() < most


def test_the_clothed_mesh_is_skinned_coloured_and_small() -> None:
    body = default_body()
    mesh = display_mesh(body, "clothed")
    assert mesh.skin_weights.shape == (len(mesh.template), body.joint_count)
    assert np.allclose(mesh.skin_weights.sum(axis=1), 1, atol=1e-5)
    assert mesh.faces.max() < len(mesh.template)
    shirt = mesh.paint[:, 3] > 0.5
    # the shirt has the person's colour: between hips and neck, and nowhere else
    assert 0.1 < shirt.mean() < 0.5
    assert mesh.template[shirt, 1].min() > -0.45
    # cloth covers the trunk: none of the body's own skin is left between shins and chest
    skin = (np.abs(mesh.paint[:, :3] - (0.80, 0.64, 0.54)) < 0.01).all(axis=1)
    trunk = (np.abs(mesh.template[:, 0]) < 0.15) & (np.abs(mesh.template[:, 1] + 0.4) < 0.45)
    assert skin.any()
    assert not (skin & trunk).any()
    assert resource("body/display_meshes.npz").stat().st_size < 1_000_000


def test_another_body_is_drawn_by_its_own_mesh() -> None:
    body = default_body()
    other = replace(body, sha256="0" * 64)
    assert is_dressable(body)
    assert not is_dressable(other)
    assert len(display_mesh(other, "clothed").template) == len(body.template)
    assert len(body_mesh(other).faces) == len(body.faces)


def test_meshes_survive_saving_and_broken_files_are_refused(tmp_path: Path) -> None:
    mesh = display_mesh(default_body(), "wireframe")
    save_display_meshes(tmp_path / "meshes.npz", "abc", {"wireframe": mesh})
    sha256, read = load_display_meshes(tmp_path / "meshes.npz")
    again: DisplayMesh = read["wireframe"]
    assert sha256 == "abc"
    assert np.array_equal(again.faces, mesh.faces)
    assert np.abs(again.skin_weights - mesh.skin_weights).max() < 0.005
    (tmp_path / "broken.npz").write_bytes((tmp_path / "meshes.npz").read_bytes()[:900])
    with pytest.raises(ModelError, match=r"broken\.npz"):
        load_display_meshes(tmp_path / "broken.npz")

"""Tests of the import of SMPL files, which never executes anything in them."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from pymaf_live.body import PointSet, default_body
from pymaf_live.body.registry import (
    BODY_VARIABLE,
    body_by_hash,
    body_by_name,
    import_body,
    user_body_path,
)
from pymaf_live.body.rotations import matrix_from_axis_angle, rotation_between
from pymaf_live.body.smpl_file import read_smpl
from pymaf_live.errors import InputError, ModelError, UsageError
from tests.body.fake_smpl import SCALE, fake_smpl, small_smpl, write_old_pickle


@pytest.fixture(scope="module")
def body():
    return default_body()


@pytest.fixture(scope="module")
def fake(body):
    return fake_smpl(body)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("pymaf_live.body.registry.user_body_folder", lambda: tmp_path / "bodies")
    return tmp_path / "bodies"


def test_old_pickle_is_read_completely(fake, body, tmp_path):
    entries, _ = fake
    path = write_old_pickle(tmp_path / "basic_model.pkl", entries)
    assert b"chumpy.ch" in path.read_bytes()
    found = read_smpl(path, body)
    assert found.template.shape == (len(body.template) + 200, 3)
    np.testing.assert_array_equal(found.template, entries["v_template"])
    np.testing.assert_array_equal(found.faces, entries["f"])
    np.testing.assert_array_equal(found.shape_directions, entries["shapedirs"][:, :, :10])
    np.testing.assert_array_equal(found.pose_directions, entries["posedirs"])
    np.testing.assert_allclose(found.weights, entries["weights"], atol=1e-7)
    regressor = entries["J_regressor"].toarray()
    np.testing.assert_allclose(found.joint_regressor.toarray(), regressor, atol=1e-6)
    assert found.parents.tolist() == body.parents.tolist()


@pytest.mark.parametrize("protocol", [2, 5])
def test_new_pickle_and_npz_read_equally(body, tmp_path, protocol):
    entries = small_smpl(body)
    new, zipped = tmp_path / "new.pkl", tmp_path / "zipped.npz"
    new.write_bytes(pickle.dumps(entries, protocol=protocol))
    # the sparse matrix becomes an object array of length one, as in SMPL-H's files
    np.savez(zipped, part2num=np.array({"head": 1}, dtype=object), **entries)
    first, second = read_smpl(new, body), read_smpl(zipped, body)
    np.testing.assert_array_equal(first.template, second.template)
    difference = first.joint_regressor - second.joint_regressor
    assert abs(difference).max() == 0


def test_imported_body_is_skinned_like_its_file(fake, body, own_folder, tmp_path):
    entries, place = fake
    path = write_old_pickle(tmp_path / "model.pkl", entries)
    imported = import_body(path, "smpl")
    assert user_body_path("smpl").parent == own_folder
    assert len(imported.template) == len(entries["v_template"])
    random = np.random.default_rng(4)
    rotations = matrix_from_axis_angle(random.normal(scale=0.4, size=(24, 3)))
    mesh = PointSet.vertices(imported).pose(rotations, np.zeros(10))
    ours = PointSet.vertices(body).pose(rotations, np.zeros(10)) * SCALE
    np.testing.assert_allclose(mesh[place], ours, atol=1e-4)


def test_key_points_match_those_of_the_open_body(fake, body, own_folder, tmp_path):
    entries, _ = fake
    imported = import_body(write_old_pickle(tmp_path / "model.pkl", entries), "smpl")
    assert imported.keypoint_sets.keys() == body.keypoint_sets.keys()
    rest = np.tile(np.eye(3), (24, 1, 1))
    for name in ("lsp", "coco", "blazepose"):
        theirs = PointSet.keypoints(imported, name).pose(rest, np.zeros(10))
        ours = PointSet.keypoints(body, name).pose(rest, np.zeros(10)) * SCALE
        assert np.linalg.norm(theirs - ours, axis=1).max() < 0.01
    same = imported.face_part[: len(body.faces) // 2]
    assert set(np.unique(same)) <= set(np.unique(body.face_part))


def test_pose_directions_are_stored_in_the_body_file(body, own_folder, tmp_path):
    entries = small_smpl(body)
    import_body(write_old_pickle(tmp_path / "model.pkl", entries), "small")
    with np.load(user_body_path("small"), allow_pickle=False) as file:
        kept = file["posedirs"]
    np.testing.assert_allclose(kept, entries["posedirs"], atol=1e-7)


def test_a_body_is_found_by_name_checksum_and_environment(body, own_folder, tmp_path, monkeypatch):
    imported = import_body(write_old_pickle(tmp_path / "m.pkl", small_smpl(body)), "mine")
    assert body_by_name("mine").sha256 == imported.sha256
    assert body_by_hash(imported.sha256).sha256 == imported.sha256
    assert body_by_hash("0" * 64).sha256 == body.sha256
    monkeypatch.setenv(BODY_VARIABLE, "mine")
    assert default_body().sha256 == imported.sha256
    assert body_by_hash(body.sha256).sha256 == body.sha256
    with pytest.raises(ModelError, match=r"no body 'other', only open, mine"):
        body_by_name("other")


def test_second_import_replaces_the_body(body, own_folder, tmp_path):
    first = import_body(write_old_pickle(tmp_path / "a.pkl", small_smpl(body)), "mine")
    second = import_body(write_old_pickle(tmp_path / "b.pkl", small_smpl(body, 170)), "mine")
    assert len(first.template) == 160
    assert len(body_by_name("mine").template) == len(second.template) == 170


def test_bodies_with_fingers_are_imported_for_skinning(body, own_folder, tmp_path):
    entries = small_smpl(body)
    for count, names in ((52, ("left_index1", "right_thumb3")), (55, ("jaw", "right_thumb3"))):
        parents = np.r_[body.parents[:22], np.full(count - 22, 20)].astype(np.uint32)
        regressor = np.full((count, 160), 1 / 160)
        regressor[:22] = entries["J_regressor"].toarray()[:22]
        weights = np.zeros((160, count))
        weights[:, :22] = entries["weights"][:, :22] + 1e-3
        changed = entries | {
            "kintree_table": np.stack([parents, np.arange(count, dtype=np.uint32)]),
            "J_regressor": regressor,
            "weights": weights / weights.sum(axis=1, keepdims=True),
        }
        del changed["posedirs"]
        path = tmp_path / f"fingers{count}.npz"
        np.savez(path, **changed)
        imported = import_body(path, f"fingers{count}")
        assert imported.joint_count == count
        assert set(names) <= set(imported.joint_names)
        left = imported.joint_names.index("left_index1")
        assert imported.joint_names[imported.joint_mirror[left]] == "right_index1"


class _Malicious:
    def __reduce__(self):
        return os.mkdir, ("made_by_a_pickle",)


@pytest.mark.parametrize("inside", ["entry", "array"])
def test_pickle_with_other_objects_is_refused(body, tmp_path, monkeypatch, inside):
    monkeypatch.chdir(tmp_path)
    evil = np.array([_Malicious()], dtype=object) if inside == "array" else _Malicious()
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(small_smpl(body) | {"J": evil}, protocol=2))
    with pytest.raises(InputError, match=r"evil\.pkl is refused: it contains \w+\.mkdir"):
        read_smpl(path, body)
    assert not (tmp_path / "made_by_a_pickle").exists()


def test_object_array_in_an_npz_is_read_safely(body, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = small_smpl(body) | {"J_regressor": np.array([_Malicious()], dtype=object)}
    np.savez(tmp_path / "evil.npz", **entries)
    with pytest.raises(InputError, match="mkdir"):
        read_smpl(tmp_path / "evil.npz", body)
    assert not (tmp_path / "made_by_a_pickle").exists()


def test_pickled_array_cannot_allocate_memory(body, tmp_path):
    path = tmp_path / "vast.pkl"
    # a pickle that calls numpy.ndarray with a size
    path.write_bytes(b"\x80\x02cnumpy\nndarray\n(\x8a\x05\x00\x00\x00\x00\x7f\x85tR.")
    with pytest.raises(InputError, match="refused"):
        read_smpl(path, body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "lacks weights"),
        ({"f": np.array([[0, 1, 160]])}, "f has indices outside its 160 vertices"),
        ({"kintree_table": np.zeros((2, 16), np.uint32)}, "it has 16 joints"),
        ({"shapedirs": np.zeros((159, 3, 10))}, r"shapedirs is \(159, 3, 10\)"),
        ({"v_template": np.full((160, 3), np.nan)}, "not finite"),
        ({"weights": np.ones((160, 24))}, "rows of weights do not sum to 1"),
    ],
)
def test_invalid_file_is_refused_in_one_line(body, tmp_path, change, message):
    entries = {k: v for k, v in (small_smpl(body) | change).items() if v is not None}
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps(entries))
    with pytest.raises(InputError, match=message) as caught:
        read_smpl(path, body)
    assert "\n" not in str(caught.value)


def test_another_joint_tree_is_refused(body, tmp_path):
    entries = small_smpl(body)
    tree = entries["kintree_table"].copy()
    tree[0, 4] = 0
    path = tmp_path / "tree.pkl"
    path.write_bytes(pickle.dumps(entries | {"kintree_table": tree}))
    with pytest.raises(InputError, match="its joint tree is not SMPL's"):
        read_smpl(path, body)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04", b"\x80\x02}q", b"no pickle"])
def test_damaged_file_is_refused_and_nothing_is_stored(body, own_folder, tmp_path, content):
    path = tmp_path / "cut.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError):
        import_body(path, "cut")
    assert not own_folder.exists()


def test_sparse_matrix_with_invalid_indices_is_refused(body, tmp_path):
    entries = small_smpl(body)
    matrix = entries["J_regressor"]
    matrix.indices[0] = 10_000
    path = tmp_path / "outside.pkl"
    path.write_bytes(pickle.dumps(entries))
    with pytest.raises(InputError, match="indices outside its shape"):
        read_smpl(path, body)


def test_name_cannot_leave_the_folder(body, own_folder, tmp_path):
    path = write_old_pickle(tmp_path / "m.pkl", small_smpl(body))
    for name in ("../x", "open", "", "a/b"):
        with pytest.raises(UsageError):
            import_body(path, name)


def test_rotations_between_directions_are_the_smallest():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 50, 3))
    b[0], b[1] = a[0], -a[1]
    turn = rotation_between(a, b)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b)]
    np.testing.assert_allclose(np.einsum("nij,nj->ni", turn, unit[0]), unit[1], atol=1e-9)
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    between = np.arccos(np.clip((unit[0] * unit[1]).sum(axis=1), -1, 1))
    np.testing.assert_allclose(angle, between, atol=1e-6)


def test_zip_bomb_is_not_unpacked(body, tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
        )
        archive.writestr("v_template.npy", header.getvalue())
    with pytest.raises(InputError):
        read_smpl(path, body)

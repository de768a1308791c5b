"""A licensed SMPL file becomes a body of the program, and nothing in it is ever run."""

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
from tests.body.fake_smpl import LARGER, made_up_smpl, small_smpl, write_old_pickle


@pytest.fixture(scope="module")
def body():
    return default_body()


@pytest.fixture(scope="module")
def made(body):
    return made_up_smpl(body)


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("pymaf_live.body.registry.user_body_folder", lambda: tmp_path / "bodies")
    return tmp_path / "bodies"


def test_an_old_pickle_gives_what_was_written(made, body, tmp_path):
    entries, _ = made
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
def test_a_new_pickle_and_an_npz_give_the_same(body, tmp_path, protocol):
    entries = small_smpl(body)
    new, zipped = tmp_path / "new.pkl", tmp_path / "zipped.npz"
    new.write_bytes(pickle.dumps(entries, protocol=protocol))
    # the sparse matrix becomes an array of one object, as in SMPL-H's files
    np.savez(zipped, part2num=np.array({"head": 1}, dtype=object), **entries)
    first, second = read_smpl(new, body), read_smpl(zipped, body)
    np.testing.assert_array_equal(first.template, second.template)
    difference = first.joint_regressor - second.joint_regressor
    assert abs(difference).max() == 0


def test_the_imported_body_moves_as_its_file_says(made, body, own_folder, tmp_path):
    entries, place = made
    path = write_old_pickle(tmp_path / "model.pkl", entries)
    adopted = import_body(path, "smpl")
    assert user_body_path("smpl").parent == own_folder
    assert len(adopted.template) == len(entries["v_template"])
    random = np.random.default_rng(4)
    rotations = matrix_from_axis_angle(random.normal(scale=0.4, size=(24, 3)))
    mesh = PointSet.vertices(adopted).pose(rotations, np.zeros(10))
    ours = PointSet.vertices(body).pose(rotations, np.zeros(10)) * LARGER
    np.testing.assert_allclose(mesh[place], ours, atol=1e-4)


def test_key_points_lie_where_the_open_body_has_them(made, body, own_folder, tmp_path):
    entries, _ = made
    adopted = import_body(write_old_pickle(tmp_path / "model.pkl", entries), "smpl")
    assert adopted.keypoint_sets.keys() == body.keypoint_sets.keys()
    rest = np.tile(np.eye(3), (24, 1, 1))
    for name in ("lsp", "coco", "blazepose"):
        theirs = PointSet.keypoints(adopted, name).pose(rest, np.zeros(10))
        ours = PointSet.keypoints(body, name).pose(rest, np.zeros(10)) * LARGER
        assert np.linalg.norm(theirs - ours, axis=1).max() < 0.01
    same = adopted.face_part[: len(body.faces) // 2]
    assert set(np.unique(same)) <= set(np.unique(body.face_part))


def test_pose_directions_are_kept_beside_the_body(body, own_folder, tmp_path):
    entries = small_smpl(body)
    import_body(write_old_pickle(tmp_path / "model.pkl", entries), "small")
    with np.load(user_body_path("small"), allow_pickle=False) as file:
        kept = file["posedirs"]
    np.testing.assert_allclose(kept, entries["posedirs"], atol=1e-7)


def test_a_body_is_found_by_name_checksum_and_environment(body, own_folder, tmp_path, monkeypatch):
    adopted = import_body(write_old_pickle(tmp_path / "m.pkl", small_smpl(body)), "mine")
    assert body_by_name("mine").sha256 == adopted.sha256
    assert body_by_hash(adopted.sha256).sha256 == adopted.sha256
    assert body_by_hash("0" * 64).sha256 == body.sha256
    monkeypatch.setenv(BODY_VARIABLE, "mine")
    assert default_body().sha256 == adopted.sha256
    assert body_by_hash(body.sha256).sha256 == body.sha256
    with pytest.raises(ModelError, match=r"no body 'other', only open, mine"):
        body_by_name("other")


def test_importing_again_replaces_the_body(body, own_folder, tmp_path):
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
        adopted = import_body(path, f"fingers{count}")
        assert adopted.joint_count == count
        assert set(names) <= set(adopted.joint_names)
        left = adopted.joint_names.index("left_index1")
        assert adopted.joint_names[adopted.joint_mirror[left]] == "right_index1"


class _Malice:
    def __reduce__(self):
        return os.mkdir, ("made_by_a_pickle",)


@pytest.mark.parametrize("inside", ["entry", "array"])
def test_a_pickle_with_anything_else_inside_is_refused_and_named(
    body, tmp_path, monkeypatch, inside
):
    monkeypatch.chdir(tmp_path)
    evil = np.array([_Malice()], dtype=object) if inside == "array" else _Malice()
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(small_smpl(body) | {"J": evil}, protocol=2))
    with pytest.raises(InputError, match=r"evil\.pkl is refused: it contains \w+\.mkdir"):
        read_smpl(path, body)
    assert not (tmp_path / "made_by_a_pickle").exists()


def test_an_object_array_in_an_npz_is_read_as_warily(body, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = small_smpl(body) | {"J_regressor": np.array([_Malice()], dtype=object)}
    np.savez(tmp_path / "evil.npz", **entries)
    with pytest.raises(InputError, match="mkdir"):
        read_smpl(tmp_path / "evil.npz", body)
    assert not (tmp_path / "made_by_a_pickle").exists()


def test_an_array_cannot_ask_for_memory(body, tmp_path):
    path = tmp_path / "vast.pkl"
    # numpy.ndarray called with a size, as a pickle may
    path.write_bytes(b"\x80\x02cnumpy\nndarray\n(\x8a\x05\x00\x00\x00\x00\x7f\x85tR.")
    with pytest.raises(InputError, match="refused"):
        read_smpl(path, body)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights": None}, "lacks weights"),
        ({"f": np.array([[0, 1, 160]])}, "f has indices outside its 160 vertices"),
        ({"kintree_table": np.zeros((2, 16), np.uint32)}, "it has 16 joints"),
        ({"shapedirs": np.zeros((159, 3, 10))}, r"shapedirs is \(159, 3, 10\)"),
        ({"v_template": np.full((160, 3), np.nan)}, "not finite"),
        ({"weights": np.ones((160, 24))}, "rows of weights do not sum to 1"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(body, tmp_path, change, says):
    entries = {k: v for k, v in (small_smpl(body) | change).items() if v is not None}
    path = tmp_path / "odd.pkl"
    path.write_bytes(pickle.dumps(entries))
    with pytest.raises(InputError, match=says) as caught:
        read_smpl(path, body)
    assert "\n" not in str(caught.value)


def test_joints_of_another_tree_are_refused(body, tmp_path):
    entries = small_smpl(body)
    tree = entries["kintree_table"].copy()
    tree[0, 4] = 0
    path = tmp_path / "tree.pkl"
    path.write_bytes(pickle.dumps(entries | {"kintree_table": tree}))
    with pytest.raises(InputError, match="its joint tree is not SMPL's"):
        read_smpl(path, body)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04", b"\x80\x02}q", b"no pickle"])
def test_a_damaged_file_is_refused_and_nothing_is_kept(body, own_folder, tmp_path, content):
    path = tmp_path / "cut.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError):
        import_body(path, "cut")
    assert not own_folder.exists()


def test_a_sparse_matrix_that_points_outside_itself_is_refused(body, tmp_path):
    entries = small_smpl(body)
    matrix = entries["J_regressor"]
    matrix.indices[0] = 10_000
    path = tmp_path / "outside.pkl"
    path.write_bytes(pickle.dumps(entries))
    with pytest.raises(InputError, match="indices outside its shape"):
        read_smpl(path, body)


def test_a_name_cannot_lead_out_of_the_folder(body, own_folder, tmp_path):
    path = write_old_pickle(tmp_path / "m.pkl", small_smpl(body))
    for name in ("../x", "open", "", "a/b"):
        with pytest.raises(UsageError):
            import_body(path, name)


def test_turns_between_directions_are_the_smallest():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 50, 3))
    b[0], b[1] = a[0], -a[1]
    turn = rotation_between(a, b)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b)]
    np.testing.assert_allclose(np.einsum("nij,nj->ni", turn, unit[0]), unit[1], atol=1e-9)
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    between = np.arccos(np.clip((unit[0] * unit[1]).sum(axis=1), -1, 1))
    np.testing.assert_allclose(angle, between, atol=1e-6)


def test_a_zip_bomb_is_not_unpacked(body, tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
        )
        archive.writestr("v_template.npy", header.getvalue())
    with pytest.raises(InputError):
        read_smpl(path, body)

"""Tests of packing and unpacking shards."""

import json
import zipfile

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.errors import InputError
from trainer.packaging.shards import pack, unpack


@pytest.fixture
def locations(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "source" / "set"
    (folder / "deep").mkdir(parents=True)
    for name, size in (("a.bin", 30_000), ("deep/b.bin", 150_000), ("empty", 0), ("c", 10)):
        (folder / name).write_bytes(random.bytes(size))
    single = tmp_path / "source" / "fits.npz"
    single.write_bytes(random.bytes(60_000))
    return {"set": folder, "fits": single}


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_unpacked_files_equal_the_originals(locations, tmp_path):
    shards = pack(tmp_path / "packed", locations, largest=65_536)
    assert len(shards) > 3
    assert max(shard.stat().st_size for shard in shards) <= 65_536
    for shard in shards:
        with zipfile.ZipFile(shard) as archive:
            assert archive.testzip() is None
            assert archive.namelist()
    unpacked = unpack(tmp_path / "packed", tmp_path / "out")
    assert unpacked["fits"].read_bytes() == locations["fits"].read_bytes()
    assert contents(unpacked["set"]) == contents(locations["set"])
    # unpacking again restores a damaged file
    (unpacked["set"] / "c").write_bytes(b"damaged")
    unpack(tmp_path / "packed", tmp_path / "out")
    assert contents(unpacked["set"]) == contents(locations["set"])


def test_damaged_and_missing_shards_are_named(locations, tmp_path):
    shards = pack(tmp_path / "packed", locations, largest=65_536)
    damaged = bytearray(shards[1].read_bytes())
    damaged[1000] ^= 1
    shards[1].write_bytes(damaged)
    with pytest.raises(InputError, match=r"shard_001\.zip is damaged"):
        unpack(tmp_path / "packed", tmp_path / "out")
    shards[1].unlink()
    with pytest.raises(InputError, match=r"shard_001\.zip is missing"):
        unpack(tmp_path / "packed", tmp_path / "out")
    assert not list((tmp_path / "out").rglob(".*"))


def test_index_with_paths_outside_the_folder_is_rejected(locations, tmp_path):
    pack(tmp_path / "packed", locations)
    path = tmp_path / "packed" / "index.json"
    index = json.loads(path.read_text())
    for bad in ("../evil", "/evil", "a/../../evil"):
        index["files"][0]["path"] = bad
        path.write_text(json.dumps(index))
        with pytest.raises(InputError, match="is not a valid path of a packed file"):
            unpack(tmp_path / "packed", tmp_path / "out")
    path.write_text("{")
    with pytest.raises(InputError, match="is not an index of shards"):
        unpack(tmp_path / "packed", tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_empty_location_is_rejected(tmp_path):
    with pytest.raises(InputError, match="nothing to pack"):
        pack(tmp_path / "packed", {"set": tmp_path / "absent"})

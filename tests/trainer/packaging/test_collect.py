"""Tests of what is packed for a run."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.errors import UsageError  # noqa: E402
from pymaf_live.resources import resource  # noqa: E402
from trainer.packaging.collect import pack_run  # noqa: E402
from trainer.packaging.shards import unpack  # noqa: E402
from trainer.training.checkpoint import read_average  # noqa: E402

CONFIG = """
name = "x"
[network]
[[data]]
kind = "ccp"
folder = "ccp"
teacher = "votes/second_teacher.npz"
[schedule]
images = 1
"""


def pack(out, locations=None, **options):
    chosen = {"named": set(), "config_file": None, "start": None, "landmarks": out} | options
    pack_run(out, locations or {}, largest=2**24, **chosen)


def test_bundled_model_is_packed_as_a_start(tmp_path):
    model = resource("models/lite.onnx")
    pack(tmp_path / "packed", start=model)
    start = unpack(tmp_path / "packed", tmp_path / "out")["start"]
    packed, progress = read_average(start)
    own, own_progress = read_average(model)
    assert progress.config == own_progress.config
    assert packed.keys() == own.keys()
    assert all(torch.equal(packed[name], own[name]) for name in own)


def test_votes_of_a_teacher_are_packed(tmp_path):
    locations = {name: tmp_path / name for name in ("lspet", "fits", "ccp", "votes")}
    for folder in locations.values():
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    config = tmp_path / "run.toml"
    config.write_text(CONFIG)
    pack(tmp_path / "packed", locations, config_file=config)
    found = unpack(tmp_path / "packed", tmp_path / "out")
    assert (found["votes"] / "file").read_text() == "votes"


def test_nothing_to_pack_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="nothing to pack"):
        pack(tmp_path / "packed")

"""Tests of the command `export` with the options of the formats."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pygltflib import GLTF2

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.export.formats import FORMATS
from pymaf_live.takes.npz_file import write_take
from tests.helpers.take import make_take, moving_limbs, walking_past


@pytest.fixture
def take(tmp_path: Path) -> Path:
    body, times = default_body(), np.arange(10) / 30
    made = make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})
    write_take(tmp_path / "tänze.npz", made)
    return tmp_path / "tänze.npz"


def test_options_reach_the_file_and_its_verification_is_printed(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out" / "a.glb"
    flags = ["--rig", "vrm", "--rate", "29.97", "--in-place", "--rest-first", "--no-mesh"]
    code = cli.main(["export", str(take), "--to", str(target), *flags, "--world", "camera"])
    assert code == 0
    out = capsys.readouterr().out
    assert "joints within 0.000 mm" in out
    assert "29.97 frames/s" in out
    document = GLTF2().load_binary(str(target))
    assert document.nodes[0].name == "hips"
    assert document.animations[0].extras["frame_rate"] == [30000, 1001]
    assert not document.meshes


@contextmanager
def small_files_only(size: int) -> Iterator[None]:
    """Let the operating system refuse to write files larger than `size` bytes."""
    resource = pytest.importorskip("resource", reason="no limits of file sizes on this system")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"mask"}))
def test_a_file_that_the_system_refuses_is_reported_alike_by_every_format(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    chosen = FORMATS[name]
    if chosen.missing:
        pytest.skip(chosen.missing)
    folder = tmp_path / "out"
    target = chosen.target(folder / "result")
    with small_files_only(1000):
        code = cli.main(["export", str(take), "--to", str(target)])
    assert code == 4
    reason = os.strerror(errno.EFBIG)
    assert capsys.readouterr().err == f"pymaf-live: cannot write {target}: {reason}\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_take_without_people_is_written_or_its_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    chosen = FORMATS[name]
    if chosen.missing:
        pytest.skip(chosen.missing)
    write_take(tmp_path / "empty.npz", make_take(default_body(), np.arange(3) / 30, {}, {}))
    target = chosen.target(tmp_path / "result")
    code = cli.main(["export", str(tmp_path / "empty.npz"), "--to", str(target)])
    lines = capsys.readouterr().err.splitlines()
    if chosen.per_person:
        assert code == 1
        assert not target.exists()
        assert len(lines) == 1
        assert f"no people; {target} was not written" in lines[0]
    else:
        assert (code, lines) == (0, [])
        assert target.exists()


@pytest.mark.parametrize(
    ("target", "flags", "message"),
    [
        ("a.npz", ["--rig", "unity"], "--rig has no effect on npz"),
        ("a.bvh", ["--one-file"], "--one-file has no effect on bvh"),
        ("a.glb", ["--one-file", "--in-place"], "choose one of both"),
        ("a.glb", ["--unit", "cm"], "--unit has no effect on glb"),
        ("a.glb", ["--rate", "often"], "not a frame rate"),
        ("a.blend", [], "must end in one of"),
    ],
)
def test_wrong_usage_is_reported_in_one_line_before_writing(
    take: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    target: str,
    flags: list[str],
    message: str,
) -> None:
    folder = tmp_path / "out"
    assert cli.main(["export", str(take), "--to", str(folder / target), *flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not folder.exists()


def test_all_people_are_written_into_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body, times = default_body(), np.arange(4) / 30
    turns = {person: moving_limbs(body, times) for person in (1, 2)}
    places = {person: walking_past(times, float(person)) for person in turns}
    write_take(tmp_path / "duo.npz", make_take(body, times, turns, places))
    target = tmp_path / "out" / "duo.glb"
    flags = ["--to", str(target), "--one-file", "--no-mesh"]
    assert cli.main(["export", str(tmp_path / "duo.npz"), *flags]) == 0
    assert [path.name for path in target.parent.iterdir()] == ["duo.glb"]
    assert "joints within 0.000 mm" in capsys.readouterr().out
    document = GLTF2().load_binary(str(target))
    assert [skin.name for skin in document.skins] == ["person1", "person2"]


def test_each_format_applies_the_options_it_supports(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("a.bvh", "a.csv", "a.amass.npz", "a_masks")
    targets = [str(tmp_path / name) for name in names]
    assert cli.main(["export", str(take), "--to", *targets, "--unit", "m"]) == 0
    assert all((tmp_path / name).exists() for name in names)
    assert cli.main(["export", str(take), "--to", targets[3]]) == 4
    assert "already exists" in capsys.readouterr().err
    assert cli.main(["export", str(take), "--to", targets[3], "--force"]) == 0

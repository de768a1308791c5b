"""The command `export`; `tests/export/test_commands.py` has the options of the formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.takes import read_take, write_take
from tests.cli.helpers import Run, Work
from tests.helpers.take import make_take, standing, walking_past


def test_a_take_is_exported_and_loaded(
    run: Run, work: Work, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(work.clip, "--out", tmp_path, "--boxes", work.boxes, "--no-overlay", "--export", "npz")
    take = tmp_path / "walk.npz"
    targets = [tmp_path / "a.bvh", tmp_path / "b.npz"]
    assert cli.main(["export", str(take), "--to", *map(str, targets)]) == 0
    assert [path.is_file() for path in targets] == [True, True]
    assert read_take(targets[1]).frame_time.tolist() == read_take(take).frame_time.tolist()
    assert cli.main(["export", str(take), "--to", str(targets[0])]) == 4
    assert cli.main(["export", str(take), "--to", str(targets[0]), "--force", "--unit", "m"]) == 0
    assert cli.main(["export", str(take), "--to", str(take), "--force"]) == 2
    assert cli.main(["export", str(tmp_path / "no.npz"), "--to", str(tmp_path / "c.bvh")]) == 3
    capfd.readouterr()


def test_people_and_time_are_selected(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body = default_body()
    frames = {1: np.arange(30), 2: np.arange(3), 4: np.arange(10, 30)}
    take = make_take(
        body,
        np.arange(30) / 30,
        {person: standing(body, len(each)) for person, each in frames.items()},
        {person: walking_past(each / 30, 0.5 * person) for person, each in frames.items()},
        frames=frames,
    )
    path, out = tmp_path / "a.npz", tmp_path / "b.npz"
    write_take(path, take)

    def export(*options: str) -> int:
        return cli.main(["export", str(path), "--to", str(out), "--force", *options])

    assert export("--min-seen", "0.5", "--from", "0.5", "--until", "0.8") == 0
    assert "person 2" in capfd.readouterr().err
    part = read_take(out)
    assert set(part.person.tolist()) == {1, 4}
    np.testing.assert_allclose(part.frame_time, np.arange(15, 25) / 30)
    assert export("--merge", "4,2", "--person", "4", "--smoothing", "offline") == 0
    part = read_take(out)
    assert (set(part.person.tolist()), part.smoothing) == ({4}, "offline")
    for wrong in (
        ["--person", "3"],
        ["--person", "0"],
        ["--merge", "1"],
        ["--merge", "1,x"],
        ["--from", "2"],
    ):
        assert export(*wrong) == 2
    write_take(path, part, force=True)
    assert export("--smoothing", "offline") == 2
    assert "smoothed already" in capfd.readouterr().err

"""The command `export`; `tests/export/test_commands.py` has the options of the formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_live.cli import app as cli
from pymaf_live.takes import read_take
from tests.cli.helpers import Run, Work


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

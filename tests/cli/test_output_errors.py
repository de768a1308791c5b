"""Results that cannot be written cost neither the take, nor the other results and inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_live.cli import app as cli
from pymaf_live.errors import OutputError
from pymaf_live.export.video import OverlayVideo
from pymaf_live.takes import read_take
from pymaf_live.takes.library import TakeLibrary
from tests.cli.helpers import Run, Work, partial_files


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "o"
    folder.mkdir()
    return folder


def test_a_failed_overlay_does_not_cost_the_take(
    run: Run, work: Work, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OutputError("cannot write walk_overlay.mp4: No space left on device")

    monkeypatch.setattr(OverlayVideo, "add", fail)
    code, text, lines = run(work.clip, "--out", out, "--boxes", work.boxes)
    assert code == 4
    assert lines == ["pymaf-live: cannot write walk_overlay.mp4: No space left on device"]
    assert sorted(path.name for path in out.iterdir()) == ["walk.bvh", "walk.npz"]
    assert str(out / "walk.npz") in text
    assert len(read_take(out / "walk.npz").frame_time) == work.frames
    assert TakeLibrary().unfinished() == ()


def test_a_failed_export_costs_no_other_file(run: Run, work: Work, out: Path) -> None:
    (out / "walk.bvh").mkdir()
    code, _, lines = run(work.clip, "--out", out, "--boxes", work.boxes, "--force")
    assert code == 4
    assert len(lines) == 1
    assert "walk.bvh" in lines[0]
    assert sorted(path.name for path in out.iterdir()) == [
        "walk.bvh", "walk.npz", "walk_overlay.mp4",
    ]  # fmt: skip
    assert partial_files(out) == []


def test_frames_can_be_recovered_where_no_file_of_them_was_written(
    run: Run, work: Work, out: Path, tmp_path: Path
) -> None:
    (out / "walk.npz").mkdir()
    code, _, _ = run(
        work.clip, "--out", out, "--boxes", work.boxes, "--force", "--no-overlay",
        "--export", "npz",
    )  # fmt: skip
    assert code == 4
    assert [each.about.source for each in TakeLibrary().unfinished()] == ["walk.mp4"]
    assert cli.main(["recover", "--out", str(tmp_path / "saved")]) == 0
    assert len(read_take(tmp_path / "saved" / "walk.npz").frame_time) == work.frames


def test_an_output_error_of_one_input_does_not_end_a_batch(
    run: Run, work: Work, out: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(work.clip.read_bytes())
    (out / "walk.npz").mkdir()
    code, text, lines = run(
        work.clip, tmp_path / "missing.mp4", other, "--out", out, "--boxes", work.boxes,
        "--force", "--no-overlay", "--export", "npz",
    )  # fmt: skip
    assert code == 1
    assert (out / "other.npz").is_file()
    assert "other: " in text
    assert sum("walk.npz" in line for line in lines) == 1
    assert any("missing.mp4" in line for line in lines)

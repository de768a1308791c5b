"""Results that cannot be written cost neither the take, nor the other results and inputs."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from pymaf_live.cli import app as cli
from pymaf_live.errors import OutputError
from pymaf_live.export.video import OverlayVideo
from pymaf_live.takes import read_take
from pymaf_live.takes.library import TakeLibrary
from pymaf_live.takes.record_file import RecordWriter
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


def test_an_empty_folder_name_is_not_the_current_folder(
    run: Run, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for empty in ("", " "):
        code, _, lines = run(work.clip, "--out", empty)
        assert code == 2
        assert "the path is empty" in lines[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "loop"])
def test_impossible_paths_are_one_line(
    run: Run, work: Work, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    code, _, lines = run(tmp_path / f"{name}", "--out", tmp_path / "o")
    assert (code, len(lines)) == (3, 1)
    code, _, lines = run(work.clip, "--out", tmp_path / name / "o")
    assert (code, len(lines)) == (4, 1)
    assert cli.main(["export", str(tmp_path / name), "--to", str(tmp_path / "a.bvh")]) == 3
    assert cli.main(["export", str(work.clip), "--to", str(tmp_path / f"{name}.bvh")]) in (3, 4)
    errors = capfd.readouterr().err.splitlines()
    assert len(errors) == 2
    assert not any("unexpected" in line for line in errors)


def test_the_longest_input_names_give_results(run: Run, work: Work, out: Path) -> None:
    clip = out.parent / f"{'n' * 251}.mp4"
    clip.write_bytes(work.clip.read_bytes())
    code, _, _ = run(clip, "--out", out, "--boxes", work.boxes, "--no-overlay", "--export", "npz")
    assert code == 0
    (result,) = out.iterdir()
    assert result.name == f"{'n' * 200}.npz"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_gives_results(run: Run, work: Work, out: Path) -> None:
    clip = os.fsencode(out.parent) + b"/caf\xe9.mp4"
    Path(os.fsdecode(clip)).write_bytes(work.clip.read_bytes())
    code, _, _ = run(
        os.fsdecode(clip), "--out", out, "--boxes", work.boxes, "--no-overlay", "--export", "npz"
    )
    assert code == 0
    (result,) = out.iterdir()
    assert os.fsencode(result.name) == b"caf\xe9.npz"
    assert len(read_take(result).frame_time) == work.frames


def test_a_probe_never_writes_through_a_link(run: Run, work: Work, out: Path) -> None:
    victim = out.parent / "victim"
    victim.write_text("mine")
    (out / ".walk.probe").symlink_to(victim)
    code, _, _ = run(
        work.clip, "--out", out, "--boxes", work.boxes, "--no-overlay", "--export", "npz"
    )
    assert code == 0
    assert victim.read_text() == "mine"
    assert (out / ".walk.probe").is_symlink()


def test_recordings_are_for_their_owner_alone(tmp_path: Path) -> None:
    root = tmp_path / "takes"
    root.mkdir(mode=0o755)
    library = TakeLibrary(root)
    take = library.begin("walk.mp4", None)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    RecordWriter(library.folder(take) / "recording.journal").close()
    mode = (library.folder(take) / "recording.journal").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600

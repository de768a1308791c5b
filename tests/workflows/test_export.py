"""Export workflow: progress, cancellation, existing files and retargeting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import OutputExistsError, UsageError
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes.editing import with_trim
from pymaf_live.takes.npz_file import read_take
from pymaf_live.takes.take import Take
from pymaf_live.workflows.export import (
    ExportRequest,
    ExportResult,
    LateCancelReporter,
    export,
    export_targets,
)
from tests.helpers.take import make_take, moving_limbs, walking_past

FORMATS = ("bvh", "glb", "npz")


@pytest.fixture(scope="module")
def take() -> Take:
    body, times = default_body(), np.arange(60) / 30
    return make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})


class CancelsAt(SilentReporter):
    """Records the progress and cancels in the middle of a file, or from the start."""

    def __init__(self, file: str = "", *, from_the_start: bool = False) -> None:
        self.file = file
        self.from_the_start = from_the_start
        self.seen: list[tuple[str, float]] = []

    def progress(self, fraction: float | None, detail: str = "") -> None:
        assert fraction is not None
        self.seen.append((detail, fraction))

    def cancelled(self) -> bool:
        parts = [fraction for detail, fraction in self.seen if detail == f"writing {self.file}"]
        return self.from_the_start or len(parts) > 1


def exported(take: Take, folder: Path, reporter: SilentReporter) -> ExportResult:
    return export(take, ExportRequest(export_targets(folder / "walk", FORMATS)), reporter)


def test_progress_rises_to_the_end_of_each_file(take: Take, tmp_path: Path) -> None:
    reporter = CancelsAt()
    result = exported(take, tmp_path, reporter)
    assert not result.interrupted
    fractions = [fraction for _, fraction in reporter.seen]
    assert fractions == sorted(fractions)
    for number, kind in enumerate(FORMATS, 1):
        parts = [f for detail, f in reporter.seen if detail == f"writing walk.{kind}"]
        assert parts[-1] == pytest.approx(number / 3)
        assert len(parts) > 2 or kind == "npz"


def test_cancelling_keeps_the_complete_files(take: Take, tmp_path: Path) -> None:
    result = exported(take, tmp_path, CancelsAt("walk.glb"))
    assert result.interrupted
    assert [path.name for path in tmp_path.iterdir()] == ["walk.bvh"]
    assert [file.path for file in result.files] == [tmp_path / "walk.bvh"]
    assert result.not_written == (tmp_path / "walk.glb", tmp_path / "walk.npz")


def test_an_earlier_cancellation_can_be_ignored(take: Take, tmp_path: Path) -> None:
    stopped = CancelsAt(from_the_start=True)
    assert exported(take, tmp_path, stopped).files == ()
    result = exported(take, tmp_path, LateCancelReporter(stopped))
    assert not result.interrupted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk.bvh", "walk.glb", "walk.npz"]


def test_existing_files_are_kept_unless_forced(take: Take, tmp_path: Path) -> None:
    targets = export_targets(tmp_path / "walk", FORMATS)
    for target in targets[1:]:
        target.write_text("mine")
    with pytest.raises(OutputExistsError) as caught:
        export(take, ExportRequest(targets))
    assert (caught.value.path, caught.value.others) == (targets[1], 1)
    assert not targets[0].exists()
    assert "--" not in str(caught.value)
    assert len(export(take, ExportRequest(targets, force=True)).files) == 3


def test_frames_outside_the_trim_are_left_out(take: Take, tmp_path: Path) -> None:
    request = ExportRequest((tmp_path / "part.npz",))
    export(with_trim(take, 10, 29), request)
    np.testing.assert_array_equal(
        read_take(tmp_path / "part.npz").frame_time, take.frame_time[10:30]
    )


def test_unknown_endings_are_usage_errors(take: Take, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must end in"):
        export(take, ExportRequest((tmp_path / "walk.doc",)))


def test_targets_without_people_are_reported_as_empty(tmp_path: Path) -> None:
    empty = make_take(default_body(), np.arange(5) / 30, {}, {})
    targets = export_targets(tmp_path / "empty", ("bvh", "npz"))
    result = export(empty, ExportRequest(targets))
    assert result.empty == (targets[0],)
    assert [file.path for file in result.files] == [targets[1]]


def test_retargeting_to_the_same_body_moves_no_joint(take: Take, tmp_path: Path) -> None:
    target = tmp_path / "same.npz"
    result = export(take, ExportRequest((target,), body="open"))
    assert result.retarget_error is not None
    assert result.retarget_error.shape == (60,)
    assert result.retarget_error.max() < 1e-3
    np.testing.assert_allclose(read_take(target).joints, take.joints, atol=1e-3)

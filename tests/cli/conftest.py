"""Fixtures of the command-line tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_live.body import default_body
from pymaf_live.cli import app as cli
from pymaf_live.cli import progress
from tests.cli.helpers import Run, Work, stderr_lines
from tests.helpers.clip import write_boxes, write_clip
from tests.helpers.model import write_fake_model


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("work")
    return Work(
        folder,
        write_fake_model(folder / "model.onnx", default_body()),
        write_clip(folder / "walk.mp4", Work.frames),
        write_boxes(folder / "boxes.json", Work.frames),
    )


@pytest.fixture(autouse=True)
def no_progress_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep progress lines, which a slow machine prints, out of the lines that tests count."""
    monkeypatch.setattr(progress, "_LINE_SECONDS", 1e9)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], work: Work) -> Run:
    """Run `process` in this process."""

    def process(*arguments: object, model: Path | None = None) -> tuple[int, str, list[str]]:
        code = cli.main(["process", *map(str, arguments), "--model", str(model or work.model)])
        captured = capfd.readouterr()
        return code, captured.out, stderr_lines(captured.err)

    return process

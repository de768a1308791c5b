from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.pipeline import Pipeline, PipelineOptions
from tests.ui.doubles import opener, write_clip
from ui.application import Parts, assemble
from ui.controller import Controller
from ui.state import SourceChoice, WindowState
from ui.theme import dress

OpenWindow = Callable[..., Parts]


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes go where nobody else's are."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "pymaf-live" / "takes"


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=60)


@pytest.fixture
def clip(clip_path: Path) -> SourceChoice:
    return SourceChoice("file", str(clip_path), clip_path.name)


@pytest.fixture
def open_window(
    qtbot: QtBot, qapp: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenWindow]:
    dress(qapp)  # type: ignore[arg-type]
    monkeypatch.setattr("ui.widgets.main_window.default_folder", lambda: tmp_path)
    opened: list[Parts] = []

    def open_(
        cameras: tuple[SourceChoice, ...] = (),
        options: PipelineOptions | None = None,
        real: bool = False,
        list_cameras: Callable[[], tuple[SourceChoice, ...]] | None = None,
        **kinds: float,
    ) -> Parts:
        state = WindowState()
        open_estimator = None if real else opener(**kinds)  # type: ignore[arg-type]
        controller = Controller(
            state,
            options,
            open_pipeline=lambda source, options: Pipeline(
                source, options, open_estimator=open_estimator
            ),
            list_cameras=list_cameras or (lambda: cameras),
            **({} if open_estimator is None else {"open_estimator": open_estimator}),
        )
        parts = assemble(state, controller)
        opened.append(parts)
        with qtbot.waitExposed(parts.window):
            parts.window.show()
        return parts

    yield open_
    for parts in opened:
        parts.window.close()
        parts.window.deleteLater()

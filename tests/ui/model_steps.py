"""Steps and fakes of tests that change the model in the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from pymaf_live.errors import ModelError
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import Source
from pymaf_live.types import SourceFacts
from tests.ui.fakes import StandingEstimator
from ui.app import WindowParts


def open_named_estimator(facts: SourceFacts, options: PipelineOptions) -> StandingEstimator:
    """Return an estimator named after its model; 'lite' cannot be opened."""
    if options.model == "lite":
        raise ModelError("the model lite.onnx is damaged")
    estimator = StandingEstimator(0.01)
    estimator.model, estimator.backend = str(options.model), options.backend
    return estimator


def open_named_pipeline(source: Source, options: PipelineOptions) -> Pipeline:
    return Pipeline(source, options, open_estimator=open_named_estimator)


def choose(qtbot: QtBot, parts: WindowParts, key: str) -> None:
    """Click the button of a model or a back-end."""
    page = parts.tools_feature.model_page
    button = {**page.models.buttons, **page.backends.buttons}[key]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.rect().center())


def add_model(parts: WindowParts, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Add a model file through the file dialog."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    parts.tools_feature.model_page.add.click()

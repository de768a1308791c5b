"""Opening an estimator: what is loaded in the background is closed after a failure."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pymaf_live.errors import ModelError
from pymaf_live.pipeline import estimator_factory
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.types import SourceFacts

FACTS = SourceFacts("video", "fake", (64, 48), None, 10, None, live=False)


class SlowDetector:
    """Detector that takes a while to open, and counts how often it is closed."""

    name = "slow"
    closed = 0

    def close(self) -> None:
        SlowDetector.closed += 1


def test_a_detector_in_the_background_is_closed_where_the_model_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_slowly(*_: object) -> SlowDetector:
        time.sleep(0.3)
        return SlowDetector()

    monkeypatch.setattr(estimator_factory, "_open_detector", open_slowly)
    monkeypatch.setattr(SlowDetector, "closed", 0)
    model = tmp_path / "model.onnx"
    model.write_bytes(b"not a model")
    with pytest.raises(ModelError):
        open_estimator(FACTS, PipelineOptions(model=model))
    assert SlowDetector.closed == 1

"""What waits costs nothing: no thread of the pipeline looks for work again and again."""

from __future__ import annotations

import time
from pathlib import Path

from pymaf_live.body import default_body
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import open_source
from tests.helpers.clip import write_clip
from tests.helpers.model import write_fake_model

MOST = 0.02
"""Of one core."""


def comes_to_rest(seconds: float = 20.0) -> bool:
    """Whether this process leaves the processor alone once what was on its way is done."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        worked, begun = time.process_time(), time.monotonic()
        time.sleep(0.5)
        if time.process_time() - worked < MOST * (time.monotonic() - begun):
            return True
    return False


def test_a_film_whose_results_nobody_takes_costs_no_processor_time(tmp_path: Path) -> None:
    model = write_fake_model(tmp_path / "made_up.onnx", default_body())
    source = open_source(str(write_clip(tmp_path / "walk.mp4", 60)))
    with Pipeline(source, PipelineOptions(model=model)) as pipeline:
        results = pipeline.results()
        next(results)
        assert comes_to_rest()
        assert len(list(results)) == 59

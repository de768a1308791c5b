"""An open source with its running pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from pymaf_live.body import Body
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources.looping import Playback
from pymaf_live.types import SourceFacts
from ui.state.source import SourceChoice


@dataclass(frozen=True)
class SourceSession:
    """An open source with its running pipeline."""

    request_id: int
    """Number of the request that opened it."""
    choice: SourceChoice
    pipeline: Pipeline
    playback: Playback | None
    """Pause and loop of a file; None for cameras and streams."""
    facts: SourceFacts
    body: Body
    """Body of the model."""

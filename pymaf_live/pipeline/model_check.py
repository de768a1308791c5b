"""Check of a model file: opens it as a pipeline would and runs it once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.pipeline.latency import measure_latency

if TYPE_CHECKING:
    from pymaf_live.pipeline.options import PipelineOptions


@dataclass(frozen=True)
class ModelFacts:
    """Facts about a model file that was opened and run."""

    path: Path
    name: str
    version: str
    input_size: int
    levels: int
    licence: str
    backend: str
    """Back-end that ran it here, with its version."""
    milliseconds: float
    """Run time per person."""


def check_model(path: Path, options: PipelineOptions) -> ModelFacts:
    """Open a model file as a pipeline would, run it, and close it.

    Parameters
    ----------
    path : Path
    options : PipelineOptions
        Back-end, threads and cache.

    Raises
    ------
    ModelError
        If it is missing, not a model, breaks the contract, was trained with another body or crop
        rule, or does not run.
    """
    from pymaf_live.body.registry import body_by_hash
    from pymaf_live.inference import open_session
    from pymaf_live.pipeline.person_estimator import require_match

    session = open_session(path, options.backend, threads=options.threads, cache=options.cache)
    try:
        metadata = session.metadata
        require_match(body_by_hash(metadata.body_sha256), session)
        return ModelFacts(
            path,
            metadata.name,
            metadata.version,
            metadata.input_size,
            metadata.levels,
            metadata.licence,
            session.backend,
            measure_latency(session).milliseconds,
        )
    finally:
        session.close()

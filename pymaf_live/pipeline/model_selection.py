"""Choice of the model: a file, a shipped model by name, or the best one that keeps up.

`keeps_up` decides by latency alone; `latency` measures and caches it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import ModelError
from pymaf_live.pipeline.latency import cached_latency_ms
from pymaf_live.resources import resource, resource_folders
from pymaf_live.types import SourceFacts

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.pipeline.options import PipelineOptions

AUTO = "auto"
ACCURATE_MODEL = "full"
"""Model that 'auto' selects where it keeps up."""
FAST_MODEL = "lite"
"""Model that 'auto' selects otherwise."""

NON_NETWORK_BUDGET_MS = 8.0
"""Time allowed per person for everything but the network: detection, crop, body, smoothing, and the
drawing that runs beside it. A budget, not a measurement; the benchmark has the stages' times."""
DEFAULT_LIVE_RATE = 30.0
"""Frame rate assumed for a live source that does not report one."""


def shipped_models() -> dict[str, Path]:
    """Return the file of each shipped model by its name."""
    found: dict[str, Path] = {}
    for folder in resource_folders("models"):
        for path in sorted(folder.glob("*.onnx")):
            # a name with a dot is another model's int8 twin: `precision_selection`
            if "." not in path.stem:
                found.setdefault(path.stem, path)
    return found


def model_path(model: str | Path) -> Path:
    """Return the file of a model, given the name of a shipped one or a path.

    Raises
    ------
    ModelError
        If there is no such file.
    """
    path = Path(model)
    if path.suffix or path.is_file():
        if not path.is_file():
            raise ModelError(f"there is no model file {path}")
        return path
    shipped = shipped_models()
    try:
        return shipped[str(model)]
    except KeyError:
        known = ", ".join((AUTO, *sorted(shipped)))
        raise ModelError(f"there is no model {str(model)!r}: neither {known} nor a file") from None


def resolve_model(model: str | Path) -> str | Path:
    """Return 'auto' unchanged and anything else as its file, so that errors come early.

    Raises
    ------
    ModelError
        If there is no such file, or with 'auto' no shipped model.
    """
    if str(model) != AUTO:
        return model_path(model)
    if not {ACCURATE_MODEL, FAST_MODEL} & set(shipped_models()):
        resource(f"models/{FAST_MODEL}.onnx")  # raises
    return AUTO


def most_accurate_model(model: str | Path) -> str | Path:
    """Return the model for results that need not keep up: 'auto' is the most accurate one.

    The choice does not depend on the speed or the load of the machine.
    """
    return ACCURATE_MODEL if str(model) == AUTO and ACCURATE_MODEL in shipped_models() else model


def body_for_model(model: str | Path) -> Body:
    """Return the body that a model was trained with, or the default body if that is unknown.

    Parameters
    ----------
    model : str or Path
        'auto', a shipped model's name, or a file. Errors in the file are raised when it is opened.
    """
    from pymaf_live.body import default_body
    from pymaf_live.body.registry import body_by_hash
    from pymaf_live.inference.onnx_metadata import metadata_entries

    if str(model) == AUTO:
        return default_body()
    try:
        return body_by_hash(metadata_entries(model_path(model)).get("body_sha256", ""))
    except ModelError:
        return default_body()


def keeps_up(latency_ms: float, rate: float | None, people: int = 1) -> bool:
    """Return True if a model keeps up with a source.

    Parameters
    ----------
    latency_ms : float
        Run time of the network per person.
    rate : float or None
        Frames per second; None where there is no rate to keep up with.
    people : int
        Maximum number of people in a frame.

    Returns
    -------
    bool
        Whether ``people * (latency_ms + NON_NETWORK_BUDGET_MS)`` fits the interval of a frame.
    """
    return rate is None or people * (latency_ms + NON_NETWORK_BUDGET_MS) * rate <= 1000


def required_rate(facts: SourceFacts) -> float | None:
    """Return the frame rate of a source; None for images and others without a rate."""
    if facts.kind == "images":
        return None
    if facts.frame_rate:
        return float(facts.frame_rate)
    return DEFAULT_LIVE_RATE if facts.live else None


def select_model(facts: SourceFacts, options: PipelineOptions) -> Path:
    """Return the model file for a source.

    If 'auto' has a choice and the latency of the accurate model is unknown, it opens that model
    once and measures it.

    Raises
    ------
    ModelError
        If there is no model, or the accurate one cannot be opened.
    """
    if str(options.model) != AUTO:
        return model_path(options.model)
    resolve_model(AUTO)
    shipped = shipped_models()
    if ACCURATE_MODEL not in shipped or FAST_MODEL not in shipped:
        return shipped.get(FAST_MODEL) or shipped[ACCURATE_MODEL]
    rate, people = required_rate(facts), _expected_people(options)
    if rate is None:
        return shipped[ACCURATE_MODEL]
    if not keeps_up(0.0, rate, people):
        return shipped[FAST_MODEL]
    from pymaf_live.inference import ModelVariant

    latency_ms = cached_latency_ms(ModelVariant(shipped[ACCURATE_MODEL]), options)
    return shipped[ACCURATE_MODEL if keeps_up(latency_ms, rate, people) else FAST_MODEL]


def _expected_people(options: PipelineOptions) -> int:
    if options.boxes is None:
        # most sources have one person, unless the user says otherwise
        return options.people or 1
    return max((len(boxes) for boxes in options.boxes.values()), default=1)

"""Which model runs: a file, a shipped one by name, or the best that keeps up with the source.

`best_that_keeps_up` decides on times alone; the rest measures them, once a machine, back-end and
model file, and remembers them in the folder for compiled models.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymaf_live.errors import ModelError, OutputError
from pymaf_live.resources import resource, resource_folders
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.cpu import available_cores
from pymaf_live.types import SourceFacts

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.inference import Session, Variant
    from pymaf_live.pipeline.options import PipelineOptions

AUTO = "auto"
BETTER = "full"
"""What 'auto' takes where it keeps up."""
FASTER = "lite"
"""What 'auto' takes otherwise."""

REST_MILLISECONDS = 8.0
"""Allowed a person for all that is not the network: finding, cropping, the body, smoothing, and
the drawing that runs beside it. An allowance, not a measurement: `bench` has the stages' times."""
USUAL_RATE = 30.0
"""Frames a second of a live source that does not say."""

_PROBE_SECONDS = 0.3
"""What the timed runs may take in all; begun once more while there is time left."""
_PROBE_RUNS = 9
_LEAST_SHARE = 0.7
"""Of the time of the runs that the process must have computed for the time to be remembered."""
_TIMES_FILE = "times.json"
_MOST_BYTES = 1 << 16
_MOST_TIMES = 64
"""Times that are remembered; the oldest go first."""


def shipped_models() -> dict[str, Path]:
    """File of each shipped model by its name."""
    found: dict[str, Path] = {}
    for folder in resource_folders("models"):
        for path in sorted(folder.glob("*.onnx")):
            # a name with a dot is a twin of another: `precision_choice`
            if "." not in path.stem:
                found.setdefault(path.stem, path)
    return found


def model_path(model: str | Path) -> Path:
    """File of a model: the name of a shipped one, or a path.

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


def given_model(model: str | Path) -> str | Path:
    """'auto' as it is, anything else as its file: what is missing is told before work begins.

    Raises
    ------
    ModelError
        If there is no such file, or none is shipped to choose from.
    """
    if str(model) != AUTO:
        return model_path(model)
    if not {BETTER, FASTER} & set(shipped_models()):
        resource(f"models/{FASTER}.onnx")
    return AUTO


def body_of_model(model: str | Path) -> Body:
    """The body that a model was made for: its own where a user brought it, else the usual one.

    Parameters
    ----------
    model : str or Path
        'auto', a shipped model's name, or a file. What is wrong with a file is told when it is
        opened.
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


@dataclass(frozen=True)
class ModelFacts:
    """What an opened and tried model file says of itself."""

    path: Path
    name: str
    version: str
    input_size: int
    levels: int
    licence: str
    backend: str
    """What ran it here, with its version."""
    milliseconds: float
    """For a person."""


def checked_model(path: Path, options: PipelineOptions) -> ModelFacts:
    """Open a model file as a pipeline would, run it, and let it go.

    Parameters
    ----------
    path : Path
    options : PipelineOptions
        Its back-end, threads and cache.

    Raises
    ------
    ModelError
        If it is missing, no model, breaks the contract, belongs to another body or crop rule, or
        does not run.
    """
    from pymaf_live.body.registry import body_by_hash
    from pymaf_live.inference import open_session
    from pymaf_live.pipeline.person_estimator import require_match

    session = open_session(path, options.backend, threads=options.threads, cache=options.cache)
    try:
        require_match(body_by_hash(session.metadata.body_sha256), session)
        said = session.metadata
        return ModelFacts(
            path,
            said.name,
            said.version,
            said.input_size,
            said.levels,
            said.licence,
            session.backend,
            measured(session).milliseconds,
        )
    finally:
        session.close()


def best_that_keeps_up(milliseconds: float, rate: float | None, people: int = 1) -> bool:
    """Whether the better model keeps up with a source.

    Parameters
    ----------
    milliseconds : float
        What it takes for a person.
    rate : float or None
        Frames a second; None where nothing has to be kept up with.
    people : int
        In a frame at most.

    Returns
    -------
    bool
        Whether ``people * (milliseconds + REST_MILLISECONDS)`` fits the interval of a frame.
    """
    return rate is None or people * (milliseconds + REST_MILLISECONDS) * rate <= 1000


def rate_to_keep(facts: SourceFacts) -> float | None:
    """Frames a second that a source asks for; None for pictures and others without a rate."""
    if facts.kind == "images":
        return None
    if facts.frame_rate:
        return float(facts.frame_rate)
    return USUAL_RATE if facts.live else None


def chosen_model(facts: SourceFacts, options: PipelineOptions) -> Path:
    """File of the model for a source.

    Where 'auto' has two to choose from and does not know yet what the better one takes, it opens
    it once and times it.

    Raises
    ------
    ModelError
        If there is none, or the better one cannot be opened.
    """
    if str(options.model) != AUTO:
        return model_path(options.model)
    given_model(AUTO)
    shipped = shipped_models()
    if BETTER not in shipped or FASTER not in shipped:
        return shipped.get(FASTER) or shipped[BETTER]
    rate, people = rate_to_keep(facts), _people(options)
    if rate is None:
        return shipped[BETTER]
    if not best_that_keeps_up(0.0, rate, people):
        return shipped[FASTER]
    from pymaf_live.inference import Variant

    milliseconds = known_milliseconds(Variant(shipped[BETTER]), options)
    return shipped[BETTER if best_that_keeps_up(milliseconds, rate, people) else FASTER]


@dataclass(frozen=True)
class Measured:
    """What an open model takes for a person."""

    milliseconds: float
    """The best of a few runs, as what else the machine does at that moment is not its speed."""
    disturbed: bool
    """Whether other work held the processor even so: true of this moment, not of the machine."""


def measured(session: Session) -> Measured:
    """Time an open model: at most 9 runs, and no further one that would end after 0.3 s."""
    import numpy as np

    size = session.metadata.input_size
    images = np.full((1, 3, size, size), 0.5, dtype=np.float32)
    begun, worked = time.perf_counter(), time.process_time()
    best = math.inf
    # opening has run it once already
    for _ in range(_PROBE_RUNS):
        before = time.perf_counter()
        session.run(images)
        after = time.perf_counter()
        best = min(best, after - before)
        if after - begun + best > _PROBE_SECONDS:
            break
    # the back-ends compute on processors: alone, some thread of theirs is always at work
    share = (time.process_time() - worked) / max(after - begun, 1e-9)
    return Measured(1000 * best, disturbed=share < _LEAST_SHARE)


def known_milliseconds(variant: Variant, options: PipelineOptions) -> float:
    """What a model takes for a person: as remembered, else measured.

    Parameters
    ----------
    variant : Variant
        The model, and how OpenVINO runs it.
    options : PipelineOptions
        Its back-end, threads, and the cache where times are remembered.

    Raises
    ------
    ModelError
        If it cannot be opened.
    """
    key = _key(variant, options)
    known = _read_times(options.cache).get(key)
    if known is None:
        from pymaf_live.inference import open_session

        session = open_session(
            variant.path,
            options.backend,
            threads=options.threads,
            cache=options.cache,
            by_openvino=variant,
        )
        try:
            found = measured(session)
        finally:
            session.close()
        known = found.milliseconds
        if not found.disturbed:
            _remember(options.cache, key, known)
    return known


def _people(options: PipelineOptions) -> int:
    if options.boxes is None:
        # where nobody says how many there are, most have one
        return options.people or 1
    return max((len(boxes) for boxes in options.boxes.values()), default=1)


def _key(variant: Variant, options: PipelineOptions) -> str:
    """Of everything that a time hangs on."""
    from pymaf_live.inference import BACKENDS
    from pymaf_live.inference.tensorrt_library import PACKAGES, identity

    versions = []
    for name in BACKENDS if options.backend == AUTO else (options.backend,):
        if name in PACKAGES:
            versions.append(identity(name))
            continue
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    try:
        with variant.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"cannot read the model {variant.path}: {error.strerror or error}"
        ) from error
    machine = (platform.node(), platform.machine(), _processor(), str(available_cores()))
    how = (f"{options.threads} threads", variant.precision)
    parts = (*machine, *versions, *how, content)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _processor() -> str:
    # on Linux platform.processor() does not say which
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _read_times(folder: Path | None) -> dict[str, float]:
    """Milliseconds by key; nothing where there is no sound file."""
    if folder is None:
        return {}
    try:
        with (folder / _TIMES_FILE).open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            return {}
        times: Any = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(times, Mapping):
        return {}
    return {
        key: float(value)
        for key, value in times.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e6
    }


def _remember(folder: Path | None, key: str, milliseconds: float) -> None:
    """Keep a time; where that cannot be done it is measured again next time."""
    if folder is None:
        return
    times = {**_read_times(folder), key: round(milliseconds, 3)}
    kept = dict(list(times.items())[-_MOST_TIMES:])
    with suppress(OutputError):
        make_folder(folder)
        with atomic_write(folder / _TIMES_FILE) as temporary:
            temporary.write_text(json.dumps(kept, indent=1), encoding="utf-8")

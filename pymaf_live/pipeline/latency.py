"""Latency of models on this machine: measured once and cached beside the compiled models."""

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

import numpy as np

from pymaf_live.errors import ModelError, OutputError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.cpu import available_cores

if TYPE_CHECKING:
    from pymaf_live.inference import ModelVariant, Session
    from pymaf_live.pipeline.options import PipelineOptions

_TIMEOUT_S = 0.3
"""Time for all measured runs; another run is started while it would end in time."""
_MAX_RUNS = 9
_MIN_CPU_SHARE = 0.7
"""Share of the measured time in which the process must have used the CPU for the result to be
cached."""
_CACHE_FILE = "times.json"
_MAX_BYTES = 1 << 16
_MAX_ENTRIES = 64
"""Number of cached latencies; the oldest are dropped first."""


@dataclass(frozen=True)
class Latency:
    """Measured latency of an open model."""

    milliseconds: float
    """Run time per person: the best of several runs, since anything slower is other load."""
    disturbed: bool
    """True if other processes used the CPU all the time, so that the result is not the machine's
    own."""


def measure_latency(session: Session) -> Latency:
    """Measure an open model in at most 9 runs, and no further run that would end after 0.3 s."""
    size = session.metadata.input_size
    images = np.full((1, 3, size, size), 0.5, dtype=np.float32)
    started, cpu_started = time.perf_counter(), time.process_time()
    best = math.inf
    # opening the session has run it once already
    for _ in range(_MAX_RUNS):
        before = time.perf_counter()
        session.run(images)
        after = time.perf_counter()
        best = min(best, after - before)
        if after - started + best > _TIMEOUT_S:
            break
    # on an idle machine, some thread of a CPU back-end is always running
    share = (time.process_time() - cpu_started) / max(after - started, 1e-9)
    return Latency(1000 * best, disturbed=share < _MIN_CPU_SHARE)


def cached_latency_ms(variant: ModelVariant, options: PipelineOptions) -> float:
    """Return the latency of a model per person, from the cache or else measured.

    Parameters
    ----------
    variant : ModelVariant
        The model, and the precision that OpenVINO runs it in.
    options : PipelineOptions
        Back-end, threads, and the cache folder.

    Raises
    ------
    ModelError
        If it cannot be opened.
    """
    key = _key(variant, options)
    cached = _read(options.cache).get(key)
    if cached is not None:
        return cached
    from pymaf_live.inference import open_session

    session = open_session(
        variant.path,
        options.backend,
        threads=options.threads,
        cache=options.cache,
        openvino_variant=variant,
    )
    try:
        measured = measure_latency(session)
    finally:
        session.close()
    if not measured.disturbed:
        _store(options.cache, key, measured.milliseconds)
    return measured.milliseconds


def _key(variant: ModelVariant, options: PipelineOptions) -> str:
    """Return a hash of everything that a latency depends on."""
    from pymaf_live.inference import BACKENDS
    from pymaf_live.inference.tensorrt_library import PACKAGES, fingerprint

    versions = []
    for name in BACKENDS if options.backend == "auto" else (options.backend,):
        if name in PACKAGES:
            versions.append(fingerprint(name))
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
    machine = (platform.node(), platform.machine(), _cpu_name(), str(available_cores()))
    settings = (f"{options.threads} threads", variant.precision)
    parts = (*machine, *versions, *settings, content)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _cpu_name() -> str:
    # on Linux, platform.processor() does not name the model
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _read(folder: Path | None) -> dict[str, float]:
    """Return cached milliseconds by key; empty if there is no valid file."""
    if folder is None:
        return {}
    try:
        with (folder / _CACHE_FILE).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            return {}
        entries: Any = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(entries, Mapping):
        return {}
    return {
        key: float(value)
        for key, value in entries.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e6
    }


def _store(folder: Path | None, key: str, milliseconds: float) -> None:
    """Cache a latency; if that fails it is measured again next time."""
    if folder is None:
        return
    entries = {**_read(folder), key: round(milliseconds, 3)}
    newest = dict(list(entries.items())[-_MAX_ENTRIES:])
    with suppress(OutputError):
        make_folder(folder)
        with atomic_write(folder / _CACHE_FILE) as temporary:
            temporary.write_text(json.dumps(newest, indent=1), encoding="utf-8")

"""TensorRT engines for GPUs that are not in this machine, stored beside a model file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pymaf_live.errors import ModelError, UsageError
from pymaf_live.inference.engine_cache import EngineKey, file_sha256, store_engine
from pymaf_live.inference.tensorrt_build import CAPABILITIES, MAX_BATCH, build_engine, prepare
from pymaf_live.inference.tensorrt_library import load_library
from pymaf_live.system.reporter import SILENT, Reporter, StepReporter


def parse_capabilities(text: str) -> tuple[str, ...]:
    """Return the names in a text such as 'SM80,SM86'.

    Raises
    ------
    UsageError
        If one is unknown.
    """
    names = tuple(dict.fromkeys(name.strip().upper() for name in text.split(",")))
    unknown = [name for name in names if name not in CAPABILITIES]
    if unknown:
        raise UsageError(f"--tensorrt {text}: choose from {', '.join(CAPABILITIES)}")
    return names


def build_engines(
    model: Path,
    folder: Path,
    capabilities: Sequence[str],
    precision: Literal["f16", "f32"],
    reporter: Reporter = SILENT,
) -> list[Path]:
    """Build an engine for each GPU and store it under the name that the program expects.

    Parameters
    ----------
    model : Path
        ONNX file.
    folder : Path
        The program searches ``engines`` beside the model.
    capabilities : sequence of str
        Such as 'SM86'.
    precision : str
        Of the encoder.
    reporter : Reporter

    Returns
    -------
    list of Path

    Raises
    ------
    ModelError
        If TensorRT for RTX is not installed or refuses the model.
    OutputError
        If an engine cannot be written.
    """
    try:
        library = load_library("tensorrt-rtx")
    except ImportError as error:
        raise ModelError(f"TensorRT for RTX: {error}") from error
    if not model.is_file():
        raise ModelError(f"there is no model file {model}")
    source = prepare(model, precision)
    digest = file_sha256(model.read_bytes())
    paths = []
    for index, name in enumerate(capabilities):
        started = time.monotonic()
        start, end = (number / len(capabilities) for number in (index, index + 1))
        step = StepReporter(reporter, start, end, name)
        engine = build_engine(library, source, capabilities=(name,), reporter=step)
        key = EngineKey(digest, library.title, name, "", precision, MAX_BATCH)
        paths.append(store_engine(folder, key, engine))
        seconds = time.monotonic() - started
        print(f"{paths[-1]}: {len(engine) / 2**20:.0f} MiB in {seconds:.0f} s")
    return paths

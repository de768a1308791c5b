"""Engines for GPUs that are not at hand, to lie beside a model file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pymaf_live.errors import ModelError, UsageError
from pymaf_live.inference.engine_cache import EngineKey, file_sha256, store_engine
from pymaf_live.inference.tensorrt_build import CAPABILITIES, MAX_BATCH, build_engine, prepare
from pymaf_live.inference.tensorrt_library import load_library
from pymaf_live.system.reporter import SilentReporter


def parse_capabilities(text: str) -> tuple[str, ...]:
    """'SM80,SM86' as names.

    Raises
    ------
    UsageError
        If one is not known.
    """
    names = tuple(dict.fromkeys(name.strip().upper() for name in text.split(",")))
    unknown = [name for name in names if name not in CAPABILITIES]
    if unknown:
        raise UsageError(f"--tensorrt {text}: choose of {', '.join(CAPABILITIES)}")
    return names


def build_engines(
    model: Path, folder: Path, capabilities: Sequence[str], precision: Literal["f16", "f32"]
) -> list[Path]:
    """Build an engine for each GPU and keep it as the program looks for it.

    Parameters
    ----------
    model : Path
        An ONNX file.
    folder : Path
        ``engines`` beside the model is where the program looks.
    capabilities : sequence of str
        Such as 'SM86'.
    precision : str
        Of the encoder.

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
    made = []
    for name in capabilities:
        begun = time.monotonic()
        engine = build_engine(
            library, source, capabilities=(name,), reporter=_TerminalReporter(name)
        )
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        key = EngineKey(digest, library.title, name, "", precision, MAX_BATCH)
        made.append(store_engine(folder, key, engine))
        seconds = time.monotonic() - begun
        print(f"{made[-1]}: {len(engine) / 2**20:.0f} MiB in {seconds:.0f} s")
    return made


class _TerminalReporter(SilentReporter):
    """Shows the current step of a build in one line of the terminal."""

    def __init__(self, name: str) -> None:
        self._name = name

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Show the step."""
        if sys.stderr.isatty():
            text = f"{self._name}: {detail[:50]} {fraction or 0:4.0%}"
            print(f"\r\033[K{text}", end="", file=sys.stderr)

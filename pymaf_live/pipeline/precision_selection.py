"""In what a model counts, where there is a choice: the fastest that leaves its bodies in place.

Whether bodies stay where they are is judged once, on real crops, by whoever makes the model: the
file says so (`ModelMetadata.precisions`), or a twin in int8 lies beside it. What is fastest is
measured here, once a machine, and remembered with the times that 'auto' chooses models by.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import ModelError
from pymaf_live.inference import Variant, backend_complaint
from pymaf_live.inference.onnx_metadata import metadata_entries

if TYPE_CHECKING:
    from pymaf_live.pipeline.options import PipelineOptions

TWIN = ".int8.onnx"
"""Ending of a model's twin in int8: ``lite.int8.onnx`` beside ``lite.onnx``."""


def fastest_variant(model: Path, options: PipelineOptions) -> Variant:
    """The fastest way to run a model by OpenVINO here.

    Parameters
    ----------
    model : Path
    options : PipelineOptions
        Its back-end, threads, and the cache where times are remembered.

    Raises
    ------
    ModelError
        If one that has to be measured cannot be opened.
    """
    from pymaf_live.pipeline.model_selection import known_milliseconds

    found = variants(model) if options.backend in ("auto", "openvino") else []
    if len(found) < 2:
        return Variant(model)
    here = replace(options, backend="openvino")
    return min(found, key=lambda one: known_milliseconds(one, here))


def variants(model: Path) -> list[Variant]:
    """The ways to run a model by OpenVINO, as it is first; that alone where OpenVINO is missing."""
    found = [Variant(model), *_of_lower_precision(model), *_twin(model)]
    # asked only where there is a choice: it loads the library
    if len(found) > 1 and backend_complaint("openvino"):
        return found[:1]
    return found


def _of_lower_precision(model: Path) -> list[Variant]:
    # what is wrong with the file is told when it is opened, and so is a library that is missing
    with suppress(ModelError, ImportError):
        allowed = metadata_entries(model).get("precisions", "").split(",")
        if any(allowed):
            from pymaf_live.inference.openvino_engine import processor_precisions

            return [Variant(model, name) for name in processor_precisions() if name in allowed]
    return []


def _twin(model: Path) -> list[Variant]:
    twin = model.with_suffix(TWIN)
    # one of another model, or a damaged one, is left alone
    with suppress(ModelError, OSError):
        if twin.is_file() and metadata_entries(twin).get("int8_of") == _sha256(model):
            return [Variant(twin)]
    return []


def _sha256(path: Path) -> str:
    from pymaf_live.inference.engine_cache import file_sha256

    return file_sha256(path.read_bytes())

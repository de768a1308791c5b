"""Choice of the numeric precision: the fastest one that leaves the estimated bodies in place.

Whether bodies stay in place is determined once, on real crops, when a model is made: the file says
so (`ModelMetadata.precisions`), or an int8 twin lies beside it. Which one is fastest is measured
here, once per machine, and cached with the latencies by which 'auto' selects models.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import ModelError
from pymaf_live.inference import ModelVariant, backend_unavailable_reason
from pymaf_live.inference.onnx_metadata import metadata_entries

if TYPE_CHECKING:
    from pymaf_live.pipeline.options import PipelineOptions

TWIN_SUFFIX = ".int8.onnx"
"""Suffix of a model's int8 twin: ``lite.int8.onnx`` beside ``lite.onnx``."""


def fastest_variant(model: Path, options: PipelineOptions) -> ModelVariant:
    """Return the variant of a model that OpenVINO runs fastest here.

    Parameters
    ----------
    model : Path
    options : PipelineOptions
        Back-end, threads, and the cache folder of latencies.

    Raises
    ------
    ModelError
        If a variant that has to be measured cannot be opened.
    """
    from pymaf_live.pipeline.latency import cached_latency_ms

    found = variants(model) if options.backend in ("auto", "openvino") else []
    if len(found) < 2:
        return ModelVariant(model)
    openvino_options = replace(options, backend="openvino")
    return min(found, key=lambda each: cached_latency_ms(each, openvino_options))


def variants(model: Path) -> list[ModelVariant]:
    """Return a model's variants for OpenVINO, f32 first; only that if OpenVINO is missing."""
    found = [ModelVariant(model), *_lower_precisions(model), *_int8_twin(model)]
    # checked only where there is a choice, because it loads the library
    if len(found) > 1 and backend_unavailable_reason("openvino"):
        return found[:1]
    return found


def _lower_precisions(model: Path) -> list[ModelVariant]:
    # a damaged file or a missing library is reported when the model is opened
    with suppress(ModelError, ImportError):
        allowed = metadata_entries(model).get("precisions", "").split(",")
        if any(allowed):
            from pymaf_live.inference.openvino_engine import supported_precisions

            return [ModelVariant(model, name) for name in supported_precisions() if name in allowed]
    return []


def _int8_twin(model: Path) -> list[ModelVariant]:
    twin = model.with_suffix(TWIN_SUFFIX)
    # the twin of another model or a damaged one is ignored
    with suppress(ModelError, OSError):
        if twin.is_file() and metadata_entries(twin).get("int8_of") == _sha256(model):
            return [ModelVariant(twin)]
    return []


def _sha256(path: Path) -> str:
    from pymaf_live.inference.engine_cache import file_sha256

    return file_sha256(path.read_bytes())

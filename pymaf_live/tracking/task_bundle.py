"""The shipped MediaPipe task bundle: a stored zip of BlazePose's detector and lite landmarker."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

from pymaf_live.errors import ModelError
from pymaf_live.resources import resource
from pymaf_live.system.openvino_import import import_openvino, open_core

DETECTOR = "pose_detector.tflite"
LANDMARKS = "pose_landmarks_detector.tflite"

_MAX_BYTES = 64 * 2**20
"""Size limit of an entry: far above any BlazePose file, far below what would exhaust memory."""


def bundle_path() -> Path:
    """Return the path of the bundle, which trainer/export/mediapipe_task.py creates."""
    return resource("detector/person.task")


def bundled_model(entry: str, bundle: Path | None = None) -> bytes:
    """Return the content of one model of the bundle.

    Raises
    ------
    ModelError
        If the bundle is missing or damaged.
    """
    path = bundle or bundle_path()
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(entry).file_size > _MAX_BYTES:
                raise ModelError(f"the person detector {path} is damaged: {entry} is too large")
            return archive.read(entry)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"the person detector {path} is damaged: {error}") from error


@lru_cache(maxsize=1)
def _core() -> Any:
    return open_core()


def compile_bundled_model(
    entry: str,
    bundle: Path | None = None,
    threads: int = 0,
    cache: Path | None = None,
    outputs: Collection[str] = (),
) -> Any:
    """Compile a model of the bundle with OpenVINO, for one image at a time.

    Parameters
    ----------
    entry : str
        Name of the model in the bundle.
    bundle : Path, optional
        The shipped bundle by default.
    threads : int
        0 leaves the choice to OpenVINO.
    cache : Path, optional
        Folder where the compiled model is stored for the next start.
    outputs : collection of str, optional
        Outputs to compute; whatever only other outputs need is removed. Empty: all.

    Raises
    ------
    ModelError
        If OpenVINO cannot be loaded or refuses the model.
    """
    content = bundled_model(entry, bundle)
    # some processors would use bfloat16 by default, which moves key points by pixels
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    if cache is not None:
        options["CACHE_DIR"] = str(cache)
    try:
        core = _core()
        # OpenVINO reads TensorFlow Lite only from a file with the right suffix, not from bytes
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / entry
            file.write_bytes(content)
            # compile the model object, not the path: OpenVINO's cache then goes by content
            model = core.read_model(file)
            if outputs:
                model = _pruned(model, outputs)
            return core.compile_model(model, "CPU", options)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(f"OpenVINO cannot run the person detector {entry}: {reason}") from error


def _pruned(model: Any, outputs: Collection[str]) -> Any:
    results = [port.node for port in model.outputs if not port.names.isdisjoint(outputs)]
    return import_openvino().Model(results, model.get_parameters(), model.get_friendly_name())

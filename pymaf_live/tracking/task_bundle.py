"""The shipped finder's bundle: a stored zip of BlazePose's detector and its lite landmarker."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

from pymaf_live.errors import ModelError
from pymaf_live.resources import resource
from pymaf_live.system.openvino_import import import_openvino

DETECTOR = "pose_detector.tflite"
LANDMARKS = "pose_landmarks_detector.tflite"

# far above any BlazePose file, far below what would fill memory
_MOST_BYTES = 64 * 2**20


def bundle_path() -> Path:
    """The bundle that trainer/export/mediapipe_task.py makes."""
    return resource("detector/person.task")


def bundled_model(entry: str, bundle: Path | None = None) -> bytes:
    """The bytes of one model of the bundle.

    Raises
    ------
    ModelError
        If the bundle is missing or unsound.
    """
    path = bundle or bundle_path()
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(entry).file_size > _MOST_BYTES:
                raise ModelError(f"the finder {path} is not sound: {entry} is too large")
            return archive.read(entry)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"the finder {path} is not sound: {error}") from error


@lru_cache(maxsize=1)
def _core() -> Any:
    openvino = import_openvino()

    return openvino.Core()


def compiled(
    entry: str,
    bundle: Path | None = None,
    threads: int = 0,
    cache: Path | None = None,
    wanted: Collection[str] = (),
) -> Any:
    """A model of the bundle compiled by OpenVINO for one picture at a time.

    Parameters
    ----------
    entry : str
        Name of the model in the bundle.
    bundle : Path, optional
        Ours by default.
    threads : int
        0 leaves the choice to OpenVINO.
    cache : Path, optional
        Folder where the compiled model is kept for the next time.
    wanted : collection of str, optional
        Outputs that are read; what only the others need is left out. Empty: all.

    Raises
    ------
    ModelError
        If OpenVINO cannot be loaded or refuses the model.
    """
    content = bundled_model(entry, bundle)
    # some processors would take bfloat16 unasked and move key points by pixels
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    if cache is not None:
        options["CACHE_DIR"] = str(cache)
    try:
        core = _core()
        # OpenVINO reads TensorFlow Lite from a file with the right suffix only, not from bytes
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / entry
            file.write_bytes(content)
            # by its content: what is kept would not be found again by the path
            model = core.read_model(file)
            if wanted:
                model = _pruned(model, wanted)
            return core.compile_model(model, "CPU", options)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(f"OpenVINO cannot run the finder {entry}: {reason}") from error


def _pruned(model: Any, wanted: Collection[str]) -> Any:
    kept = [port.node for port in model.outputs if not port.names.isdisjoint(wanted)]
    return import_openvino().Model(kept, model.get_parameters(), model.get_friendly_name())

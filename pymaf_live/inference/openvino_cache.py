"""Cache of models compiled by OpenVINO, so that the next start need not prepare the file again.

OpenVINO's own cache is keyed by the prepared graph, which a start would have to read and prepare
first: a quarter of a second of CPU time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from pymaf_live.errors import OutputError
from pymaf_live.inference.engine_cache import EngineKey, file_sha256, load_engine, store_engine
from pymaf_live.inference.metadata import Shape

_PREPARATION = "prepared 1"
"""Incremented when the preparation of a graph before compilation changes."""

Ports = dict[str, Shape]
"""Shape by name, None for dynamic dimensions."""


class CompiledModelCache:
    """Cache entry of one model file, compiled with given options.

    Parameters
    ----------
    folder : Path
    model : Path
    openvino : module
    core : openvino.Core
    options : dict
        Compilation options.
    batch : int
        People per request.

    Raises
    ------
    OSError
        If the model cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        model: Path,
        openvino: Any,
        core: Any,
        options: dict[str, Any],
        batch: int = 1,
    ) -> None:
        self._folder, self._core, self._options = folder, core, options
        self._key = EngineKey(
            model_sha256=file_sha256(model.read_bytes()),
            library=f"openvino {openvino.__version__} {_PREPARATION}",
            target=f"{core.get_property('CPU', 'FULL_DEVICE_NAME')} {sorted(options.items())}",
            driver="",
            precision=str(options.get("INFERENCE_PRECISION_HINT", "")),
            batch=batch,
        )

    def load(self) -> tuple[Any, Ports, Ports] | None:
        """Return the compiled model and the file's inputs and outputs; None if there is none."""
        content, _ = load_engine(self._folder, self._key)
        if content is None:
            return None
        line, _, compiled = content.partition(b"\n")
        try:
            ports = json.loads(line)
            inputs, outputs = (
                {str(name): tuple(shape) for name, shape in ports[side].items()}
                for side in ("inputs", "outputs")
            )
            return self._core.import_model(BytesIO(compiled), "CPU", self._options), inputs, outputs
        # whatever is wrong with the entry, the model itself can be compiled
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def store(self, compiled: Any, inputs: Ports, outputs: Ports) -> None:
        """Store the compiled model; an error in writing is ignored."""
        line = json.dumps({"inputs": inputs, "outputs": outputs}).encode() + b"\n"
        exported: BytesIO = compiled.export_model()
        with suppress(OutputError):
            store_engine(self._folder, self._key, line + exported.getvalue())

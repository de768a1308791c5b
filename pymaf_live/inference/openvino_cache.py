"""Compiled models, kept so that the next start need not read, check and prepare the file again.

OpenVINO's own cache is asked with the prepared graph, which a start would have to read and prepare
first: a quarter of a second of processor time.
"""

from __future__ import annotations

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from pymaf_live.errors import OutputError
from pymaf_live.inference.engine_cache import EngineKey, file_sha256, keep_engine, kept_engine
from pymaf_live.inference.metadata import Shape

_PREPARATION = "prepared 1"
"""Counts up when what is done to a graph before it is compiled changes."""

Ports = dict[str, Shape]
"""Shape by name, None where it is open."""


class KeptModel:
    """A model file's place among the compiled ones.

    Parameters
    ----------
    folder : Path
    model : Path
    openvino : module
    core : openvino.Core
    options : dict
        That it is compiled with.
    people : int
        A run.

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
        people: int = 1,
    ) -> None:
        self._folder, self._core, self._options = folder, core, options
        self._key = EngineKey(
            model_sha256=file_sha256(model.read_bytes()),
            library=f"openvino {openvino.__version__} {_PREPARATION}",
            target=f"{core.get_property('CPU', 'FULL_DEVICE_NAME')} {sorted(options.items())}",
            driver="",
            precision=str(options.get("INFERENCE_PRECISION_HINT", "")),
            batch=people,
        )

    def read(self) -> tuple[Any, Ports, Ports] | None:
        """The compiled model and the file's inputs and outputs, or None: compile it."""
        content, _ = kept_engine(self._folder, self._key)
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
        # whatever is wrong with what is kept, the model itself is there
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, compiled: Any, inputs: Ports, outputs: Ports) -> None:
        """Keep it for the next time, where there is room."""
        line = json.dumps({"inputs": inputs, "outputs": outputs}).encode() + b"\n"
        made: BytesIO = compiled.export_model()
        with suppress(OutputError):
            keep_engine(self._folder, self._key, line + made.getvalue())

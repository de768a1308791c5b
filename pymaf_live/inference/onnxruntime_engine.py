"""ONNX Runtime as back-end, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError
from pymaf_live.inference.metadata import Shape, check_contract


class OnnxRuntimeEngine:
    """A model on the processor by ONNX Runtime; it keeps no compiled models."""

    def __init__(self, path: Path, threads: int = 0, cache: Path | None = None) -> None:
        import onnxruntime

        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        options: Any = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        # its errors derive from Exception directly, each kind a class of its own
        except Exception as error:
            raise ModelError(f"{path} is not a model that can be read") from error
        self.metadata = check_contract(
            path,
            dict(self._session.get_modelmeta().custom_metadata_map),
            {port.name: _shape(port) for port in self._session.get_inputs()},
            {port.name: _shape(port) for port in self._session.get_outputs()},
        )
        self._names = [port.name for port in self._session.get_outputs()]

    def infer(self, images: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name for images (B, 3, S, S)."""
        try:
            values = self._session.run(self._names, {"image": np.ascontiguousarray(images)})
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"ONNX Runtime failed: {reason}") from error
        return dict(zip(self._names, values, strict=True))


def _shape(port: Any) -> Shape:
    return tuple(n if isinstance(n, int) else None for n in port.shape)

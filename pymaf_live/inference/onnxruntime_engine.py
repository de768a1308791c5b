"""ONNX Runtime back-end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.inference.engine import Engine, Images, Outputs
from pymaf_live.inference.metadata import Shape, check_contract
from pymaf_live.system.onnxruntime_import import import_onnxruntime


class OnnxRuntimeEngine(Engine):
    """A model on the CPU by ONNX Runtime; it stores no compiled models.

    Parameters
    ----------
    path : Path
    threads : int
        0 leaves the choice to ONNX Runtime.

    Raises
    ------
    ImportError
        If ONNX Runtime is missing.
    ModelError
        If the file is damaged or breaks the contract.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        onnxruntime = import_onnxruntime()

        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        options: Any = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        # its errors derive directly from Exception, each kind a class of its own
        except Exception as error:
            raise ModelError(f"{path} is not a readable model") from error
        self.metadata = check_contract(
            path,
            dict(self._session.get_modelmeta().custom_metadata_map),
            {port.name: _shape(port) for port in self._session.get_inputs()},
            {port.name: _shape(port) for port in self._session.get_outputs()},
        )
        self._names = [port.name for port in self._session.get_outputs()]

    def infer(self, images: Images) -> Outputs:
        """Run inference; see `Engine.infer`."""
        try:
            values = self._session.run(self._names, {"image": np.ascontiguousarray(images)})
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"ONNX Runtime failed: {reason}") from error
        return dict(zip(self._names, values, strict=True))


def _shape(port: Any) -> Shape:
    return tuple(n if isinstance(n, int) else None for n in port.shape)

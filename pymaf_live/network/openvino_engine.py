"""OpenVINO as back-end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError
from pymaf_live.network.metadata import Shape, check_contract


class OpenVinoEngine:
    """A model on the processor by OpenVINO.

    One person is the usual case: for that the model is compiled with a fixed batch of one, which
    lets OpenVINO plan its memory; for more people a second one with a dynamic batch is compiled
    when first needed.
    """

    def __init__(self, path: Path, threads: int = 0, cache: Path | None = None) -> None:
        import openvino

        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self._core: Any = openvino.Core()
        self._path = path
        # the trained weights are compared in float32; some processors would take bfloat16 unasked
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads
        if cache is not None:
            self._options["CACHE_DIR"] = str(cache)
        model = self._read()
        self.metadata = check_contract(
            path,
            _metadata_entries(model),
            {port.any_name: _shape(port) for port in model.inputs},
            {port.any_name: _shape(port) for port in model.outputs},
        )
        size = self.metadata.input_size
        model.reshape({"image": [1, 3, size, size]})
        self._single = self._compiled(model)
        self._many: Any = None

    def infer(self, images: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name for images (B, 3, S, S)."""
        if len(images) == 1:
            request = self._single
        else:
            if self._many is None:
                self._many = self._compiled(self._read())
            request = self._many
        try:
            request.infer({"image": images}, share_inputs=True)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO failed: {_reason(error)}") from error
        return {port.any_name: request.get_tensor(port).data for port in request.model_outputs}

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._path)
        except RuntimeError as error:
            raise ModelError(f"{self._path} is not a model that can be read") from error

    def _compiled(self, model: Any) -> Any:
        try:
            return self._core.compile_model(model, "CPU", self._options).create_infer_request()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path}: {_reason(error)}") from error


def _metadata_entries(model: Any) -> dict[str, str]:
    # OpenVINO's reader keeps an ONNX file's metadata under 'framework'
    if not model.has_rt_info(["framework"]):
        return {}
    names = model.get_rt_info()["framework"]
    return {str(name): str(model.get_rt_info(["framework", name]).astype(str)) for name in names}


def _shape(port: Any) -> Shape:
    return tuple(None if n.is_dynamic else int(n.get_length()) for n in port.partial_shape)


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]

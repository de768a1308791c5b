"""OpenVINO as back-end."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError
from pymaf_live.network.metadata import Shape, check_contract
from pymaf_live.network.onnx_entries import metadata_entries
from pymaf_live.network.openvino_graph import (
    with_activations_apart,
    with_pixels_together,
    with_whole_weights,
)
from pymaf_live.network.openvino_kept import KeptModel
from pymaf_live.openvino_offline import import_openvino


class OpenVinoEngine:
    """A model on the processor by OpenVINO.

    The model is compiled for one person at a time and run once a person: measured with `lite` on
    two cores, three people in one batch take no less than three runs (96 against 3 x 28 ms), and
    compiling a second time for the batch would hold up the first frame with two people by seconds.

    With one stream a run has all cores; with several each run has its share of them and several
    run at once, which costs less in all: `lite` on two cores takes 16 ms of processor time as one
    run on both and 11 as two runs side by side on one each.
    """

    def __init__(
        self, path: Path, threads: int = 0, cache: Path | None = None, streams: int = 1
    ) -> None:
        openvino = import_openvino()

        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self._core: Any = openvino.Core()
        self._path = path
        # the trained weights are compared in float32; some processors would take bfloat16 unasked
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.streams = max(1, streams)
        if self.streams > 1:
            self._options |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": self.streams}
            # other threads of the program want the cores too: nobody may insist on one of them
            self._options["ENABLE_CPU_PINNING"] = False
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads
        kept = self._kept(openvino, cache)
        found = kept.read() if kept is not None else None
        if found is not None:
            self._network, inputs, outputs = found
            self.metadata = check_contract(path, metadata_entries(path), inputs, outputs)
        else:
            model = self._read()
            inputs = {port.any_name: _shape(port) for port in model.inputs}
            outputs = {port.any_name: _shape(port) for port in model.outputs}
            self.metadata = check_contract(path, _metadata_entries(model), inputs, outputs)
            self._network = self._compiled(model)
            if kept is not None:
                kept.keep(self._network, inputs, outputs)
        # compiling may give an output more names, of which any_name may be one; the order stays
        self._outputs = list(outputs)
        # asked, not assumed: a processor need not do what it is told
        precision = self._network.get_property("INFERENCE_PRECISION_HINT")
        self.precision = precision.get_type_name()
        self._free = [self._request() for _ in range(self.streams)]
        self._ending: list[Any] = []

    def infer(self, images: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name for images (B, 3, S, S), B >= 1."""
        return self.start(images).outputs()

    def start(self, images: npt.NDArray[np.float32]) -> Started:
        """Begin with images (B, 3, S, S), B >= 1; several may be begun before the first is done."""
        return Started(self, images)

    def begin(self, image: npt.NDArray[np.float32]) -> Any:
        """A request that works on an image (1, 3, S, S)."""
        request = self._unused()
        try:
            # into its own memory: handing it an array costs four times what copying takes
            request.get_input_tensor().data[:] = image.transpose(0, 2, 3, 1)
            request.start_async()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO failed: {_reason(error)}") from error
        return request

    def take_back(self, request: Any) -> dict[str, npt.NDArray[np.float32]]:
        """The outputs of a request that was begun, which is free from here on."""
        try:
            request.wait()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO failed: {_reason(error)}") from error
        ports = zip(self._outputs, request.model_outputs, strict=True)
        # the next run writes into the same memory
        outputs = {name: request.get_tensor(port).data.copy() for name, port in ports}
        self._free.append(request)
        return outputs

    def drop(self, request: Any) -> None:
        """Have a request that was begun end, which takes a moment."""
        request.cancel()
        self._ending.append(request)

    def _unused(self) -> Any:
        if self._free:
            return self._free.pop()
        if self._ending:
            request = self._ending.pop(0)
            with suppress(RuntimeError):  # which is how it says that it was called off
                request.wait()
            return request
        return self._request()

    def _request(self) -> Any:
        try:
            return self._network.create_infer_request()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path}: {_reason(error)}") from error

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._path)
        except RuntimeError as error:
            raise ModelError(f"{self._path} is not a model that can be read") from error

    def _kept(self, openvino: Any, cache: Path | None) -> KeptModel | None:
        if cache is None:
            return None
        try:
            return KeptModel(cache, self._path, openvino, self._core, self._options)
        except (OSError, RuntimeError):
            return None

    def _compiled(self, model: Any) -> Any:
        size = self.metadata.input_size
        model.reshape({"image": [1, 3, size, size]})
        with_whole_weights(model)
        with_activations_apart(model)
        try:
            return self._core.compile_model(with_pixels_together(model), "CPU", self._options)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path}: {_reason(error)}") from error


class Started:
    """Runs that were begun together: a few are under way at once, the others follow."""

    def __init__(self, engine: OpenVinoEngine, images: npt.NDArray[np.float32]) -> None:
        self._engine = engine
        self._images = images
        self._begun: deque[Any] = deque()
        self._next = 0
        self.milliseconds = 0.0
        """Of the runs, as far as they were not side by side; known with the outputs."""
        for _ in range(min(len(images), engine.streams)):
            self._begin()

    def outputs(self) -> dict[str, npt.NDArray[np.float32]]:
        """Wait for the outputs by name; asked for once.

        Raises
        ------
        ModelError
            If a run failed.
        """
        people = []
        while self._begun:
            request = self._begun.popleft()
            people.append(self._engine.take_back(request))
            side_by_side = min(len(self._images), self._engine.streams)
            self.milliseconds += float(request.latency) / side_by_side
            if self._next < len(self._images):
                self._begin()
        return {name: np.concatenate([one[name] for one in people]) for name in people[0]}

    def call_off(self) -> None:
        """Stop as soon as that can be; no outputs will be asked for."""
        while self._begun:
            self._engine.drop(self._begun.popleft())

    def _begin(self) -> None:
        self._begun.append(self._engine.begin(self._images[self._next : self._next + 1]))
        self._next += 1


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

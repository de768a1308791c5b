"""TensorRT as back-end: `tensorrt` and `tensorrt_rtx` alike."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError, OutputError
from pymaf_live.inference.cuda import Cuda
from pymaf_live.inference.engine_cache import (
    EngineKey,
    file_sha256,
    keep_engine,
    keep_learned,
    kept_engine,
    kept_learned,
)
from pymaf_live.inference.tensorrt_build import (
    MOST_AT_ONCE,
    Precision,
    Progress,
    build_engine,
    prepare,
    quiet_logger,
)
from pymaf_live.inference.tensorrt_library import Device, DeviceError, Library, load_library


@dataclass
class _Port:
    """An input or output for one batch size."""

    host: Any
    """(B, ...) page-locked array."""
    host_address: int
    device_address: int
    bytes: int


@dataclass
class _Batch:
    """Everything of one batch size: reserved once, used for every run."""

    ports: dict[str, _Port] = field(default_factory=dict)
    graph: Any = None
    runs: int = 0


class TensorRtEngine:
    """A model on an NVIDIA GPU.

    Parameters
    ----------
    path : Path
        The ONNX file.
    flavour : str
        'tensorrt' or 'tensorrt-rtx'.
    cache : Path, optional
        Folder for engines; without it each opening builds anew.
    precision : {'f16', 'f32'}
    progress : callable, optional
        Told of the steps of building; False stops it.
    build : bool
        Whether an engine is built where none is kept.
    library, cuda : optional
        Stand-ins for tests.

    Raises
    ------
    ImportError
        If the library is missing or in part.
    NoDeviceError
        If there is no GPU.
    DeviceError
        If the GPU fails, such as for want of memory.
    ModelError
        If the model cannot be read or built, or is not built and must not be.
    Interrupted
        If `progress` stopped the building.
    """

    def __init__(
        self,
        path: Path,
        flavour: str,
        cache: Path | None = None,
        *,
        precision: Precision = "f16",
        progress: Progress | None = None,
        build: bool = True,
        library: Library | None = None,
        cuda: Cuda | None = None,
    ) -> None:
        # first the device: asking costs nothing, and the libraries are large
        self._cuda = cuda or Cuda()
        device = self._cuda.device()
        self._library = library or load_library(flavour)
        self.precision: str = precision
        self.name = f"{self._library.title} on {device.name}"
        self.notice = ""
        """What went wrong with kept engines, where it did."""
        self._folder = cache / "engines" if cache is not None else None
        self._batches: dict[int, _Batch] = {}
        self._stream = 0
        self._captures = not self._library.for_rtx
        self._active = 0
        self._learned: Any = None
        self._context: Any = None
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
        self._key = _key(model, self._library, device, precision)
        source = prepare(path, precision)
        self.metadata = source.metadata
        self._said = quiet_logger(self._library)
        self._runtime: Any = self._library.module.Runtime(self._said)
        self._engine: Any = None
        try:
            why = self._find(path.parent / "engines", device)
            if self._engine is None and not build:
                # it may take many minutes, and nobody has asked for it
                raise ModelError("its engine is not built yet; choose it once by name")
            if self._engine is None:
                if why:
                    self._note(f"{why}; it was built again")
                built = build_engine(
                    self._library, source, timings=self._timings_path, progress=progress
                )
                self._engine = self._deserialised(built)
                if self._engine is None:
                    raise DeviceError(f"{self.name} cannot run its own engine: {self._said.last}")
                self._keep(built)
            self._stream = self._cuda.stream()
            self._context = self._opened_context()
        except BaseException:
            self.close()
            raise

    def infer(self, images: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name for images (B, 3, S, S), B >= 1; more than fit at once take turns.

        Raises
        ------
        DeviceError
            If the GPU fails; the engine is of no more use then.
        """
        parts = [
            self._infer_some(images[start : start + MOST_AT_ONCE])
            for start in range(0, len(images), MOST_AT_ONCE)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Give back the GPU's memory; keep what the library learned about this GPU."""
        self._keep_runtime_cache()
        stream, self._stream = self._stream, 0
        batches, self._batches = list(self._batches.values()), {}
        ports = [port for batch in batches for port in batch.ports.values()]
        graphs = [batch.graph for batch in batches if batch.graph is not None]
        self._cuda.give_back(
            stream,
            graphs,
            [port.host_address for port in ports],
            [port.device_address for port in ports],
        )
        # in the order in which each hangs on the next
        self._context = self._engine = self._runtime = None

    def _infer_some(self, images: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        count = len(images)
        if count != self._active:
            # its shape belongs to the context, not to the run
            if not self._context.set_input_shape("image", images.shape):
                raise DeviceError(f"{self.name} takes no {count} people at once")
            self._active = count
        batch = self._batches.get(count) or self._reserved(count)
        np.copyto(batch.ports["image"].host, images)
        if batch.graph is not None:
            self._cuda.launch(batch.graph, self._stream)
        elif self._captures and batch.runs == 1:
            # the first run prepares what may not be noted; the second is noted and replayed
            self._capture(batch)
        else:
            self._point(batch)
            self._enqueue(batch)
        self._cuda.wait(self._stream)
        batch.runs += 1
        return {name: port.host.copy() for name, port in batch.ports.items() if name != "image"}

    def _enqueue(self, batch: _Batch) -> None:
        image = batch.ports["image"]
        self._cuda.to_device(image.device_address, image.host_address, image.bytes, self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise DeviceError(f"{self.name} failed: {self._said.last}")
        for name, port in batch.ports.items():
            if name != "image":
                self._cuda.to_host(port.host_address, port.device_address, port.bytes, self._stream)

    def _capture(self, batch: _Batch) -> None:
        self._point(batch)
        try:
            self._cuda.begin_capture(self._stream)
        except DeviceError:
            self._captures = False
            self._enqueue(batch)
            return
        try:
            self._enqueue(batch)
            failed = None
        except DeviceError as error:
            failed = error
        try:
            graph = self._cuda.end_capture(self._stream)
        except DeviceError as error:
            failed, graph = failed or error, None
        if failed is not None or graph is None:
            # not every network can be noted: it goes on as before
            self._captures = False
            self._enqueue(batch)
            return
        batch.graph = graph
        self._cuda.launch(graph, self._stream)

    def _point(self, batch: _Batch) -> None:
        for name, port in batch.ports.items():
            if not self._context.set_tensor_address(name, port.device_address):
                raise DeviceError(f"{self.name} takes no memory for {name}")

    def _reserved(self, count: int) -> _Batch:
        batch = _Batch()
        engine = self._engine
        # known from the beginning on, so that what was reserved before a failure is given back
        self._batches[count] = batch
        for number in range(engine.num_io_tensors):
            name = engine.get_tensor_name(number)
            shape = tuple(int(n) for n in self._context.get_tensor_shape(name))
            if any(n < 1 for n in shape) or shape[0] != count:
                raise ModelError(f"the engine's {name} is {shape} for {count} people")
            dtype = self._library.module.nptype(engine.get_tensor_dtype(name))
            if np.dtype(dtype) != np.float32:
                raise ModelError(f"the engine's {name} is {np.dtype(dtype)}, not float32")
            host, host_address = self._cuda.pinned(shape, np.float32)
            port = _Port(host, host_address, 0, host.nbytes)
            batch.ports[name] = port
            port.device_address = self._cuda.memory(host.nbytes)
        return batch

    def _find(self, beside: Path, device: Device) -> str:
        """Take a kept engine that runs, else say why those that lie there do not."""
        complaints = []
        made_here = [(self._folder, self._key)] if self._folder is not None else []
        # beside the model there may be engines that were built without this GPU
        capability = "SM{}{}".format(*device.capability)
        brought = [(beside, brought_key(self._key, capability))] if self._library.for_rtx else []
        for folder, key in (*made_here, *brought):
            kept, why = kept_engine(folder, key)
            if kept is not None:
                self._engine = self._deserialised(kept)
                if self._engine is not None:
                    return ""
                why = "the kept engine does not run on this GPU"
            if why:
                complaints.append(why)
        return "; ".join(complaints)

    def _deserialised(self, engine: bytes) -> Any:
        try:
            return self._runtime.deserialize_cuda_engine(engine)
        except Exception:  # as good as the None that most releases give
            return None

    def _opened_context(self) -> Any:
        trt = self._library.module
        try:
            if not self._library.for_rtx:
                context = self._engine.create_execution_context()
            else:
                # finishes its kernels at first use, keeps them, and replays graphs on its own
                config = self._engine.create_runtime_config()
                config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
                self._learned = config.create_runtime_cache()
                self._load_runtime_cache()
                config.set_runtime_cache(self._learned)
                context = self._engine.create_execution_context(config)
        except Exception as error:
            raise DeviceError(f"{self.name} cannot start: {error}") from error
        if context is None:
            raise DeviceError(f"{self.name} cannot start: {self._said.last}")
        return context

    def _keep(self, built: bytes) -> None:
        if self._folder is None:
            return
        try:
            keep_engine(self._folder, self._key, built)
        except OutputError as error:
            self._note(f"the engine cannot be kept and is built at every start: {error}")

    @property
    def _timings_path(self) -> Path | None:
        # TensorRT for RTX times nothing while it builds
        if self._folder is None or self._library.for_rtx:
            return None
        return self._folder / f"{file_sha256(self._key.target.encode())[:16]}.timings"

    @property
    def _learned_path(self) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / Path(self._key.file_name).with_suffix(".runtime").name

    def _load_runtime_cache(self) -> None:
        path = self._learned_path
        content = kept_learned(path) if path is not None else b""
        if content:
            # the library itself refuses what another release or GPU has left
            self._learned.deserialize(content)

    def _keep_runtime_cache(self) -> None:
        path, learned = self._learned_path, self._learned
        if path is None or learned is None:
            return
        self._learned = None
        # only the next start is slower without
        with suppress(OutputError, RuntimeError, TypeError):
            keep_learned(path, bytes(learned.serialize()))

    def _note(self, text: str) -> None:
        self.notice = f"{self.notice}; {text}" if self.notice else text


def brought_key(key: EngineKey, capability: str) -> EngineKey:
    """Of an engine that was built for a capability such as 'SM86', without the GPU."""
    return replace(key, target=capability, driver="")


def _key(model: bytes, library: Library, device: Device, precision: str) -> EngineKey:
    capability = "{}.{}".format(*device.capability)
    return EngineKey(
        model_sha256=file_sha256(model),
        library=library.title,
        target=f"{device.name} {capability} {device.identity}",
        driver=device.driver,
        precision=precision,
        batch=MOST_AT_ONCE,
    )

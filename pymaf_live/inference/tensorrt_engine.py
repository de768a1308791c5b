"""TensorRT back-end, for both `tensorrt` and `tensorrt_rtx`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import ModelError, OutputError
from pymaf_live.inference.cuda import Cuda
from pymaf_live.inference.device import Device, DeviceError
from pymaf_live.inference.engine import Engine, Images, Outputs
from pymaf_live.inference.engine_cache import (
    EngineKey,
    file_sha256,
    load_engine,
    load_tuning_data,
    store_engine,
    store_tuning_data,
)
from pymaf_live.inference.tensorrt_build import (
    MAX_BATCH,
    Precision,
    build_engine,
    prepare,
    quiet_logger,
)
from pymaf_live.inference.tensorrt_library import Library, load_library
from pymaf_live.system.reporter import SILENT, Reporter


@dataclass
class _Port:
    """Memory of one input or output for one batch size."""

    host: Any
    """(B, ...) page-locked array."""
    host_address: int
    device_address: int
    bytes: int


@dataclass
class _Batch:
    """Memory and graph of one batch size: allocated once, used for every run."""

    ports: dict[str, _Port] = field(default_factory=dict)
    graph: Any = None
    runs: int = 0


class TensorRtEngine(Engine):
    """A model on an NVIDIA GPU.

    Parameters
    ----------
    path : Path
        The ONNX file.
    flavour : str
        'tensorrt' or 'tensorrt-rtx'.
    cache : Path, optional
        Folder for engines; without it, every opening builds the engine again.
    precision : {'f16', 'f32'}
    reporter : Reporter, optional
        Receives the steps of the build and may cancel it.
    build : bool
        Build an engine if none is cached.
    library, cuda : optional
        Replaced in tests.

    Raises
    ------
    ImportError
        If the library is missing or incomplete.
    NoDeviceError
        If there is no GPU.
    DeviceError
        If the GPU fails, for example for lack of memory.
    ModelError
        If the model cannot be read or built, or no engine exists and `build` is False.
    Interrupted
        If the reporter was cancelled.
    """

    def __init__(
        self,
        path: Path,
        flavour: str,
        cache: Path | None = None,
        *,
        precision: Precision = "f16",
        reporter: Reporter | None = None,
        build: bool = True,
        library: Library | None = None,
        cuda: Cuda | None = None,
    ) -> None:
        # first the device: that costs nothing, and the libraries are large
        self._cuda = cuda or Cuda()
        device = self._cuda.device()
        self._library = library or load_library(flavour)
        self.precision = precision
        self.name = f"{self._library.title} on {device.name}"
        self.notice = ""
        self._folder = cache / "engines" if cache is not None else None
        self._batches: dict[int, _Batch] = {}
        self._stream = 0
        self._captures = not self._library.for_rtx
        self._active_batch = 0
        self._runtime_cache: Any = None
        self._context: Any = None
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
        self._key = _key(model, self._library, device, precision)
        source = prepare(path, precision)
        self.metadata = source.metadata
        self._logger = quiet_logger(self._library)
        self._runtime: Any = self._library.module.Runtime(self._logger)
        self._engine: Any = None
        try:
            why = self._load_cached(path.parent / "engines", device)
            if self._engine is None and not build:
                # a build may take many minutes, and the user did not ask for it
                raise ModelError(
                    "its engine is not built yet; choose the back-end by name to build it"
                )
            if self._engine is None:
                if why:
                    self._add_notice(f"{why}; it was built again")
                built = build_engine(
                    self._library,
                    source,
                    timing_cache=self._timing_cache_path,
                    reporter=reporter or SILENT,
                )
                self._engine = self._deserialise(built)
                if self._engine is None:
                    raise DeviceError(f"{self.name} cannot run its own engine: {self._logger.last}")
                self._store(built)
            self._stream = self._cuda.stream()
            self._context = self._open_context()
        except BaseException:
            self.close()
            raise

    def infer(self, images: Images) -> Outputs:
        """Run inference; more than `MAX_BATCH` people are processed in several batches.

        Raises
        ------
        DeviceError
            If the GPU fails; the engine cannot be used any more.
        """
        parts = [
            self._infer_batch(images[start : start + MAX_BATCH])
            for start in range(0, len(images), MAX_BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Free the GPU's memory; store the runtime cache of this GPU."""
        self._store_runtime_cache()
        stream, self._stream = self._stream, 0
        batches, self._batches = list(self._batches.values()), {}
        ports = [port for batch in batches for port in batch.ports.values()]
        graphs = [batch.graph for batch in batches if batch.graph is not None]
        self._cuda.release(
            stream,
            graphs,
            [port.host_address for port in ports],
            [port.device_address for port in ports],
        )
        # in order of dependency
        self._context = self._engine = self._runtime = None

    def _infer_batch(self, images: Images) -> Outputs:
        count = len(images)
        if count != self._active_batch:
            # the shape belongs to the context, not to the run
            if not self._context.set_input_shape("image", images.shape):
                raise DeviceError(f"{self.name} cannot run {count} people at once")
            self._active_batch = count
        batch = self._batches.get(count) or self._allocate(count)
        np.copyto(batch.ports["image"].host, images)
        if batch.graph is not None:
            self._cuda.launch(batch.graph, self._stream)
        elif self._captures and batch.runs == 1:
            # the first run does what cannot be captured; the second is captured and replayed
            self._capture(batch)
        else:
            self._bind(batch)
            self._enqueue(batch)
        self._cuda.wait(self._stream)
        batch.runs += 1
        return {name: port.host.copy() for name, port in batch.ports.items() if name != "image"}

    def _enqueue(self, batch: _Batch) -> None:
        image = batch.ports["image"]
        self._cuda.to_device(image.device_address, image.host_address, image.bytes, self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise DeviceError(f"{self.name} failed: {self._logger.last}")
        for name, port in batch.ports.items():
            if name != "image":
                self._cuda.to_host(port.host_address, port.device_address, port.bytes, self._stream)

    def _capture(self, batch: _Batch) -> None:
        self._bind(batch)
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
            # not every network can be captured: continue without graphs
            self._captures = False
            self._enqueue(batch)
            return
        batch.graph = graph
        self._cuda.launch(graph, self._stream)

    def _bind(self, batch: _Batch) -> None:
        for name, port in batch.ports.items():
            if not self._context.set_tensor_address(name, port.device_address):
                raise DeviceError(f"{self.name} refuses the memory for {name}")

    def _allocate(self, count: int) -> _Batch:
        batch = _Batch()
        engine = self._engine
        # registered first, so that memory allocated before a failure is freed
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

    def _load_cached(self, beside: Path, device: Device) -> str:
        """Load a cached engine that runs; return why the cached ones do not run."""
        reasons = []
        own = [(self._folder, self._key)] if self._folder is not None else []
        # beside the model there may be engines that were built without this GPU
        capability = "SM{}{}".format(*device.capability)
        prebuilt = [(beside, prebuilt_key(self._key, capability))] if self._library.for_rtx else []
        for folder, key in (*own, *prebuilt):
            cached, reason = load_engine(folder, key)
            if cached is not None:
                self._engine = self._deserialise(cached)
                if self._engine is not None:
                    return ""
                reason = "the cached engine does not run on this GPU"
            if reason:
                reasons.append(reason)
        return "; ".join(reasons)

    def _deserialise(self, engine: bytes) -> Any:
        try:
            return self._runtime.deserialize_cuda_engine(engine)
        except Exception:  # most releases return None instead
            return None

    def _open_context(self) -> Any:
        trt = self._library.module
        try:
            if not self._library.for_rtx:
                context = self._engine.create_execution_context()
            else:
                # completes its kernels on first use, caches them, and replays graphs by itself
                config = self._engine.create_runtime_config()
                config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
                self._runtime_cache = config.create_runtime_cache()
                self._load_runtime_cache()
                config.set_runtime_cache(self._runtime_cache)
                context = self._engine.create_execution_context(config)
        except Exception as error:
            raise DeviceError(f"{self.name} cannot start: {error}") from error
        if context is None:
            raise DeviceError(f"{self.name} cannot start: {self._logger.last}")
        return context

    def _store(self, built: bytes) -> None:
        if self._folder is None:
            return
        try:
            store_engine(self._folder, self._key, built)
        except OutputError as error:
            self._add_notice(f"the engine cannot be stored and is built at every start: {error}")

    @property
    def _timing_cache_path(self) -> Path | None:
        # TensorRT for RTX measures nothing while it builds
        if self._folder is None or self._library.for_rtx:
            return None
        return self._folder / f"{file_sha256(self._key.target.encode())[:16]}.timings"

    @property
    def _runtime_cache_path(self) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / Path(self._key.file_name).with_suffix(".runtime").name

    def _load_runtime_cache(self) -> None:
        path = self._runtime_cache_path
        content = load_tuning_data(path) if path is not None else b""
        if content:
            # the library itself refuses a cache of another release or GPU
            self._runtime_cache.deserialize(content)

    def _store_runtime_cache(self) -> None:
        path, cache = self._runtime_cache_path, self._runtime_cache
        if path is None or cache is None:
            return
        self._runtime_cache = None
        # without it, only the next start is slower
        with suppress(OutputError, RuntimeError, TypeError):
            store_tuning_data(path, bytes(cache.serialize()))

    def _add_notice(self, text: str) -> None:
        self.notice = f"{self.notice}; {text}" if self.notice else text


def prebuilt_key(key: EngineKey, capability: str) -> EngineKey:
    """Return the key of an engine built for a capability such as 'SM86', without the GPU."""
    return replace(key, target=capability, driver="")


def _key(model: bytes, library: Library, device: Device, precision: str) -> EngineKey:
    capability = "{}.{}".format(*device.capability)
    return EngineKey(
        model_sha256=file_sha256(model),
        library=library.title,
        target=f"{device.name} {capability} {device.identity}",
        driver=device.driver,
        precision=precision,
        batch=MAX_BATCH,
    )

"""Fake TensorRT and CUDA for machines without a GPU.

The fake runs the model with ONNX Runtime in host memory and logs every call, so that order and
shapes can be checked. It says nothing about the results or the speed of a GPU.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np

from pymaf_live.inference.cuda import Cuda
from pymaf_live.inference.tensorrt_library import Library
from pymaf_live.system.onnxruntime_import import import_onnxruntime

onnxruntime = import_onnxruntime()

MAGIC = b"FAKE"


class FakeCuda:
    """Fake ``cuda.bindings.runtime``; `refuse` maps names of calls that fail to their error."""

    cudaMemcpyKind = SimpleNamespace(  # noqa: N815
        cudaMemcpyHostToDevice="up", cudaMemcpyDeviceToHost="down"
    )
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="thread")  # noqa: N815

    def __init__(self, name: str = "Fake 3000", driver: int = 13000) -> None:
        self.calls: list[str] = []
        self.refuse: dict[str, str] = {}
        self.alive: dict[int, Any] = {}
        self.captured: list[Any] | None = None
        self._facts = (name, driver)
        self._streams = 0

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cuda"):
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            if name in self.refuse:
                return (SimpleNamespace(name=self.refuse[name]), None)
            value = getattr(self, "_" + name)(*arguments)
            return (SimpleNamespace(name="cudaSuccess"), value)

        return call

    def _cudaGetDeviceCount(self) -> int:  # noqa: N802
        return 1

    def _cudaGetDeviceProperties(self, number: int) -> Any:  # noqa: N802
        name, _ = self._facts
        unique = SimpleNamespace(bytes=name.encode().ljust(16, b"\0"))
        return SimpleNamespace(
            name=name.encode(), uuid=unique, major=8, minor=6, totalGlobalMem=1 << 33
        )

    def _cudaDriverGetVersion(self) -> int:  # noqa: N802
        return self._facts[1]

    def _cudaStreamCreate(self) -> int:  # noqa: N802
        self._streams += 1
        return 100 + self._streams

    def _take(self, count: int) -> int:
        memory = (ctypes.c_uint8 * count)()
        address = ctypes.addressof(memory)
        self.alive[address] = memory
        return address

    def _cudaHostAlloc(self, count: int, flags: int) -> int:  # noqa: N802
        return self._take(count)

    def _cudaMalloc(self, count: int) -> int:  # noqa: N802
        return self._take(count)

    def _free(self, address: int) -> None:
        del self.alive[address]  # raises a KeyError if memory is freed twice

    _cudaFree = _cudaFreeHost = _free  # noqa: N815

    def do(self, action: Any) -> None:
        """Run an action at once, or add it to the graph being captured."""
        if self.captured is not None:
            self.captured.append(action)
        else:
            action()

    def _cudaMemcpyAsync(  # noqa: N802
        self, target: int, source: int, count: int, kind: str, stream: int
    ) -> None:
        assert len(self.alive[target]) >= count
        assert len(self.alive[source]) >= count
        self.calls[-1] += f" {kind}"
        self.do(lambda: ctypes.memmove(target, source, count))

    def _cudaStreamSynchronize(self, stream: int) -> None:  # noqa: N802
        assert self.captured is None, "waiting during a capture is an error"

    def _cudaStreamDestroy(self, stream: int) -> None:  # noqa: N802
        self._streams -= 1

    def _cudaStreamBeginCapture(self, stream: int, mode: str) -> None:  # noqa: N802
        self.captured = []

    def _cudaStreamEndCapture(self, stream: int) -> Any:  # noqa: N802
        captured, self.captured = self.captured, None
        return captured

    def _cudaGraphInstantiate(self, graph: Any, flags: int) -> Any:  # noqa: N802
        return graph

    def _cudaGraphDestroy(self, graph: Any) -> None:  # noqa: N802
        pass

    _cudaGraphExecDestroy = _cudaGraphDestroy  # noqa: N815

    def _cudaGraphLaunch(self, graph: Any, stream: int) -> None:  # noqa: N802
        for action in graph:
            action()

    @property
    def streams(self) -> int:
        """Number of open streams."""
        return self._streams


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine, self._shape = engine, ()
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._engine.trt.calls.append(f"set_input_shape {tuple(shape)}")
        self._shape = tuple(shape)
        return 1 <= shape[0] <= self._engine.trt.profile[1][0]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name == "image":
            return self._shape
        image = np.zeros(self._shape, np.float32)
        return tuple(self._engine.session.run([name], {"image": image})[0].shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address in self._engine.trt.cuda.alive
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        trt = self._engine.trt
        trt.calls.append("execute_async_v3")
        if trt.fails_after is not None and trt.calls.count("execute_async_v3") > trt.fails_after:
            trt.logger.log(trt.ILogger.Severity.ERROR, "the fake failed on request")
            return False
        addresses, shape, memory = dict(self._addresses), self._shape, trt.cuda.alive

        def compute() -> None:
            count = int(np.prod(shape))
            image = np.frombuffer(memory[addresses["image"]], np.float32)[:count].reshape(shape)
            names = self._engine.names[1:]
            for name, values in zip(
                names, self._engine.session.run(names, {"image": image}), strict=True
            ):
                plain = np.ascontiguousarray(values)
                ctypes.memmove(addresses[name], plain.ctypes.data, plain.nbytes)

        trt.cuda.do(compute)
        return True


class _Engine:
    def __init__(self, trt: FakeTensorRt, model: bytes) -> None:
        self.trt = trt
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options)
        self.names = ["image", *(port.name for port in self.session.get_outputs())]
        self.num_io_tensors = len(self.names)

    def get_tensor_name(self, number: int) -> str:
        return self.names[number]

    def get_tensor_dtype(self, name: str) -> Any:
        return np.float32

    def create_execution_context(self) -> Any:
        return _Context(self)


class FakeTensorRt:
    """Fake `tensorrt` module; an engine is the model behind a prefix."""

    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=0)
    DataType = SimpleNamespace(FLOAT="float")
    BuilderFlag = SimpleNamespace(TF32="tf32")

    class ILogger:
        class Severity:
            ERROR, INTERNAL_ERROR = "error", "internal"

        def __init__(self) -> None:
            pass

    class IProgressMonitor:
        def __init__(self) -> None:
            pass

    def __init__(self, cuda: FakeCuda, version: str = "11.4.0") -> None:
        self.__version__ = version
        self.cuda, self.calls = cuda, []
        self.profile: tuple[Any, ...] = ()
        self.fails_after: int | None = None
        self.builds = 0
        self.logger: Any = None
        self._monitor: Any = None

    nptype = staticmethod(lambda dtype: dtype)

    def Runtime(self, logger: Any) -> Any:  # noqa: N802
        self.logger = logger

        def deserialize(content: bytes) -> Any:
            # the real library returns None for an engine it cannot run
            return _Engine(self, content[len(MAGIC) :]) if content.startswith(MAGIC) else None

        return SimpleNamespace(deserialize_cuda_engine=deserialize)

    def Builder(self, logger: Any) -> Any:  # noqa: N802
        return SimpleNamespace(
            create_network=lambda flags: SimpleNamespace(flags=flags),
            create_builder_config=self._config,
            create_optimization_profile=lambda: SimpleNamespace(set_shape=self._set_shape),
            build_serialized_network=self._build,
        )

    def OnnxParser(self, network: Any, logger: Any) -> Any:  # noqa: N802
        def parse(content: bytes) -> bool:
            session = onnxruntime.InferenceSession(content)
            for kind, ports in (
                ("input", session.get_inputs()),
                ("output", session.get_outputs()),
            ):
                found = [
                    SimpleNamespace(
                        name=port.name,
                        dtype="float",
                        shape=[n if isinstance(n, int) else -1 for n in port.shape],
                    )
                    for port in ports
                ]
                setattr(network, f"num_{kind}s", len(found))
                setattr(network, f"get_{kind}", found.__getitem__)
            network.content = content
            return True

        return SimpleNamespace(parse=parse, num_errors=0)

    def _config(self) -> Any:
        cache = SimpleNamespace(serialize=lambda: b"times")
        return SimpleNamespace(
            add_optimization_profile=lambda profile: 0,
            clear_flag=lambda flag: None,
            create_timing_cache=lambda content: cache,
            set_timing_cache=lambda given, ignore: True,
            get_timing_cache=lambda: cache,
        )

    def _set_shape(self, name: str, least: Any, best: Any, most: Any) -> None:
        self.profile = (least, most)

    def _build(self, network: Any, config: Any) -> bytes | None:
        self.builds += 1
        config.progress_monitor.phase_start("Building", None, 4)
        for step in range(4):
            if not config.progress_monitor.step_complete("Building", step):
                return None
        config.progress_monitor.phase_finish("Building")
        return MAGIC + network.content


def make_fakes(**facts: Any) -> tuple[FakeTensorRt, FakeCuda, Library, Cuda]:
    """Return the fakes, and the objects that the engine takes them as."""
    version = facts.pop("version", "11.4.0")
    runtime = FakeCuda(**facts)
    trt = FakeTensorRt(runtime, version)
    return trt, runtime, Library("tensorrt", trt), Cuda(runtime)

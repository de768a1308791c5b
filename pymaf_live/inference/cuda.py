"""What is needed of CUDA: memory, one stream, graphs; over NVIDIA's own bindings."""

from __future__ import annotations

import ctypes
import importlib
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.inference.tensorrt_library import Device, DeviceError, NoDeviceError

_BINDINGS = "cuda.bindings.runtime"
_NOBODY = "no NVIDIA GPU with a driver that is new enough"
_DRIVERS = {"win32": "nvcuda.dll"}
_NO_DEVICE = ("cudaErrorInsufficientDriver", "cudaErrorNoDevice", "cudaErrorStubLibrary")


def _driver_is_there() -> bool:
    try:
        ctypes.CDLL(_DRIVERS.get(sys.platform, "libcuda.so.1"))
    except OSError:
        return False
    return True


class Cuda:
    """CUDA's runtime; every call either does what it says or raises `DeviceError`.

    Parameters
    ----------
    runtime : module, optional
        ``cuda.bindings.runtime`` by default.

    Raises
    ------
    ImportError
        If the bindings are missing or in part.
    NoDeviceError
        If there is no driver.
    """

    def __init__(self, runtime: Any = None) -> None:
        loaded = runtime is not None or _BINDINGS in sys.modules
        if not loaded and not _driver_is_there():
            # told without the bindings, which take a tenth of a second to load
            raise NoDeviceError(_NOBODY)
        try:
            self._runtime: Any = runtime or importlib.import_module(_BINDINGS)
        except Exception as error:
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ImportError(f"CUDA's bindings ({line}); pip install cuda-bindings") from error

    def device(self) -> Device:
        """The first GPU.

        Raises
        ------
        NoDeviceError
        """
        code, count = self._runtime.cudaGetDeviceCount()
        if _name(code) in _NO_DEVICE or (_name(code) == "cudaSuccess" and not count):
            raise NoDeviceError(_NOBODY)
        self._check(code, "find the GPU")
        facts = self._call("find the GPU", "cudaGetDeviceProperties", 0)
        driver = self._call("find the driver", "cudaDriverGetVersion")
        raw = facts.name
        name = raw.split(b"\0")[0].decode(errors="replace") if isinstance(raw, bytes) else str(raw)
        unique = bytes(facts.uuid.bytes)[:16].hex()
        capability = (int(facts.major), int(facts.minor))
        return Device(name, capability, str(driver), unique, int(facts.totalGlobalMem))

    def stream(self) -> int:
        """A new stream."""
        return int(self._call("open a stream", "cudaStreamCreate"))

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[Any, int]:
        """Page-locked memory of the host, as an array and its address."""
        import ctypes

        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = int(self._call(f"pin {count} bytes", "cudaHostAlloc", count, 0))
        raw = (ctypes.c_uint8 * count).from_address(address)
        return np.frombuffer(memoryview(raw), dtype=np.dtype(dtype)).reshape(shape), address

    def memory(self, count: int) -> int:
        """Address of so many bytes on the device."""
        return int(self._call(f"take {count} bytes", "cudaMalloc", count))

    def to_device(self, target: int, source: int, count: int, stream: int) -> None:
        """Copy bytes up, in the order of the stream."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("copy up", "cudaMemcpyAsync", target, source, count, kind, stream)

    def to_host(self, target: int, source: int, count: int, stream: int) -> None:
        """Copy bytes down, in the order of the stream."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("copy down", "cudaMemcpyAsync", target, source, count, kind, stream)

    def wait(self, stream: int) -> None:
        """Until all that was put into the stream is done."""
        self._call("compute", "cudaStreamSynchronize", stream)

    def begin_capture(self, stream: int) -> None:
        """From here on the stream notes what it is given instead of doing it."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("capture", "cudaStreamBeginCapture", stream, mode)

    def end_capture(self, stream: int) -> Any:
        """What was noted, ready to be launched."""
        graph = self._call("capture", "cudaStreamEndCapture", stream)
        try:
            return self._call("capture", "cudaGraphInstantiate", graph, 0)
        finally:
            self._runtime.cudaGraphDestroy(graph)

    def launch(self, graph: Any, stream: int) -> None:
        """Do what was noted."""
        self._call("compute", "cudaGraphLaunch", graph, stream)

    def give_back(
        self, stream: int, graphs: list[Any], pinned: list[int], memory: list[int]
    ) -> None:
        """Free all of it; what cannot be freed any more is gone already."""
        if stream:
            self._runtime.cudaStreamSynchronize(stream)
        for graph in graphs:
            self._runtime.cudaGraphExecDestroy(graph)
        for address in filter(None, pinned):
            self._runtime.cudaFreeHost(address)
        for address in filter(None, memory):
            self._runtime.cudaFree(address)
        if stream:
            self._runtime.cudaStreamDestroy(stream)

    def _call(self, what: str, name: str, *arguments: Any) -> Any:
        code, *values = getattr(self._runtime, name)(*arguments)
        self._check(code, what)
        return values[0] if values else None

    def _check(self, code: Any, what: str) -> None:
        name = _name(code)
        if name == "cudaSuccess":
            return
        if name == "cudaErrorMemoryAllocation":
            raise DeviceError(f"the GPU has too little memory left to {what}")
        raise DeviceError(f"the GPU failed to {what} ({name})")


def _name(code: Any) -> str:
    return str(getattr(code, "name", code))

"""The part of CUDA's runtime that inference needs, over NVIDIA's own Python bindings."""

from __future__ import annotations

import ctypes
import importlib
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.inference.device import Device, DeviceError, NoDeviceError

_BINDINGS = "cuda.bindings.runtime"
_NO_DEVICE_TEXT = "no NVIDIA GPU with a recent driver"
_DRIVERS = {"win32": "nvcuda.dll"}
_NO_DEVICE_CODES = ("cudaErrorInsufficientDriver", "cudaErrorNoDevice", "cudaErrorStubLibrary")


def find_device() -> Device:
    """Return the first GPU.

    Raises
    ------
    NoDeviceError
        If there is none or its driver does not respond.
    ImportError
        If the package ``cuda-bindings`` is missing.
    """
    return Cuda().device()


class Cuda:
    """CUDA's runtime: memory, one stream, graphs. Every failed call raises `DeviceError`.

    Parameters
    ----------
    runtime : module, optional
        ``cuda.bindings.runtime`` by default.

    Raises
    ------
    ImportError
        If the bindings are missing or incomplete.
    NoDeviceError
        If there is no driver.
    """

    def __init__(self, runtime: Any = None) -> None:
        loaded = runtime is not None or _BINDINGS in sys.modules
        if not loaded and not _driver_exists():
            # without the bindings, which take a tenth of a second to load
            raise NoDeviceError(_NO_DEVICE_TEXT)
        try:
            self._runtime: Any = runtime or importlib.import_module(_BINDINGS)
        except Exception as error:
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ImportError(f"CUDA's bindings ({line}); pip install cuda-bindings") from error

    def device(self) -> Device:
        """Return the first GPU.

        Raises
        ------
        NoDeviceError
        """
        code, count = self._runtime.cudaGetDeviceCount()
        if _name(code) in _NO_DEVICE_CODES or (_name(code) == "cudaSuccess" and not count):
            raise NoDeviceError(_NO_DEVICE_TEXT)
        self._check(code, "find the GPU")
        facts = self._call("find the GPU", "cudaGetDeviceProperties", 0)
        driver = self._call("find the driver", "cudaDriverGetVersion")
        raw = facts.name
        name = raw.split(b"\0")[0].decode(errors="replace") if isinstance(raw, bytes) else str(raw)
        uuid = bytes(facts.uuid.bytes)[:16].hex()
        capability = (int(facts.major), int(facts.minor))
        return Device(name, capability, str(driver), uuid, int(facts.totalGlobalMem))

    def stream(self) -> int:
        """Create a stream and return its address."""
        return int(self._call("open a stream", "cudaStreamCreate"))

    def pinned(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[Any, int]:
        """Allocate page-locked host memory; return it as an array, and its address."""
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = int(self._call(f"pin {count} bytes", "cudaHostAlloc", count, 0))
        raw = (ctypes.c_uint8 * count).from_address(address)
        return np.frombuffer(memoryview(raw), dtype=np.dtype(dtype)).reshape(shape), address

    def memory(self, count: int) -> int:
        """Allocate device memory of `count` bytes and return its address."""
        return int(self._call(f"allocate {count} bytes", "cudaMalloc", count))

    def to_device(self, target: int, source: int, count: int, stream: int) -> None:
        """Enqueue a copy of `count` bytes from host to device."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("copy to the GPU", "cudaMemcpyAsync", target, source, count, kind, stream)

    def to_host(self, target: int, source: int, count: int, stream: int) -> None:
        """Enqueue a copy of `count` bytes from device to host."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("copy from the GPU", "cudaMemcpyAsync", target, source, count, kind, stream)

    def wait(self, stream: int) -> None:
        """Wait until everything enqueued in the stream is done."""
        self._call("compute", "cudaStreamSynchronize", stream)

    def begin_capture(self, stream: int) -> None:
        """Start recording what is enqueued in the stream, instead of executing it."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("capture", "cudaStreamBeginCapture", stream, mode)

    def end_capture(self, stream: int) -> Any:
        """Return what was recorded as a graph that can be launched."""
        graph = self._call("capture", "cudaStreamEndCapture", stream)
        try:
            return self._call("capture", "cudaGraphInstantiate", graph, 0)
        finally:
            self._runtime.cudaGraphDestroy(graph)

    def launch(self, graph: Any, stream: int) -> None:
        """Enqueue a recorded graph."""
        self._call("compute", "cudaGraphLaunch", graph, stream)

    def release(self, stream: int, graphs: list[Any], pinned: list[int], memory: list[int]) -> None:
        """Free a stream, graphs and memory; errors are ignored."""
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

    def _call(self, action: str, name: str, *arguments: Any) -> Any:
        code, *values = getattr(self._runtime, name)(*arguments)
        self._check(code, action)
        return values[0] if values else None

    def _check(self, code: Any, action: str) -> None:
        name = _name(code)
        if name == "cudaSuccess":
            return
        if name == "cudaErrorMemoryAllocation":
            raise DeviceError(f"the GPU has too little memory to {action}")
        raise DeviceError(f"the GPU failed to {action} ({name})")


def _driver_exists() -> bool:
    try:
        ctypes.CDLL(_DRIVERS.get(sys.platform, "libcuda.so.1"))
    except OSError:
        return False
    return True


def _name(code: Any) -> str:
    return str(getattr(code, "name", code))

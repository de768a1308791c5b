"""OpenVINO's inference requests: a compiled model for each batch size, run times, batching."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from pymaf_live.errors import ModelError
from pymaf_live.inference.engine import Images, Outputs
from pymaf_live.system.exit_hooks import NativeThread

BatchPolicy = Literal["single", "lazy", "eager"]
"""When two people share one request. Compiling the model for two takes time at the start: 'lazy'
does it in the background once several people have been there for a while, 'eager' before the first
request, where later nothing may be held up."""

_COMPILE_AFTER, _USE_AFTER = 40, 160
"""Number of requests with several people after which 'lazy' compiles the model for two, and uses
it."""


@dataclass(frozen=True)
class Request:
    """An inference request in flight."""

    model: CompiledBatch
    handle: Any
    started_at: float
    """time.perf_counter()"""

    @property
    def ended_at(self) -> float:
        """time.perf_counter() at the request's end; valid once it has finished."""
        return self.started_at + float(self.handle.latency) / 1000


class CompiledBatch:
    """A model compiled for a fixed number of people per request, and its request objects.

    Parameters
    ----------
    compiled : openvino.CompiledModel
    batch : int
        People per request.
    outputs : list of str
        Names of the outputs, in the model's order.
    num_requests : int
        Number of request objects created at once; more are created when needed.
    """

    def __init__(self, compiled: Any, batch: int, outputs: list[str], num_requests: int) -> None:
        self.batch = batch
        # read back: a CPU need not honour the hint
        self.precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self._compiled, self._outputs = compiled, outputs
        self._free = [compiled.create_infer_request() for _ in range(num_requests)]
        self._cancelled: list[Any] = []

    def start(self, images: Images) -> Request:
        """Start a request on images (batch, 3, S, S); it is queued while all streams are busy.

        Raises
        ------
        ModelError
            If OpenVINO fails.
        """
        try:
            handle = self._unused()
            # copy into its own memory: passing an array takes four times as long
            handle.get_input_tensor().data[:] = images.transpose(0, 2, 3, 1)
            started_at = time.perf_counter()
            handle.start_async()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO failed: {last_line(error)}") from error
        return Request(self, handle, started_at)

    def finish(self, request: Request) -> Outputs:
        """Wait for a request and return its outputs by name.

        Raises
        ------
        ModelError
            If OpenVINO fails.
        """
        handle = request.handle
        try:
            handle.wait()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO failed: {last_line(error)}") from error
        ports = zip(self._outputs, handle.model_outputs, strict=True)
        # the next run writes into the same memory
        outputs = {name: handle.get_tensor(port).data.copy() for name, port in ports}
        self._free.append(handle)
        return outputs

    def cancel(self, request: Request) -> None:
        """Cancel a request, without waiting for its end."""
        request.handle.cancel()
        self._cancelled.append(request.handle)

    def _unused(self) -> Any:
        if self._free:
            return self._free.pop()
        if self._cancelled:
            handle = self._cancelled.pop(0)
            with suppress(RuntimeError):  # raised by wait() because it was cancelled
                handle.wait()
            return handle
        return self._compiled.create_infer_request()


class StreamClock:
    """Separates the run time of a request from the time it waited for a free stream.

    Parameters
    ----------
    num_streams : int
        Requests that run at the same time; queued requests start in order.
    """

    def __init__(self, num_streams: int) -> None:
        self._num_streams = num_streams
        self._ends: list[float] = []

    def run_time(self, started_at: float, ended_at: float) -> float:
        """Return the run time of a request, s; to be called in the order of the starts."""
        all_busy = len(self._ends) == self._num_streams
        waited_until = self._ends[0] if all_busy else started_at
        self._ends = sorted([*self._ends, ended_at])[-self._num_streams :]
        return ended_at - max(started_at, waited_until)


class PairModel:
    """The model for two people per request, compiled in the background when it is worth it.

    Parameters
    ----------
    compile_pair : callable
        Compiles the model for two.
    policy : BatchPolicy
    """

    def __init__(self, compile_pair: Callable[[], CompiledBatch], policy: BatchPolicy) -> None:
        self._compile_pair = compile_pair
        self._requests_left = {"single": None, "lazy": _USE_AFTER, "eager": 0}[policy]
        """Requests with several people until the model is used; None: never."""
        self._compiling: Future[CompiledBatch] | None = None
        self._compiled: CompiledBatch | None = None
        if self._requests_left == 0:
            self._start_compiling()
            self._finish_compiling()

    @property
    def preferred_batch(self) -> int:
        """2 where two people should share a request, else 1."""
        return 1 if self._requests_left is None else 2

    def for_next_request(self) -> CompiledBatch | None:
        """Return the model for a request with several people; None while it is not used."""
        if self._requests_left is None or self._compiled is not None:
            return self._compiled
        self._requests_left -= 1
        if self._requests_left <= _USE_AFTER - _COMPILE_AFTER and self._compiling is None:
            self._start_compiling()
        if self._requests_left <= 0:
            self._finish_compiling()
        return self._compiled

    def close(self) -> None:
        """Wait for a compilation in progress, which must not outlive the program."""
        if self._compiling is not None:
            wait([self._compiling])

    def _start_compiling(self) -> None:
        future: Future[CompiledBatch] = Future()
        self._compiling = future

        def work() -> None:
            try:
                future.set_result(self._compile_pair())
            except BaseException as error:
                future.set_exception(error)

        NativeThread("openvino pairs", work).start()

    def _finish_compiling(self) -> None:
        assert self._compiling is not None
        try:
            self._compiled = self._compiling.result()
        except ModelError:
            self._requests_left = None  # one person per request works


def last_line(error: Exception) -> str:
    """Return the last line of an OpenVINO error, which states the reason."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]

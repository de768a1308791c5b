"""OpenVINO back-end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import ModelError
from pymaf_live.inference.engine import Engine, Images, Outputs
from pymaf_live.inference.metadata import LOWER_PRECISIONS, Shape, check_contract
from pymaf_live.inference.onnx_metadata import metadata_entries
from pymaf_live.inference.openvino_cache import CompiledModelCache
from pymaf_live.inference.openvino_graph import (
    fold_half_precision_weights,
    separate_activations,
    with_channels_last,
)
from pymaf_live.inference.openvino_requests import (
    BatchPolicy,
    CompiledBatch,
    PairModel,
    Request,
    StreamClock,
    last_line,
)
from pymaf_live.system.openvino_import import import_openvino, open_core


def supported_precisions() -> tuple[str, ...]:
    """Return those of `LOWER_PRECISIONS` that this CPU has instructions for."""
    core = open_core()
    able = {str(name).casefold() for name in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")}
    return tuple(name for name in LOWER_PRECISIONS if name in able)


@dataclass
class _Ticket:
    """Requests submitted together: as many as there are streams are in flight, others queued."""

    queued: deque[tuple[CompiledBatch, Images]]
    concurrent: int
    """Number of these requests that run at the same time."""
    in_flight: deque[Request] = field(default_factory=deque)

    def start_next(self) -> None:
        model, images = self.queued.popleft()
        self.in_flight.append(model.start(images))


class OpenVinoEngine(Engine):
    """A model on the CPU by OpenVINO.

    With one stream a request runs on all cores; with several each request runs on its share of
    them and several run at once, which costs less in total: `lite` on two cores takes 14 ms of CPU
    time as one request on both and 9 as two concurrent requests on one each.

    Two people in one request take less than in two: 6.6 ms each instead of 8.2 (`lite`), 10.9
    instead of 12.7 (`full`); four in one hardly less than that. For OpenVINO this is a separate
    model, which takes 1 s to compile and 0.2 GB. It is compiled beside the requests once there have
    been several people for a while, and used from a certain request on, determined by counting and
    not by the clock, because the last digit of the results depends on it.

    Parameters
    ----------
    path : Path
    threads : int
        0 leaves the choice to OpenVINO.
    cache : Path, optional
        Folder for compiled models.
    num_streams : int
        Concurrent requests.
    batch_policy : BatchPolicy
        When two people share one request.
    precision : str
        'f32' or one of `metadata.LOWER_PRECISIONS`.

    Raises
    ------
    ImportError
        If OpenVINO is missing.
    ModelError
        If the file is damaged, breaks the contract, or OpenVINO cannot run it.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 0,
        cache: Path | None = None,
        num_streams: int = 1,
        batch_policy: BatchPolicy = "single",
        precision: str = "f32",
    ) -> None:
        openvino = import_openvino()

        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self._core: Any = open_core()
        self._path = path
        # some CPUs would use bfloat16 by default, which few models tolerate
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        self.num_streams = max(1, num_streams)
        if self.num_streams > 1:
            self._options |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": self.num_streams}
            # other threads of the program need the cores too, so streams must not be pinned
            self._options["ENABLE_CPU_PINNING"] = False
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads
        entry = self._cache_entry(openvino, cache, 1)
        cached = entry.load() if entry is not None else None
        if cached is not None:
            compiled, inputs, outputs = cached
            self.metadata = check_contract(path, metadata_entries(path), inputs, outputs)
        else:
            model = self._read()
            inputs = {port.any_name: _shape(port) for port in model.inputs}
            outputs = {port.any_name: _shape(port) for port in model.outputs}
            self.metadata = check_contract(path, _metadata_entries(model), inputs, outputs)
            compiled = self._compile(model, 1)
            if entry is not None:
                entry.store(compiled, inputs, outputs)
        # compilation may give an output more names, any of which any_name may be; the order stays
        self._outputs = list(outputs)
        self._clock = StreamClock(self.num_streams)
        self._single = self._requests(compiled, 1)
        self.precision = "int8" if self.metadata.int8_of else self._single.precision
        self._pair = PairModel(lambda: self._open_pair(openvino, cache), batch_policy)

    @property
    def preferred_batch(self) -> int:
        """See `Engine.preferred_batch`."""
        return self._pair.preferred_batch

    def infer(self, images: Images) -> Outputs:
        """Run inference; see `Engine.infer`."""
        return self.collect(self.submit(images))[0]

    def submit(self, images: Images) -> _Ticket:
        """Start inference; see `Engine.submit`."""
        pair = self._pair.for_next_request() if len(images) > 1 else None
        queued: deque[tuple[CompiledBatch, Images]] = deque()
        while len(images):
            model = self._single if pair is None or len(images) < pair.batch else pair
            queued.append((model, images[: model.batch]))
            images = images[model.batch :]
        ticket = _Ticket(queued, min(len(queued), self.num_streams))
        for _ in range(ticket.concurrent):
            ticket.start_next()
        return ticket

    def collect(self, ticket: _Ticket) -> tuple[Outputs, float]:
        """Wait for the outputs; see `Engine.collect`."""
        parts, milliseconds = [], 0.0
        while ticket.in_flight:
            request = ticket.in_flight.popleft()
            parts.append(request.model.finish(request))
            run_time = self._clock.run_time(request.started_at, request.ended_at)
            milliseconds += 1000 * run_time / ticket.concurrent
            if ticket.queued:
                ticket.start_next()
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return outputs, milliseconds

    def cancel(self, ticket: _Ticket) -> None:
        """Cancel the requests; see `Engine.cancel`."""
        ticket.queued.clear()
        while ticket.in_flight:
            request = ticket.in_flight.popleft()
            request.model.cancel(request)

    def close(self) -> None:
        """Wait for a compilation in progress, which must not outlive the program."""
        self._pair.close()

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._path)
        except RuntimeError as error:
            raise ModelError(f"{self._path} is not a readable model") from error

    def _cache_entry(
        self, openvino: Any, cache: Path | None, batch: int
    ) -> CompiledModelCache | None:
        if cache is None:
            return None
        try:
            return CompiledModelCache(cache, self._path, openvino, self._core, self._options, batch)
        except (OSError, RuntimeError):
            return None

    def _open_pair(self, openvino: Any, cache: Path | None) -> CompiledBatch:
        entry = self._cache_entry(openvino, cache, 2)
        cached = entry.load() if entry is not None else None
        if cached is not None:
            return self._requests(cached[0], 2)
        compiled = self._compile(self._read(), 2)
        if entry is not None:
            entry.store(compiled, {}, {})
        return self._requests(compiled, 2)

    def _compile(self, model: Any, batch: int) -> Any:
        size = self.metadata.input_size
        model.reshape({"image": [batch, 3, size, size]})
        fold_half_precision_weights(model)
        separate_activations(model)
        try:
            return self._core.compile_model(with_channels_last(model), "CPU", self._options)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path}: {last_line(error)}") from error

    def _requests(self, compiled: Any, batch: int) -> CompiledBatch:
        try:
            return CompiledBatch(compiled, batch, self._outputs, self.num_streams)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path}: {last_line(error)}") from error


def _metadata_entries(model: Any) -> dict[str, str]:
    # OpenVINO's reader stores an ONNX file's metadata under 'framework'
    if not model.has_rt_info(["framework"]):
        return {}
    names = model.get_rt_info()["framework"]
    return {str(name): str(model.get_rt_info(["framework", name]).astype(str)) for name in names}


def _shape(port: Any) -> Shape:
    return tuple(None if n.is_dynamic else int(n.get_length()) for n in port.partial_shape)

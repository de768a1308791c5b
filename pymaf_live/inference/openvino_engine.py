"""OpenVINO as back-end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError
from pymaf_live.inference.metadata import LOWER_PRECISIONS, Shape, check_contract
from pymaf_live.inference.onnx_metadata import metadata_entries
from pymaf_live.inference.openvino_cache import KeptModel
from pymaf_live.inference.openvino_graph import (
    with_activations_apart,
    with_pixels_together,
    with_whole_weights,
)
from pymaf_live.system.openvino_import import import_openvino

Pairs = Literal["never", "when worth", "at once"]
"""Whether two people are looked at in one run: what that takes to begin with is worth it only where
there are several people for a while, and only before the first of them it holds nobody up."""

_UNTIL_MADE, _UNTIL_USED = 40, 160
"""Runs with several people after which the model for two is begun and used."""


def processor_precisions() -> tuple[str, ...]:
    """Those of `LOWER_PRECISIONS` that this processor has instructions for."""
    core = import_openvino().Core()
    able = {str(name).casefold() for name in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")}
    return tuple(name for name in LOWER_PRECISIONS if name in able)


class OpenVinoEngine:
    """A model on the processor by OpenVINO.

    With one stream a run has all cores; with several each run has its share of them and several
    run at once, which costs less in all: `lite` on two cores takes 14 ms of processor time as one
    run on both and 9 as two runs side by side on one each.

    Two people in one run take less than in two: 6.6 ms each instead of 8.2 (`lite`), 10.9 instead
    of 12.7 (`full`); four in one hardly less than that. It is a model of its own for OpenVINO,
    which is compiled in 1 s and takes 0.2 GB. So it is made beside the runs once there have been
    several people for a while, and used from a run on that is told by counting, whatever the clock
    says: the last digit of the results hangs on it.

    Parameters
    ----------
    path : Path
    threads : int
        0 leaves the choice to OpenVINO.
    cache : Path, optional
        Folder for compiled models.
    streams : int
        Runs side by side.
    pairs : Pairs
        Whether two people are looked at in one run.
    precision : str
        That it counts in: 'f32' or one of `metadata.LOWER_PRECISIONS`.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 0,
        cache: Path | None = None,
        streams: int = 1,
        pairs: Pairs = "never",
        precision: str = "f32",
    ) -> None:
        openvino = import_openvino()

        self.name = f"OpenVINO {openvino.__version__.split('-')[0]}"
        self._core: Any = openvino.Core()
        self._path = path
        # some processors would take bfloat16 unasked, which few models bear
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        self.streams = max(1, streams)
        if self.streams > 1:
            self._options |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": self.streams}
            # other threads of the program want the cores too: nobody may insist on one of them
            self._options["ENABLE_CPU_PINNING"] = False
        if threads:
            self._options["INFERENCE_NUM_THREADS"] = threads
        kept = self._kept(openvino, cache, 1)
        found = kept.read() if kept is not None else None
        if found is not None:
            network, inputs, outputs = found
            self.metadata = check_contract(path, metadata_entries(path), inputs, outputs)
        else:
            model = self._read()
            inputs = {port.any_name: _shape(port) for port in model.inputs}
            outputs = {port.any_name: _shape(port) for port in model.outputs}
            self.metadata = check_contract(path, _metadata_entries(model), inputs, outputs)
            network = self._compiled(model, 1)
            if kept is not None:
                kept.keep(network, inputs, outputs)
        # compiling may give an output more names, of which any_name may be one; the order stays
        self._outputs = list(outputs)
        self._lanes = Lanes(self.streams)
        self._single = self._runs(network, 1)
        self.precision = "int8" if self.metadata.int8_of else self._single.precision
        self._pairs = _Pairs(lambda: self._for_pairs(openvino, cache), pairs)

    @property
    def together(self) -> int:
        """How many people a run is best begun with."""
        return self._pairs.together

    def infer(self, images: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name for images (B, 3, S, S), B >= 1."""
        return self.start(images).outputs()

    def start(self, images: npt.NDArray[np.float32]) -> Started:
        """Begin with images (B, 3, S, S), B >= 1; several may be begun before the first is done."""
        pairs = self._pairs.asked_for() if len(images) > 1 else None
        runs: list[tuple[_Compiled, npt.NDArray[np.float32]]] = []
        while len(images):
            part = self._single if pairs is None or len(images) < pairs.people else pairs
            runs.append((part, images[: part.people]))
            images = images[part.people :]
        return Started(runs, self.streams, self._lanes)

    def close(self) -> None:
        """Wait for what is being made, which must not outlive the program."""
        self._pairs.close()

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._path)
        except RuntimeError as error:
            raise ModelError(f"{self._path} is not a model that can be read") from error

    def _kept(self, openvino: Any, cache: Path | None, people: int) -> KeptModel | None:
        if cache is None:
            return None
        try:
            return KeptModel(cache, self._path, openvino, self._core, self._options, people)
        except (OSError, RuntimeError):
            return None

    def _for_pairs(self, openvino: Any, cache: Path | None) -> _Compiled:
        kept = self._kept(openvino, cache, 2)
        found = kept.read() if kept is not None else None
        if found is not None:
            return self._runs(found[0], 2)
        network = self._compiled(self._read(), 2)
        if kept is not None:
            kept.keep(network, {}, {})
        return self._runs(network, 2)

    def _compiled(self, model: Any, people: int) -> Any:
        size = self.metadata.input_size
        model.reshape({"image": [people, 3, size, size]})
        with_whole_weights(model)
        with_activations_apart(model)
        try:
            return self._core.compile_model(with_pixels_together(model), "CPU", self._options)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path}: {_reason(error)}") from error

    def _runs(self, network: Any, people: int) -> _Compiled:
        try:
            return _Compiled(network, people, self._outputs, self.streams)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run {self._path}: {_reason(error)}") from error


class _Compiled:
    """A model for so many people a run, and the requests that run it."""

    def __init__(self, network: Any, people: int, outputs: list[str], requests: int) -> None:
        self.people = people
        # asked, not assumed: a processor need not do what it is told
        self.precision = str(network.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self._network, self._outputs = network, outputs
        self._free = [network.create_infer_request() for _ in range(requests)]
        self._ending: list[Any] = []

    def begin(self, images: npt.NDArray[np.float32]) -> _Begun:
        """A request that works on images (people, 3, S, S), or will when those before it let it."""
        try:
            request = self._unused()
            # into its own memory: handing it an array costs four times what copying takes
            request.get_input_tensor().data[:] = images.transpose(0, 2, 3, 1)
            begun = time.perf_counter()
            request.start_async()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO failed: {_reason(error)}") from error
        return _Begun(self, request, begun)

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
        return self._network.create_infer_request()


@dataclass(frozen=True)
class _Begun:
    """A request that was begun, and when."""

    compiled: _Compiled
    request: Any
    at: float
    """time.perf_counter()"""

    def ended(self) -> float:
        """When it was done, once it is: it need not have been asked at once."""
        return self.at + float(self.request.latency) / 1000


class Lanes:
    """Tells the time that a run took from that for which it waited for one of so many lanes.

    Parameters
    ----------
    count : int
        Runs side by side; of more that are begun, the first begun is the first to go on.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._ends: list[float] = []

    def own_seconds(self, begun: float, ended: float) -> float:
        """What a run took that was begun and ended then, told in the order of their begin."""
        waited_until = self._ends[0] if len(self._ends) == self._count else begun
        self._ends = sorted([*self._ends, ended])[-self._count :]
        return ended - max(begun, waited_until)


class _Pairs:
    """A model for two people a run, made in a thread of its own when it is worth that."""

    def __init__(self, make: Callable[[], _Compiled], when: Pairs) -> None:
        self._make = make
        self._left = None if when == "never" else _UNTIL_USED if when == "when worth" else 0
        self._making: Future[_Compiled] | None = None
        self._made: _Compiled | None = None
        if self._left == 0:
            self._begin()
            self._finish()

    @property
    def together(self) -> int:
        """2 where two people are best begun in one run, else 1."""
        return 1 if self._left is None else 2

    def asked_for(self) -> _Compiled | None:
        """The model, for a run with several people; None while it is not to be used."""
        if self._left is None or self._made is not None:
            return self._made
        self._left -= 1
        if self._left <= _UNTIL_USED - _UNTIL_MADE and self._making is None:
            self._begin()
        if self._left <= 0:
            self._finish()
        return self._made

    def close(self) -> None:
        if self._making is not None:
            wait([self._making])

    def _begin(self) -> None:
        making: Future[_Compiled] = Future()
        self._making = making

        def work() -> None:
            try:
                making.set_result(self._make())
            except BaseException as error:
                making.set_exception(error)

        Thread(target=work, name="openvino pairs", daemon=True).start()

    def _finish(self) -> None:
        assert self._making is not None
        try:
            self._made = self._making.result()
        except ModelError:
            self._left = None  # one by one it runs


class Started:
    """Runs that were begun together: a few are under way at once, the others follow."""

    def __init__(
        self,
        runs: list[tuple[_Compiled, npt.NDArray[np.float32]]],
        side_by_side: int,
        lanes: Lanes,
    ) -> None:
        self._lanes = lanes
        self._waiting = deque(runs)
        self._begun: deque[_Begun] = deque()
        self._side_by_side = min(len(runs), side_by_side)
        self.milliseconds = 0.0
        """Of the runs, as far as they were not side by side; known with the outputs."""
        for _ in range(self._side_by_side):
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
            begun = self._begun.popleft()
            people.append(begun.compiled.take_back(begun.request))
            own = self._lanes.own_seconds(begun.at, begun.ended())
            self.milliseconds += 1000 * own / self._side_by_side
            if self._waiting:
                self._begin()
        return {name: np.concatenate([one[name] for one in people]) for name in people[0]}

    def call_off(self) -> None:
        """Stop as soon as that can be; no outputs will be asked for."""
        self._waiting.clear()
        while self._begun:
            begun = self._begun.popleft()
            begun.compiled.drop(begun.request)

    def _begin(self) -> None:
        compiled, images = self._waiting.popleft()
        self._begun.append(compiled.begin(images))


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

"""From a model file to a TensorRT engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pymaf_live.errors import Interrupted, ModelError, OutputError
from pymaf_live.inference.engine_cache import keep_learned, kept_learned
from pymaf_live.inference.half_precision import read_model, to_half_precision
from pymaf_live.inference.metadata import ModelMetadata, Shape, check_contract
from pymaf_live.inference.tensorrt_library import Library

if TYPE_CHECKING:
    from onnx import ModelProto

Precision = Literal["f16", "f32"]
Progress = Callable[[str, float], bool]
"""Called with what is being done and 0..1 of the step that it belongs to; False asks to stop."""

MOST_AT_ONCE = 8
"""People in a run at most; engines are built for 1 up to so many, and best for 1."""

CAPABILITIES = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")
"""What TensorRT for RTX builds for by name."""


@dataclass(frozen=True)
class Source:
    """A model as it is handed to TensorRT."""

    content: bytes
    """ONNX, every tensor typed."""
    metadata: ModelMetadata


def prepare(path: Path, precision: Precision) -> Source:
    """Read, check and type a model.

    Raises
    ------
    ModelError
        If it is damaged or breaks the contract.
    """
    model = read_model(path)
    metadata = check_contract(
        path,
        {entry.key: entry.value for entry in model.metadata_props},
        {port.name: _shape(port) for port in model.graph.input},
        {port.name: _shape(port) for port in model.graph.output},
    )
    typed: ModelProto = to_half_precision(model) if precision == "f16" else model
    return Source(typed.SerializeToString(), metadata)


def build_engine(
    library: Library,
    source: Source,
    *,
    capabilities: Sequence[str] = (),
    timings: Path | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Build an engine.

    Parameters
    ----------
    library : Library
    source : Source
    capabilities : sequence of str
        Of `CAPABILITIES`, with TensorRT for RTX only; needs no GPU. The GPU at hand by default.
    timings : Path, optional
        File of the times of kernels on this GPU, read and renewed: the next engine is built faster.
    progress : callable, optional
        See `Progress`.

    Raises
    ------
    ModelError
        If the library refuses the model or cannot build it.
    Interrupted
        If `progress` asked to stop.
    """
    trt = library.module
    said = _make_logger(trt)
    if capabilities and not library.for_rtx:
        raise ModelError(f"{library.title} builds only for the GPU at hand")
    unknown = [name for name in capabilities if name not in CAPABILITIES]
    if unknown:
        raise ModelError(f"{', '.join(unknown)}: not one of {', '.join(CAPABILITIES)}")
    builder, network = _parsed(library, source, said)
    config = _configured(library, builder, source.metadata.input_size, capabilities)
    if timings is not None:
        _load_timings(config, timings)
    monitor = _make_monitor(trt, progress)
    config.progress_monitor = monitor
    try:
        engine = builder.build_serialized_network(network, config)
    except Exception as error:
        raise ModelError(f"{library.title} cannot build: {_line(error)}") from error
    if monitor.stopped:
        raise Interrupted("the engine was not built: stopped")
    if engine is None:
        raise ModelError(f"{library.title} cannot build: {_line(said.last)}")
    if timings is not None:
        # only the next building is slower without
        with suppress(OutputError, RuntimeError, TypeError, AttributeError):
            keep_learned(timings, bytes(config.get_timing_cache().serialize()))
    return bytes(engine)


def _parsed(library: Library, source: Source, said: Any) -> tuple[Any, Any]:
    """Builder and network; `said` hears the library's complaints."""
    trt = library.module
    try:
        builder = trt.Builder(said)
        # 10.x builds networks with types of its own choice unless told; later ones know no other
        flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if flag is None else 1 << int(flag))
        parser = trt.OnnxParser(network, said)
        parsed = parser.parse(source.content)
    except Exception as error:
        raise ModelError(f"{library.title} cannot start: {_line(error)}") from error
    if not parsed:
        why = str(parser.get_error(0)) if parser.num_errors else said.last
        raise ModelError(f"{library.title} refuses the model: {_line(why)}")
    _check_network(trt, network, source.metadata)
    return builder, network


def _configured(library: Library, builder: Any, size: int, capabilities: Sequence[str]) -> Any:
    """Batches of up to `MOST_AT_ONCE` crops of side `size`, and the GPUs to build for."""
    trt = library.module
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    one, most = (1, 3, size, size), (MOST_AT_ONCE, 3, size, size)
    profile.set_shape("image", one, one, most)
    if config.add_optimization_profile(profile) < 0:
        raise ModelError(f"{library.title} takes no batch of 1..{MOST_AT_ONCE}")
    if capabilities:
        config.num_compute_capabilities = len(capabilities)
        for number, name in enumerate(capabilities):
            config.set_compute_capability(getattr(trt.ComputeCapability, name), number)
    if hasattr(trt.BuilderFlag, "TF32"):
        # f32 is to be f32: the regressors feed their errors back into themselves
        config.clear_flag(trt.BuilderFlag.TF32)
    return config


def _load_timings(config: Any, path: Path) -> None:
    cache = config.create_timing_cache(kept_learned(path))
    # one of another release or GPU is refused; the building then begins with none
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _check_network(trt: Any, network: Any, metadata: ModelMetadata) -> None:
    """The importer must have understood what the file says."""
    inputs = [network.get_input(k) for k in range(network.num_inputs)]
    outputs = [network.get_output(k) for k in range(network.num_outputs)]
    wrong = [port.name for port in (*inputs, *outputs) if port.dtype != trt.DataType.FLOAT]
    if wrong or [port.name for port in inputs] != ["image"]:
        raise ModelError(f"TensorRT took {', '.join(wrong) or 'the inputs'} for something else")
    if tuple(inputs[0].shape)[1:] != (3, metadata.input_size, metadata.input_size):
        raise ModelError("TensorRT took the image for something else")


def _shape(port: Any) -> Shape:
    dims = port.type.tensor_type.shape.dim
    return tuple(int(dim.dim_value) if dim.HasField("dim_value") else None for dim in dims)


def _line(text: object) -> str:
    return (str(text).strip().splitlines() or [type(text).__name__])[0][:300]


def _make_logger(trt: Any) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        """Keeps the last complaint; the library would print all it thinks."""

        def __init__(self) -> None:
            super().__init__()
            self.last = "no reason given"

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last = message

    return Logger()


def quiet_logger(library: Library) -> Any:
    """A logger that keeps the last complaint in ``last`` and prints nothing."""
    return _make_logger(library.module)


def _make_monitor(trt: Any, progress: Progress | None) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Hands the builder's steps on; the builder calls it in threads of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.stopped = False
            self._steps: dict[str, int] = {}

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self._steps[name] = max(steps, 1)

        def step_complete(self, name: str, step: int) -> bool:
            if not self.stopped and progress is not None:
                part = min((step + 1) / self._steps.get(name, 1), 1.0)
                try:
                    self.stopped = not progress(name, part)
                except BaseException:
                    # an exception would be lost in the builder's thread
                    self.stopped = True
            return not self.stopped

        def phase_finish(self, name: str) -> None:
            self._steps.pop(name, None)

    return Monitor()

"""Builds TensorRT engines from model files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pymaf_live.errors import Interrupted, ModelError, OutputError
from pymaf_live.inference.engine_cache import load_tuning_data, store_tuning_data
from pymaf_live.inference.half_precision import read_model, to_half_precision
from pymaf_live.inference.metadata import ModelMetadata, Shape, check_contract
from pymaf_live.inference.tensorrt_library import Library
from pymaf_live.system.reporter import SILENT, Reporter

if TYPE_CHECKING:
    from onnx import ModelProto

Precision = Literal["f16", "f32"]

MAX_BATCH = 8
"""Maximum number of people per run; engines are built for 1 to this number, and tuned for 1."""

CAPABILITIES = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")
"""Compute capabilities that TensorRT for RTX builds for by name."""


@dataclass(frozen=True)
class NetworkSource:
    """A model in the form passed to TensorRT."""

    content: bytes
    """ONNX, every tensor typed."""
    metadata: ModelMetadata


def prepare(path: Path, precision: Precision) -> NetworkSource:
    """Read and check a model and assign its precision.

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
    return NetworkSource(typed.SerializeToString(), metadata)


def build_engine(
    library: Library,
    source: NetworkSource,
    *,
    capabilities: Sequence[str] = (),
    timing_cache: Path | None = None,
    reporter: Reporter = SILENT,
) -> bytes:
    """Build an engine.

    Parameters
    ----------
    library : Library
    source : NetworkSource
    capabilities : sequence of str
        Some of `CAPABILITIES`, with TensorRT for RTX only; needs no GPU. By default the engine is
        built for the GPU of this machine.
    timing_cache : Path, optional
        File of kernel times measured on this GPU, read and updated: later builds are faster.
    reporter : Reporter
        Receives the builder's steps, each 0..1, in the builder's threads.

    Raises
    ------
    ModelError
        If the library refuses the model or cannot build it.
    Interrupted
        If the reporter was cancelled.
    """
    trt = library.module
    logger = quiet_logger(library)
    if capabilities and not library.for_rtx:
        raise ModelError(f"{library.title} builds only for the GPU of this machine")
    unknown = [name for name in capabilities if name not in CAPABILITIES]
    if unknown:
        raise ModelError(f"{', '.join(unknown)}: not one of {', '.join(CAPABILITIES)}")
    builder, network = _parse(library, source, logger)
    config = _configure(library, builder, source.metadata.input_size, capabilities)
    if timing_cache is not None:
        _load_timing_cache(config, timing_cache)
    monitor = _make_monitor(trt, reporter)
    config.progress_monitor = monitor
    try:
        engine = builder.build_serialized_network(network, config)
    except Exception as error:
        raise ModelError(f"{library.title} cannot build: {_first_line(error)}") from error
    if monitor.stopped:
        raise Interrupted("the engine was not built: stopped")
    if engine is None:
        raise ModelError(f"{library.title} cannot build: {_first_line(logger.last)}")
    if timing_cache is not None:
        # without it, only the next build is slower
        with suppress(OutputError, RuntimeError, TypeError, AttributeError):
            store_tuning_data(timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(engine)


def _parse(library: Library, source: NetworkSource, logger: Any) -> tuple[Any, Any]:
    """Return the builder and the parsed network."""
    trt = library.module
    try:
        builder = trt.Builder(logger)
        # 10.x chooses types by itself without this flag; later releases are always strongly typed
        flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if flag is None else 1 << int(flag))
        parser = trt.OnnxParser(network, logger)
        parsed = parser.parse(source.content)
    except Exception as error:
        raise ModelError(f"{library.title} cannot start: {_first_line(error)}") from error
    if not parsed:
        why = str(parser.get_error(0)) if parser.num_errors else logger.last
        raise ModelError(f"{library.title} refuses the model: {_first_line(why)}")
    _check_network(trt, network, source.metadata)
    return builder, network


def _configure(library: Library, builder: Any, size: int, capabilities: Sequence[str]) -> Any:
    """Return a builder configuration for 1 to `MAX_BATCH` crops of side `size`."""
    trt = library.module
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    one, most = (1, 3, size, size), (MAX_BATCH, 3, size, size)
    profile.set_shape("image", one, one, most)
    if config.add_optimization_profile(profile) < 0:
        raise ModelError(f"{library.title} takes no batch of 1..{MAX_BATCH}")
    if capabilities:
        config.num_compute_capabilities = len(capabilities)
        for number, name in enumerate(capabilities):
            config.set_compute_capability(getattr(trt.ComputeCapability, name), number)
    if hasattr(trt.BuilderFlag, "TF32"):
        # no reduced precision for f32: the regressors feed their errors back into themselves
        config.clear_flag(trt.BuilderFlag.TF32)
    return config


def _load_timing_cache(config: Any, path: Path) -> None:
    cache = config.create_timing_cache(load_tuning_data(path))
    # a cache of another release or GPU is refused; the build then starts with an empty one
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _check_network(trt: Any, network: Any, metadata: ModelMetadata) -> None:
    """Check that the parser understood inputs and outputs as the file declares them."""
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


def _first_line(text: object) -> str:
    return (str(text).strip().splitlines() or [type(text).__name__])[0][:300]


def quiet_logger(library: Library) -> Any:
    """Return a TensorRT logger that keeps the last error in ``last`` and prints nothing."""
    return _make_logger(library.module)


def _make_logger(trt: Any) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc]
        """Keeps the last error; by default the library prints every message."""

        def __init__(self) -> None:
            super().__init__()
            self.last = "no reason given"

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last = message

    return Logger()


def _make_monitor(trt: Any, reporter: Reporter) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Reports the builder's steps; the builder calls it in threads of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.stopped = False
            self._steps: dict[str, int] = {}

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self._steps[name] = max(steps, 1)

        def step_complete(self, name: str, step: int) -> bool:
            if not self.stopped:
                fraction = min((step + 1) / self._steps.get(name, 1), 1.0)
                try:
                    reporter.progress(fraction, name)
                    self.stopped = reporter.cancelled()
                except BaseException:
                    # an exception would be lost in the builder's thread
                    self.stopped = True
            return not self.stopped

        def phase_finish(self, name: str) -> None:
            self._steps.pop(name, None)

    return Monitor()

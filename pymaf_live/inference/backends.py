"""Choice of the inference back-end: opens a model on the first one that works."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pymaf_live.errors import ModelError
from pymaf_live.inference.device import NoDeviceError
from pymaf_live.inference.engine import Engine
from pymaf_live.inference.onnx_graph import require_bounded_graph
from pymaf_live.inference.session import Session, first_line
from pymaf_live.inference.tensorrt_library import PACKAGES, missing_reason, unavailable_reason
from pymaf_live.resources import resource_folders

if TYPE_CHECKING:
    from pymaf_live.inference.openvino_requests import BatchPolicy
    from pymaf_live.system.reporter import Reporter

BACKENDS = ("tensorrt", "tensorrt-rtx", "openvino", "onnxruntime")
"""In the order in which 'auto' tries them: a GPU before the CPU; on CPUs OpenVINO is faster."""


@dataclass(frozen=True)
class ModelVariant:
    """A model file and the precision it runs in."""

    path: Path
    precision: str = "f32"
    """'f32' or one of the model's own `ModelMetadata.precisions`."""


def open_session(
    model: Path,
    backend: str = "auto",
    *,
    threads: int = 0,
    cache: Path | None = None,
    reporter: Reporter | None = None,
    num_streams: int = 1,
    batch_policy: BatchPolicy = "single",
    openvino_variant: ModelVariant | None = None,
) -> Session:
    """Open a model.

    Parameters
    ----------
    model : Path
        An ``.onnx`` file that keeps the contract (docs/own-bodies.md).
    backend : str
        'auto' or one of `BACKENDS`.
    threads : int
        Threads of the back-end; 0 leaves the choice to it.
    cache : Path, optional
        Folder for compiled models, so that the next start is faster; by default nothing is stored.
    reporter : Reporter, optional
        Receives the progress while an engine for a GPU is built, which may take minutes. Without
        one, 'auto' uses engines that exist but builds none.
    num_streams : int
        Requests that run at the same time, each on its share of the cores, where the back-end
        supports it.
    batch_policy : BatchPolicy
        When OpenVINO runs two people in one request.
    openvino_variant : ModelVariant, optional
        Variant that OpenVINO runs instead of the model in f32.

    Returns
    -------
    Session
        With 'auto', one that switches to the next back-end if one fails during a run.

    Raises
    ------
    ModelError
        If the file is missing, not a model or breaks the contract, or no back-end can run it.
    """
    if backend != "auto" and backend not in BACKENDS:
        raise ModelError(f"there is no back-end {backend!r}; choose auto, {' or '.join(BACKENDS)}")
    model = Path(model)
    if not model.is_file():
        raise ModelError(f"there is no model file {model}")
    if model.parent not in resource_folders("models"):
        require_bounded_graph(model)
    chain = BackendChain(
        model,
        BACKENDS if backend == "auto" else (backend,),
        threads=threads,
        cache=cache,
        reporter=reporter,
        num_streams=num_streams,
        batch_policy=batch_policy,
        openvino_variant=openvino_variant or ModelVariant(model),
    )
    engine = chain.open_next()
    notice = "; ".join(chain.failures)
    if notice:
        notice += f": {chain.current} is used"
    return Session(
        engine,
        "; ".join(text for text in (notice, engine.notice) if text),
        passed_over=chain.passed_over,
        substitute=chain.open_next if backend == "auto" else None,
    )


class BackendChain:
    """The back-ends that are left to try, in order; see `open_session` for the parameters."""

    def __init__(
        self,
        model: Path,
        names: Sequence[str],
        *,
        threads: int,
        cache: Path | None,
        reporter: Reporter | None,
        num_streams: int,
        batch_policy: BatchPolicy,
        openvino_variant: ModelVariant,
    ) -> None:
        self._model, self._names = model, list(names)
        self._threads, self._cache, self._reporter = threads, cache, reporter
        self._num_streams, self._batch_policy = num_streams, batch_policy
        self._openvino_variant = openvino_variant
        self._explicit = len(names) == 1
        self.current = ""
        """Name of the back-end opened last."""
        self.failures: list[str] = []
        """Reasons of back-ends that should work here and do not."""
        self._absent: list[str] = []
        """Reasons of back-ends that cannot be expected to work here."""

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Reasons of all back-ends that were skipped or failed."""
        return (*self._absent, *self.failures)

    def open_next(self) -> Engine:
        """Open the next back-end that works.

        Raises
        ------
        ModelError
            If the model is at fault or no back-end is left.
        """
        while self._names:
            self.current = name = self._names.pop(0)
            on_gpu = name in PACKAGES
            reason = missing_reason(name) if on_gpu else ""
            if reason and self._explicit:
                raise ModelError(f"{name} cannot be loaded ({reason})")
            if reason:
                # most machines have no such GPU, and the user did not choose it: no warning
                self._absent.append(f"{name}: {reason}")
                continue
            try:
                return self._open(name)
            except NoDeviceError as error:
                if self._explicit:
                    raise ModelError(f"{name} cannot run: {error}") from error
                self._absent.append(f"{name}: {error}")
            except ImportError as error:
                self.failures.append(f"{name} cannot be loaded ({first_line(error)})")
            except ModelError as error:
                # the CPU's back-ends report best what is wrong with a file
                if self._explicit or not on_gpu:
                    raise
                self.failures.append(f"{name} failed ({first_line(error)})")
        why = "; ".join(self.failures) or "none is left"
        raise ModelError(f"no back-end can run the model: {why}")

    def _open(self, name: str) -> Engine:
        if name in PACKAGES:
            from pymaf_live.inference.tensorrt_engine import TensorRtEngine

            # an engine is built only if the user chose the back-end or at least sees the progress
            build = self._explicit or self._reporter is not None
            return TensorRtEngine(
                self._model, name, self._cache, reporter=self._reporter, build=build
            )
        if name == "openvino":
            from pymaf_live.inference.openvino_engine import OpenVinoEngine

            return OpenVinoEngine(
                self._openvino_variant.path,
                self._threads,
                self._cache,
                self._num_streams,
                self._batch_policy,
                self._openvino_variant.precision,
            )
        from pymaf_live.inference.onnxruntime_engine import OnnxRuntimeEngine

        return OnnxRuntimeEngine(self._model, self._threads)


def backend_unavailable_reason(name: str) -> str:
    """Return why a back-end cannot be used here, in one line; empty if it can.

    Loads the back-end's library.
    """
    if name in PACKAGES:
        return unavailable_reason(name)
    try:
        importlib.import_module(name)
    except Exception as error:  # a library may fail in its own way, such as over a missing .so
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        return f"not installed (pip install {name})" if missing else first_line(error)
    return ""

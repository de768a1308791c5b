"""Running a model: crops in, estimates out, by whatever runs it best here."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError
from pymaf_live.inference.metadata import ModelMetadata, check_outputs, level_outputs
from pymaf_live.inference.tensorrt_library import PACKAGES, NoDeviceError, complaint, missing
from pymaf_live.types import DenseMap, Estimate

if TYPE_CHECKING:
    from pymaf_live.inference.openvino_engine import Pairs

Progress = Callable[[str, float], bool]
Images = npt.NDArray[np.float32]
Outputs = dict[str, npt.NDArray[np.float32]]

BACKENDS = ("tensorrt", "tensorrt-rtx", "openvino", "onnxruntime")
"""In the order in which 'auto' tries them: a GPU before the processor, and OpenVINO is faster on
processors."""


class Session(Protocol):
    """A model ready to run."""

    @property
    def metadata(self) -> ModelMetadata:
        """What the model says of itself."""

    @property
    def backend(self) -> str:
        """What runs it, with its version."""

    @property
    def notice(self) -> str:
        """What it does without, and why; empty when all is well."""

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Which back-ends would come before and why they do not run, one line each."""

    def run(self, images: Images) -> list[list[Estimate]]:
        """Estimate the people in crops.

        Parameters
        ----------
        images : (B, 3, S, S) float32 array
            0..1 RGB, from `preprocess.network_input`; B may be 0.

        Returns
        -------
        list of list of Estimate
            A person's levels, finest last; one level unless the model has more.

        Raises
        ------
        ModelError
            If the images do not fit, the back-end fails, or a value is not finite.
        """

    @property
    def side_by_side(self) -> int:
        """How many runs it works on at once; 1 where `start` waits for its own."""

    @property
    def together(self) -> int:
        """How many people a run is best begun with; fewer may be."""

    def start(self, images: Images) -> Running:
        """As `run`, but without waiting; several may be begun before the first is done.

        Raises
        ------
        ModelError
            If the images do not fit; what fails later is told by `Running.result`.
        """

    def close(self) -> None:
        """Give back what the session holds; `run` may not be called again."""


class Running(Protocol):
    """A run that was begun."""

    milliseconds: float
    """What it took, where that is known; with the result."""

    def result(self) -> list[list[Estimate]]:
        """Wait for it; see `Session.run`. Asked for once."""

    def call_off(self) -> None:
        """Nobody will ask for the result; what is left of the work need not be done."""


class Started(Protocol):
    """A run that an engine has begun."""

    milliseconds: float

    def outputs(self) -> dict[str, npt.NDArray[np.float32]]:
        """Wait for the outputs by name.

        Raises
        ------
        ModelError
            If it failed.
        """

    def call_off(self) -> None:
        """Stop, as soon as that can be."""


class Engine(Protocol):
    """A back-end with a model loaded."""

    @property
    def metadata(self) -> ModelMetadata:
        """From the model, checked."""

    @property
    def name(self) -> str:
        """Back-end and version."""

    def infer(self, images: Images) -> dict[str, npt.NDArray[np.float32]]:
        """Outputs by name for images (B, 3, S, S), B >= 1."""


@dataclass(frozen=True)
class Variant:
    """A way to run a model."""

    path: Path
    precision: str = "f32"
    """That it counts in: 'f32' or one of the model's own `ModelMetadata.precisions`."""


def open_session(
    model: Path,
    backend: str = "auto",
    *,
    threads: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
    streams: int = 1,
    pairs: Pairs = "never",
    by_openvino: Variant | None = None,
) -> Session:
    """Open a model.

    Parameters
    ----------
    model : Path
        An ``.onnx`` file that keeps the contract (docs/own-bodies.md).
    backend : str
        'auto' or one of `BACKENDS`.
    threads : int
        Of the back-end; 0 leaves the choice to it.
    cache : Path, optional
        Folder for compiled models, so that the next start is faster; nothing is kept by default.
    progress : callable, optional
        Told what is done and how much of it, 0..1, while an engine for a GPU is built, which may
        take minutes; False stops it.
    streams : int
        Runs side by side, each with its share of the cores; heeded where the back-end can.
    pairs : Pairs
        Whether two people are looked at in one run, where that must be told beforehand.
    by_openvino : Variant, optional
        What OpenVINO takes instead of the model in f32.

    Returns
    -------
    Session
        With 'auto', one that goes on with the next back-end where one fails in the middle.

    Raises
    ------
    ModelError
        If the file is missing, no model or breaks the contract, or no back-end can run it.
    """
    if backend != "auto" and backend not in BACKENDS:
        raise ModelError(
            f"there is no back-end {backend!r} here; choose auto, {' or '.join(BACKENDS)}"
        )
    model = Path(model)
    if not model.is_file():
        raise ModelError(f"there is no model file {model}")
    candidates = BACKENDS if backend == "auto" else (backend,)
    variant = by_openvino or Variant(model)
    chain = _Chain(model, candidates, threads, cache, progress, streams, pairs, variant)
    engine = chain.next_engine()
    notice = "; ".join(chain.failures)
    if notice:
        notice += f": {chain.current} is used"
    own = getattr(engine, "notice", "")
    return EngineSession(
        engine,
        "; ".join(text for text in (notice, own) if text),
        passed_over=chain.passed_over,
        substitute=chain.next_engine if backend == "auto" else None,
    )


class _Chain:
    """The back-ends that are left to try, in order."""

    def __init__(
        self,
        model: Path,
        names: Sequence[str],
        threads: int,
        cache: Path | None,
        progress: Progress | None,
        streams: int,
        pairs: Pairs,
        by_openvino: Variant,
    ) -> None:
        self._model, self._names = model, list(names)
        self._threads, self._cache, self._progress = threads, cache, progress
        self._streams, self._pairs, self._by_openvino = streams, pairs, by_openvino
        self._only = len(names) == 1
        self.current = ""
        self.failures: list[str] = []
        """Of what should work here and does not."""
        self._absent: list[str] = []

    @property
    def passed_over(self) -> tuple[str, ...]:
        """All that were tried or need not be, and why."""
        return (*self._absent, *self.failures)

    def next_engine(self) -> Engine:
        """Open the next that works.

        Raises
        ------
        ModelError
            If the model is at fault or none is left.
        """
        while self._names:
            self.current = name = self._names.pop(0)
            on_gpu = name in PACKAGES
            lacking = missing(name) if on_gpu else ""
            if lacking and self._only:
                raise ModelError(f"{name} cannot be loaded ({lacking})")
            if lacking:
                # most machines have no such GPU and nobody asked for it: nothing to complain of
                self._absent.append(f"{name}: {lacking}")
                continue
            try:
                return self._opened(name)
            except NoDeviceError as error:
                if self._only:
                    raise ModelError(f"{name} cannot run: {error}") from error
                self._absent.append(f"{name}: {error}")
            except ImportError as error:
                self.failures.append(f"{name} cannot be loaded ({_first_line(error)})")
            except ModelError as error:
                # the processor's back-ends say best what is wrong with a file
                if self._only or not on_gpu:
                    raise
                self.failures.append(f"{name} failed ({_first_line(error)})")
        why = "; ".join(self.failures) or "none is left"
        raise ModelError(f"no back-end can run the model: {why}")

    def _opened(self, name: str) -> Engine:
        if name in PACKAGES:
            from pymaf_live.inference.tensorrt_engine import TensorRtEngine

            # without a person who chose it, or at least watches, an engine is used but not built
            build = self._only or self._progress is not None
            return TensorRtEngine(
                self._model, name, self._cache, progress=self._progress, build=build
            )
        if name == "openvino":
            from pymaf_live.inference.openvino_engine import OpenVinoEngine

            return OpenVinoEngine(
                self._by_openvino.path,
                self._threads,
                self._cache,
                self._streams,
                self._pairs,
                self._by_openvino.precision,
            )
        from pymaf_live.inference.onnxruntime_engine import OnnxRuntimeEngine

        return OnnxRuntimeEngine(self._model, self._threads, self._cache)


def backend_complaint(name: str) -> str:
    """Why a back-end cannot be used here, in one line; empty where it can. Loads its library."""
    if name in PACKAGES:
        return complaint(name)
    try:
        importlib.import_module(name)
    except Exception as error:  # a library may fail in its own way, such as over a missing .so
        lacking = isinstance(error, ModuleNotFoundError) and error.name == name
        return f"not installed (pip install {name})" if lacking else _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class EngineSession:
    """A session over any back-end: checks what goes in and what comes out."""

    def __init__(
        self,
        engine: Engine,
        notice: str = "",
        *,
        passed_over: tuple[str, ...] = (),
        substitute: Callable[[], Engine] | None = None,
    ) -> None:
        self._engine: Engine | None = engine
        self._substitute = substitute
        self.passed_over = passed_over
        self.metadata = engine.metadata
        self.backend = engine.name
        self.precision: str = getattr(engine, "precision", "")
        """What it counts in, such as 'f32'; empty where the back-end does not tell."""
        self.notice = notice
        self._levels = level_outputs(self.metadata.levels)
        # how many people the last run was of, and the shapes that were found to be right for them
        self._good: tuple[int, dict[str, tuple[int, ...]]] = (0, {})
        # a first run at once: it shows whether the outputs are as agreed, which the file may leave
        # open, and spares the first frame the back-end's own preparations
        size = self.metadata.input_size
        self.run(np.zeros((1, 3, size, size), dtype=np.float32))

    @property
    def side_by_side(self) -> int:
        """See `Session.side_by_side`."""
        return int(getattr(self._engine, "streams", 1))

    @property
    def together(self) -> int:
        """See `Session.together`."""
        return int(getattr(self._engine, "together", 1))

    def run(self, images: Images) -> list[list[Estimate]]:
        """See `Session.run`."""
        return self.start(images).result()

    def start(self, images: Images) -> Running:
        """See `Session.start`."""
        if self._engine is None:
            raise ModelError("the session is closed")
        size = self.metadata.input_size
        if images.ndim != 4 or images.shape[1:] != (3, size, size) or images.dtype != np.float32:
            raise ModelError(
                f"the model {self.metadata.name} takes (B, 3, {size}, {size}) float32, "
                f"not {images.shape} {images.dtype}"
            )
        return _Run(self, self._engine, images)

    def estimates(
        self, engine: Engine, images: Images, first: Callable[[], Outputs]
    ) -> list[list[Estimate]]:
        """The levels of the people in images, from what `engine` gives first.

        Where that fails the next back-end, if there is one, runs them again.
        """
        outputs = first
        while True:
            try:
                copies = self._checked(outputs(), len(images))
                break
            except ModelError as error:
                # of two runs under way the first to fail has replaced the engine for both; and
                # without a substitute that works the first reason is the one to tell
                if self._engine is engine and not self._replaced(error):
                    raise
            if self._engine is None:
                raise ModelError("the session is closed")
            engine = self._engine
            outputs = partial(engine.infer, images)
        people = [
            [_estimate(copies, level, person) for level in self._levels]
            for person in range(len(images))
        ]
        if self.metadata.dense:
            for person, levels in enumerate(people):
                levels[-1] = replace(levels[-1], dense=_dense(copies, person))
        return people

    def _checked(self, outputs: Outputs, people: int) -> dict[str, npt.NDArray[np.float64]]:
        shapes = {name: values.shape for name, values in outputs.items()}
        if (people, shapes) != self._good:
            check_outputs(self.metadata, shapes, people)
            self._good = people, shapes
        copies = {}
        for name, values in outputs.items():
            if not np.isfinite(values).all():
                raise ModelError(
                    f"the model {self.metadata.name} gave a {name} that is not finite; "
                    "the file is damaged or does not run on this back-end"
                )
            copies[name] = np.array(values, dtype=np.float64)
        return copies

    def _replaced(self, error: ModelError) -> bool:
        """Go on with the next back-end, where there is one; the crops at hand are run again."""
        if self._substitute is None or self._engine is None:
            return False
        try:
            engine = self._substitute()
        except ModelError:
            return False
        if engine.metadata != self.metadata:
            return False  # the file was replaced meanwhile by another model
        failed, self._engine = self._engine, engine
        _closed(failed)
        self.passed_over = (*self.passed_over, f"{self.backend} failed ({_first_line(error)})")
        self.backend, self.precision = engine.name, getattr(engine, "precision", "")
        note = f"{self.passed_over[-1]}: {self.backend} is used"
        self.notice = f"{self.notice}; {note}" if self.notice else note
        return True

    def close(self) -> None:
        """See `Session.close`."""
        engine, self._engine = self._engine, None
        if engine is not None:
            _closed(engine)


class _Run:
    """A run of a session, under way where its engine can begin without waiting."""

    def __init__(self, session: EngineSession, engine: Engine, images: Images) -> None:
        self._session, self._engine, self._images = session, engine, images
        self._started: Started | None = None
        self._failure: ModelError | None = None
        self.milliseconds = 0.0
        start = getattr(engine, "start", None)
        if start is not None and len(images):
            try:
                self._started = start(images)
            except ModelError as error:
                self._failure = error

    def result(self) -> list[list[Estimate]]:
        """See `Running.result`."""
        if not len(self._images):
            return []
        begun = time.perf_counter()
        found = self._session.estimates(self._engine, self._images, self._outputs)
        own = 0.0 if self._started is None else self._started.milliseconds
        self.milliseconds = own or 1000 * (time.perf_counter() - begun)
        return found

    def call_off(self) -> None:
        """See `Running.call_off`."""
        if self._started is not None:
            self._started.call_off()

    def _outputs(self) -> Outputs:
        if self._failure is not None:
            raise self._failure
        if self._started is None:
            return self._engine.infer(self._images)
        return self._started.outputs()


def _closed(engine: Engine) -> None:
    # what holds a device's memory gives it back at once, not when it is collected
    close = getattr(engine, "close", None)
    if close is not None:
        close()


def _estimate(
    outputs: dict[str, npt.NDArray[np.float64]], level: Sequence[str], person: int
) -> Estimate:
    rotations, shape, camera, score, joint_score = (outputs[name][person] for name in level)
    return Estimate(rotations, shape, camera, float(score[0]), joint_score)


def _dense(outputs: dict[str, npt.NDArray[np.float64]], person: int) -> DenseMap:
    """The likeliest part of every cell, and the place on that part."""
    part = outputs["part"][person].argmax(axis=0)
    if "u" not in outputs:
        return DenseMap(part)
    u, v = (
        np.take_along_axis(outputs[name][person], part[None], axis=0)[0].clip(0.0, 1.0)
        for name in ("u", "v")
    )
    return DenseMap(part, u, v)

"""Running a model: crops in, estimates out, by OpenVINO or ONNX Runtime."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError
from pymaf_live.network.metadata import ModelMetadata, check_outputs, level_outputs
from pymaf_live.types import DenseMap, Estimate

Images = npt.NDArray[np.float32]

BACKENDS = ("openvino", "onnxruntime")
"""In the order in which 'auto' tries them: OpenVINO is faster on processors."""


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

    def close(self) -> None:
        """Give back what the session holds; `run` may not be called again."""


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


def open_session(
    model: Path, backend: str = "auto", *, threads: int = 0, cache: Path | None = None
) -> Session:
    """Open a model.

    Parameters
    ----------
    model : Path
        An ``.onnx`` file that keeps the contract (docs/rooms.md).
    backend : str
        'auto' or one of `BACKENDS`.
    threads : int
        Of the back-end; 0 leaves the choice to it.
    cache : Path, optional
        Folder for compiled models, so that the next start is faster; nothing is kept by default.

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
    failures: list[str] = []
    for name in BACKENDS if backend == "auto" else (backend,):
        opener = _engine(name)
        try:
            engine = opener(model, threads, cache)
        except ImportError as error:
            failures.append(f"{name} cannot be loaded ({_first_line(error)})")
            continue
        notice = f"{'; '.join(failures)}: {name} is used" if failures else ""
        return EngineSession(engine, notice)
    raise ModelError(f"no back-end can run the model: {'; '.join(failures)}")


def backend_complaint(name: str) -> str:
    """Why a back-end cannot be used here, in one line; empty where it can. Loads its library."""
    try:
        importlib.import_module(name)
    except Exception as error:  # a library may fail in its own way, such as over a missing .so
        lacking = isinstance(error, ModuleNotFoundError) and error.name == name
        return f"not installed (pip install {name})" if lacking else _first_line(error)
    return ""


def _engine(name: str) -> Callable[[Path, int, Path | None], Engine]:
    if name == "openvino":
        from pymaf_live.network.openvino_engine import OpenVinoEngine

        return OpenVinoEngine
    from pymaf_live.network.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class EngineSession:
    """A session over any back-end: checks what goes in and what comes out."""

    def __init__(self, engine: Engine, notice: str = "") -> None:
        self._engine: Engine | None = engine
        self.metadata = engine.metadata
        self.backend = engine.name
        self.precision: str = getattr(engine, "precision", "")
        """What it counts in, such as 'f32'; empty where the back-end does not tell."""
        self.notice = notice
        self._levels = level_outputs(self.metadata.levels)
        # a first run at once: it shows whether the outputs are as agreed, which the file may leave
        # open, and spares the first frame the back-end's own preparations
        size = self.metadata.input_size
        self.run(np.zeros((1, 3, size, size), dtype=np.float32))

    def run(self, images: Images) -> list[list[Estimate]]:
        """See `Session.run`."""
        if self._engine is None:
            raise ModelError("the session is closed")
        size = self.metadata.input_size
        if images.ndim != 4 or images.shape[1:] != (3, size, size) or images.dtype != np.float32:
            raise ModelError(
                f"the model {self.metadata.name} takes (B, 3, {size}, {size}) float32, "
                f"not {images.shape} {images.dtype}"
            )
        if len(images) == 0:
            return []
        outputs = self._engine.infer(np.ascontiguousarray(images))
        check_outputs(
            self.metadata, {name: values.shape for name, values in outputs.items()}, len(images)
        )
        copies = {}
        for name, values in outputs.items():
            if not np.isfinite(values).all():
                raise ModelError(
                    f"the model {self.metadata.name} gave a {name} that is not finite; "
                    "the file is damaged or does not run on this back-end"
                )
            copies[name] = np.array(values, dtype=np.float64)
        people = [
            [_estimate(copies, level, person) for level in self._levels]
            for person in range(len(images))
        ]
        if self.metadata.dense:
            for person, levels in enumerate(people):
                levels[-1] = replace(levels[-1], dense=_dense(copies, person))
        return people

    def close(self) -> None:
        """See `Session.close`."""
        self._engine = None


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

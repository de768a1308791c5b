"""Inference session: crops in, estimates out, on whichever back-end works."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import ModelError
from pymaf_live.inference.engine import Engine, Images, Outputs
from pymaf_live.inference.metadata import check_outputs, level_outputs
from pymaf_live.types import DenseMap, Estimate


class Session:
    """A model ready to run, on any back-end; checks inputs and outputs.

    Parameters
    ----------
    engine : Engine
        Closed with the session.
    notice : str
        Limitation the user should know of, and its cause; empty if there is none.
    passed_over : tuple of str
        Back-ends that would be preferred and why they do not run, one line each.
    substitute : callable, optional
        Opens the next back-end when the current one fails; raises `ModelError` if none is left.

    Raises
    ------
    ModelError
        If the model's outputs are not as agreed or the back-end fails.
    """

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
        """Back-end and its version."""
        self.precision = engine.precision
        """Numeric precision, such as 'f32'; empty if the back-end does not report it."""
        self.notice = notice
        self._levels = level_outputs(self.metadata.levels)
        self._checked_shapes: tuple[int, dict[str, tuple[int, ...]]] = (0, {})
        """Batch size and output shapes of the last run, which were found to be right."""
        # a first run checks the outputs' shapes, which the file may leave open, and does the
        # back-end's own preparations before the first frame
        size = self.metadata.input_size
        self.run(np.zeros((1, 3, size, size), dtype=np.float32))

    @property
    def num_streams(self) -> int:
        """Number of requests that run at the same time; 1 if `start` does not return early."""
        return 1 if self._engine is None else self._engine.num_streams

    @property
    def preferred_batch(self) -> int:
        """Number of people per request at which inference is most efficient."""
        return 1 if self._engine is None else self._engine.preferred_batch

    def run(self, images: Images) -> list[list[Estimate]]:
        """Estimate the people in crops.

        Parameters
        ----------
        images : (B, 3, S, S) float32 array
            0..1 RGB, from `preprocess.network_input`; B may be 0.

        Returns
        -------
        list of list of Estimate
            Levels of each person, coarsest first; one level unless the model has more.

        Raises
        ------
        ModelError
            If the images do not fit, the back-end fails, or a value is not finite.
        """
        return self.start(images).result()

    def start(self, images: Images) -> PendingBatch:
        """Start inference without waiting; several batches may be started before the first is done.

        Raises
        ------
        ModelError
            If the images do not fit; later errors are raised by `PendingBatch.result`.
        """
        if self._engine is None:
            raise ModelError("the session is closed")
        size = self.metadata.input_size
        if images.ndim != 4 or images.shape[1:] != (3, size, size) or images.dtype != np.float32:
            raise ModelError(
                f"the model {self.metadata.name} takes (B, 3, {size}, {size}) float32, "
                f"not {images.shape} {images.dtype}"
            )
        return PendingBatch(self, self._engine, images)

    def close(self) -> None:
        """Release the engine; `run` may not be called again."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _estimates(
        self, engine: Engine, images: Images, collect: Callable[[], Outputs]
    ) -> list[list[Estimate]]:
        """Return the levels of the people in images from the outputs that `collect` returns.

        If `engine` fails, the next back-end runs inference again.
        """
        while True:
            try:
                outputs = self._checked(collect(), len(images))
                break
            except ModelError as error:
                # of two pending batches the first to fail replaces the engine for both; without a
                # working substitute the first error is the one to raise
                if self._engine is engine and not self._replace_engine(error):
                    raise
            if self._engine is None:
                raise ModelError("the session is closed")
            engine = self._engine
            collect = partial(engine.infer, images)
        people = [
            [_estimate(outputs, level, person) for level in self._levels]
            for person in range(len(images))
        ]
        if self.metadata.dense:
            for person, levels in enumerate(people):
                levels[-1] = replace(levels[-1], dense=_dense_map(outputs, person))
        return people

    def _checked(self, outputs: Outputs, batch: int) -> dict[str, npt.NDArray[np.float64]]:
        """Return float64 copies of the outputs after checking shapes and values."""
        shapes = {name: values.shape for name, values in outputs.items()}
        if (batch, shapes) != self._checked_shapes:
            check_outputs(self.metadata, shapes, batch)
            self._checked_shapes = batch, shapes
        copies = {}
        for name, values in outputs.items():
            if not np.isfinite(values).all():
                raise ModelError(
                    f"the model {self.metadata.name} returned a {name} that is not finite; "
                    "the file is damaged or does not run on this back-end"
                )
            copies[name] = np.array(values, dtype=np.float64)
        return copies

    def _replace_engine(self, error: ModelError) -> bool:
        """Switch to the next back-end after a failure; return False if there is none."""
        if self._substitute is None or self._engine is None:
            return False
        try:
            engine = self._substitute()
        except ModelError:
            return False
        if engine.metadata != self.metadata:
            return False  # the file was replaced by another model in the meantime
        failed, self._engine = self._engine, engine
        # release a device's memory at once, not when it is garbage-collected
        failed.close()
        self.passed_over = (*self.passed_over, f"{self.backend} failed ({first_line(error)})")
        self.backend, self.precision = engine.name, engine.precision
        notice = f"{self.passed_over[-1]}: {self.backend} is used"
        self.notice = f"{self.notice}; {notice}" if self.notice else notice
        return True


class PendingBatch:
    """Inference on a batch of crops that has been started.

    Parameters
    ----------
    session : Session
    engine : Engine
        The session's engine at the start.
    images : (B, 3, S, S) float32 array
    """

    def __init__(self, session: Session, engine: Engine, images: Images) -> None:
        self._session, self._engine = session, engine
        self._images: Images | None = images
        self._ticket: Any = None
        self._failure: ModelError | None = None
        self._results: list[list[Estimate]] = []
        self.milliseconds = 0.0
        """Run time; known with the result."""
        self.concurrent = 1
        """Number of batches that run at the same time as this one, itself included; each counts
        only its share of the time in the timings."""
        self.shares = 1
        """Number of owners who may still ask for the result; see `release`."""
        if len(images):
            try:
                self._ticket = engine.submit(images)
            except ModelError as error:
                self._failure = error

    def result(self, timings: dict[str, float] | None = None) -> list[list[Estimate]]:
        """Wait for the estimates; see `Session.run`. May be called repeatedly.

        Parameters
        ----------
        timings : dict, optional
            The first call adds the run time in milliseconds to 'network'.
        """
        images = self._images
        if images is None:
            return self._results
        if len(images):
            start = time.perf_counter()
            self._results = self._session._estimates(self._engine, images, self._collect)
            self.milliseconds = self.milliseconds or 1000 * (time.perf_counter() - start)
            if timings is not None:
                own = self.milliseconds / self.concurrent
                timings["network"] = timings.get("network", 0.0) + own
        self._images = self._ticket = None
        return self._results

    def release(self) -> None:
        """Give up one share of the result; the request is cancelled when no share is left."""
        self.shares -= 1
        if not self.shares:
            self.cancel()

    def cancel(self) -> None:
        """Cancel the request unless its result was returned already."""
        if self._images is not None and self._ticket is not None:
            self._engine.cancel(self._ticket)

    def _collect(self) -> Outputs:
        if self._failure is not None:
            raise self._failure
        outputs, self.milliseconds = self._engine.collect(self._ticket)
        return outputs


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _estimate(
    outputs: dict[str, npt.NDArray[np.float64]], level: Sequence[str], person: int
) -> Estimate:
    rotations, shape, camera, score, joint_score = (outputs[name][person] for name in level)
    return Estimate(rotations, shape, camera, float(score[0]), joint_score)


def _dense_map(outputs: dict[str, npt.NDArray[np.float64]], person: int) -> DenseMap:
    """Return the most likely part of every cell, and the position on that part."""
    part = outputs["part"][person].argmax(axis=0)
    if "u" not in outputs:
        return DenseMap(part)
    u, v = (
        np.take_along_axis(outputs[name][person], part[None], axis=0)[0].clip(0.0, 1.0)
        for name in ("u", "v")
    )
    return DenseMap(part, u, v)

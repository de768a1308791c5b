"""Engines for a GPU, built before a back-end is used: it takes minutes, and can be ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pymaf_live.errors import Interrupted
from pymaf_live.inference import open_session
from pymaf_live.pipeline.options import PipelineOptions
from ui.state.model import Building, ModelState
from ui.system.task_runner import TaskRunner


class EngineBuilding:
    """Owned by `Models`.

    Parameters
    ----------
    state : ModelState
        Its `building` is written here.
    tasks : TaskRunner
    """

    def __init__(self, state: ModelState, tasks: TaskRunner) -> None:
        self._state = state
        self._tasks = tasks
        self._work: _Work | None = None

    def begin(
        self,
        models: Sequence[tuple[str, Path]],
        title: str,
        options: PipelineOptions,
        done: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Build what is not built yet; a building that goes on is ended.

        Parameters
        ----------
        models : sequence of (str, Path)
            Names and files.
        title : str
            Of the back-end.
        options : PipelineOptions
            With the back-end.
        done, failed : callable
            What follows; neither where another building took its place. `failed` gets
            `Interrupted` where it was ended.
        """
        self.cancel()
        work = _Work(models, title, options)
        self._work = work

        def after(then: Callable[[], None]) -> None:
            if self._work is work:
                self._work = None
                self._state.building.set(None)
                then()

        self._state.building.set(work.now())
        self._tasks.submit(
            "build engine", work, lambda _: after(done), lambda error: after(lambda: failed(error))
        )

    def cancel(self) -> None:
        """End it at its next step."""
        if self._work is not None:
            self._work.stop.set()
            self._state.building.set(self._work.now())

    def tick(self) -> None:
        """Bring the progress up to date; never blocks."""
        if self._work is not None:
            self._state.building.set(self._work.now())


class _Work:
    """The errand; told of its progress in the builder's threads, read in the GUI's."""

    def __init__(
        self, models: Sequence[tuple[str, Path]], title: str, options: PipelineOptions
    ) -> None:
        self._models = models
        self._title = title
        self._options = options
        self._at = 0
        self._step: tuple[str, float] | None = None
        self.stop = threading.Event()

    def __call__(self) -> None:
        for at, (_, path) in enumerate(self._models):
            self._at, self._step = at, None
            options = self._options
            session = open_session(
                path,
                options.backend,
                threads=options.threads,
                cache=options.cache,
                reporter=self,
            )
            session.close()
            if self.stop.is_set():
                raise Interrupted("the engine was not built: stopped")

    def now(self) -> Building:
        """How far it is."""
        name = self._models[self._at][0]
        of_all = f" ({self._at + 1} of {len(self._models)})" if len(self._models) > 1 else ""
        stopping, step = self.stop.is_set(), self._step
        if stopping:
            return Building("Ending the building…", "", None, stopping=True)
        if step is None:  # one that is kept needs none
            return Building(f"Loading {name} into {self._title}{of_all}…", "", None)
        text = f"Building {self._title}'s engine for {name}{of_all}; this may take minutes"
        return Building(text, step[0], round(step[1], 2))

    def progress(self, fraction: float | None, detail: str = "") -> None:
        """Note the builder's step; see `Reporter`."""
        self._step = detail, fraction or 0.0

    def message(self, text: str) -> None:
        """Ignore messages: the build has none."""

    def cancelled(self) -> bool:
        """Return True once the build was stopped."""
        return self.stop.is_set()

"""Build TensorRT engines before the back-end is used: takes minutes, can be cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pymaf_live.errors import Interrupted
from pymaf_live.inference import open_session
from pymaf_live.pipeline.options import PipelineOptions
from ui.state.model import BuildProgress, ModelState
from ui.system.task import Task
from ui.system.task_runner import TaskRunner


class EngineBuilder:
    """Builds the engines of one back-end at a time.

    Parameters
    ----------
    state : ModelState
        Written here: `build`.
    tasks : TaskRunner
    """

    def __init__(self, state: ModelState, tasks: TaskRunner) -> None:
        self._state = state
        self._tasks = tasks
        self._build: _Build | None = None

    def start(
        self,
        models: Sequence[tuple[str, Path]],
        title: str,
        options: PipelineOptions,
        done: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Build the engines that do not exist yet; a running build is cancelled.

        Parameters
        ----------
        models : sequence of (str, Path)
            Names and files.
        title : str
            Title of the back-end.
        options : PipelineOptions
            With the back-end to build for.
        done, failed : callable
            Called at the end, unless another build has been started meanwhile. `failed` gets
            `Interrupted` after a cancellation.
        """
        self.cancel()
        build = _Build(models, title, options)
        self._build = build

        def finish(callback: Callable[[], None]) -> None:
            if self._build is build:
                self._build = None
                self._state.build.set(None)
                callback()

        self._state.build.set(build.status())
        self._tasks.submit(
            "build engine",
            build.run,
            lambda _: finish(done),
            lambda error: finish(lambda: failed(error)),
        )

    def cancel(self) -> None:
        """Cancel the build at its next step."""
        if self._build is not None:
            self._build.task.cancel()
            self._state.build.set(self._build.status())

    def tick(self) -> None:
        """Update the progress; never blocks."""
        if self._build is not None:
            self._state.build.set(self._build.status())


class _Build:
    """Engines to build, one after the other."""

    def __init__(
        self, models: Sequence[tuple[str, Path]], title: str, options: PipelineOptions
    ) -> None:
        self._models = models
        self._title = title
        self._options = options
        self._index = 0
        self.task = Task()

    def run(self) -> None:
        """Open every model once, which builds its engine.

        Raises
        ------
        Interrupted
            If the build was cancelled.
        """
        for index, (_, path) in enumerate(self._models):
            self._index = index
            self.task.fraction, self.task.detail = None, ""
            options = self._options
            session = open_session(
                path,
                options.backend,
                threads=options.threads,
                cache=options.cache,
                reporter=self.task,
            )
            session.close()
            if self.task.cancelled():
                raise Interrupted("the engine was not built: cancelled")

    def status(self) -> BuildProgress:
        """Return the progress to show."""
        if self.task.stopping:
            return BuildProgress("Cancelling the build…", "", None, stopping=True)
        name = self._models[self._index][0]
        count = len(self._models)
        of_all = f" ({self._index + 1} of {count})" if count > 1 else ""
        fraction = self.task.fraction
        if fraction is None:  # an engine that was built before is only loaded
            return BuildProgress(f"Loading {name} into {self._title}{of_all}…", "", None)
        text = f"Building the {self._title} engine for {name}{of_all}; this may take minutes"
        return BuildProgress(text, self.task.detail, round(fraction, 2))

"""List models and back-ends, and change them while a source plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pymaf_live.errors import Interrupted, PymafLiveError
from pymaf_live.inference import BACKENDS, backend_unavailable_reason
from pymaf_live.inference.tensorrt_library import PACKAGES
from pymaf_live.pipeline.model_check import ModelFacts, check_model
from pymaf_live.pipeline.model_selection import (
    ACCURATE_MODEL,
    AUTO,
    FAST_MODEL,
    model_path,
    shipped_models,
)
from pymaf_live.pipeline.options import PipelineOptions
from ui.controllers.engine_build import EngineBuilder
from ui.controllers.model_import import ModelImporter
from ui.state.commands import ModelCommands
from ui.state.model import ModelState, Option
from ui.system.error_text import error_text
from ui.system.task_runner import TaskRunner

Reconfigured = Callable[[Exception | None], None]
Reconfigure = Callable[[PipelineOptions, Reconfigured | None], None]
"""Applies other options to the sources to open and, with a callback, to the open one.

The callback may be called in any thread: with None, or with the error if the open source continues
with the old options.
"""

_BACKEND_TITLES = {
    AUTO: "Automatic",
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT for RTX",
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
}
_MODEL_NOTES = {ACCURATE_MODEL: "more accurate", FAST_MODEL: "faster"}


class ModelController(ModelCommands):
    """Chooses the model and the back-end.

    Parameters
    ----------
    state : ModelState
        Written here.
    tasks : TaskRunner
    options : callable
        Returns the current pipeline options.
    reconfigure : Reconfigure
    check : callable, optional
        Checks a model file by running it.
    tell : callable, optional
        Shows what was done.
    """

    def __init__(
        self,
        state: ModelState,
        tasks: TaskRunner,
        options: Callable[[], PipelineOptions],
        reconfigure: Reconfigure,
        check: Callable[[Path, PipelineOptions], ModelFacts] = check_model,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._options = options
        self._reconfigure = reconfigure
        self._check = check
        self._latest_change = 0
        self._builder = EngineBuilder(state, tasks)
        self._importer = ModelImporter(state, tasks, self._show_error, tell, self.add)
        self._notes: dict[str, str] = {}
        """Name, version and speed of the checked model files."""
        self._shipped: dict[str, Path] = {}
        self._show_choice()
        state.model_files.watch(lambda _: self._list_models())

    def refresh(self) -> None:
        """See `ModelCommands.refresh`."""
        self._shipped = shipped_models()
        self._list_models()

        def work() -> tuple[Option, ...]:
            found = [Option(AUTO, _BACKEND_TITLES[AUTO], "the fastest one available")]
            for name in BACKENDS:
                reason = backend_unavailable_reason(name)
                title = _BACKEND_TITLES.get(name, name)
                found.append(Option(name, title, reason, available=not reason))
            return tuple(found)

        self._tasks.submit("back-ends", work, self._state.backends.set, self._show_error)

    def choose_model(self, key: str) -> None:
        """See `ModelCommands.choose_model`."""
        self._change(replace(self._options(), model=key))

    def choose_backend(self, key: str) -> None:
        """See `ModelCommands.choose_backend`."""
        self._change(replace(self._options(), backend=key))

    def add(self, path: Path) -> None:
        """See `ModelCommands.add`."""
        self._state.error.set("")
        self._state.busy.set(f"Checking {path.name}…")
        options = self._options()

        def checked(facts: ModelFacts) -> None:
            self._state.busy.set("")
            key = str(path)
            self._notes[key] = (
                f"{facts.name} {facts.version}, {facts.milliseconds:.0f} ms per person"
            )
            if key not in self._state.model_files.value:
                self._state.model_files.set((*self._state.model_files.value, key))
            self._list_models()
            self._state.chosen_by_user.set(True)
            self.choose_model(key)

        def failed(error: Exception) -> None:
            self._state.busy.set("")
            self._show_error(error)

        self._tasks.submit("check model", lambda: self._check(path, options), checked, failed)

    def remove(self, key: str) -> None:
        """See `ModelCommands.remove`."""
        self._state.chosen_by_user.set(True)
        if self._state.model.value == key:
            self.choose_model(AUTO)
        files = self._state.model_files.value
        self._state.model_files.set(tuple(each for each in files if each != key))

    def cancel_pending_change(self) -> None:
        """Ignore the outcome of a running change: the source is being closed."""
        self._latest_change += 1
        self._state.busy.set("")

    def cancel_build(self) -> None:
        """See `ModelCommands.cancel_build`."""
        self._builder.cancel()
        self._importer.cancel()

    def import_body(self, path: Path) -> None:
        """See `ModelCommands.import_body`."""
        self._builder.cancel()
        self._importer.import_body(path)

    def import_checkpoint(self, checkpoint: Path, smpl: Path) -> None:
        """See `ModelCommands.import_checkpoint`."""
        self._builder.cancel()
        self._importer.import_checkpoint(checkpoint, smpl)

    def tick(self) -> None:
        """Update the progress of a build; never blocks."""
        self._builder.tick()

    def close(self) -> None:
        """Cancel builds and imports: the window is closing."""
        self.cancel_build()

    def _change(self, options: PipelineOptions) -> None:
        before = self._options()
        self._builder.cancel()
        self._show_choice()
        if options == before:
            return
        if options.backend in PACKAGES:
            self._build_then_apply(options)
        else:
            self._apply(options)

    def _build_then_apply(self, options: PipelineOptions) -> None:
        """Change once the engines are built; the source keeps playing meanwhile."""
        self._state.error.set("")
        self._state.model.set(str(options.model))
        self._state.backend.set(options.backend)

        def done() -> None:
            self._apply(replace(self._options(), model=options.model, backend=options.backend))

        def failed(error: Exception) -> None:
            self._show_choice()
            self._show_error(error)

        try:
            models = self._candidates(str(options.model))
        except PymafLiveError as error:
            failed(error)
        else:
            title = _BACKEND_TITLES[options.backend]
            self._builder.start(models, title, options, done, failed)

    def _candidates(self, model: str) -> list[tuple[str, Path]]:
        """Return names and files of the models that a choice may resolve to."""
        if model != AUTO:
            path = model_path(model)
            return [(path.stem, path)]
        shipped = shipped_models()
        return [(name, shipped[name]) for name in (ACCURATE_MODEL, FAST_MODEL) if name in shipped]

    def _apply(self, options: PipelineOptions) -> None:
        before = self._options()
        self._latest_change += 1
        change = self._latest_change
        self._state.chosen_by_user.set(True)
        self._state.error.set("")
        self._state.busy.set("Changing…")

        def reconfigured(error: Exception | None) -> None:
            if change != self._latest_change:
                return
            self._state.busy.set("")
            if error is not None:
                current = self._options()
                self._reconfigure(
                    replace(current, model=before.model, backend=before.backend), None
                )
                self._show_choice()
                self._show_error(error)

        self._reconfigure(options, lambda error: self._tasks.post(lambda: reconfigured(error)))
        self._show_choice()

    def _show_choice(self) -> None:
        self._state.model.set(str(self._options().model))
        self._state.backend.set(self._options().backend)

    def _list_models(self) -> None:
        found = [Option(AUTO, "Automatic", "the most accurate one that keeps up")]
        for name in (ACCURATE_MODEL, FAST_MODEL):
            if name not in self._shipped:
                note = "not part of this installation; reinstall PyMAF Live"
                found.append(Option(name, name, note, available=False))
        found += [Option(name, name, _MODEL_NOTES.get(name, "")) for name in self._shipped]
        for key in self._state.model_files.value:
            exists = Path(key).is_file()
            note = self._notes.get(key, str(Path(key).parent)) if exists else "the file is missing"
            found.append(Option(key, Path(key).name, note, exists, added=True))
        current = str(self._options().model)
        if current not in {each.key for each in found}:  # from the command line or the settings
            found.append(Option(current, Path(current).name, str(Path(current).parent)))
        self._state.models.set(tuple(found))

    def _show_error(self, error: Exception) -> None:
        if not isinstance(error, Interrupted):  # the user cancelled
            self._state.error.set(error_text(error))

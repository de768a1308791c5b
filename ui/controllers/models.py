"""Finds the models and back-ends, and changes them while a source plays."""

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
from ui.controllers.engine_build import EngineBuilding
from ui.controllers.model_import import ModelImporter
from ui.state.model import ModelState, Option
from ui.system.task_runner import TaskRunner

Changed = Callable[[Exception | None], None]
Use = Callable[[PipelineOptions, Changed | None], None]
"""Opens what comes with other options and, where it is to tell how that went, has what plays go on
with them. It tells in any thread: None, or why the old ones go on."""

_BACKEND_TITLES = {
    AUTO: "Automatic",
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT for RTX",
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
}
_MODEL_NOTES = {ACCURATE_MODEL: "the better one", FAST_MODEL: "the faster one"}


class Models:
    """Owned by the controller.

    Parameters
    ----------
    state : ModelState
        Written here.
    tasks : TaskRunner
    current : callable
        The options in use.
    use : callable
        Takes others.
    check : callable, optional
        Tries a model file.
    tell : callable, optional
        Shows a line of what was done.
    """

    def __init__(
        self,
        state: ModelState,
        tasks: TaskRunner,
        current: Callable[[], PipelineOptions],
        use: Use,
        check: Callable[[Path, PipelineOptions], ModelFacts] = check_model,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._state = state
        self._tasks = tasks
        self._current = current
        self._use = use
        self._check = check
        self._changes = 0
        self._building = EngineBuilding(state, tasks)
        self._importer = ModelImporter(state, tasks, self._complain, tell, self.add)
        self._notes: dict[str, str] = {}
        """What the tried model files say of themselves."""
        self._shipped: dict[str, Path] = {}
        self._show()
        state.files.watch(lambda _: self._list())

    def look(self) -> None:
        """Find out what there is; the back-ends' libraries are loaded for it, in a thread."""
        self._shipped = shipped_models()
        self._list()

        def work() -> tuple[Option, ...]:
            found = [Option(AUTO, _BACKEND_TITLES[AUTO], "the fastest that works here")]
            for name in BACKENDS:
                why = backend_unavailable_reason(name)
                found.append(Option(name, _BACKEND_TITLES.get(name, name), why, available=not why))
            return tuple(found)

        self._tasks.submit("back-ends", work, self._state.backends.set, self._complain)

    def choose_model(self, key: str) -> None:
        """Run another model: 'auto', a shipped one's name or an added file."""
        self._change(replace(self._current(), model=key))

    def choose_backend(self, key: str) -> None:
        """Run the model by another back-end."""
        self._change(replace(self._current(), backend=key))

    def add(self, path: Path) -> None:
        """Try a model file and, where it is sound, list and choose it.

        Published weights are converted first (`import_checkpoint`), and their file comes here.
        """
        self._state.complaint.set("")
        self._state.busy.set(f"Trying {path.name}…")
        options = self._current()

        def tried(facts: ModelFacts) -> None:
            self._state.busy.set("")
            key = str(path)
            self._notes[key] = f"{facts.name} {facts.version}, {facts.milliseconds:.0f} ms a person"
            if key not in self._state.files.value:
                self._state.files.set((*self._state.files.value, key))
            self._list()
            self._state.picked.set(True)
            self.choose_model(key)

        def failed(error: Exception) -> None:
            self._state.busy.set("")
            self._complain(error)

        self._tasks.submit("try model", lambda: self._check(path, options), tried, failed)

    def remove(self, key: str) -> None:
        """Take an added file off the list; the file itself stays."""
        self._state.picked.set(True)
        if self._state.model.value == key:
            self.choose_model(AUTO)
        self._state.files.set(tuple(each for each in self._state.files.value if each != key))

    def settle(self) -> None:
        """What played is no more; what comes is opened with the options as they are now."""
        self._changes += 1
        self._state.busy.set("")

    def cancel_building(self) -> None:
        """Build or import nothing after all; what ran before runs on."""
        self._building.cancel()
        self._importer.cancel()

    def import_body(self, path: Path) -> None:
        """Take SMPL's own file into the person's folder of bodies."""
        self._building.cancel()
        self._importer.import_body(path)

    def import_checkpoint(self, checkpoint: Path, smpl: Path) -> None:
        """Make a model file of PyMAF's published checkpoint and its body, and choose it."""
        self._building.cancel()
        self._importer.import_checkpoint(checkpoint, smpl)

    def tick(self) -> None:
        """Bring the progress up to date; never blocks."""
        self._building.tick()

    def close(self) -> None:
        """Nothing more will be asked."""
        self.cancel_building()

    def _change(self, options: PipelineOptions) -> None:
        before = self._current()
        self._building.cancel()
        self._show()
        if options == before:
            return
        if options.backend in PACKAGES:
            self._build_first(options)
        else:
            self._apply(options)

    def _build_first(self, options: PipelineOptions) -> None:
        """Change once the engines are there: what plays goes on meanwhile."""
        self._state.complaint.set("")
        self._state.model.set(str(options.model))
        self._state.backend.set(options.backend)

        def done() -> None:
            self._apply(replace(self._current(), model=options.model, backend=options.backend))

        def failed(error: Exception) -> None:
            self._show()
            self._complain(error)

        try:
            models = self._files(str(options.model))
        except PymafLiveError as error:
            failed(error)
        else:
            title = _BACKEND_TITLES[options.backend]
            self._building.begin(models, title, options, done, failed)

    def _files(self, model: str) -> list[tuple[str, Path]]:
        """Names and files that a choice of a model may come to."""
        if model != AUTO:
            path = model_path(model)
            return [(path.stem, path)]
        shipped = shipped_models()
        return [(name, shipped[name]) for name in (ACCURATE_MODEL, FAST_MODEL) if name in shipped]

    def _apply(self, options: PipelineOptions) -> None:
        before = self._current()
        self._changes += 1
        change = self._changes
        self._state.picked.set(True)
        self._state.complaint.set("")
        self._state.busy.set("Changing…")

        def settled(error: Exception | None) -> None:
            if change != self._changes:
                return  # a later wish has taken its place
            self._state.busy.set("")
            if error is not None:
                now = self._current()
                self._use(replace(now, model=before.model, backend=before.backend), None)
                self._show()
                self._complain(error)

        self._use(options, lambda error: self._tasks.post(lambda: settled(error)))
        self._show()

    def _show(self) -> None:
        self._state.model.set(str(self._current().model))
        self._state.backend.set(self._current().backend)

    def _list(self) -> None:
        found = [Option(AUTO, "Automatic", "the best that keeps up with the source")]
        for name in (ACCURATE_MODEL, FAST_MODEL):
            if name not in self._shipped:
                note = "not part of this installation; reinstall PyMAF Live"
                found.append(Option(name, name, note, available=False))
        found += [Option(name, name, _MODEL_NOTES.get(name, "")) for name in self._shipped]
        for key in self._state.files.value:
            there = Path(key).is_file()
            note = self._notes.get(key, str(Path(key).parent)) if there else "the file is gone"
            found.append(Option(key, Path(key).name, note, there, added=True))
        known = {each.key for each in found}
        given = str(self._current().model)
        if given not in known:  # by --model or the settings
            found.append(Option(given, Path(given).name, str(Path(given).parent)))
        self._state.models.set(tuple(found))

    def _complain(self, error: Exception) -> None:
        if isinstance(error, Interrupted):
            return  # a person's own wish
        text = str(error) if isinstance(error, PymafLiveError) else f"{type(error).__name__}"
        self._state.complaint.set(text[:1].upper() + text[1:] + ".")

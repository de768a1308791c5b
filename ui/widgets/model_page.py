"""Side panel page for choosing the model and the back-end and for adding model files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.state.commands import ModelCommands
from ui.state.model import BuildProgress, Option
from ui.state.window import Figures, WindowState
from ui.widgets.checkpoint_dialog import CheckpointDialog
from ui.widgets.folders import remember_folder, start_folder
from ui.widgets.icons import icon
from ui.widgets.labels import DetailsLabel, heading, quiet_label


class ModelPage(QWidget):
    """Side panel page "Model".

    Parameters
    ----------
    state : WindowState
    commands : ModelCommands
    parent : QWidget, optional
    """

    def __init__(
        self, state: WindowState, commands: ModelCommands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state.models
        self._commands = commands
        self._searched = False
        self.running = DetailsLabel()
        self.running.setAccessibleName("Model in use")
        self.models = OptionList("Model", commands.choose_model, commands.remove)
        self.backends = OptionList("Back-end", commands.choose_backend)
        self.add = QPushButton("Add model file…")
        self.add.setAccessibleName("Add a model file")
        self.add.clicked.connect(self.ask_file)
        self.import_body = QPushButton("Import SMPL body…")
        self.import_body.setAccessibleName("Import the SMPL body")
        self.import_body.setToolTip("The .pkl or .npz file from the SMPL website")
        self.import_body.clicked.connect(self.ask_body)
        self.import_checkpoint = QPushButton("Import PyMAF checkpoint…")
        self.import_checkpoint.setAccessibleName("Import the PyMAF checkpoint")
        self.import_checkpoint.setToolTip("The authors' published weights with the SMPL body")
        self.import_checkpoint.clicked.connect(self.ask_checkpoint)
        self.busy = quiet_label()
        self.problem = DetailsLabel()
        self.problem.summary.setProperty("role", "error")
        self.problem.setAccessibleName("Reason why the model was not changed")

        column = QVBoxLayout(self)
        column.setSpacing(10)
        self.building = EngineBuildProgress(commands.cancel_build)
        for widget in (
            *(self.models, self.add, self.import_body, self.import_checkpoint, self.backends),
            *(self.building, self.busy, self.problem),
        ):
            column.addWidget(widget)
        column.addWidget(self.running)
        column.addStretch(1)

        self._state.models.watch(self.models.fill)
        self._state.backends.watch(self.backends.fill)
        self._state.model.watch(self.models.choose)
        self._state.backend.watch(self.backends.choose)
        self._state.build.watch(self.building.show_progress)
        self._state.busy.watch(self._on_busy_change)
        self._state.error.watch(self._on_problem_change)
        state.figures.watch(self._on_figures_change)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Search for back-ends when the page is first shown, since that loads their libraries."""
        super().showEvent(event)
        if not self._searched:
            self._searched = True
            self._commands.refresh()

    def ask_file(self) -> None:
        """Ask for a model file and add it."""
        path = self._ask("Add model file", "Models (*.onnx)")
        if path:
            self._commands.add(Path(path))

    def ask_body(self) -> None:
        """Ask for the SMPL body file and import it."""
        path = self._ask("Import SMPL body", "SMPL (*.pkl *.npz)")
        if path:
            self._commands.import_body(Path(path))

    def _ask(self, title: str, filters: str) -> str:
        """Return the file that the user chose; empty if the dialog was cancelled."""
        path, _ = QFileDialog.getOpenFileName(self, title, start_folder("model"), filters)
        remember_folder("model", path)
        return path

    def ask_checkpoint(self) -> None:
        """Ask for the PyMAF checkpoint and the SMPL body, and import them."""
        dialog = CheckpointDialog(self)
        if dialog.exec() == CheckpointDialog.DialogCode.Accepted:
            self._commands.import_checkpoint(*dialog.files)

    def _on_busy_change(self, text: str) -> None:
        self.busy.setText(text)
        self.busy.setVisible(bool(text))
        self.add.setEnabled(not text)

    def _on_problem_change(self, text: str) -> None:
        self.problem.set_text(text)
        self.problem.setVisible(bool(text))

    def _on_figures_change(self, figures: Figures) -> None:
        text = f"In use: {figures.model} on {figures.backend}" if figures.model else ""
        self.running.set_text("\n".join((text, *figures.notices)) if text else "")
        self.running.setVisible(bool(text))


class EngineBuildProgress(QWidget):
    """Progress of building an engine or importing a file, with a Cancel button.

    Parameters
    ----------
    cancel : callable
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(self.fontMetrics().height() // 2)
        self.bar.setAccessibleName("Progress of this step")
        self.step = quiet_label()
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel the build or the import")
        self.cancel.clicked.connect(cancel)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.text)
        column.addLayout(row)
        column.addWidget(self.step)

    def show_progress(self, building: BuildProgress | None) -> None:
        """Show the progress; None hides the widget."""
        self.setVisible(building is not None)
        if building is None:
            return
        self.text.setText(building.text)
        self.step.setText(building.step)
        # a bar without a maximum is animated
        self.bar.setRange(0, 0 if building.fraction is None else 100)
        self.bar.setValue(round(100 * (building.fraction or 0.0)))
        self.cancel.setEnabled(not building.stopping)


class OptionList(QWidget):
    """List of options with notes; unavailable options state the reason.

    Parameters
    ----------
    title : str
    on_chosen : callable
        Called with the key of the option that the user chose.
    on_removed : callable, optional
        Called with the key of a user-added option that the user removed.
    """

    def __init__(
        self,
        title: str,
        on_chosen: Callable[[str], None],
        on_removed: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._on_chosen, self._on_removed = title, on_chosen, on_removed
        self._current = ""
        self.buttons: dict[str, QRadioButton] = {}
        self.removers: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._rows: list[QWidget] = []
        self._column.addWidget(heading(title))

    def fill(self, options: tuple[Option, ...]) -> None:
        """Replace the options."""
        had_focus = next((key for key, button in self.buttons.items() if button.hasFocus()), None)
        for row in self._rows:
            self._column.removeWidget(row)
            row.deleteLater()
        self._rows, self.buttons, self.removers = [], {}, {}
        for option in options:
            self._rows.append(self._row(option))
            self._column.addWidget(self._rows[-1])
        if had_focus in self.buttons:
            self.buttons[had_focus].setFocus()
        self.choose(self._current)

    def choose(self, key: str) -> None:
        """Mark the option in use."""
        self._current = key
        if key in self.buttons:
            self.buttons[key].setChecked(True)

    def _row(self, option: Option) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        button = QRadioButton(option.title)
        button.setAccessibleName(f"{self._title} {option.title}")
        button.setAccessibleDescription(option.note)
        button.setEnabled(option.available)
        # clicked, not toggled: changes by the program are no choice of the user
        button.clicked.connect(lambda _=False, key=option.key: self._on_chosen(key))
        self._group.addButton(button)
        self.buttons[option.key] = button
        layout.addWidget(button)
        layout.addWidget(quiet_label(option.note), 1)
        if option.added and self._on_removed is not None:
            remove, on_removed = QToolButton(), self._on_removed
            remove.setIcon(icon("dismiss"))
            remove.setProperty("role", "secondary")
            remove.setAccessibleName(f"Remove {option.title} from the list")
            remove.setToolTip("Remove from the list. The file is kept.")
            remove.clicked.connect(lambda _=False, key=option.key: on_removed(key))
            layout.addWidget(remove)
            self.removers[option.key] = remove
        return row

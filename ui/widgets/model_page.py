"""Which model and which back-end run: what there is, why something is not, and files to add."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

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

from ui.state.model import Building, Option
from ui.state.window import Figures, WindowState
from ui.widgets.checkpoint_dialog import CheckpointDialog
from ui.widgets.icons import icon


class ModelDeeds(Protocol):
    """What the page asks for."""

    def look(self) -> None:
        """Find out what there is."""

    def choose_model(self, key: str) -> None:
        """Run another model."""

    def choose_backend(self, key: str) -> None:
        """Run the model by another back-end."""

    def add(self, path: Path) -> None:
        """Try a model file and, where it is sound, list and choose it."""

    def remove(self, key: str) -> None:
        """Take an added file off the list."""

    def cancel_building(self) -> None:
        """Build or import nothing after all."""

    def import_body(self, path: Path) -> None:
        """Take SMPL's own file."""

    def import_checkpoint(self, checkpoint: Path, smpl: Path) -> None:
        """Import PyMAF's published checkpoint."""


class ModelPage(QWidget):
    """A page for the side panel."""

    def __init__(
        self, state: WindowState, deeds: ModelDeeds, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state.models
        self._deeds = deeds
        self._looked = False
        self.running = QLabel()
        self.running.setWordWrap(True)
        self.running.setProperty("role", "quiet")
        self.running.setAccessibleName("What runs now")
        self.models = OptionList("Model", deeds.choose_model, deeds.remove)
        self.backends = OptionList("Back-end", deeds.choose_backend)
        self.add = QPushButton("Add a model file…")
        self.add.setAccessibleName("Add a model file")
        self.add.clicked.connect(self.ask_file)
        self.import_body = QPushButton("Add SMPL's body…")
        self.import_body.setAccessibleName("Add SMPL's body")
        self.import_body.setToolTip("Its .pkl or .npz, which you have under its owners' terms")
        self.import_body.clicked.connect(self.ask_body)
        self.import_checkpoint = QPushButton("Import PyMAF's checkpoint…")
        self.import_checkpoint.setAccessibleName("Import PyMAF's checkpoint")
        self.import_checkpoint.setToolTip("The authors' published weights, with SMPL's body")
        self.import_checkpoint.clicked.connect(self.ask_checkpoint)
        self.busy = QLabel()
        self.busy.setProperty("role", "quiet")
        self.complaint = QLabel()
        self.complaint.setWordWrap(True)
        self.complaint.setProperty("role", "complaint")
        self.complaint.setAccessibleName("Why the model was not changed")

        column = QVBoxLayout(self)
        column.setSpacing(10)
        self.building = EngineBuildProgress(deeds.cancel_building)
        for widget in (
            *(self.models, self.add, self.import_body, self.import_checkpoint, self.backends),
            *(self.building, self.busy, self.complaint),
        ):
            column.addWidget(widget)
        column.addWidget(self.running)
        column.addStretch(1)

        self._state.models.watch(self.models.fill)
        self._state.backends.watch(self.backends.fill)
        self._state.model.watch(self.models.choose)
        self._state.backend.watch(self.backends.choose)
        self._state.building.watch(self.building.show_progress)
        self._state.busy.watch(self._on_busy_change)
        self._state.complaint.watch(self._on_complaint_change)
        state.figures.watch(self._on_figures_change)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Look for back-ends when somebody first wants to know: that loads their libraries."""
        super().showEvent(event)
        if not self._looked:
            self._looked = True
            self._deeds.look()

    def ask_file(self) -> None:
        """Ask for a model file and have it tried."""
        path, _ = QFileDialog.getOpenFileName(self, "Add a model file", "", "Models (*.onnx)")
        if path:
            self._deeds.add(Path(path))

    def ask_body(self) -> None:
        """Ask for SMPL's file and have it read."""
        path, _ = QFileDialog.getOpenFileName(self, "Add SMPL's body", "", "SMPL (*.pkl *.npz)")
        if path:
            self._deeds.import_body(Path(path))

    def ask_checkpoint(self) -> None:
        """Ask for PyMAF's checkpoint and its body, and have them imported."""
        dialog = CheckpointDialog(self)
        if dialog.exec() == CheckpointDialog.DialogCode.Accepted:
            self._deeds.import_checkpoint(*dialog.files)

    def _on_busy_change(self, text: str) -> None:
        self.busy.setText(text)
        self.busy.setVisible(bool(text))
        self.add.setEnabled(not text)

    def _on_complaint_change(self, text: str) -> None:
        self.complaint.setText(text)
        self.complaint.setVisible(bool(text))

    def _on_figures_change(self, figures: Figures) -> None:
        text = f"Running {figures.model} by {figures.backend}." if figures.model else ""
        self.running.setText("\n".join((text, *figures.notices)) if text else "")
        self.running.setVisible(bool(text))


class EngineBuildProgress(QWidget):
    """How far the building of an engine or an import is, and a way to end it."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(self.fontMetrics().height() // 2)
        self.bar.setAccessibleName("How far this step of the building is")
        self.step = QLabel()
        self.step.setProperty("role", "quiet")
        self.step.setWordWrap(True)
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("End the building or the import")
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

    def show_progress(self, building: Building | None) -> None:
        """Show it, or nothing while none goes on."""
        self.setVisible(building is not None)
        if building is None:
            return
        self.text.setText(building.text)
        self.step.setText(building.step)
        # without a maximum the bar runs to and fro
        self.bar.setRange(0, 0 if building.fraction is None else 100)
        self.bar.setValue(round(100 * (building.fraction or 0.0)))
        self.cancel.setEnabled(not building.stopping)


class OptionList(QWidget):
    """Choices one under the other, each with its note; those that cannot be used say why.

    Parameters
    ----------
    title : str
    chosen : callable
        Gets the key that a person chose.
    removed : callable, optional
        Gets the key of an added one that a person takes off the list.
    """

    def __init__(
        self,
        title: str,
        chosen: Callable[[str], None],
        removed: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._chosen, self._removed = title, chosen, removed
        self._now = ""
        self.buttons: dict[str, QRadioButton] = {}
        self.removers: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._rows: list[QWidget] = []
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        self._column.addWidget(heading)

    def fill(self, options: tuple[Option, ...]) -> None:
        """Show these options."""
        had_focus = next((key for key, each in self.buttons.items() if each.hasFocus()), None)
        for row in self._rows:
            self._column.removeWidget(row)
            row.deleteLater()
        self._rows, self.buttons, self.removers = [], {}, {}
        for option in options:
            self._rows.append(self._row(option))
            self._column.addWidget(self._rows[-1])
        if had_focus in self.buttons:
            self.buttons[had_focus].setFocus()
        self.choose(self._now)

    def choose(self, key: str) -> None:
        """Show which one runs."""
        self._now = key
        if key in self.buttons:
            self.buttons[key].setChecked(True)

    def _row(self, option: Option) -> QWidget:
        row = QWidget()
        grid = QHBoxLayout(row)
        grid.setContentsMargins(0, 0, 0, 0)
        button = QRadioButton(option.title)
        button.setAccessibleName(f"{self._title} {option.title}")
        button.setAccessibleDescription(option.note)
        button.setEnabled(option.available)
        # clicked, not toggled: what the program shows must not be taken for a person's wish
        button.clicked.connect(lambda _=False, key=option.key: self._chosen(key))
        self._group.addButton(button)
        self.buttons[option.key] = button
        note = QLabel(option.note)
        note.setProperty("role", "quiet")
        note.setWordWrap(True)
        grid.addWidget(button)
        grid.addWidget(note, 1)
        if option.added and self._removed is not None:
            remove, removed = QToolButton(), self._removed
            remove.setIcon(icon("dismiss"))
            remove.setProperty("role", "quiet")
            remove.setAccessibleName(f"Take {option.title} off the list")
            remove.setToolTip("Take it off the list; the file stays")
            remove.clicked.connect(lambda _=False, key=option.key: removed(key))
            grid.addWidget(remove)
            self.removers[option.key] = remove
        return row

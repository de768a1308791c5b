"""Dialog for importing PyMAF's published checkpoint with the SMPL body it was trained on."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.widgets.fitting import FittingDialog
from ui.widgets.folders import remember_folder, start_folder

_ABOUT = (
    "Neither file comes with PyMAF Live. Both stay on this computer, under their owners' licences. "
    "The import needs PyTorch, which comes with the training extra of PyMAF Live."
)


class CheckpointDialog(FittingDialog):
    """Dialog for two files; the import can start once both exist."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import PyMAF checkpoint")
        self._grid = QGridLayout()
        self.checkpoint = self._row(
            "&Checkpoint", "PyMAF_model_checkpoint.pt", "Checkpoints (*.pt *.pth);;All files (*)"
        )
        self.smpl = self._row("&SMPL body", "SMPL_NEUTRAL.pkl", "SMPL (*.pkl *.npz)")
        about = QLabel(_ABOUT)
        about.setProperty("role", "secondary")
        about.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.import_button = buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.import_button.setAccessibleName("Import the checkpoint")
        self.import_button.setProperty("role", "primary")
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setAccessibleName("Cancel")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addLayout(self._grid)
        column.addWidget(about)
        column.addWidget(buttons)
        for line in (self.checkpoint, self.smpl):
            line.textChanged.connect(lambda _: self._check())
        self._check()

    @property
    def files(self) -> tuple[Path, Path]:
        """Paths of the checkpoint and of the SMPL body."""
        return Path(self.checkpoint.text().strip()), Path(self.smpl.text().strip())

    def _row(self, text: str, example: str, filters: str) -> QLineEdit:
        name = text.replace("&", "")
        line = QLineEdit()
        line.setPlaceholderText(example)
        line.setAccessibleName(name)
        line.setMinimumWidth(44 * self.fontMetrics().averageCharWidth())
        label = QLabel(text)
        label.setBuddy(line)
        browse = QPushButton("Browse…")
        browse.setAccessibleName(f"Browse for {name}")

        def ask_file() -> None:
            start = line.text() or start_folder("model")
            path, _ = QFileDialog.getOpenFileName(self, name, start, filters)
            remember_folder("model", path)
            if path:
                line.setText(path)

        browse.clicked.connect(ask_file)
        row = self._grid.rowCount()
        for column, widget in enumerate((label, line, browse)):
            self._grid.addWidget(widget, row, column)
        return line

    def _check(self) -> None:
        self.import_button.setEnabled(all(path.is_file() for path in self.files))

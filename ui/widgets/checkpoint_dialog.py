"""Asks for PyMAF's published checkpoint and the body that it was trained with."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

_ABOUT = (
    "Neither file comes with this program; both stay under their owners' terms and on this "
    "machine. The import needs the extra for training (torch)."
)


class CheckpointDialog(QDialog):
    """Two files; both must be there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import PyMAF's checkpoint")
        self._grid = QGridLayout()
        self.checkpoint = self._row(
            "&Checkpoint", "PyMAF_model_checkpoint.pt", "Checkpoints (*.pt *.pth);;All files (*)"
        )
        self.smpl = self._row("&SMPL's body", "SMPL_NEUTRAL.pkl", "SMPL (*.pkl *.npz)")
        about = QLabel(_ABOUT)
        about.setProperty("role", "quiet")
        about.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.begin = buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.begin.setAccessibleName("Import the checkpoint")
        self.begin.setProperty("role", "main")
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
        """Checkpoint and body."""
        return Path(self.checkpoint.text().strip()), Path(self.smpl.text().strip())

    def _row(self, text: str, example: str, filters: str) -> QLineEdit:
        line = QLineEdit()
        line.setPlaceholderText(example)
        line.setAccessibleName(text.replace("&", ""))
        line.setMinimumWidth(44 * self.fontMetrics().averageCharWidth())
        label = QLabel(text)
        label.setBuddy(line)
        browse = QPushButton("Browse…")
        browse.setAccessibleName(f"Browse for {text.replace('&', '')}")

        def ask() -> None:
            path, _ = QFileDialog.getOpenFileName(self, text.replace("&", ""), "", filters)
            if path:
                line.setText(path)

        browse.clicked.connect(ask)
        row = self._grid.rowCount()
        for place, widget in enumerate((label, line, browse)):
            self._grid.addWidget(widget, row, place)
        return line

    def _check(self) -> None:
        self.begin.setEnabled(all(path.is_file() for path in self.files))

"""Where a take goes and in which formats."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QStandardPaths
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

_TITLES = {
    "bvh": "BVH: motion for Blender, Unreal, Unity (one file a person)",
    "npz": "npz: everything, for NumPy and for exporting again",
}


@dataclass(frozen=True)
class ExportWish:
    """What a person chose."""

    stem: Path
    """Folder and name; each format adds its own ending."""
    formats: tuple[str, ...]
    force: bool
    """Replace files that exist."""


class ExportDialog(QDialog):
    """Name, folder and formats on one sheet, with what would be replaced said before it happens."""

    def __init__(
        self, formats: tuple[str, ...], name: str, folder: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export the take")
        self.setMinimumWidth(520)
        self.name = QLineEdit(name)
        self.name.setAccessibleName("Name of the files")
        self.folder = QLineEdit(str(folder))
        self.folder.setAccessibleName("Folder")
        browse = QPushButton("Browse…")
        browse.setAccessibleName("Browse for a folder")
        browse.setAutoDefault(False)
        browse.clicked.connect(self._browse)
        self.boxes = {each: QCheckBox(_TITLES.get(each, each)) for each in formats}
        self.replace = QCheckBox()
        self.note = QLabel()
        self.note.setProperty("role", "quiet")
        self.note.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setIcon(QIcon())
        self.export = QPushButton("Export")
        self.export.setProperty("role", "main")
        self.export.setDefault(True)
        buttons.addButton(self.export, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)

        grid = QGridLayout(self)
        grid.setContentsMargins(20, 18, 20, 16)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(10)
        for row, (text, field) in enumerate((("&Name", self.name), ("&Folder", self.folder))):
            label = QLabel(text)
            label.setBuddy(field)
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(browse, 1, 2)
        for row, (each, box) in enumerate(self.boxes.items(), start=2):
            box.setChecked(each in ("bvh", "npz"))
            box.setAccessibleName(f"Write {each}")
            box.toggled.connect(self._judge)
            grid.addWidget(box, row, 1, 1, 2)
        last = 2 + len(self.boxes)
        grid.addWidget(self.note, last, 1, 1, 2)
        grid.addWidget(self.replace, last + 1, 1, 1, 2)
        grid.addWidget(buttons, last + 2, 0, 1, 3)
        for field in (self.name, self.folder):
            field.textChanged.connect(self._judge)
        self.replace.toggled.connect(self._judge)
        self.name.selectAll()
        self._judge()

    def wish(self) -> ExportWish:
        """What is chosen now."""
        chosen = tuple(each for each, box in self.boxes.items() if box.isChecked())
        stem = Path(self.folder.text()).expanduser() / self.name.text().strip()
        return ExportWish(stem, chosen, self.replace.isChecked())

    def _judge(self) -> None:
        wish = self.wish()
        name = self.name.text().strip()
        complaint = ""
        if not name or name in (".", "..") or any(c in name for c in '/\\:*?"<>|\0'):
            complaint = 'Give a name without / \\ : * ? " < > |'
        elif not wish.stem.parent.is_dir():
            complaint = "There is no such folder."
        elif not wish.formats:
            complaint = "Choose a format."
        there = [] if complaint else existing(wish)
        self.note.setText(complaint)
        self.note.setVisible(bool(complaint))
        self.replace.setText(f"Replace {', '.join(each.name for each in there)}")
        self.replace.setVisible(bool(there))
        self.export.setEnabled(not complaint and (not there or self.replace.isChecked()))

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder", self.folder.text())
        if chosen:
            self.folder.setText(chosen)


def existing(wish: ExportWish) -> list[Path]:
    """Files that the export may replace: its own names and those of further people."""
    folder, name = wish.stem.parent, wish.stem.name
    found = []
    for each in wish.formats:
        plain = folder / f"{name}.{each}"
        found += [plain] if plain.exists() else []
        found += sorted(folder.glob(f"{glob.escape(name)}_person*.{each}"))
    return found


def default_folder() -> Path:
    """Where a person's videos live, or home."""
    where = QStandardPaths.StandardLocation.MoviesLocation
    movies = Path(QStandardPaths.writableLocation(where) or Path.home())
    return movies if movies.is_dir() else Path.home()

"""Named choices of the export dialog."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QPushButton, QWidget

from pymaf_live.settings import ExportSettings
from ui.state.observable import Observable

_MAX_NAME_LENGTH = 60


class ExportPresets(QWidget):
    """List of presets with buttons to save and delete one.

    Parameters
    ----------
    presets : Observable of dict
        Settings by name; changed here.
    current : callable
        Returns the current choice; None if it is not valid.
    choose : callable
        Shows the choice of a preset.
    parent : QWidget, optional
    """

    def __init__(
        self,
        presets: Observable[dict[str, ExportSettings]],
        current: Callable[[], ExportSettings | None],
        choose: Callable[[ExportSettings], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._presets = presets
        self._current = current
        self._choose = choose
        self.names = QComboBox()
        self.names.setAccessibleName("Export preset")
        self.names.activated.connect(lambda _: self._apply())
        self.save = QPushButton("Save as…")
        self.save.setAccessibleName("Save this choice as a preset")
        self.delete = QPushButton("Delete")
        self.delete.setAccessibleName("Delete the preset")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.names, 1)
        for button, slot in ((self.save, self._save), (self.delete, self._delete)):
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            row.addWidget(button)
        self._fill("")

    def ask_name(self) -> str:
        """Ask for the name of a preset; return '' if cancelled."""
        text, accepted = QInputDialog.getText(self, "Save preset", "Name")
        return " ".join(text.split())[:_MAX_NAME_LENGTH] if accepted else ""

    def _fill(self, chosen: str) -> None:
        self.names.clear()
        self.names.addItem("None", "")
        for name in sorted(self._presets.value, key=str.casefold):
            self.names.addItem(name, name)
        self.names.setCurrentIndex(max(0, self.names.findData(chosen)))
        self.delete.setEnabled(bool(self.names.currentData()))

    def _apply(self) -> None:
        name = self.names.currentData()
        self.delete.setEnabled(bool(name))
        settings = self._presets.value.get(name)
        if settings is not None:
            self._choose(settings)

    def _save(self) -> None:
        current = self._current()
        name = self.ask_name() if current is not None else ""
        if current is not None and name:
            self._presets.set({**self._presets.value, name: current})
            self._fill(name)

    def _delete(self) -> None:
        chosen = self.names.currentData()
        others = {name: each for name, each in self._presets.value.items() if name != chosen}
        self._presets.set(others)
        self._fill("")

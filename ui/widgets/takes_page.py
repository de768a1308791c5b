"""Side panel page with the list of takes and the recording options."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.takes.library import TakeEntry
from ui.state.commands import TakeCommands
from ui.state.take import COUNT_DOWNS, PRE_ROLLS, CountDown, OpenTake, TakesState
from ui.widgets.confirmation import confirm
from ui.widgets.formatting import breakable, clock
from ui.widgets.icons import icon
from ui.widgets.labels import add_form_row, quiet_label

_ID = Qt.ItemDataRole.UserRole


class TakesPage(QWidget):
    """Side panel page "Takes".

    Parameters
    ----------
    state : TakesState
    commands : TakeCommands
    parent : QWidget, optional
    """

    def __init__(
        self, state: TakesState, commands: TakeCommands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._commands = commands
        self._filling = False
        self.count_down = QComboBox()
        self.count_down.setAccessibleName("Countdown before a recording")
        for seconds in COUNT_DOWNS:
            self.count_down.addItem("Off" if not seconds else f"{seconds} s", seconds)
        self.pre_roll = QComboBox()
        self.pre_roll.setAccessibleName("Pre-roll")
        self.pre_roll.setToolTip("Include the seconds before the recording was started")
        for pre_roll in PRE_ROLLS:
            self.pre_roll.addItem("Off" if not pre_roll else f"{pre_roll:g} s", pre_roll)
        form = QFormLayout()
        add_form_row(form, "&Countdown", self.count_down)
        add_form_row(form, "&Pre-roll", self.pre_roll)
        self.list = QListWidget()
        self.list.setAccessibleName("Takes")
        self.list.setEditTriggers(QListWidget.EditTrigger.EditKeyPressed)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        letter = self.fontMetrics().averageCharWidth()
        self.list.setIconSize(QSize(12 * letter, 9 * letter))
        self.list.setMinimumHeight(30 * letter)
        self.note = quiet_label()
        self.open = QPushButton("&Open")
        self.open.setAccessibleName("Open the take")
        self.rename = QPushButton("Re&name")
        self.rename.setAccessibleName("Rename the take")
        self.rename.setToolTip("Rename the take (F2)")
        self.delete = QPushButton("&Delete…")
        self.delete.setAccessibleName("Delete the take")
        self.export = QPushButton("E&xport…")
        self.export.setAccessibleName("Export the selected takes")
        row = QHBoxLayout()
        for button in (self.open, self.export):
            row.addWidget(button, 1)
        others = QHBoxLayout()
        for button in (self.rename, self.delete):
            others.addWidget(button, 1)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addLayout(form)
        column.addWidget(self.list, 1)
        column.addWidget(self.note)
        column.addLayout(row)
        column.addLayout(others)
        self._connect()

    def _connect(self) -> None:
        state = self._state
        self.count_down.currentIndexChanged.connect(
            lambda _: state.count_down.set(cast(CountDown, self.count_down.currentData()))
        )
        self.pre_roll.currentIndexChanged.connect(
            lambda _: state.pre_roll.set(self.pre_roll.currentData())
        )
        self.list.itemSelectionChanged.connect(self._on_selection_change)
        self.list.itemActivated.connect(lambda _: self._open())
        self.list.itemChanged.connect(self._on_renamed)
        self.open.clicked.connect(self._open)
        self.rename.clicked.connect(self._rename)
        self.delete.clicked.connect(self._delete)
        delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.list)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self._delete)
        state.count_down.watch(lambda value: _select(self.count_down, value))
        state.pre_roll.watch(lambda value: _select(self.pre_roll, value))
        state.entries.watch(self._on_entries_change)
        state.opened.watch(self._on_opened_change)

    def ask_delete(self, name: str) -> bool:
        """Ask whether to delete a take; return True to delete it."""
        return confirm(
            self,
            f"Delete “{name}”?",
            "The take cannot be restored. Exported files are kept.",
            accept="Delete",
            reject="Cancel",
        )

    def _on_entries_change(self, entries: tuple[TakeEntry, ...]) -> None:
        before = {str(self.list.item(row).data(_ID)) for row in range(self.list.count())}
        new = [entry.id for entry in entries if entry.id not in before]
        # a take that has just been made is what the user wants next
        selected = new[0] if before and new else self._selected_id()
        self._filling = True
        self.list.clear()
        for entry in entries:
            item = QListWidgetItem(entry.about.name)
            # the icon reads its file when it is first painted, not here
            item.setIcon(QIcon(str(entry.thumbnail)) if entry.thumbnail else icon("record"))
            item.setData(_ID, entry.id)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            item.setToolTip(_details(entry))
            item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, _details(entry))
            self.list.addItem(item)
            if entry.id == selected:
                self.list.setCurrentItem(item)
        self._filling = False
        if self.list.currentItem() is None and entries:
            self.list.setCurrentRow(0)
        self._on_selection_change()

    def _on_opened_change(self, opened: OpenTake | None) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            if opened is not None and item.data(_ID) == opened.id:
                self.list.setCurrentItem(item)
                if item.text() != opened.stored.about.name:
                    self._filling = True
                    item.setText(opened.stored.about.name)
                    self._filling = False

    def _on_selection_change(self) -> None:
        if self._filling:
            return
        entry = self._selected_entry()
        selected = tuple(str(item.data(_ID)) for item in self.list.selectedItems())
        self._state.selected.set(selected)
        for button in (self.open, self.rename, self.delete):
            button.setEnabled(entry is not None and len(selected) < 2)
        self.export.setEnabled(bool(selected))
        if len(selected) > 1:
            self.note.setText(f"{len(selected)} takes are selected.")
            return
        empty = "No takes yet. Open a camera or a video and press R to record one."
        self.note.setText(empty if entry is None else breakable(_details(entry)))

    def _on_renamed(self, item: QListWidgetItem) -> None:
        if self._filling:
            return
        take, name = str(item.data(_ID)), item.text()
        entry = self._entry(take)
        if not name.strip() and entry is not None:
            self._filling = True
            item.setText(entry.about.name)  # a take needs a name
            self._filling = False
            return
        self._commands.rename(take, name)

    def _open(self) -> None:
        entry = self._selected_entry()
        if entry is not None:
            self._commands.open(entry.id)

    def _rename(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.list.setFocus()
            self.list.editItem(item)

    def _delete(self) -> None:
        entry = self._selected_entry()
        if entry is not None and self.ask_delete(entry.about.name):
            self._commands.delete(entry.id)

    def _selected_id(self) -> str | None:
        item = self.list.currentItem()
        return None if item is None else str(item.data(_ID))

    def _selected_entry(self) -> TakeEntry | None:
        return self._entry(self._selected_id())

    def _entry(self, take: str | None) -> TakeEntry | None:
        return next((entry for entry in self._state.entries.value if entry.id == take), None)


def _select(combo: QComboBox, value: float) -> None:
    index = combo.findData(value)
    if index < 0:  # the settings file contains another value
        index = combo.count()
        combo.addItem(f"{value:g} s", value)
    combo.setCurrentIndex(index)


def _details(entry: TakeEntry) -> str:
    about = entry.about
    parts = [clock(about.seconds), f"{about.created.astimezone():%d %b %Y, %H:%M}", about.source]
    if not about.rows:
        parts.append("no people")
    if about.captured:
        parts.append("whole video captured")
    if about.exported:
        parts.append("exported")
    return " · ".join(part for part in parts if part)

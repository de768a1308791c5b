"""Side panel page with the tracked people: visibility, names, and merging in takes."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.rendering import person_colour
from ui.state.commands import PeopleCommands
from ui.state.window import WindowState
from ui.widgets.bound_controls import check_box
from ui.widgets.labels import quiet_label, row_of

_MAX_PEOPLE = 16
_ABOUT = (
    "Click a person in the image to select them. Clear a check box to hide a person; hidden people "
    "are still recorded. Double-click or press F2 to rename."
)
_ABOUT_MERGING = (
    "Use this when one person was tracked as two. In frames with both, the detected one is kept."
)


class PeoplePage(QWidget):
    """Side panel page "People".

    Parameters
    ----------
    state : WindowState
    commands : PeopleCommands
    parent : QWidget, optional
    """

    def __init__(
        self, state: WindowState, commands: PeopleCommands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._people, self._takes, self._commands = state.people, state.takes, commands
        self._preferences = state.preferences
        self._filling = False
        self.list = QListWidget()
        self.list.setAccessibleName("People")
        self.list.setMinimumHeight(120)
        self.empty = quiet_label("No people detected yet.")
        self.solo = check_box(
            "Show only this person", self._people.solo, "Hide everyone but the selected person"
        )
        self.max_people = QSpinBox()
        self.max_people.setRange(0, _MAX_PEOPLE)
        self.max_people.setSpecialValueText("Automatic")
        self.max_people.setMinimumHeight(2 * self.fontMetrics().height())
        for control in (self.max_people, self.max_people.lineEdit()):
            control.setAccessibleName("People to track")
        self.max_people.setToolTip(
            "Automatic: the frontmost person in live sources and playback, up to four in a batch"
        )
        # every change restarts tracking: wait until the number is typed completely
        self.max_people.setKeyboardTracking(False)
        self.into = QComboBox()
        self.into.setAccessibleName("Merge the selected person into")
        self.merge = QPushButton("Merge")
        self.merge.setToolTip("Merge the selected person into this one (undo: Ctrl+Z)")
        self.keep = QPushButton("Keep only this person")
        self.keep.setToolTip("Remove everyone else from the take (undo: Ctrl+Z)")
        self._take_controls = QWidget()
        self._lay_out()
        self.list.currentItemChanged.connect(self._on_row_change)
        self.list.itemChanged.connect(self._on_item_change)
        self.max_people.valueChanged.connect(
            lambda value: self._preferences.people.set(value or None)
        )
        self.merge.clicked.connect(self._merge)
        self.keep.clicked.connect(self._keep_only)
        self._preferences.people.watch(lambda people: self.max_people.setValue(people or 0))
        for value in (self._people.seen_ids, self._people.names, self._people.hidden_ids):
            value.watch(lambda _: self._fill())
        self._people.selected_id.watch(self._on_chosen_change)
        self._takes.opened.watch(lambda _: self._update_enabled())

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setSpacing(8)
        most = QLabel("People to trac&k")
        most.setBuddy(self.max_people)
        column.addLayout(row_of(most, self.max_people))
        column.addWidget(self.empty)
        column.addWidget(self.list)
        column.addWidget(self.solo)
        column.addWidget(quiet_label(_ABOUT))
        inner = QVBoxLayout(self._take_controls)
        inner.setContentsMargins(0, 0, 0, 0)
        merged = QLabel("Merge &into")
        merged.setBuddy(self.into)
        inner.addLayout(row_of(merged, self.into, self.merge))
        inner.addWidget(quiet_label(_ABOUT_MERGING))
        inner.addWidget(self.keep)
        column.addWidget(self._take_controls)
        column.addStretch(1)

    def _fill(self) -> None:
        people = self._people
        self._filling = True
        rows = [self.list.item(row) for row in range(self.list.count())]
        # rebuild only if the people changed: a row may be in the middle of being renamed
        if tuple(_person(row) for row in rows) != people.seen_ids.value:
            self.list.clear()
            rows = [_new_row(person) for person in people.seen_ids.value]
            for row in rows:
                self.list.addItem(row)
        for person, row in zip(people.seen_ids.value, rows, strict=True):
            row.setText(people.name_of(person))
            shown = person not in people.hidden_ids.value
            row.setCheckState(Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked)
        self._filling = False
        self.empty.setVisible(not people.seen_ids.value)
        self._on_chosen_change(people.selected_id.value)

    def _on_chosen_change(self, chosen: int | None) -> None:
        self._filling = True
        there = self._people.seen_ids.value
        self.list.setCurrentRow(there.index(chosen) if chosen in there else -1)
        self._filling = False
        self.into.clear()
        for person in there:
            if person != chosen:
                self.into.addItem(_swatch(person), self._people.name_of(person), person)
        self._update_enabled()

    def _on_row_change(self, item: QListWidgetItem | None) -> None:
        if not self._filling:
            self._people.selected_id.set(_person(item))

    def _on_item_change(self, item: QListWidgetItem) -> None:
        person = _person(item)
        if self._filling or person is None:
            return
        name = item.text()
        muted = item.checkState() is Qt.CheckState.Unchecked
        if muted != (person in self._people.hidden_ids.value):
            self._people.set_hidden(person, muted)
        elif name != self._people.name_of(person):
            self._commands.name(person, name)
            # show the name in effect if the new one was empty or rejected
            self._fill()

    def _update_enabled(self) -> None:
        chosen = self._people.selected_id.value is not None
        several = len(self._people.seen_ids.value) > 1
        self._take_controls.setVisible(self._takes.opened.value is not None)
        self.solo.setEnabled(chosen)
        for part in (self.into, self.merge, self.keep):
            part.setEnabled(chosen and several)

    def _merge(self) -> None:
        person, into = self._people.selected_id.value, self.into.currentData()
        if person is not None and into is not None:
            self._commands.merge(person, int(into))

    def _keep_only(self) -> None:
        if self._people.selected_id.value is not None:
            self._commands.keep_only(self._people.selected_id.value)


def _person(item: QListWidgetItem | None) -> int | None:
    return None if item is None else int(item.data(Qt.ItemDataRole.UserRole))


def _new_row(person: int) -> QListWidgetItem:
    row = QListWidgetItem(_swatch(person), "")
    row.setData(Qt.ItemDataRole.UserRole, person)
    row.setFlags(row.flags() | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable)
    return row


def _swatch(person: int) -> QIcon:
    pixmap = QPixmap(16, 16)
    pixmap.fill(QColor.fromRgbF(*(float(channel) for channel in person_colour(person))))
    return QIcon(pixmap)

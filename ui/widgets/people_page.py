"""The people of the picture: whom to draw, what they are called, who is one and the same."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.rendering import person_colour
from ui.state.window import WindowState
from ui.widgets.bound_controls import check_box

_MOST = 16
_ABOUT = (
    "Click on somebody in the picture to choose them. A tick draws a person; names are changed by "
    "a double click or F2. What is not drawn is recorded all the same."
)
_ABOUT_MERGING = (
    "Where both are there, the one that was measured stays, else the one that is merged into."
)


class PeopleDeeds(Protocol):
    """Does what the page asks for."""

    def name(self, person: int, name: str) -> None:
        """Give a person a name."""

    def merge(self, person: int, into: int) -> None:
        """Make two people of the open take one."""

    def keep_only(self, person: int) -> None:
        """Leave everybody else out of the open take."""


class PeoplePage(QWidget):
    """A page for the side panel.

    Parameters
    ----------
    state : WindowState
    deeds : PeopleDeeds
    """

    def __init__(
        self, state: WindowState, deeds: PeopleDeeds, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._people, self._takes, self._deeds = state.people, state.takes, deeds
        self._filling = False
        self.list = QListWidget()
        self.list.setAccessibleName("People in the picture")
        self.list.setMinimumHeight(120)
        self.nobody = _quiet("Nobody has been seen yet.")
        self.alone = check_box("Only this one", self._people.solo, "Draw the chosen person alone")
        self.most = QSpinBox()
        self.most.setRange(0, _MOST)
        self.most.setSpecialValueText("As usual")
        self.most.setMinimumHeight(2 * self.fontMetrics().height())
        for control in (self.most, self.most.lineEdit()):
            control.setAccessibleName("People followed at most")
        self.most.setToolTip(
            "As usual: the one in front of what plays, and up to four of files in a batch"
        )
        # a number is asked for whole: each change opens the network anew
        self.most.setKeyboardTracking(False)
        self.into = QComboBox()
        self.into.setAccessibleName("Whom the chosen person is merged into")
        self.merge = QPushButton("Merge")
        self.merge.setToolTip("Make the chosen person and this one the same (undo: Ctrl+Z)")
        self.keep = QPushButton("Leave out the others")
        self.keep.setToolTip("Keep the chosen person alone in the take (undo: Ctrl+Z)")
        self._of_take = QWidget()
        self._lay_out()
        self.list.currentItemChanged.connect(self._on_row_change)
        self.list.itemChanged.connect(self._on_item_change)
        self.most.valueChanged.connect(self._people.max_people.set)
        self.merge.clicked.connect(self._merge)
        self.keep.clicked.connect(self._keep_only)
        self._people.max_people.watch(self.most.setValue)
        for value in (self._people.seen_ids, self._people.names, self._people.hidden_ids):
            value.watch(lambda _: self._fill())
        self._people.selected_id.watch(self._on_chosen_change)
        self._takes.opened.watch(lambda _: self._allow())

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setSpacing(8)
        most = QLabel("&Followed at most")
        most.setBuddy(self.most)
        column.addLayout(_row(most, self.most))
        column.addWidget(self.nobody)
        column.addWidget(self.list)
        column.addWidget(self.alone)
        column.addWidget(_quiet(_ABOUT))
        inner = QVBoxLayout(self._of_take)
        inner.setContentsMargins(0, 0, 0, 0)
        merged = QLabel("Merge &into")
        merged.setBuddy(self.into)
        inner.addLayout(_row(merged, self.into, self.merge))
        inner.addWidget(_quiet(_ABOUT_MERGING))
        inner.addWidget(self.keep)
        column.addWidget(self._of_take)
        column.addStretch(1)

    def _fill(self) -> None:
        people = self._people
        self._filling = True
        rows = [self.list.item(row) for row in range(self.list.count())]
        # a row whose name is being edited must not be taken away
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
        self.nobody.setVisible(not people.seen_ids.value)
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
        self._allow()

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
            self._deeds.name(person, name)
            # where the name was not taken, or is empty, the row shows what holds
            self._fill()

    def _allow(self) -> None:
        chosen = self._people.selected_id.value is not None
        several = len(self._people.seen_ids.value) > 1
        self._of_take.setVisible(self._takes.opened.value is not None)
        self.alone.setEnabled(chosen)
        for part in (self.into, self.merge, self.keep):
            part.setEnabled(chosen and several)

    def _merge(self) -> None:
        person, into = self._people.selected_id.value, self.into.currentData()
        if person is not None and into is not None:
            self._deeds.merge(person, int(into))

    def _keep_only(self) -> None:
        if self._people.selected_id.value is not None:
            self._deeds.keep_only(self._people.selected_id.value)


def _person(item: QListWidgetItem | None) -> int | None:
    return None if item is None else int(item.data(Qt.ItemDataRole.UserRole))


def _new_row(person: int) -> QListWidgetItem:
    row = QListWidgetItem(_swatch(person), "")
    row.setData(Qt.ItemDataRole.UserRole, person)
    row.setFlags(row.flags() | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsUserCheckable)
    return row


def _swatch(person: int) -> QIcon:
    picture = QPixmap(16, 16)
    picture.fill(QColor.fromRgbF(*(float(part) for part in person_colour(person))))
    return QIcon(picture)


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "quiet")
    label.setWordWrap(True)
    return label


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget)
    return row

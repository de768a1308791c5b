"""Formats to write and how: shows the options that the chosen formats take, and no others."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.errors import UsageError
from pymaf_live.export.options import (
    RIGS,
    UNITS,
    WORLDS,
    ExportOptions,
    OptionName,
    parse_rate,
)

if TYPE_CHECKING:
    from pymaf_live.export.formats import Format

_RATES = ("24", "25", "29.97", "30", "50", "59.94", "60", "120")
_AS_RECORDED = "as recorded"
_UNITS = {"m": "metres", "cm": "centimetres"}
_RIGS = {
    "smpl": "SMPL, as estimated",
    "mixamo": "Mixamo",
    "unreal": "Unreal (Mannequin)",
    "unity": "Unity (Humanoid)",
    "vrm": "VRM",
}
_WORLDS = {"ground": "standing on the ground", "camera": "as the camera sees it"}


class ExportForm(QWidget):
    """Check boxes of the formats, and controls of their options.

    Parameters
    ----------
    formats : tuple of Format
    chosen : tuple of str
        Names that are checked at first.
    options : ExportOptions
        Shown at first.
    needed : bool
        Whether no format at all is something to complain of.
    wide : bool
        Options beside the formats, not below them.
    """

    changed = Signal()

    def __init__(
        self,
        formats: tuple[Format, ...],
        chosen: tuple[str, ...],
        options: ExportOptions,
        *,
        needed: bool = True,
        wide: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._formats = formats
        self._needed = needed
        self.boxes = {each.name: QCheckBox(each.title) for each in formats}
        self.rate = QComboBox()
        self.rate.setEditable(True)
        self.rate.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.rate.addItems([_AS_RECORDED, *_RATES])
        self.rate.setCurrentText(_rate_text(options))
        self.unit = QComboBox()
        self.unit.addItem("as the format's programs expect", None)
        self.rig, self.world = QComboBox(), QComboBox()
        for box, keys, words, value in (
            (self.unit, UNITS, _UNITS, options.unit),
            (self.rig, RIGS, _RIGS, options.rig),
            (self.world, WORLDS, _WORLDS, options.world),
        ):
            for key in keys:
                box.addItem(words.get(key, key), key)
            box.setCurrentIndex(max(0, box.findData(value)))
        self.mesh = QCheckBox("Body with its skin, not the skeleton alone")
        self.in_place = QCheckBox("In place: leave out the way over the ground")
        self.rest_first = QCheckBox("Rest pose before the first frame")
        self.mesh.setChecked(options.mesh)
        self.in_place.setChecked(options.in_place)
        self.rest_first.setChecked(options.rest_first)
        self.complaint = QLabel()
        self.complaint.setProperty("role", "complaint")
        self.complaint.setWordWrap(True)

        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        parts = QHBoxLayout() if wide else QVBoxLayout()
        parts.setSpacing(24 if wide else 8)
        column = QVBoxLayout()
        column.setSpacing(4)  # else the one around it counts
        parts.addLayout(column)
        for name, check in self.boxes.items():
            check.setChecked(name in chosen)
            check.setAccessibleName(f"Write {name}")
            check.toggled.connect(self._on_change)
            column.addWidget(check)
        self._grid = QFormLayout()
        self._grid.setSpacing(8)
        middle = Qt.AlignmentFlag.AlignVCenter
        self._grid.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | middle)
        controls: tuple[tuple[OptionName, str, QComboBox | QCheckBox], ...] = (
            ("rig", "&Rig", self.rig),
            ("rate", "Frames a &second", self.rate),
            ("unit", "&Unit", self.unit),
            ("world", "&Place", self.world),
            ("mesh", "", self.mesh),
            ("in_place", "", self.in_place),
            ("rest_first", "", self.rest_first),
        )
        self.controls = {name: control for name, _, control in controls}
        for _, label, control in controls:
            self._grid.addRow(label, control)
            control.setAccessibleName(label.replace("&", ""))
            if isinstance(control, QCheckBox):
                control.setAccessibleName(control.text())
                control.toggled.connect(self._on_change)
            else:
                control.currentTextChanged.connect(self._on_change)
        if wide:
            column.addStretch(1)
        parts.addLayout(self._grid, 1)
        whole.addLayout(parts)
        whole.addWidget(self.complaint)
        # what holds it is to give spare height to its lists
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._on_change()

    def chosen(self) -> tuple[str, ...]:
        """Names of the checked formats."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    def chosen_formats(self) -> tuple[Format, ...]:
        """The checked formats."""
        return tuple(each for each in self._formats if self.boxes[each.name].isChecked())

    def options(self) -> ExportOptions:
        """What the controls say; those that no checked format takes are left at their defaults.

        Raises
        ------
        UsageError
            If the frame rate is none.
        """
        said = ExportOptions(
            rate=self._rate(),
            unit=self.unit.currentData(),
            rig=self.rig.currentData(),
            world=self.world.currentData(),
            in_place=self.in_place.isChecked(),
            rest_first=self.rest_first.isChecked(),
            mesh=self.mesh.isChecked(),
        )
        usual, taken = ExportOptions(), self._taken()
        left = {name: getattr(usual, name) for name in self.controls if name not in taken}
        return replace(said, **left)

    def complaint_text(self) -> str:
        """What stands in the way, in one line; empty where nothing does."""
        if self._needed and not self.chosen():
            return "Choose a format."
        try:
            self.options()
        except UsageError as error:
            return str(error)[:1].upper() + str(error)[1:] + "."
        return ""

    def _taken(self) -> dict[OptionName, list[str]]:
        """Options that checked formats take, and the formats' names."""
        taken: dict[OptionName, list[str]] = {}
        for each in self.chosen_formats():
            for name in each.options:
                taken.setdefault(name, []).append(each.name)
        return taken

    def _rate(self) -> Fraction | None:
        text = self.rate.currentText().strip()
        shown = "rate" in self._taken()
        return parse_rate("" if text == _AS_RECORDED or not shown else text)

    def _on_change(self, *_: object) -> None:
        taken, count = self._taken(), len(self.chosen())
        for name, control in self.controls.items():
            shown = name in taken
            # the label's row goes with its control
            self._grid.setRowVisible(control, shown)
            if shown:
                some = len(taken[name]) < count
                said = f"For {', '.join(taken[name])}" if some else ""
                control.setToolTip(said)
                control.setAccessibleDescription(said)
        self.complaint.setText(self.complaint_text())
        self.complaint.setVisible(bool(self.complaint.text()))
        self.changed.emit()


def _rate_text(options: ExportOptions) -> str:
    if options.rate is None:
        return _AS_RECORDED
    for text in _RATES:
        if parse_rate(text) == options.rate:
            return text
    return str(options.rate)

"""Form for export formats and their options; only options of the chosen formats are shown."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import TYPE_CHECKING, Any

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
from ui.widgets.formatting import sentence
from ui.widgets.labels import add_form_row

if TYPE_CHECKING:
    from pymaf_live.export.formats import Format

_RATES = ("24", "25", "29.97", "30", "50", "59.94", "60", "120")
_AS_RECORDED = "As recorded"
_UNITS = {"m": "Metres", "cm": "Centimetres", "mm": "Millimetres"}
_RIGS = {
    "smpl": "SMPL (as estimated)",
    "mixamo": "Mixamo",
    "mixamo-plain": "Mixamo (no colons)",
    "unreal": "Unreal (Mannequin)",
    "unity": "Unity (Humanoid)",
    "vrm": "VRM",
}
_WORLDS = {"ground": "On the ground", "camera": "Camera coordinates"}


class ExportForm(QWidget):
    """Check boxes for formats and controls for their options.

    Parameters
    ----------
    formats : tuple of Format
    chosen : tuple of str
        Names of the formats that are checked initially.
    options : ExportOptions
        Initial options.
    required : bool
        At least one format must be chosen.
    wide : bool
        Put the options beside the formats instead of below them.
    parent : QWidget, optional
    """

    changed = Signal()
    """The choice of formats or an option has changed."""

    def __init__(
        self,
        formats: tuple[Format, ...],
        chosen: tuple[str, ...],
        options: ExportOptions,
        *,
        required: bool = True,
        wide: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._formats = formats
        self._required = required
        self.boxes = {entry.name: QCheckBox(entry.title) for entry in formats}
        self.rate = QComboBox()
        self.rate.setEditable(True)
        self.rate.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.rate.addItems([_AS_RECORDED, *_RATES])
        self.rate.setCurrentText(_rate_text(options))
        self.unit = QComboBox()
        self.unit.addItem("Default of the format", None)
        self.rig, self.world = QComboBox(), QComboBox()
        for box, keys, texts, value in (
            (self.unit, UNITS, _UNITS, options.unit),
            (self.rig, RIGS, _RIGS, options.rig),
            (self.world, WORLDS, _WORLDS, options.world),
        ):
            for key in keys:
                box.addItem(texts.get(key, key), key)
            box.setCurrentIndex(max(0, box.findData(value)))
        self.mesh = QCheckBox("Include the body mesh")
        self.camera = QCheckBox("Include the camera")
        self.camera.setChecked(options.camera)
        self.one_file = QCheckBox("All people in one file")
        self.one_file.setChecked(options.one_file)
        self.in_place = QCheckBox("In place (no movement over the ground)")
        self.rest_first = QCheckBox("Start with a frame in the rest pose")
        self.mesh.setChecked(options.mesh)
        self.in_place.setChecked(options.in_place)
        self.rest_first.setChecked(options.rest_first)
        self.note = QLabel()
        self.note.setProperty("role", "error")
        self.note.setWordWrap(True)
        self._lay_out(chosen, wide)
        # spare height belongs to the lists of the surrounding window
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._on_change()

    def _lay_out(self, chosen: tuple[str, ...], wide: bool) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        parts = QHBoxLayout() if wide else QVBoxLayout()
        parts.setSpacing(24 if wide else 8)
        column = QVBoxLayout()
        column.setSpacing(4)  # otherwise inherited from the outer layout
        parts.addLayout(column)
        for name, check in self.boxes.items():
            check.setChecked(name in chosen)
            check.setAccessibleName(f"Export {name}")
            check.toggled.connect(self._on_change)
            column.addWidget(check)
        self._grid = QFormLayout()
        self._grid.setSpacing(8)
        self._grid.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        controls: tuple[tuple[OptionName, str, QComboBox | QCheckBox], ...] = (
            ("rig", "&Rig", self.rig),
            ("rate", "&Frame rate", self.rate),
            ("unit", "&Unit", self.unit),
            ("world", "&Space", self.world),
            ("mesh", "", self.mesh),
            ("camera", "", self.camera),
            ("one_file", "", self.one_file),
            ("in_place", "", self.in_place),
            ("rest_first", "", self.rest_first),
        )
        self.controls = {name: control for name, _, control in controls}
        for _, label, control in controls:
            add_form_row(self._grid, label, control)
            control.setAccessibleName(label.replace("&", ""))
            if isinstance(control, QCheckBox):
                control.setAccessibleName(control.text())
                control.toggled.connect(self._on_change)
            else:
                control.currentTextChanged.connect(self._on_change)
        if wide:
            column.addStretch(1)
        parts.addLayout(self._grid, 1)
        outer.addLayout(parts)
        outer.addWidget(self.note)

    def choose(self, formats: Collection[str], options: ExportOptions) -> None:
        """Show other formats and options."""
        for name, box in self.boxes.items():
            box.setChecked(name in formats)
        self.rate.setCurrentText(_rate_text(options))
        for choice, value in (
            (self.unit, options.unit),
            (self.rig, options.rig),
            (self.world, options.world),
        ):
            choice.setCurrentIndex(max(0, choice.findData(value)))
        self.mesh.setChecked(options.mesh)
        self.camera.setChecked(options.camera)
        self.one_file.setChecked(options.one_file)
        self.in_place.setChecked(options.in_place)
        self.rest_first.setChecked(options.rest_first)

    def require_format(self, required: bool) -> None:
        """Set whether at least one format must be chosen."""
        self._required = required
        self._on_change()

    def chosen(self) -> tuple[str, ...]:
        """Return the names of the checked formats."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    def chosen_formats(self) -> tuple[Format, ...]:
        """Return the checked formats."""
        return tuple(entry for entry in self._formats if self.boxes[entry.name].isChecked())

    def options(self) -> ExportOptions:
        """Return the chosen options; those that no checked format supports have defaults.

        Raises
        ------
        UsageError
            If the frame rate is invalid.
        """
        values: dict[OptionName, Any] = {
            "rate": self._rate(),
            "unit": self.unit.currentData(),
            "rig": self.rig.currentData(),
            "world": self.world.currentData(),
            "in_place": self.in_place.isChecked(),
            "rest_first": self.rest_first.isChecked(),
            "mesh": self.mesh.isChecked(),
            "camera": self.camera.isChecked(),
            "one_file": self.one_file.isChecked(),
        }
        supported = self._supported()
        return ExportOptions(**{name: value for name, value in values.items() if name in supported})

    def problem(self) -> str:
        """Return why the form cannot be accepted, in one line; empty if it can."""
        if self._required and not self.chosen():
            return "Choose a format."
        try:
            self.options()
        except UsageError as error:
            return sentence(str(error))
        return ""

    def _supported(self) -> dict[OptionName, list[str]]:
        """Return the options of the checked formats, each with the formats' names."""
        supported: dict[OptionName, list[str]] = {}
        for entry in self.chosen_formats():
            for name in entry.options:
                supported.setdefault(name, []).append(entry.name)
        return supported

    def _rate(self) -> Fraction | None:
        text = self.rate.currentText().strip()
        visible = "rate" in self._supported()
        return parse_rate("" if text == _AS_RECORDED or not visible else text)

    def _on_change(self, *_: object) -> None:
        supported, count = self._supported(), len(self.chosen())
        for name, control in self.controls.items():
            visible = name in supported
            self._grid.setRowVisible(control, visible)
            if visible:
                applies_to_all = len(supported[name]) == count
                tip = "" if applies_to_all else f"Applies to {', '.join(supported[name])}"
                control.setToolTip(tip)
                control.setAccessibleDescription(tip)
        self.note.setText(self.problem())
        self.note.setVisible(bool(self.note.text()))
        self.changed.emit()


def _rate_text(options: ExportOptions) -> str:
    if options.rate is None:
        return _AS_RECORDED
    for text in _RATES:
        if parse_rate(text) == options.rate:
            return text
    return str(options.rate)

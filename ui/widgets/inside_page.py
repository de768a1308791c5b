"""Side panel page for inspecting the network: its levels, sample points and body parts."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from pymaf_live.types import FrameResult
from ui.state.window import WindowState
from ui.widgets.bound_controls import check_box
from ui.widgets.labels import quiet_label

_ABOUT = (
    "The network refines the body in levels. Each level projects its estimate onto the image, "
    "samples image features on the body's surface, and corrects the estimate."
)
_NO_LEVELS = (
    "This model outputs only its final estimate. To see every level, open the Model page and "
    "choose a model that was exported with all levels."
)
_NO_RESULT = "Open a camera or a video to inspect the network."
_FROM_TAKE = "Takes contain only the final estimate. Open a camera or a video instead."
_NO_PEOPLE = "No people detected."
_MAX_LEVELS = 16


class InsidePage(QWidget):
    """Side panel page "Inside".

    Parameters
    ----------
    state : WindowState
    parent : QWidget, optional
    """

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._count = 0
        view = state.view
        about = quiet_label(_ABOUT)
        self.switch = check_box(
            "Show the levels", view.inside, "Show the network's levels instead of the image (N)"
        )
        self.level = QComboBox()
        self.level.setAccessibleName("Level to show")
        label = QLabel("L&evel")
        label.setBuddy(self.level)
        self.points = check_box(
            "Sample points",
            view.inside_points,
            "Mark where each level samples image features: on a grid first, then on the surface "
            "of the previous estimate",
        )
        self.dense = check_box(
            "Body parts",
            view.inside_dense,
            "Colour the body parts, and show the network's own map of them if it has one",
        )
        self.note = quiet_label()
        self.note.setAccessibleName("Note")

        column = QVBoxLayout(self)
        column.setSpacing(10)
        for widget in (
            about, self.switch, label, self.level, self.points, self.dense, self.note
        ):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)

        self._fill(1)
        self.level.activated.connect(view.inside_level.set)
        view.inside_level.watch(self._on_level_change)
        view.inside.watch(self._on_switch_change)
        state.result.watch(self._on_result_change)

    def _on_switch_change(self, shown: bool) -> None:
        for widget in (self.level, self.points, self.dense):
            widget.setEnabled(shown)
        self._on_result_change(self._state.result.value)

    def _on_level_change(self, level: int) -> None:
        if 0 <= level < self.level.count():
            self.level.setCurrentIndex(level)

    def _on_result_change(self, result: FrameResult | None) -> None:
        inside = result.level_traces if result is not None else ()
        text = ""
        if not self._state.view.inside.value:
            pass
        elif result is None:
            text = _NO_RESULT
        elif inside:
            count = min(len(inside[0].levels), _MAX_LEVELS)
            if count != self._count:
                self._fill(count)
            text = _NO_LEVELS if count == 1 else ""
        else:
            text = _FROM_TAKE if result.people and not result.raw else _NO_PEOPLE
        if text != self.note.text():
            self.note.setText(text)
        self.note.setVisible(bool(text))

    def _fill(self, count: int) -> None:
        self._count = count
        selected = self._state.view.inside_level.value
        self.level.clear()
        self.level.addItem("All levels")
        self.level.addItems([f"After level {number + 1}" for number in range(count)])
        self.level.setCurrentIndex(selected if selected <= count else 0)

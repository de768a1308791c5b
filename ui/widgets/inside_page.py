"""Looking inside the network: its levels, where they read, and the body's parts."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from pymaf_live.types import FrameResult
from ui.state.window import WindowState
from ui.widgets.bound_controls import check_box

_ABOUT = (
    "The network estimates the body in levels: each lays its estimate over the picture, reads the "
    "picture's features where the body's surface falls, and corrects what does not fit."
)
_NO_LEVELS = (
    "The model in use gives its last estimate only, so there is one picture. To see every level, "
    "export it with them: python -m trainer export CHECKPOINT --levels all --out FILE.onnx; then "
    "choose that file on the page Model."
)
_NOTHING_YET = "Open a camera or a video to look inside."
_OF_A_TAKE = "A recorded take keeps the last estimate only. Play a camera or a video instead."
_NOBODY = "Nobody is seen now."
_MOST_LEVELS = 16


class InsidePage(QWidget):
    """A page for the side panel.

    Parameters
    ----------
    state : WindowState
    """

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._count = 0
        view = state.view
        about = QLabel(_ABOUT)
        about.setProperty("role", "quiet")
        about.setWordWrap(True)
        self.switch = check_box(
            "Show the levels", view.inside, "The network's levels in place of the picture (N)"
        )
        self.level = QComboBox()
        self.level.setAccessibleName("Level that is shown")
        label = QLabel("&Level")
        label.setBuddy(self.level)
        self.points = check_box(
            "Points read",
            view.inside_points,
            "Where each level read the picture's features: a grid at first, then the surface of "
            "the estimate before",
        )
        self.dense = check_box(
            "WindowParts of the body",
            view.inside_dense,
            "Which part of the body is where, and the network's own map of it if it has one",
        )
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setAccessibleName("What is missing for looking inside")
        self.note.setProperty("role", "quiet")

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
        inside = result.inside if result is not None else ()
        text = ""
        if not self._state.view.inside.value:
            pass
        elif result is None:
            text = _NOTHING_YET
        elif inside:
            count = min(len(inside[0].levels), _MOST_LEVELS)
            if count != self._count:
                self._fill(count)
            text = _NO_LEVELS if count == 1 else ""
        else:
            text = _OF_A_TAKE if result.people and not result.raw else _NOBODY
        if text != self.note.text():
            self.note.setText(text)
        self.note.setVisible(bool(text))

    def _fill(self, count: int) -> None:
        self._count = count
        wanted = self._state.view.inside_level.value
        self.level.clear()
        self.level.addItem("All side by side")
        self.level.addItems([f"After level {number + 1}" for number in range(count)])
        self.level.setCurrentIndex(wanted if wanted <= count else 0)

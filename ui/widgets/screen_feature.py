"""Full screen, always on top, green background, framing check and the sound of the countdown."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication

from ui.state.window import WindowState
from ui.widgets.action_factory import make_action, make_switch
from ui.widgets.feature import Feature
from ui.widgets.framing_hint import FramingHint
from ui.widgets.main_window import MainWindow


class ScreenFeature(Feature):
    """Adds its entries to the View menu of a window; see `Feature`."""

    def __init__(self, window: MainWindow, state: WindowState) -> None:
        super().__init__(window, state)
        view = state.view
        self.full_screen = make_action(self, "Full screen", "F11", "Fill the screen, or return")
        self.full_screen.setCheckable(True)
        self.full_screen.triggered.connect(self._show_full_screen)
        self.always_on_top = make_switch(
            self, "Always on top", "", "Keep the window above others", view.always_on_top
        )
        self.green = make_switch(
            self,
            "Green background",
            "Shift+G",
            "Show only the people, on green, for chroma keying in other programs",
            view.green_background,
        )
        self.framing = make_switch(
            self,
            "Framing check",
            "",
            "Say before a recording what is wrong with the camera's image",
            view.framing,
        )
        self.hint = FramingHint(state, window.canvas_area)
        menu = window.menus.view
        menu.addSeparator()
        menu.addActions([self.full_screen, self.always_on_top, self.green, self.framing])
        self._left = 0
        window.installEventFilter(self)
        view.always_on_top.watch(self._keep_on_top)
        state.takes.count_down_left.watch(self._on_count_down)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Follow changes of the window's state by the system."""
        if event.type() == QEvent.Type.WindowStateChange:
            self.full_screen.setChecked(self._window.isFullScreen())
        return super().eventFilter(watched, event)

    def beep(self) -> None:
        """Make the system's sound."""
        QApplication.beep()

    def _show_full_screen(self, on: bool) -> None:
        if on:
            self._window.showFullScreen()
        else:
            self._window.showNormal()

    def _keep_on_top(self, on: bool) -> None:
        flag = Qt.WindowType.WindowStaysOnTopHint
        if bool(self._window.windowFlags() & flag) == on:
            return
        visible = self._window.isVisible()
        self._window.setWindowFlag(flag, on)
        if visible:  # changing a flag hides the window
            self._window.show()

    def _on_count_down(self, left: int) -> None:
        # each second, and once more when the recording starts
        if left != self._left and (left or self._left == 1):
            self.beep()
        self._left = left

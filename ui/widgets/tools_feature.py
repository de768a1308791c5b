"""Tools menu with the batch window, live streaming and the model page."""

from __future__ import annotations

from pathlib import Path

from ui.state.commands import Commands
from ui.state.live_out import LiveOutStatus
from ui.state.window import WindowState
from ui.widgets.action_factory import make_action
from ui.widgets.batch_window import BatchWindow
from ui.widgets.feature import Feature
from ui.widgets.folders import default_folder
from ui.widgets.live_out_page import LiveOutPage, StreamIndicator
from ui.widgets.main_window import FILE_FILTERS, MainWindow
from ui.widgets.model_page import ModelPage


class ToolsFeature(Feature):
    """Adds its menu, pages and status indicator to a window.

    Parameters
    ----------
    window : MainWindow
        Becomes the parent.
    state : WindowState
    commands : Commands
    """

    def __init__(self, window: MainWindow, state: WindowState, commands: Commands) -> None:
        super().__init__(window, state)
        self._window, self._state, self._commands = window, state, commands
        self.batch_window: BatchWindow | None = None
        self.live_out_page = LiveOutPage(state.live_out, commands.live_out)
        window.side_panel.add_page("live_out", "Live out", self.live_out_page)
        self.indicator = StreamIndicator(state.live_out, brief=True)
        window.status_line.addPermanentWidget(self.indicator)
        self.live_out = make_action(self, "Live out", "Ctrl+L", "Stream the motion live")
        self.live_out.setCheckable(True)
        self.live_out.triggered.connect(self.live_out_page.toggle)
        state.live_out.status.watch(self._on_live_out_change)
        self.model_page = ModelPage(state, commands.models)
        window.side_panel.add_page("model", "Model", self.model_page)
        self.models = make_action(
            self,
            "Model and back-end",
            "Ctrl+M",
            "Choose the model and the back-end",
            lambda: window.side_panel.show_page("model"),
        )
        self.batch = make_action(
            self, "Batch processing…", "Ctrl+B", "Process files in the background"
        )
        self.batch.triggered.connect(self.open_batch)
        menu = window.menuBar().addMenu("Too&ls")
        menu.addActions([self.batch, self.live_out, self.models])

    def open_batch(self) -> BatchWindow:
        """Show the batch window; create it when it is first opened."""
        if self.batch_window is None:
            window = self._window
            self.batch_window = BatchWindow(
                self._state.batch,
                self._commands.batch,
                lambda: self._state.export.folder.value or default_folder(),
                FILE_FILTERS,
                self._open_take,
                window,
            )
        self.batch_window.show()
        self.batch_window.raise_()
        self.batch_window.activateWindow()
        return self.batch_window

    def _open_take(self, path: Path) -> None:
        self._commands.takes.open_file(path)
        self._window.raise_()
        self._window.activateWindow()

    def close(self) -> None:
        """Close the batch window; the program exits with its last window."""
        if self.batch_window is not None:
            self.batch_window.close()

    def _on_live_out_change(self, status: LiveOutStatus) -> None:
        self.live_out.setChecked(status.on)

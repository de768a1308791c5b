"""Main window: start page, canvas, transport bar, side panel, status bar and menus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeyEvent,
    QKeySequence,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ui.state.commands import Commands
from ui.state.source import FileQueue
from ui.state.window import Phase, SourceChoice, TakePhase, WindowState
from ui.system.screen_fit import fit_to_screen
from ui.widgets.actions import Actions
from ui.widgets.address_dialog import AddressDialog
from ui.widgets.canvas_area import CanvasArea
from ui.widgets.confirmation import confirm
from ui.widgets.export_bar import ExportBar
from ui.widgets.export_flow import ExportFlow
from ui.widgets.folders import default_folder
from ui.widgets.icons import window_icon
from ui.widgets.menus import Menus
from ui.widgets.message_bar import MessageBar
from ui.widgets.progress_banner import CaptureBanner
from ui.widgets.side_panel import SidePanel
from ui.widgets.source_banner import SourceBanner
from ui.widgets.start_page import StartPage
from ui.widgets.status_line import StatusLine
from ui.widgets.transport_bar import TransportBar

FILE_FILTERS = (
    "Videos and images (*.mp4 *.mov *.m4v *.mkv *.webm *.avi *.mpg *.mpeg *.ts *.mts *.wmv "
    "*.gif *.jpg *.jpeg *.png *.bmp *.webp *.tif *.tiff);;All files (*)"
)
_OPEN_FILTERS = FILE_FILTERS.replace("Videos and images (", "Videos, images and takes (*.npz ", 1)
_TAKE_SUFFIX = ".npz"


class MainWindow(QMainWindow):
    """Assembles the window's parts and passes the user's actions on to the controller.

    Parameters
    ----------
    state : WindowState
    commands : Commands
    canvas : QWidget
        Draws the state's result.
    on_close : callable, optional
        Called once when the window closes, after it is hidden.
    """

    def __init__(
        self,
        state: WindowState,
        commands: Commands,
        canvas: QWidget,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._state = state
        self._commands = commands
        self._on_close = on_close
        self._asks = True
        self.setWindowTitle("PyMAF Live")
        self.setWindowIcon(window_icon())
        self.setAcceptDrops(True)
        self.setMinimumSize(720, 480)
        self.resize(1120, 760)

        self.actions_ = Actions(state, self)
        self.message_bar = MessageBar(state, commands.takes.open)
        self.capture_banner = CaptureBanner(state.capture, commands.capture.cancel)
        self.export_bar = ExportBar(state.export, commands.export.cancel)
        self.source_banner = SourceBanner(
            state, self.actions_.demo, commands.sources.stop_reconnecting
        )
        self.start_page = StartPage(state)
        self.canvas_area = CanvasArea(state, canvas)
        self.transport = TransportBar(state, self.actions_)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start_page)
        self.pages.addWidget(self.canvas_area)
        self.side_panel = SidePanel(state.view)
        self.status_line = StatusLine(state)
        self.setStatusBar(self.status_line)
        self._lay_out()
        self.menus = Menus(
            self.menuBar(),
            state,
            self.actions_,
            self.side_panel,
            self.open_choice,
            commands.sources.find_cameras,
        )
        self.exports = ExportFlow(self, state, commands, self.actions_.capture)
        self._connect()
        state.phase.watch(self._on_phase_change)
        state.source.watch(self._on_source_change)
        state.sources.queue.watch(self._update_title)

    def add_banner(self, banner: QWidget) -> None:
        """Add a banner above everything else in the central column; it controls its visibility."""
        self.central_column.insertWidget(0, banner)

    def open_file(self) -> None:
        """Ask for a file and open it."""
        path, _ = QFileDialog.getOpenFileName(
            self, "Open video, image or take", self._last_folder(), _OPEN_FILTERS
        )
        if path:
            self.open_choice(SourceChoice.from_path(Path(path)))

    def open_folder(self) -> None:
        """Ask for a folder of images and open it."""
        path = QFileDialog.getExistingDirectory(self, "Open folder of images", self._last_folder())
        if path:
            self._commands.sources.open_files([Path(path)])

    def open_address(self) -> None:
        """Ask for a stream's address and open it."""
        last = self._state.sources.last_choice.value
        shown = last.text if last is not None and last.kind == "stream" else ""
        dialog = AddressDialog(shown, self)
        if dialog.exec() == AddressDialog.DialogCode.Accepted:
            self.open_choice(SourceChoice.from_text(dialog.address))

    def open_choice(self, choice: SourceChoice) -> None:
        """Open a source or a take file; a running recording is stopped and saved."""
        if choice.kind == "file" and Path(choice.text).suffix.lower() == _TAKE_SUFFIX:
            self._commands.takes.open_file(Path(choice.text))
            return
        self._state.sources.last_choice.set(choice)
        self._commands.sources.open(choice)

    def ask_end_batch(self) -> bool:
        """Ask whether to stop a running batch; return True to stop it."""
        return confirm(
            self,
            "A batch is still running. Stop it and close?",
            "Finished files are kept. Results of the file in progress are lost.",
            accept="Stop and close",
            reject="Keep running",
        )

    # -- events -------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Pause by Space unless a focused control uses it; dismiss or stop recording by Esc."""
        key = event.key()
        if key == Qt.Key.Key_Space and self.actions_.pause.isEnabled():
            self.actions_.pause.trigger()
        elif key == Qt.Key.Key_Escape and self._state.message.value is not None:
            self._state.message.set(None)
        elif key == Qt.Key.Key_Escape and (
            self._state.take.value.phase is TakePhase.RECORDING
            or self._state.takes.count_down_left.value
        ):
            self._commands.recording.stop()
        elif key == Qt.Key.Key_Escape and self._state.preferences.crash_report.value is not None:
            self._state.preferences.crash_report.set(None)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Accept local files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Open the dropped files and folders, one after the other."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if not paths:
            return
        event.acceptProposedAction()
        if paths[0].suffix.lower() == _TAKE_SUFFIX:
            self._commands.takes.open_file(paths[0])
        else:
            self._commands.sources.open_files(paths)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Set the initial keyboard focus."""
        super().showEvent(event)
        fit_to_screen(self)
        self._on_phase_change(self._state.phase.value)

    def close_unasked(self) -> None:
        """Close the window without a question: the system asks the program to end."""
        self._asks = False
        for dialog in self.findChildren(QDialog):
            dialog.reject()
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Close the window; save a running recording, and ask about a running batch."""
        if self._asks and self._state.batch.running.value and not self.ask_end_batch():
            event.ignore()
            return
        self.hide()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
        super().closeEvent(event)

    # -- state --------------------------------------------------------------------------------

    def _on_phase_change(self, phase: Phase) -> None:
        empty = phase is Phase.EMPTY
        changed = self.pages.currentIndex() != (0 if empty else 1)
        self.pages.setCurrentIndex(0 if empty else 1)
        self.transport.setVisible(not empty)
        if not empty and changed:
            self.canvas_area.setFocus()

    def _on_source_change(self, source: SourceChoice | None) -> None:
        if source is None:
            self.setWindowTitle("PyMAF Live")
            return
        self._state.sources.last_choice.set(source)
        if source.kind == "file" and Path(source.text).is_absolute():
            self._state.sources.add_recent(Path(source.text))
        self._update_title(self._state.sources.queue.value)

    def _update_title(self, queue: FileQueue) -> None:
        source = self._state.source.value
        if source is not None:
            count = len(queue.choices)
            position = f" ({queue.index + 1} of {count})" if count > 1 else ""
            self.setWindowTitle(f"{source.title}{position} – PyMAF Live")

    # -- construction -------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.central_column = QVBoxLayout()
        self.central_column.setContentsMargins(0, 0, 0, 0)
        self.central_column.setSpacing(0)
        for widget in (self.source_banner, self.message_bar, self.capture_banner, self.export_bar):
            self.central_column.addWidget(widget)
        self.central_column.addWidget(self.pages, 1)
        self.central_column.addWidget(self.transport)
        centre = QWidget()
        centre.setLayout(self.central_column)
        self.splitter = QSplitter()
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(centre)
        self.splitter.addWidget(self.side_panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.side_panel.watch_splitter(self.splitter)
        self.setCentralWidget(self.splitter)

    def _connect(self) -> None:
        actions = self.actions_
        actions.open_file.triggered.connect(self.open_file)
        actions.open_folder.triggered.connect(self.open_folder)
        actions.open_address.triggered.connect(self.open_address)
        actions.next_file.triggered.connect(lambda: self._commands.sources.step_file(1))
        actions.previous_file.triggered.connect(lambda: self._commands.sources.step_file(-1))
        actions.demo.triggered.connect(self._play_demo)
        actions.close_source.triggered.connect(self._commands.sources.close)
        actions.quit.triggered.connect(self.close)
        actions.pause.triggered.connect(self._pause_or_resume)
        actions.record.triggered.connect(self._record_or_stop)
        actions.capture.triggered.connect(self._commands.capture.start)
        actions.export.triggered.connect(self.exports.start)
        for number in range(9):
            shortcut = QShortcut(QKeySequence(f"Alt+{number + 1}"), self)
            shortcut.activated.connect(lambda number=number: self.side_panel.show_number(number))
        self.start_page.chosen.connect(self.open_choice)
        self.start_page.file_requested.connect(self.open_file)
        self.start_page.cameras_requested.connect(self._commands.sources.find_cameras)

    def _last_folder(self) -> str:
        last = self._state.sources.last_choice.value
        if last is not None and last.kind == "file" and Path(last.text).parent.is_dir():
            return str(Path(last.text).parent)
        return str(default_folder())

    def _play_demo(self) -> None:
        if self._state.demo.value is not None:
            self.open_choice(self._state.demo.value)

    def _pause_or_resume(self) -> None:
        if self._state.phase.value is Phase.PLAYING:
            self._commands.playback.pause()
        else:
            self._commands.playback.resume()

    def _record_or_stop(self) -> None:
        take = self._state.take.value
        if take.phase is TakePhase.RECORDING:
            self._commands.recording.stop()
        else:
            self._commands.recording.record()

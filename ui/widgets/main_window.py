"""The window: start page or picture, transport, status line, menus, drag and drop."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

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
    QFileDialog,
    QMainWindow,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.export.options import ExportOptions
from pymaf_live.sources.camera_address import is_camera
from ui.state.export import all_formats
from ui.state.source import FileQueue
from ui.state.window import Phase, SourceChoice, TakePhase, WindowState
from ui.widgets.actions import Actions
from ui.widgets.address_dialog import AddressDialog
from ui.widgets.canvas_area import CanvasArea
from ui.widgets.export_bar import ExportBar
from ui.widgets.export_dialog import ExportDialog, ExportRequest, default_folder
from ui.widgets.icons import window_icon
from ui.widgets.message_bar import MessageBar
from ui.widgets.side_panel import SidePanel
from ui.widgets.source_banner import SourceBanner
from ui.widgets.source_menu import SourceMenu
from ui.widgets.start_page import StartPage
from ui.widgets.status_line import StatusLine
from ui.widgets.transport_bar import TransportBar

FILE_FILTERS = (
    "Videos and pictures (*.mp4 *.mov *.m4v *.mkv *.webm *.avi *.mpg *.mpeg *.ts *.mts *.wmv "
    "*.gif *.jpg *.jpeg *.png *.bmp *.webp *.tif *.tiff);;All files (*)"
)


class Deeds(Protocol):
    """What the window asks for; the controller does it."""

    def open(self, choice: SourceChoice) -> None:
        """Open a source in place of the one that plays."""

    def open_files(self, paths: Sequence[Path]) -> None:
        """Open the first of several files and folders, the others after it."""

    def go_through_files(self, step: int) -> None:
        """Open the next (1) or the last (-1) of them."""

    def stop_waiting(self) -> None:
        """Wait no more for a camera that is away."""

    def close_source(self) -> None:
        """Back to the start."""

    def find_cameras(self) -> None:
        """Look for cameras (again)."""

    def pause(self) -> None:
        """Hold the picture."""

    def go_on(self) -> None:
        """Play on after a pause, or again after the end."""

    def record(self) -> None:
        """Begin a new take."""

    def stop_recording(self) -> None:
        """End the take; it waits to be exported."""

    def export(
        self,
        stem: Path,
        formats: tuple[str, ...],
        force: bool,
        options: ExportOptions | None = None,
    ) -> None:
        """Write the take."""

    def cancel_export(self) -> None:
        """Write no further."""


class MainWindow(QMainWindow):
    """Puts the parts together and turns what a person does into deeds.

    Parameters
    ----------
    state : WindowState
    deeds : Deeds
    canvas : QWidget
        Draws the state's result.
    export_folder : Path, optional
        Where the export dialog begins; the desktop's folder for videos by default.
    on_close : callable, optional
        Called once when the window closes, with the window already hidden.
    """

    def __init__(
        self,
        state: WindowState,
        deeds: Deeds,
        canvas: QWidget,
        export_folder: Path | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._state = state
        self._deeds = deeds
        self._on_close = on_close
        self.export_folder = export_folder
        self.last_choice: SourceChoice | None = None
        self.setWindowTitle("PyMAF Live")
        self.setWindowIcon(window_icon())
        self.setAcceptDrops(True)
        self.setMinimumSize(720, 480)
        self.resize(1120, 760)

        self.actions_ = Actions(state, self)
        self.message_bar = MessageBar(state)
        self.export_bar = ExportBar(state.export, deeds.cancel_export)
        self.source_banner = SourceBanner(state, self.actions_.demo, deeds.stop_waiting)
        self.start_page = StartPage(state)
        self.canvas_area = CanvasArea(state, canvas)
        self.transport = TransportBar(state, self.actions_)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start_page)
        self.pages.addWidget(self.canvas_area)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._column = column
        column.addWidget(self.source_banner)
        column.addWidget(self.message_bar)
        column.addWidget(self.export_bar)
        column.addWidget(self.pages, 1)
        column.addWidget(self.transport)
        middle = QWidget()
        middle.setLayout(column)
        self.side_panel = SidePanel(state.view)
        self.splitter = QSplitter()
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(middle)
        self.splitter.addWidget(self.side_panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.side_panel.watch_splitter(self.splitter)
        self.setCentralWidget(self.splitter)
        self.status_line = StatusLine(state)
        self.setStatusBar(self.status_line)
        self._fill_menus()
        self._connect()
        state.phase.watch(self._on_phase_change)
        state.source.watch(self._on_source_change)
        state.sources.queue.watch(self._title)

    def add_banner(self, banner: QWidget) -> None:
        """Put a line over everything else in the window's middle; it shows and hides itself."""
        self._column.insertWidget(0, banner)

    def open_file(self) -> None:
        """Ask for a file and open it."""
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a video or picture", self._last_folder(), FILE_FILTERS
        )
        if path:
            self.open_choice(file_choice(Path(path)))

    def open_folder(self) -> None:
        """Ask for a folder of pictures and open it."""
        path = QFileDialog.getExistingDirectory(
            self, "Open a folder of pictures", self._last_folder()
        )
        if path:
            self._deeds.open_files([Path(path)])

    def open_address(self) -> None:
        """Ask for a stream's address and open it."""
        last = self.last_choice
        shown = last.text if last is not None and last.kind == "stream" else ""
        dialog = AddressDialog(shown, self)
        if dialog.exec() == AddressDialog.DialogCode.Accepted:
            self.open_choice(choice_of(dialog.address))

    def open_choice(self, choice: SourceChoice) -> None:
        """Open a source; a recording that runs is ended and kept."""
        self.last_choice = choice
        self._deeds.open(choice)

    def export(self) -> None:
        """Ask where the take goes, and write it there."""
        if self._state.take.value.phase is not TakePhase.READY:
            return
        source = self._state.source.value
        name = Path(source.text).stem if source and source.kind != "camera" else "take"
        opened = self._state.takes.opened.value
        if opened is not None:
            # a take may be called anything, a file may not
            name = re.sub(r'[<>:"/\\|?*]', "_", opened.stored.about.name).strip(" .")
        wish = self.ask_export(name or "take", self.export_folder or default_folder())
        if wish is not None:
            self.export_folder = wish.stem.parent
            self._deeds.export(wish.stem, wish.formats, wish.force, wish.options)

    def ask_export(self, name: str, folder: Path) -> ExportRequest | None:
        """The export sheet; None if it was cancelled."""
        export = self._state.export
        dialog = ExportDialog(
            export.formats.value or all_formats(),
            name,
            folder,
            export.chosen.value,
            export.options.value,
            self,
            people=tuple(self._state.people.names.value.values()),
        )
        return dialog.request() if dialog.exec() == ExportDialog.DialogCode.Accepted else None

    def ask_end_batch(self) -> bool:
        """Whether a batch that runs may be ended."""
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("PyMAF Live")
        box.setText("Files are being processed.")
        box.setInformativeText("What is done stays; of the file that runs nothing is kept.")
        end = box.addButton("End it and close", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Go on", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        return box.clickedButton() is end

    # -- what a person does -------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Space pauses unless a focused control wanted it; Esc dismisses or stops recording."""
        key = event.key()
        if key == Qt.Key.Key_Space and self.actions_.pause.isEnabled():
            self.actions_.pause.trigger()
        elif key == Qt.Key.Key_Escape and self._state.message.value is not None:
            self._state.message.set(None)
        elif key == Qt.Key.Key_Escape and (
            self._state.take.value.phase is TakePhase.RECORDING or self._state.takes.counting.value
        ):
            self._deeds.stop_recording()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Accept files from this machine."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Open what was dropped: a file, a folder, or several one after the other."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if not paths:
            return
        event.acceptProposedAction()
        self._deeds.open_files([Path(path) for path in paths])

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Put the keyboard where a person begins."""
        super().showEvent(event)
        self._on_phase_change(self._state.phase.value)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Close; a recording that runs is kept, a batch that runs is asked about."""
        if self._state.batch.running.value and not self.ask_end_batch():
            event.ignore()
            return
        self.hide()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
        super().closeEvent(event)

    # -- what happens -------------------------------------------------------------------------

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
        self.last_choice = source
        self._title(self._state.sources.queue.value)

    def _title(self, queue: FileQueue) -> None:
        source = self._state.source.value
        if source is not None:
            number = f" ({queue.at + 1} of {len(queue.choices)})" if len(queue.choices) > 1 else ""
            self.setWindowTitle(f"{source.title}{number} – PyMAF Live")

    def _fill_menus(self) -> None:
        actions = self.actions_
        self.source_menu = SourceMenu(
            self._state, actions, self.open_choice, self._deeds.find_cameras, self
        )
        self.menuBar().addMenu(self.source_menu)
        take = self.menuBar().addMenu("&Take")
        take.addActions([actions.record, actions.export])
        view = self.menuBar().addMenu("&View")
        view.addActions([actions.pause, actions.loop])
        view.addSeparator()
        view.addAction(actions.panel)
        self._page_menu = view.addMenu("Panel &page")
        self._page_menu.aboutToShow.connect(self._fill_page_menu)
        view.addSeparator()
        view.addActions([actions.skeleton, actions.mirror])
        self.view_menu = view

    def _fill_page_menu(self) -> None:
        self._page_menu.clear()
        for name, title in self.side_panel.page_titles():
            entry = self._page_menu.addAction(title)
            entry.triggered.connect(lambda _=False, name=name: self.side_panel.show_page(name))

    def _connect(self) -> None:
        actions = self.actions_
        actions.open_file.triggered.connect(self.open_file)
        actions.open_folder.triggered.connect(self.open_folder)
        actions.open_address.triggered.connect(self.open_address)
        actions.next_file.triggered.connect(lambda: self._deeds.go_through_files(1))
        actions.previous_file.triggered.connect(lambda: self._deeds.go_through_files(-1))
        actions.demo.triggered.connect(self._play_demo)
        actions.close_source.triggered.connect(self._deeds.close_source)
        actions.quit.triggered.connect(self.close)
        actions.pause.triggered.connect(self._pause_or_go_on)
        actions.record.triggered.connect(self._record_or_stop)
        actions.export.triggered.connect(self.export)
        for number in range(9):
            shortcut = QShortcut(QKeySequence(f"Alt+{number + 1}"), self)
            shortcut.activated.connect(lambda number=number: self.side_panel.show_number(number))
        self.start_page.chosen.connect(self.open_choice)
        self.start_page.file_requested.connect(self.open_file)
        self.start_page.cameras_requested.connect(self._deeds.find_cameras)

    def _last_folder(self) -> str:
        last = self.last_choice
        return str(Path(last.text).parent) if last is not None and last.kind == "file" else ""

    def _play_demo(self) -> None:
        if self._state.demo.value is not None:
            self.open_choice(self._state.demo.value)

    def _pause_or_go_on(self) -> None:
        if self._state.phase.value is Phase.PLAYING:
            self._deeds.pause()
        else:
            self._deeds.go_on()

    def _record_or_stop(self) -> None:
        take = self._state.take.value
        if take.phase is TakePhase.RECORDING:
            self._deeds.stop_recording()
        else:
            self._deeds.record()


def file_choice(path: Path) -> SourceChoice:
    """A file or folder as a source."""
    return SourceChoice("file", str(path), path.name or str(path))


def choice_of(text: str) -> SourceChoice:
    """A source by what `open_source` reads: a camera's number, an address, a path."""
    if is_camera(text):
        return SourceChoice("camera", text, f"Camera {text}")
    if "://" in text:
        return SourceChoice("stream", text, text)
    return file_choice(Path(text))

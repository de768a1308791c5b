"""Batch window: a list of files that are processed one after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ui.state.batch import BatchFile, BatchState, FilePhase
from ui.state.commands import BatchCommands
from ui.state.export import all_formats
from ui.system.screen_fit import fit_to_screen
from ui.widgets.export_form import ExportForm
from ui.widgets.fitting import ContentScroll
from ui.widgets.folders import remember_folder, start_folder
from ui.widgets.formatting import time_left
from ui.widgets.labels import quiet_label
from ui.widgets.message_bar import open_folder

_NAME, _STATE, _PROGRESS, _LINE = range(4)
_NUMBER = Qt.ItemDataRole.UserRole


class BatchWindow(QWidget):
    """Separate window for batch processing; closing it does not stop the batch.

    Parameters
    ----------
    state : BatchState
    commands : BatchCommands
    default_folder : callable
        Returns the initial folder for results.
    filters : str
        File filters of the dialog for adding files.
    open_take : callable
        Opens the take file of a finished row.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: BatchState,
        commands: BatchCommands,
        default_folder: Callable[[], Path],
        filters: str,
        open_take: Callable[[Path], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self._state = state
        self._commands = commands
        self._default_folder = default_folder
        self._filters = filters
        self._open_take = open_take
        self.setWindowTitle("Batch – PyMAF Live")
        self.setObjectName("batch")
        self.setAcceptDrops(True)
        self.list = QTreeWidget()
        self.list.setAccessibleName("Files to process")
        self.list.setHeaderLabels(["File", "State", "Progress", "Result"])
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.list.header()
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Interactive)
        letter = self.fontMetrics().averageCharWidth()
        for column, letters in ((_NAME, 28), (_STATE, 12), (_PROGRESS, 18)):
            self.list.setColumnWidth(column, letters * letter)
        self.empty = quiet_label("Drop videos and images here, or press Add files.")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.add = _button("Add files…", "Add files", self.ask_files)
        self.cancel = _button("Remove", "Cancel or remove the selected files", self._cancel)
        self.again = _button("Retry", "Process the selected files again", self._again)
        self.clear = _button(
            "Clear finished", "Remove finished files from the list", commands.clear
        )
        self.folder = QLineEdit()
        self.folder.setReadOnly(True)
        self.folder.setAccessibleName("Output folder")
        self.browse = _button("Browse…", "Choose the output folder", self.ask_folder)
        self.show_folder = _button("Show", "Show the output folder", self._show_folder)
        self.form = ExportForm(
            all_formats(), state.exports.value, state.options.value, required=False, wide=True
        )
        self.form.changed.connect(self._on_form_change)
        self.overlay = QCheckBox("Write videos and images with the body drawn over them")
        self.overlay.setChecked(state.overlay.value)
        self.overlay.toggled.connect(state.overlay.set)
        self.overlay.toggled.connect(self._update_controls)
        self.force = QCheckBox("Replace existing results")
        self.force.setChecked(state.force.value)
        self.force.toggled.connect(state.force.set)
        self.start = QPushButton()
        self.start.setProperty("role", "primary")
        self.start.setAccessibleName("Start or stop the batch")
        self.start.clicked.connect(self._start_or_stop)
        self.total = quiet_label()
        self.total.setAccessibleName("Progress of the batch")
        self._items: dict[int, QTreeWidgetItem] = {}
        self._lay_out()
        self.list.setMinimumHeight(4 * self.fontMetrics().height())
        self.resize(130 * letter, 44 * self.fontMetrics().height())
        self.list.itemSelectionChanged.connect(self._update_controls)
        self.list.itemActivated.connect(lambda item, _: self._open(item))
        state.files.watch(self._on_files_change)
        state.running.watch(lambda _: self._update_controls())
        state.folder.watch(self._on_folder_change)

    def ask_files(self) -> None:
        """Ask for files and add them."""
        start = start_folder("video")
        paths, _ = QFileDialog.getOpenFileNames(self, "Add files", start, self._filters)
        remember_folder("video", paths[0] if paths else "")
        self._commands.add([Path(path) for path in paths])

    def ask_folder(self) -> bool:
        """Ask for the output folder; return True if one was chosen."""
        start = self._state.folder.value or self._default_folder()
        chosen = QFileDialog.getExistingDirectory(self, "Output folder", str(start))
        if chosen:
            self._state.folder.set(Path(chosen))
        return bool(chosen)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Fit the window to the screen."""
        super().showEvent(event)
        fit_to_screen(self)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Accept local files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Add the dropped files."""
        urls = [url for url in event.mimeData().urls() if url.isLocalFile()]
        if urls:
            event.acceptProposedAction()
            self._commands.add([Path(url.toLocalFile()) for url in urls])

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Cancel or remove the selected files by Del; close the window by Esc."""
        if event.key() == Qt.Key.Key_Delete:
            self._cancel()
        elif event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def selected(self) -> tuple[BatchFile, ...]:
        """Return the selected files."""
        numbers = {item.data(0, _NUMBER) for item in self.list.selectedItems()}
        return tuple(file for file in self._state.files.value if file.number in numbers)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setSpacing(10)
        list_overlay = QVBoxLayout(self.list.viewport())
        list_overlay.addWidget(self.empty)
        column.addWidget(self.list, 1)
        row = QHBoxLayout()
        for widget in (self.add, self.cancel, self.again, self.clear):
            row.addWidget(widget)
        row.addStretch(1)
        column.addLayout(row)
        row = QHBoxLayout()
        label = QLabel("&Output folder")
        label.setBuddy(self.browse)
        row.addWidget(label)
        row.addWidget(self.folder, 1)
        row.addWidget(self.browse)
        row.addWidget(self.show_folder)
        column.addLayout(row)
        options = QWidget()
        inner = QVBoxLayout(options)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.form)
        row = QHBoxLayout()
        row.addWidget(self.overlay)
        row.addWidget(self.force)
        row.addStretch(1)
        inner.addLayout(row)
        column.addWidget(ContentScroll(options))
        row = QHBoxLayout()
        row.addWidget(self.total, 1)
        row.addWidget(self.start)
        column.addLayout(row)

    def _cancel(self) -> None:
        for file in self.selected():
            self._commands.cancel(file.number)

    def _open(self, item: QTreeWidgetItem) -> None:
        """Open the take of a finished row, which has been written as npz."""
        number = item.data(0, _NUMBER)
        for file in self._state.files.value:
            takes = [path for path in file.files if path.suffix == ".npz"]
            if file.number == number and takes:
                self._open_take(takes[0])

    def _again(self) -> None:
        for file in self.selected():
            self._commands.retry(file.number)

    def _show_folder(self) -> None:
        if self._state.folder.value is not None:
            open_folder(self._state.folder.value)

    def _start_or_stop(self) -> None:
        if self._state.running.value:
            self._commands.stop()
        elif self._state.folder.value is not None or self.ask_folder():
            self._commands.start()

    def _on_form_change(self) -> None:
        if not self.form.problem():
            self._state.exports.set(self.form.chosen())
            self._state.options.set(self.form.options())
        self._update_controls()

    def _on_folder_change(self, folder: Path | None) -> None:
        self.folder.setText("" if folder is None else str(folder))
        self.folder.setPlaceholderText("You are asked when the batch starts")
        self.show_folder.setEnabled(folder is not None and folder.is_dir())

    def _on_files_change(self, files: tuple[BatchFile, ...]) -> None:
        numbers = {file.number for file in files}
        for number in [number for number in self._items if number not in numbers]:
            item = self._items.pop(number)
            self.list.takeTopLevelItem(self.list.indexOfTopLevelItem(item))
        for file in files:
            if file.number not in self._items:
                self._add_item(file)
            self._update_item(file, self._items[file.number])
        self.empty.setVisible(not files)
        done = sum(file.phase is FilePhase.DONE for file in files)
        failed = sum(file.phase is FilePhase.FAILED for file in files)
        total = f"{done} of {len(files)} done" if files else ""
        self.total.setText(f"{total}, {failed} failed" if failed else total)
        self._update_controls()

    def _add_item(self, file: BatchFile) -> None:
        item = QTreeWidgetItem([file.name, "", "", ""])
        item.setData(0, _NUMBER, file.number)
        item.setToolTip(_NAME, file.text)
        self.list.addTopLevelItem(item)
        bar = QProgressBar()
        bar.setTextVisible(False)
        self.list.setItemWidget(item, _PROGRESS, bar)
        self._items[file.number] = item

    def _update_item(self, file: BatchFile, item: QTreeWidgetItem) -> None:
        item.setText(_STATE, file.phase.value)
        running = file.phase in (FilePhase.RUNNING, FilePhase.STOPPING)
        left = time_left(file.seconds_left) if file.seconds_left is not None else ""
        activity = "  ".join(text for text in (file.detail, left) if text)
        item.setText(_LINE, activity if running else file.outcome)
        opens = any(path.suffix == ".npz" for path in file.files)
        item.setToolTip(_LINE, file.outcome)
        item.setToolTip(_STATE, "Double-click to open the take" if opens else "")
        bar = self.list.itemWidget(item, _PROGRESS)
        assert isinstance(bar, QProgressBar)
        bar.setAccessibleName(f"Progress of {file.name}")
        # a bar without a maximum is animated: the length is unknown
        bar.setRange(0, 0 if running and file.fraction is None else 1000)
        bar.setValue(round(1000 * (file.fraction or 0.0)))
        bar.setVisible(file.phase is not FilePhase.WAITING)

    def _update_controls(self, *_: object) -> None:
        selected, files = self.selected(), self._state.files.value
        running = self._state.running.value
        busy = any(file.phase in (FilePhase.RUNNING, FilePhase.STOPPING) for file in files)
        self.cancel.setEnabled(any(file.phase is not FilePhase.STOPPING for file in selected))
        self.cancel.setText(
            "Cancel" if any(file.phase is FilePhase.RUNNING for file in selected) else "Remove"
        )
        self.again.setEnabled(
            any(file.phase in (FilePhase.FAILED, FilePhase.STOPPED) for file in selected)
        )
        self.clear.setEnabled(any(file.phase.finished for file in files))
        waiting = any(file.phase is FilePhase.WAITING for file in files)
        has_output = bool(self.form.chosen()) or self.overlay.isChecked()
        self.start.setText("Stop" if running else "Start")
        self.start.setEnabled(running or (waiting and has_output and not self.form.problem()))
        for widget in (self.form, self.overlay, self.force, self.browse):
            widget.setEnabled(not running and not busy)


def _button(text: str, name: str, clicked: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setAccessibleName(name)
    button.setToolTip(name)
    button.clicked.connect(lambda: clicked())
    return button

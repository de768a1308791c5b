"""Dialog for exporting a take: name, folder, formats and their options."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.export.options import ExportOptions
from pymaf_live.settings import ExportSettings
from ui.state.export import export_options, export_settings, file_stems, video_target
from ui.state.observable import Observable
from ui.state.provenance import Provenance
from ui.system.screen_fit import fit_to_screen
from ui.widgets.export_form import ExportForm
from ui.widgets.export_presets import ExportPresets
from ui.widgets.fitting import ContentScroll, FittingDialog

if TYPE_CHECKING:
    from pymaf_live.export.formats import Format


@dataclass(frozen=True)
class ExportRequest:
    """Export that the user asked for."""

    stem: Path
    """Folder and name; each format appends its extension."""
    formats: tuple[str, ...]
    force: bool
    """Replace existing files."""
    options: ExportOptions = field(default_factory=ExportOptions)
    video: bool = False
    """Write a video with the body as well."""
    transparent_video: bool = False
    """The video shows the people alone, on a transparent background."""


class ExportDialog(FittingDialog):
    """Asks for name, folder and formats, and names existing files before they are replaced.

    Parameters
    ----------
    formats : tuple of Format
    name : str
        Initial file name, without extension.
    folder : Path
        Initial folder.
    chosen : tuple of str
        Names of the formats that are checked initially.
    options : ExportOptions, optional
    parent : QWidget, optional
    people : collection of str
        Names of the take's people, which become part of file names.
    several : tuple of str
        Names of the takes where several are exported, each by its own name.
    video : bool
        Initial choice of the video with the body.
    transparent_video : bool
        Initial choice of its background.
    """

    def __init__(
        self,
        formats: tuple[Format, ...],
        name: str,
        folder: Path,
        chosen: tuple[str, ...] = ("bvh", "npz"),
        options: ExportOptions | None = None,
        parent: QWidget | None = None,
        *,
        people: Collection[str] = (),
        several: tuple[str, ...] = (),
        video: bool = False,
        transparent_video: bool = False,
    ) -> None:
        super().__init__(parent)
        self._people = people
        self._several = several
        self.setWindowTitle("Export take")
        self.setMinimumWidth(520)
        self.name = QLineEdit(name)
        self.name.setAccessibleName("File name")
        self.folder = QLineEdit(str(folder))
        self.folder.setAccessibleName("Folder")
        browse = QPushButton("Browse…")
        browse.setAccessibleName("Browse for a folder")
        browse.setAutoDefault(False)
        browse.clicked.connect(self._browse)
        self.form = ExportForm(formats, chosen, options or ExportOptions())
        self._add_video(video, transparent_video)
        self.form.changed.connect(self._on_form_change)
        self.replace = QCheckBox()
        self.note = QLabel()
        self.note.setProperty("role", "secondary")
        self.note.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setIcon(QIcon())
        self.export = QPushButton("Export")
        self.export.setProperty("role", "primary")
        self.export.setDefault(True)
        buttons.addButton(self.export, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)

        content = QWidget()
        grid = QGridLayout(content)
        grid.setContentsMargins(20, 18, 20, 6)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(10)
        for row, (text, line) in enumerate((("&Name", self.name), ("&Folder", self.folder))):
            label = QLabel(text)
            label.setBuddy(line)
            grid.addWidget(label, row, 0)
            grid.addWidget(line, row, 1)
        grid.addWidget(browse, 1, 2)
        for row, widget in enumerate(
            (self.video, self.transparent, self.form, self.note, self.replace), 2
        ):
            grid.addWidget(widget, row, 1, 1, 2)
        self._grid = grid
        grid.setRowStretch(7, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._origin_line())
        column.addWidget(ContentScroll(content), 1)
        buttons.setContentsMargins(20, 6, 20, 16)
        column.addWidget(buttons)
        for line in (self.name, self.folder):
            line.textChanged.connect(self._validate)
        self.replace.toggled.connect(self._validate)
        self.name.selectAll()
        if several:
            self.name.setText(f"{len(several)} takes, each by its name")
            self.name.setEnabled(False)
        self._validate()

    def _origin_line(self) -> QVBoxLayout:
        self.origin = QLabel()
        self.origin.setProperty("role", "secondary")
        self.origin.setWordWrap(True)
        self.origin.setVisible(False)
        self.capture = QPushButton("Capture the whole video instead")
        self.capture.setAutoDefault(False)
        self.capture.setVisible(False)
        origin = QVBoxLayout()
        origin.setContentsMargins(20, 14, 20, 0)
        origin.addWidget(self.origin)
        origin.addWidget(self.capture, 0, Qt.AlignmentFlag.AlignLeft)
        return origin

    def _add_video(self, video: bool, transparent: bool) -> None:
        self.video = QCheckBox("Video with the body (MP4)")
        self.video.setAccessibleName(self.video.text())
        self.video.setToolTip("The images of the take with its people drawn over them")
        self.transparent = QCheckBox("People alone, on a transparent background (MOV)")
        self.transparent.setAccessibleName(self.transparent.text())
        self.transparent.setToolTip("ProRes 4444 with alpha, to be laid over other videos")
        self.transparent.setChecked(transparent)
        self.transparent.toggled.connect(lambda _: self.form.changed.emit())
        self.transparent.setEnabled(video)
        self.video.toggled.connect(self.transparent.setEnabled)
        self.video.toggled.connect(lambda on: self.form.require_format(not on))
        self.video.setChecked(video)

    def request(self) -> ExportRequest:
        """Return the current choice.

        Raises
        ------
        UsageError
            If the frame rate is invalid; the dialog cannot be accepted then.
        """
        chosen, force = self.form.chosen(), self.replace.isChecked()
        video = self.video.isChecked()
        transparent = self.transparent.isChecked()
        return ExportRequest(self._stem(), chosen, force, self.form.options(), video, transparent)

    def show_presets(self, presets: Observable[dict[str, ExportSettings]]) -> None:
        """Offer named choices of formats and options."""
        row = ExportPresets(presets, self._choice, self._choose)
        label = QLabel("&Preset")
        label.setBuddy(row.names)
        self._grid.addWidget(label, 7, 0)
        self._grid.addWidget(row, 7, 1, 1, 2)
        self.presets = row

    def _choice(self) -> ExportSettings | None:
        """Return the current choice as settings; None if the form is not valid."""
        if self.form.problem():
            return None
        return export_settings(
            self.form.chosen(),
            self.form.options(),
            video=self.video.isChecked(),
            transparent_video=self.transparent.isChecked(),
        )

    def _choose(self, settings: ExportSettings) -> None:
        self.form.choose(settings.formats, export_options(settings))
        self.video.setChecked(settings.video)
        self.transparent.setChecked(settings.transparent_video)

    def show_origin(self, origin: Provenance, capture: QAction) -> None:
        """Say how the take came about; offer a capture of the whole video if that is better."""
        self.origin.setText(origin.text)
        self.origin.setVisible(True)
        self.capture.setVisible(origin.sparse and capture.isVisible() and capture.isEnabled())
        self.capture.clicked.connect(self.reject)
        self.capture.clicked.connect(capture.trigger)

    def _stems(self) -> list[Path]:
        folder = Path(self.folder.text()).expanduser()
        return file_stems(folder, self._several) if self._several else [self._stem()]

    def _stem(self) -> Path:
        return Path(self.folder.text()).expanduser() / self.name.text().strip()

    def _validate(self) -> None:
        stem, name = self._stem(), self.name.text().strip()
        problem = ""
        if not self._several and (
            not name or name in (".", "..") or any(c in name for c in '/\\:*?"<>|\0')
        ):
            problem = 'Enter a name without / \\ : * ? " < > |'
        elif not stem.parent.is_dir():
            problem = "The folder does not exist. Choose another one."
        valid = not problem and not self.form.problem()
        replaced = [
            path
            for each in (self._stems() if valid else [])
            for path in existing(each, self.form.chosen_formats(), self._people)
        ]
        if valid and self.video.isChecked():
            transparent = self.transparent.isChecked()
            videos = (video_target(each, transparent=transparent) for each in self._stems())
            replaced += [each for each in videos if each.exists()]
        self.note.setText(problem)
        self.note.setVisible(bool(problem))
        self.replace.setText(f"Replace {', '.join(path.name for path in replaced)}")
        self.replace.setVisible(bool(replaced))
        self.export.setEnabled(valid and (not replaced or self.replace.isChecked()))

    def _on_form_change(self) -> None:
        self._validate()
        if self.isVisible():  # options have appeared or disappeared
            self.adjustSize()
            fit_to_screen(self)

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder", self.folder.text())
        if chosen:
            self.folder.setText(chosen)


def existing(stem: Path, formats: tuple[Format, ...], people: Collection[str] = ()) -> list[Path]:
    """Return the files that an export would replace, including those of further people."""
    return [path for entry in formats for path in entry.existing(stem, people)]

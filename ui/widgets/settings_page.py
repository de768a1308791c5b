"""The panel's page of what a person prefers; everything takes effect at once and is kept."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.motion.smoothing_metrics import Effect
from ui.state.preferences import ThemeName
from ui.state.window import TakePhase, TakeStatus, WindowState

_THEMES: tuple[tuple[ThemeName, str], ...] = (
    ("system", "As the desktop"),
    ("light", "Light"),
    ("dark", "Dark"),
)
_STEPS = 100
_USUAL_FOV = 53.1
"""Degrees along the diagonal of a camera whose focal length is the picture's diagonal."""


class SettingsPage(QWidget):
    """Theme, smoothing with its measured effect, mirror and field of view."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._preferences = state.preferences
        self.theme = QComboBox()
        self.theme.setAccessibleName("Light or dark")
        for name, text in _THEMES:
            self.theme.addItem(text, name)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, _STEPS)
        self.smoothing.setPageStep(_STEPS // 10)
        self.smoothing.setAccessibleName("Smoothing, from snappy to smooth")
        self.smoothing.setToolTip("How much the live motion is smoothed; takes are smoothed better")
        ends = QHBoxLayout()
        ends.addWidget(_quiet("snappy"))
        ends.addStretch(1)
        ends.addWidget(_quiet("smooth"))
        self.jitter = QLabel()
        self.jitter.setAccessibleName("Measured jitter")
        self.delay = QLabel()
        self.delay.setAccessibleName("Measured delay of the smoothing")
        for label in (self.jitter, self.delay):
            label.setWordWrap(True)  # the panel may be narrow
        self.mirror = QCheckBox("Show cameras as a mirror does")
        self.mirror.setAccessibleName("Show cameras as a mirror does")
        self.mirror.setToolTip("Of the view only; what is recorded is never mirrored")
        self.knows_fov = QCheckBox("The camera's field of view is known")
        self.knows_fov.setAccessibleName("The camera's field of view is known")
        self.fov = QDoubleSpinBox()
        self.fov.setMinimumHeight(2 * self.fontMetrics().height())
        self.fov.setRange(10.0, 170.0)
        self.fov.setDecimals(1)
        self.fov.setSuffix("° from corner to corner")
        for control in (self.fov, self.fov.lineEdit()):
            control.setAccessibleName("Field of view in degrees, from corner to corner")
        self.fov_note = _quiet("A field of view that is right makes distances right.")

        column = QVBoxLayout(self)
        column.setSpacing(8)
        above = (_heading("Look"), self.theme, _heading("Smoothing"), self.smoothing)
        camera = (_heading("Camera"), self.mirror, self.knows_fov, self.fov, self.fov_note)
        for part in above:
            column.addWidget(part)
        column.addLayout(ends)
        for below in (self.jitter, self.delay, *camera):
            column.addWidget(below)
        column.addStretch(1)
        self._bind()

    def _bind(self) -> None:
        preferences = self._preferences
        preferences.theme.watch(lambda name: self.theme.setCurrentIndex(self.theme.findData(name)))
        self.theme.activated.connect(lambda _: preferences.theme.set(self.theme.currentData()))
        preferences.smoothing.watch(lambda value: self.smoothing.setValue(round(_STEPS * value)))
        self.smoothing.valueChanged.connect(self._on_slide)
        preferences.effect.watch(self._on_effect_change)
        self._state.mirror_cameras.watch(self.mirror.setChecked)
        self.mirror.toggled.connect(self._on_mirror)
        preferences.fov.watch(self._on_fov_change)
        self.knows_fov.toggled.connect(self._on_knows_fov)
        self.fov.valueChanged.connect(self._on_fov)
        self._state.take.watch(self._on_take_change)

    def _on_slide(self, step: int) -> None:
        # what came from the state and was rounded here must not go back changed
        if step != round(_STEPS * self._preferences.smoothing.value):
            self._preferences.smoothing.set(step / _STEPS)

    def _on_effect_change(self, effect: Effect | None) -> None:
        if effect is None:
            self.jitter.setText("Jitter: measured while somebody is followed")
            self.delay.setText("Delay: measured while somebody moves")
            return
        self.jitter.setText(f"Jitter: {effect.jitter:.1f} mm, of {effect.raw_jitter:.1f} mm")
        late = "measured while somebody moves"
        if effect.delay is not None:
            late = f"{1000 * effect.delay:.0f} ms"
        self.delay.setText(f"Delay: {late}")

    def _on_mirror(self, mirrored: bool) -> None:
        self._state.mirror_cameras.set(mirrored)
        source = self._state.source.value
        if source is not None and source.kind == "camera":
            self._state.mirror.set(mirrored)

    def _on_fov_change(self, fov: float | None) -> None:
        self.knows_fov.setChecked(fov is not None)
        self.fov.setValue(fov if fov is not None else _USUAL_FOV)
        self._allow_fov()

    def _on_knows_fov(self, known: bool) -> None:
        self._preferences.fov.set(self.fov.value() if known else None)

    def _on_fov(self, degrees: float) -> None:
        if self._preferences.fov.value is not None:
            self._preferences.fov.set(degrees)

    def _on_take_change(self, take: TakeStatus) -> None:
        self._allow_fov()

    def _allow_fov(self) -> None:
        # a take has one camera from its beginning to its end
        free = self._state.take.value.phase is not TakePhase.RECORDING
        self.knows_fov.setEnabled(free)
        self.fov.setEnabled(free and self._preferences.fov.value is not None)


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "heading")
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "quiet")
    label.setWordWrap(len(text) > 20)
    return label

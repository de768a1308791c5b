"""Side panel page with the user's settings, which take effect at once and are saved."""

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

from pymaf_live.motion.smoothing_metrics import SmoothingMetrics
from pymaf_live.types import Legs
from ui.state.preferences import ThemeName
from ui.state.window import TakePhase, TakeStatus, WindowState
from ui.widgets.labels import heading, quiet_label

_THEMES: tuple[tuple[ThemeName, str], ...] = (
    ("system", "Same as the desktop"),
    ("light", "Light"),
    ("dark", "Dark"),
)
_LEGS: tuple[tuple[Legs, str], ...] = (
    ("auto", "Automatic"),
    ("standing", "Standing"),
    ("seated", "Seated"),
    ("measured", "As estimated"),
)
_STEPS = 100
_DEFAULT_FOV = 53.1
"""Degrees along the diagonal, for a camera whose focal length is the image's diagonal."""


class SettingsPage(QWidget):
    """Theme, smoothing strength with its measured effect, legs, mirroring and field of view.

    Parameters
    ----------
    state : WindowState
    parent : QWidget, optional
    """

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._preferences = state.preferences
        self.theme = QComboBox()
        self.theme.setAccessibleName("Theme")
        for name, text in _THEMES:
            self.theme.addItem(text, name)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, _STEPS)
        self.smoothing.setPageStep(_STEPS // 10)
        self.smoothing.setAccessibleName("Smoothing strength, from responsive to smooth")
        self.smoothing.setToolTip(
            "Smoothing of the live motion. Takes are smoothed again when they are finished, "
            "without delay."
        )
        self.legs = QComboBox()
        self.legs.setAccessibleName("Pose of legs that are not in the image")
        self.legs.setToolTip(
            "Legs under a desk or below the edge of the image are put into this pose, and the "
            "hips are held. Automatic chooses between standing and seated."
        )
        for choice, text in _LEGS:
            self.legs.addItem(text, choice)
        ends = QHBoxLayout()
        ends.addWidget(quiet_label("Responsive", wrap=False))
        ends.addStretch(1)
        ends.addWidget(quiet_label("Smooth", wrap=False))
        self.jitter = QLabel()
        self.jitter.setAccessibleName("Measured jitter")
        self.delay = QLabel()
        self.delay.setAccessibleName("Measured delay of the smoothing")
        for label in (self.jitter, self.delay):
            label.setWordWrap(True)  # the panel may be narrow
        self.mirror = QCheckBox("Mirror cameras")
        self.mirror.setAccessibleName(self.mirror.text())
        self.mirror.setToolTip("Affects the view only. Recordings are never mirrored.")
        self.knows_fov = QCheckBox("Set the field of view")
        self.knows_fov.setAccessibleName(self.knows_fov.text())
        self.fov = QDoubleSpinBox()
        self.fov.setMinimumHeight(2 * self.fontMetrics().height())
        self.fov.setRange(10.0, 170.0)
        self.fov.setDecimals(1)
        self.fov.setSuffix("° diagonal")
        for control in (self.fov, self.fov.lineEdit()):
            control.setAccessibleName("Diagonal field of view in degrees")
        self.fov_note = quiet_label("Distances are exact only if the field of view is.")

        column = QVBoxLayout(self)
        column.setSpacing(8)
        above = (heading("Theme"), self.theme, heading("Smoothing strength"), self.smoothing)
        camera = (heading("Camera"), self.mirror, self.knows_fov, self.fov, self.fov_note)
        for part in above:
            column.addWidget(part)
        column.addLayout(ends)
        legs = (heading("Legs out of view"), self.legs)
        for below in (self.jitter, self.delay, *legs, *camera):
            column.addWidget(below)
        column.addStretch(1)
        self._bind()

    def _bind(self) -> None:
        preferences = self._preferences
        preferences.theme.watch(lambda name: self.theme.setCurrentIndex(self.theme.findData(name)))
        self.theme.activated.connect(lambda _: preferences.theme.set(self.theme.currentData()))
        preferences.smoothing_strength.watch(
            lambda value: self.smoothing.setValue(round(_STEPS * value))
        )
        self.smoothing.valueChanged.connect(self._on_slide)
        preferences.legs.watch(lambda name: self.legs.setCurrentIndex(self.legs.findData(name)))
        self.legs.activated.connect(lambda _: preferences.legs.set(self.legs.currentData()))
        preferences.smoothing_metrics.watch(self._on_effect_change)
        self._state.mirror_cameras.watch(self.mirror.setChecked)
        self.mirror.toggled.connect(self._on_mirror)
        preferences.fov.watch(self._on_fov_change)
        self.knows_fov.toggled.connect(self._on_knows_fov)
        self.fov.valueChanged.connect(self._on_fov)
        self._state.take.watch(self._on_take_change)

    def _on_slide(self, step: int) -> None:
        # a value of the state that was rounded for the slider must not be written back
        if step != round(_STEPS * self._preferences.smoothing_strength.value):
            self._preferences.smoothing_strength.set(step / _STEPS)

    def _on_effect_change(self, effect: SmoothingMetrics | None) -> None:
        if effect is None:
            self.jitter.setText("Jitter: measured while a person is tracked")
            self.delay.setText("Delay: measured while a person moves")
            return
        self.jitter.setText(
            f"Jitter: {effect.jitter:.1f} mm ({effect.raw_jitter:.1f} mm before smoothing)"
        )
        delay = "measured while a person moves"
        if effect.delay is not None:
            delay = f"{1000 * effect.delay:.0f} ms"
        self.delay.setText(f"Delay: {delay}")

    def _on_mirror(self, mirrored: bool) -> None:
        self._state.mirror_cameras.set(mirrored)
        source = self._state.source.value
        if source is not None and source.kind == "camera":
            self._state.mirror.set(mirrored)

    def _on_fov_change(self, fov: float | None) -> None:
        self.knows_fov.setChecked(fov is not None)
        self.fov.setValue(fov if fov is not None else _DEFAULT_FOV)
        self._enable_fov()

    def _on_knows_fov(self, known: bool) -> None:
        self._preferences.fov.set(self.fov.value() if known else None)

    def _on_fov(self, degrees: float) -> None:
        if self._preferences.fov.value is not None:
            self._preferences.fov.set(degrees)

    def _on_take_change(self, take: TakeStatus) -> None:
        self._enable_fov()

    def _enable_fov(self) -> None:
        # a take has one camera throughout
        recording = self._state.take.value.phase is TakePhase.RECORDING
        self.knows_fov.setEnabled(not recording)
        self.fov.setEnabled(not recording and self._preferences.fov.value is not None)

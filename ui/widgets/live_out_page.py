"""Live streaming of motion: side panel page and status indicator."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.errors import UsageError
from pymaf_live.streaming import Address, parse_address
from ui.state.commands import LiveOutCommands
from ui.state.live_out import LiveOutPhase, LiveOutState, LiveOutStatus
from ui.widgets.confirmation import confirm
from ui.widgets.formatting import sentence
from ui.widgets.labels import quiet_label

_ABOUT = (
    "Streams the motion live over VMC (OSC over UDP) to Unity, Unreal, Blender and VTuber "
    "programs. Set the receiving program to the port below."
)


class LiveOutPage(QWidget):
    """Side panel page "Live out".

    Parameters
    ----------
    state : LiveOutState
    commands : LiveOutCommands
    parent : QWidget, optional
    """

    def __init__(
        self, state: LiveOutState, commands: LiveOutCommands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._commands = commands
        about = quiet_label(_ABOUT)
        self.address = QLineEdit(state.address.value)
        self.address.setAccessibleName("Address and port to send to")
        self.address.setToolTip("Host and port, for example 127.0.0.1:39539 for this computer")
        label = QLabel("Se&nd to")
        label.setBuddy(self.address)
        self.switch = QPushButton()
        self.switch.setCheckable(True)
        self.switch.setAccessibleName("Live out")
        self.indicator = StreamIndicator(state)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setProperty("role", "error")
        self.problem.setAccessibleName("Problem with live out")
        self.origin = QPushButton("Set origin here")
        self.origin.setAccessibleName("Set the origin at the person's current position")
        self.origin.setToolTip("Place the avatar at the origin of the receiving program")
        self.origin.clicked.connect(self._commands.set_origin)

        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addWidget(about)
        column.addWidget(label)
        column.addWidget(self.address)
        column.addWidget(self.problem)
        row = QHBoxLayout()
        row.addWidget(self.switch)
        row.addWidget(self.indicator, 1)
        column.addLayout(row)
        column.addWidget(self.origin)
        column.addStretch(1)

        self.address.textChanged.connect(state.address.set)
        self.address.returnPressed.connect(self._enter)
        self.switch.clicked.connect(self.toggle)
        state.address.watch(self._on_address_change)
        state.status.watch(self._on_status_change)

    def toggle(self) -> None:
        """Start or stop streaming; ask first if the motion would leave this computer."""
        if self._state.status.value.on:
            self._commands.stop()
        elif self._may_send():
            self._commands.start()
        self._on_status_change(self._state.status.value)

    def ask_network(self, address: Address) -> bool:
        """Ask whether motion may be sent to another computer; return True if it may."""
        return confirm(
            self,
            f"Send the motion over the network to {address}?",
            "VMC is not encrypted: other computers on the network can read it. "
            "You are asked once per address.",
            accept="Send",
            reject="Cancel",
            title="Live out",
            destructive=False,
        )

    def _may_send(self) -> bool:
        if self._state.agreed_address is not None:
            return True
        try:
            address = parse_address(self._state.address.value)
        except UsageError:
            return True  # `start` reports the problem
        allowed = self._state.allowed
        if not self.ask_network(address):
            return False
        allowed.set(allowed.value | {str(address)})
        return True

    def _enter(self) -> None:
        if self.switch.isEnabled() and not self._state.status.value.on:
            self.toggle()

    def _on_address_change(self, text: str) -> None:
        if text != self.address.text():
            self.address.setText(text)
        self._validate()

    def _on_status_change(self, status: LiveOutStatus) -> None:
        self.switch.setChecked(status.on)
        self.switch.setText("Stop sending" if status.on else "Start sending")
        self.address.setEnabled(not status.on)
        self.origin.setEnabled(status.phase is LiveOutPhase.SENDING)
        self._validate()

    def _validate(self) -> None:
        status = self._state.status.value
        problem = status.error
        if not status.on:
            try:
                parse_address(self._state.address.value)
            except UsageError as error:
                problem = sentence(str(error))
            self.switch.setEnabled(not problem or problem == status.error)
        else:
            self.switch.setEnabled(True)
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))


class StreamIndicator(QLabel):
    """Coloured dot and text: off, connecting, waiting for people, or sending at a rate.

    Parameters
    ----------
    state : LiveOutState
    brief : bool
        For the status bar: hidden while streaming is off.
    parent : QWidget, optional
    """

    def __init__(
        self, state: LiveOutState, *, brief: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._brief = brief
        self.setWordWrap(not brief)
        state.status.watch(self._on_status_change)

    def _on_status_change(self, status: LiveOutStatus) -> None:
        text = {
            LiveOutPhase.OFF: "Off",
            LiveOutPhase.OPENING: f"Connecting to {status.address}…",
            LiveOutPhase.WAITING: "On, no people detected",
            LiveOutPhase.SENDING: f"Sending {status.rate:.0f} poses/s",
        }[status.phase]
        if status.error and status.on:
            text = "On, but sending fails"
        self.setText(f"● Live out: {text[:1].lower()}{text[1:]}" if self._brief else f"● {text}")
        self.setAccessibleName(f"Live out: {text}")
        self.setToolTip(f"VMC to {status.address}" if status.on else "")
        lit = {LiveOutPhase.SENDING: "on", LiveOutPhase.OFF: "off"}.get(status.phase, "waiting")
        light = "bad" if status.error and status.on else lit
        if self.property("light") != light:
            self.setProperty("light", light)
            self.style().unpolish(self)  # a changed property does not restyle the widget by itself
            self.style().polish(self)
        if self._brief:
            self.setVisible(status.on)

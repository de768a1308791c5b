"""Live streaming of motion: side panel page and status indicator."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.errors import UsageError
from pymaf_live.streaming import PROTOCOLS, Address
from pymaf_live.types import StreamProtocol
from ui.state.commands import LiveOutCommands
from ui.state.live_out import LiveOutPhase, LiveOutState, LiveOutStatus
from ui.widgets.confirmation import confirm
from ui.widgets.formatting import sentence
from ui.widgets.labels import quiet_label

_ABOUT = "Streams the motion live to other programs, as long as it is switched on here."
_RECEIVERS: Mapping[StreamProtocol, str] = MappingProxyType(
    {
        "vmc": "Unity, Unreal, Blender and VTuber programs with a VMC receiver. Set the receiver "
        "to the port below.",
        "vrchat": "VRChat, with OSC switched on in its action menu.",
        "live_link": "Unreal with the plugin JSONLiveLink: add its source in the Live Link window.",
        "web": "Pages in a browser on this computer; they only see the motion.",
    }
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
        self.protocol = QComboBox()
        self.protocol.setAccessibleName("Protocol")
        for name, info in PROTOCOLS.items():
            self.protocol.addItem(info.title, name)
        self.purpose = quiet_label("")
        self.show_page = QPushButton("Open in the browser")
        self.show_page.setAccessibleName(self.show_page.text())
        self.show_page.clicked.connect(
            lambda: QDesktopServices.openUrl(QUrl(self._state.status.value.url))
        )
        self.address = QLineEdit(state.address.value)
        self.address.setAccessibleName("Address and port to send to")
        self.address.setToolTip("Host and port, for example 127.0.0.1:39539 for this computer")
        label = QLabel("Addr&ess")
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
        column.addWidget(self.protocol)
        column.addWidget(self.purpose)
        column.addWidget(label)
        column.addWidget(self.address)
        column.addWidget(self.problem)
        row = QHBoxLayout()
        row.addWidget(self.switch)
        row.addWidget(self.indicator, 1)
        column.addLayout(row)
        column.addWidget(self.show_page)
        column.addWidget(self.origin)
        column.addStretch(1)

        state.protocol.watch(self._on_protocol_change)
        self.protocol.activated.connect(lambda _: self._choose(self.protocol.currentData()))
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
            "The motion is not encrypted: other computers on the network can read it. "
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
            address = self._state.target().address
        except UsageError:
            return True  # `start` reports the problem
        allowed = self._state.allowed
        if not self.ask_network(address):
            return False
        allowed.set(allowed.value | {str(address)})
        return True

    def _choose(self, protocol: StreamProtocol) -> None:
        """Choose a protocol; an address with the usual port of the old one gets the new one's."""
        state = self._state
        if protocol == state.protocol.value:
            return
        usual = PROTOCOLS[state.protocol.value].port
        with suppress(UsageError):
            address = state.target().address
            if address.port == usual:
                state.address.set(str(replace(address, port=PROTOCOLS[protocol].port)))
        state.protocol.set(protocol)

    def _on_protocol_change(self, protocol: StreamProtocol) -> None:
        self.protocol.setCurrentIndex(self.protocol.findData(protocol))
        self.purpose.setText(_RECEIVERS[protocol])
        self._validate()

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
        self.protocol.setEnabled(not status.on)
        self.show_page.setVisible(bool(status.url))
        self.origin.setEnabled(status.phase is LiveOutPhase.SENDING)
        self._validate()

    def _validate(self) -> None:
        status = self._state.status.value
        problem = status.error
        if not status.on:
            try:
                self._state.target()
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
        lost = f", {status.lost} lost" if status.lost else ""
        text = {
            LiveOutPhase.OFF: "Off",
            LiveOutPhase.OPENING: f"Connecting to {status.address}…",
            LiveOutPhase.WAITING: "On, no people detected",
            LiveOutPhase.SENDING: f"Sending {status.rate:.0f} poses/s{lost}",
        }[status.phase]
        if status.error and status.on:
            text = "On, but sending fails"
        self.setText(f"● Live out: {text[:1].lower()}{text[1:]}" if self._brief else f"● {text}")
        self.setAccessibleName(f"Live out: {text}")
        self.setToolTip(status.address if status.on else "")
        lit = {LiveOutPhase.SENDING: "on", LiveOutPhase.OFF: "off"}.get(status.phase, "waiting")
        light = "bad" if status.error and status.on else lit
        if self.property("light") != light:
            self.setProperty("light", light)
            self.style().unpolish(self)  # a changed property does not restyle the widget by itself
            self.style().polish(self)
        if self._brief:
            self.setVisible(status.on)

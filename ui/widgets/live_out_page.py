"""Live out: a switch, an address, and a light that shows it running."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.errors import UsageError
from pymaf_live.streaming import Address, parse_address
from ui.state.live_out import LiveOutPhase, LiveOutState, LiveOutStatus

_ABOUT = (
    "Sends the motion while it happens, as VMC (OSC over UDP), to Unity, Unreal, Blender and "
    "VTuber programs. Have the program receive VMC on the port below."
)


class LiveOutDeeds(Protocol):
    """What the page asks for."""

    def start(self) -> None:
        """Stream to the state's address."""

    def stop(self) -> None:
        """Send nothing more."""

    def set_origin(self) -> None:
        """Make the place where the person stands now the receiver's origin."""


class LiveOutPage(QWidget):
    """A page for the side panel."""

    def __init__(
        self, state: LiveOutState, deeds: LiveOutDeeds, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._deeds = deeds
        about = QLabel(_ABOUT)
        about.setProperty("role", "quiet")
        about.setWordWrap(True)
        self.address = QLineEdit(state.address.value)
        self.address.setAccessibleName("Address and port to send to")
        self.address.setToolTip("Such as 127.0.0.1:39539 (this machine), or another machine's")
        label = QLabel("Send &to")
        label.setBuddy(self.address)
        self.switch = QPushButton()
        self.switch.setCheckable(True)
        self.switch.setAccessibleName("Live out")
        self.light = StreamIndicator(state)
        self.complaint = QLabel()
        self.complaint.setWordWrap(True)
        self.complaint.setProperty("role", "complaint")
        self.complaint.setAccessibleName("What is wrong with live out")
        self.origin = QPushButton("Set the origin here")
        self.origin.setAccessibleName("Set the origin where the person stands now")
        self.origin.setToolTip("The avatar then stands at the receiver's origin, on its ground")
        self.origin.clicked.connect(self._deeds.set_origin)

        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addWidget(about)
        column.addWidget(label)
        column.addWidget(self.address)
        column.addWidget(self.complaint)
        row = QHBoxLayout()
        row.addWidget(self.switch)
        row.addWidget(self.light, 1)
        column.addLayout(row)
        column.addWidget(self.origin)
        column.addStretch(1)

        self.address.textChanged.connect(state.address.set)
        self.address.returnPressed.connect(self._enter)
        self.switch.clicked.connect(self.toggle)
        state.address.watch(self._on_address_change)
        state.status.watch(self._on_status_change)

    def toggle(self) -> None:
        """Switch it on or off, asking first where motion would leave this machine."""
        if self._state.status.value.on:
            self._deeds.stop()
        elif self._may_send():
            self._deeds.start()
        self._on_status_change(self._state.status.value)

    def ask_network(self, address: Address) -> bool:
        """Whether a person's motion may go to another machine."""
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Live out")
        box.setText(f"Send the motion over the network to {address}?")
        box.setInformativeText(
            "Everybody on the way there can read it: VMC is not encrypted. "
            "This is asked once for each address."
        )
        send = box.addButton("Send", QMessageBox.ButtonRole.AcceptRole)
        keep = box.addButton("Do not send", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        return box.clickedButton() is send

    def _may_send(self) -> bool:
        if self._state.agreed_address is not None:
            return True
        try:
            address = parse_address(self._state.address.value)
        except UsageError:
            return True  # `start` says what is wrong with it
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
        self._judge()

    def _on_status_change(self, status: LiveOutStatus) -> None:
        self.switch.setChecked(status.on)
        self.switch.setText("Stop sending" if status.on else "Start sending")
        self.address.setEnabled(not status.on)
        self.origin.setEnabled(status.phase is LiveOutPhase.SENDING)
        self._judge()

    def _judge(self) -> None:
        status = self._state.status.value
        complaint = status.complaint
        if not status.on:
            try:
                parse_address(self._state.address.value)
            except UsageError as error:
                complaint = str(error)[:1].upper() + str(error)[1:] + "."
            self.switch.setEnabled(not complaint or complaint == status.complaint)
        else:
            self.switch.setEnabled(True)
        self.complaint.setText(complaint)
        self.complaint.setVisible(bool(complaint))


class StreamIndicator(QLabel):
    """One line with a coloured dot: off, waiting for somebody, sending so many poses a second.

    Parameters
    ----------
    state : LiveOutState
    brief : bool
        For the status line: nothing at all while it is off.
    """

    def __init__(
        self, state: LiveOutState, *, brief: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._brief = brief
        self.setWordWrap(not brief)
        state.status.watch(self._on_status_change)

    def _on_status_change(self, status: LiveOutStatus) -> None:
        words: dict[LiveOutPhase, Callable[[], str]] = {
            LiveOutPhase.OFF: lambda: "Off",
            LiveOutPhase.OPENING: lambda: f"Looking for {status.address}…",
            LiveOutPhase.WAITING: lambda: "On, nobody to send",
            LiveOutPhase.SENDING: lambda: f"Sending {status.rate:.0f} a second",
        }
        text = words[status.phase]()
        if status.complaint and status.on:
            text = "On, but nothing gets out"
        self.setText(f"● Live out: {text[:1].lower()}{text[1:]}" if self._brief else f"● {text}")
        self.setAccessibleName(f"Live out: {text}")
        self.setToolTip(f"VMC to {status.address}" if status.on else "")
        lit = {LiveOutPhase.SENDING: "on", LiveOutPhase.OFF: "off"}.get(status.phase, "waiting")
        light = "bad" if status.complaint and status.on else lit
        if self.property("light") != light:
            self.setProperty("light", light)
            self.style().unpolish(self)  # a changed property does not restyle by itself
            self.style().polish(self)
        if self._brief:
            self.setVisible(status.on)

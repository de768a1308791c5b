"""Live streaming from the window to a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from websockets.sync.client import connect

from pymaf_live.body import default_body
from pymaf_live.streaming.humanoid import BONES
from tests.streaming.vmc_receiver import PARENTS, VmcReceiver, world
from tests.ui.conftest import OpenWindow
from ui.app import WindowParts
from ui.state.live_out import LiveOutPhase
from ui.state.window import SourceChoice, TakePhase, WindowState
from ui.system.settings_binding import SettingsBinding

pytestmark = pytest.mark.window


@pytest.fixture
def receiver() -> Iterator[VmcReceiver]:
    opened = VmcReceiver()
    yield opened
    opened.close()


def open_page(parts: WindowParts, qtbot: QtBot) -> None:
    parts.window.side_panel.show_page("live_out")
    qtbot.waitUntil(parts.tools_feature.live_out_page.isVisible)


def write_address(parts: WindowParts, qtbot: QtBot, text: str) -> None:
    field = parts.tools_feature.live_out_page.address
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, text)


def test_motion_arrives_at_the_receiver(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, receiver: VmcReceiver
) -> None:
    parts = open_window(each=0.02)
    open_page(parts, qtbot)
    page, status = parts.tools_feature.live_out_page, parts.state.live_out.status
    assert page.indicator.text() == "● Off"
    assert not parts.tools_feature.indicator.isVisible()
    write_address(parts, qtbot, f"127.0.0.1:{receiver.port}")
    qtbot.mouseClick(page.switch, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: status.value.phase is LiveOutPhase.WAITING)
    assert not page.address.isEnabled()
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: status.value.phase is LiveOutPhase.SENDING, timeout=15_000)
    assert "Sending" in page.indicator.text()
    assert parts.tools_feature.indicator.isVisible()
    assert 5 < status.value.rate < 40
    receiver.wait(lambda: len(receiver.bones) == len(PARENTS))
    result = parts.state.result.value
    assert result is not None
    person = result.people[0]
    # relative to the hips, which sway while the packets travel
    places, names = world(receiver.bones), default_body().joint_names
    for name, joint in BONES.items():
        expected = -(person.joints[names.index(joint)] - person.joints[0])
        assert np.linalg.norm(places[name] - places["Hips"] - expected) < 1e-3
    qtbot.mouseClick(page.switch, Qt.MouseButton.LeftButton)
    assert status.value.phase is LiveOutPhase.OFF
    assert not parts.tools_feature.indicator.isVisible()
    qtbot.wait(200)
    count = len(receiver.packets)
    qtbot.wait(300)
    assert len(receiver.packets) == count
    assert receiver.messages[-2] == ("/VMC/Ext/OK", (1, 3, 0, 0))


def test_the_stream_continues_across_sources_and_during_a_recording(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, receiver: VmcReceiver
) -> None:
    parts = open_window()
    parts.state.live_out.address.set(f"localhost:{receiver.port}")
    parts.tools_feature.live_out.trigger()
    status = parts.state.live_out.status
    for _ in range(2):
        parts.window.open_choice(clip)
        qtbot.waitUntil(lambda: status.value.phase is LiveOutPhase.SENDING, timeout=15_000)
        parts.controller.recording.record()
        count = len(receiver.packets)
        qtbot.waitUntil(lambda: parts.state.take.value.rows > 5, timeout=15_000)
        qtbot.waitUntil(lambda sent=count: len(receiver.packets) > sent, timeout=15_000)
        parts.controller.recording.stop()
        assert parts.state.take.value.phase is TakePhase.READY
        parts.controller.sources.close()
        qtbot.waitUntil(lambda: status.value.phase is LiveOutPhase.WAITING, timeout=15_000)
    parts.tools_feature.live_out.trigger()
    assert not parts.tools_feature.live_out.isChecked()


def test_another_protocol_is_chosen_and_a_page_is_served(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice
) -> None:
    parts = open_window(each=0.02)
    open_page(parts, qtbot)
    page, state = parts.tools_feature.live_out_page, parts.state.live_out

    def choose(protocol: str) -> None:
        page.protocol.setCurrentIndex(page.protocol.findData(protocol))
        page.protocol.activated.emit(page.protocol.currentIndex())

    choose("vrchat")
    assert state.address.value == "127.0.0.1:9000"
    assert "VRChat" in page.purpose.text()
    choose("web")
    assert state.address.value == "127.0.0.1:39580"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        state.address.set(f"127.0.0.1:{taken.getsockname()[1]}")
        choose("vmc")
        choose("web")  # a port of the user's own is kept
        page.switch.click()
        qtbot.waitUntil(lambda: bool(state.status.value.error))
        assert "Cannot listen" in page.problem.text()
        assert not state.status.value.on
    page.switch.click()
    qtbot.waitUntil(lambda: state.status.value.on and page.show_page.isVisible())
    assert not page.protocol.isEnabled()
    url = state.status.value.url
    with connect(url.replace("http://", "ws://").replace("/?", "/stream?")) as client:
        parts.window.open_choice(clip)
        qtbot.waitUntil(lambda: state.status.value.phase is LiveOutPhase.SENDING, timeout=15_000)
        assert '"hello"' in str(client.recv(timeout=5))
        assert '"people"' in str(client.recv(timeout=5))
        page.switch.click()
    assert not page.show_page.isVisible()


def test_an_invalid_address_is_reported_while_typing(open_window: OpenWindow, qtbot: QtBot) -> None:
    parts = open_window()
    open_page(parts, qtbot)
    page = parts.tools_feature.live_out_page
    write_address(parts, qtbot, "127.0.0.1:70000")
    assert not page.switch.isEnabled()
    assert "1 to 65535" in page.problem.text()
    write_address(parts, qtbot, "127.0.0.1:39539")
    assert page.switch.isEnabled()
    assert not page.problem.isVisible()


def test_an_unknown_host_is_reported_in_one_line(open_window: OpenWindow, qtbot: QtBot) -> None:
    parts = open_window()
    open_page(parts, qtbot)
    page, state = parts.tools_feature.live_out_page, parts.state.live_out
    state.allowed.set(frozenset({"no-such-host.invalid:39539"}))
    state.address.set("no-such-host.invalid:39539")
    page.switch.click()
    qtbot.waitUntil(lambda: bool(state.status.value.error), timeout=20_000)
    assert state.status.value.phase is LiveOutPhase.OFF
    assert not page.switch.isChecked()
    assert page.problem.isVisible()
    assert "no-such-host.invalid" in page.problem.text()


def test_the_user_is_asked_once_for_each_other_machine(
    open_window: OpenWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pymaf_live.settings.settings_path", lambda: tmp_path / "settings.toml")
    parts = open_window()
    page, state = parts.tools_feature.live_out_page, parts.state.live_out
    asked: list[str] = []

    def answer(agreed: bool) -> None:
        monkeypatch.setattr(
            page, "ask_network", lambda address: asked.append(str(address)) or agreed
        )

    state.address.set("192.0.2.7:39539")  # reserved for documentation (RFC 5737)
    answer(False)
    page.switch.click()
    assert asked == ["192.0.2.7:39539"]
    assert not state.status.value.on
    assert not page.switch.isChecked()
    answer(True)
    page.switch.click()
    qtbot.waitUntil(lambda: state.status.value.on)
    page.switch.click()
    page.switch.click()
    assert state.status.value.on
    assert len(asked) == 2
    page.switch.click()
    SettingsBinding().save(parts.state)
    again = WindowState()
    SettingsBinding().apply(again)
    assert again.live_out.address.value == "192.0.2.7:39539"
    assert again.live_out.agreed_address == "192.0.2.7:39539"
    again.live_out.address.set("192.0.2.8:39539")
    assert again.live_out.agreed_address is None


def test_closing_the_window_notifies_the_receiver(
    open_window: OpenWindow, qtbot: QtBot, clip: SourceChoice, receiver: VmcReceiver
) -> None:
    parts = open_window()
    parts.state.live_out.address.set(f"127.0.0.1:{receiver.port}")
    parts.tools_feature.live_out.trigger()
    parts.window.open_choice(clip)
    qtbot.waitUntil(lambda: bool(receiver.bones), timeout=15_000)
    assert parts.window.close()
    receiver.wait(lambda: receiver.messages[-2] == ("/VMC/Ext/OK", (1, 3, 0, 0)))

"""VRChat trackers, Live Link's JSON and web pages, checked by receivers of their own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body
from pymaf_live.errors import OutputError, UsageError
from pymaf_live.streaming import PROTOCOLS, Address, StreamTarget
from pymaf_live.streaming.humanoid import BONES
from pymaf_live.streaming.live_link import SUBJECT, LiveLinkStream
from pymaf_live.streaming.vrchat import TRACKERS, VrchatStream, unity_euler
from pymaf_live.streaming.web import WebStream
from pymaf_live.takes.legs import UNSEEN_JOINTS
from pymaf_live.types import Person
from tests.streaming.test_vmc import make_person, rest_rotations, result_with
from tests.streaming.vmc_receiver import messages


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture
def port() -> Iterator[socket.socket]:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(5)
    yield receiver
    receiver.close()


@pytest.fixture
def web(body: Body) -> Iterator[WebStream]:
    made = WebStream(body, Address("127.0.0.1", 0))
    yield made
    made.close()


def address_of(receiver: socket.socket) -> Address:
    return Address("127.0.0.1", receiver.getsockname()[1])


def random_person(body: Body) -> Person:
    rotations = Rotation.random(body.joint_count, np.random.default_rng(5)).as_matrix()
    return make_person(body, rotations, (0.4, -0.1, 3.0))


def joint(body: Body, person: Person, bone: str) -> np.ndarray:
    return np.asarray(person.joints[body.joint_names.index(BONES[bone])])


def trackers(packet: bytes) -> dict[str, np.ndarray]:
    return {address: np.array(values) for address, values in messages(packet)}


def test_vrchat_receives_eight_trackers_and_the_head(body: Body, port: socket.socket) -> None:
    person = random_person(body)
    stream = VrchatStream(body, address_of(port))
    stream.send(result_with(person))
    found = trackers(port.recv(65536))
    kinds = ("position", "rotation")
    expected = {f"/tracking/trackers/{name}/{kind}" for name in TRACKERS for kind in kinds}
    assert set(found) == expected
    assert {len(values) for values in found.values()} == {3}
    hips = found["/tracking/trackers/1/position"]
    for name, bone in TRACKERS.items():
        # all of the camera's axes are negated; the origin shifts every tracker alike
        offset = -(joint(body, person, bone) - joint(body, person, "Hips"))
        assert found[f"/tracking/trackers/{name}/position"] - hips == pytest.approx(
            offset, abs=1e-4
        )
    assert stream.sent == 1
    stream.close()


def test_a_person_who_turns_to_their_left_has_a_negative_yaw_in_vrchat(
    body: Body, port: socket.socket
) -> None:
    """Unity is left-handed: a positive angle about y turns to the right."""
    stream = VrchatStream(body, address_of(port))
    rotations = rest_rotations(body)
    stream.send(result_with(make_person(body, rotations)))
    facing = trackers(port.recv(65536))
    assert facing["/tracking/trackers/head/rotation"] == pytest.approx([0, 0, 0], abs=1e-3)
    assert facing["/tracking/trackers/head/position"][1] > 1.2  # metres above the ground
    rotations[0] = rotations[0] @ Rotation.from_euler("y", 30, degrees=True).as_matrix()
    stream.send(result_with(make_person(body, rotations)))
    turned = trackers(port.recv(65536))
    assert turned["/tracking/trackers/1/rotation"] == pytest.approx([0, -30, 0], abs=1e-3)
    assert turned["/tracking/trackers/3/position"][0] < turned["/tracking/trackers/4/position"][0]
    stream.close()


def test_unity_angles_rebuild_the_rotation() -> None:
    for rotation in Rotation.random(50, np.random.default_rng(1)):
        x, y, z = unity_euler(rotation.as_matrix())
        again = Rotation.from_euler("YXZ", [y, x, z], degrees=True)
        assert (again.inv() * rotation).magnitude() < 1e-6
    up = Rotation.from_euler("YXZ", [40, 90, 10], degrees=True)
    x, y, z = unity_euler(up.as_matrix())
    assert (Rotation.from_euler("YXZ", [y, x, z], degrees=True).inv() * up).magnitude() < 1e-6


def test_legs_that_are_not_seen_are_left_to_vrchat(body: Body, port: socket.socket) -> None:
    person = random_person(body)
    score = np.array(person.joint_score)
    score[[body.joint_names.index(name) for name in UNSEEN_JOINTS]] = 0
    stream = VrchatStream(body, address_of(port))
    stream.send(result_with(replace(person, joint_score=score)))
    names = {address.split("/")[3] for address in trackers(port.recv(65536))}
    assert names == {"1", "2", "7", "8", "head"}
    stream.send(result_with())  # no one: nothing is sent
    port.settimeout(0.2)
    with pytest.raises(TimeoutError):
        port.recv(65536)
    stream.close()


def test_live_link_rebuilds_the_joints_in_unreals_frame(body: Body, port: socket.socket) -> None:
    person = random_person(body)
    stream = LiveLinkStream(body, address_of(port))
    stream.send(result_with(person))
    content = json.loads(port.recv(65536))
    assert list(content) == [SUBJECT]
    places: list[np.ndarray] = []
    turns: list[Rotation] = []
    for number, bone in enumerate(content[SUBJECT]):
        assert set(bone) == {"Name", "Parent", "Location", "Rotation", "Scale"}
        assert bone["Scale"] == [1, 1, 1]
        assert bone["Parent"] < number
        place, turn = np.array(bone["Location"]), Rotation.from_quat(bone["Rotation"])
        if bone["Parent"] >= 0:
            parent = bone["Parent"]
            place, turn = places[parent] + turns[parent].apply(place), turns[parent] * turn
        places.append(place)
        turns.append(turn)
    assert [bone["Name"] for bone in content[SUBJECT]][:2] == ["pelvis", "spine_01"]
    for number, bone in enumerate(BONES):
        x, y, z = joint(body, person, bone) - joint(body, person, "Hips")
        # cm; x forward (towards the camera), y right (the camera's left), z up
        assert places[number] - places[0] == pytest.approx(100 * np.array([-z, -x, -y]), abs=0.05)
    stream.close()


def receive_for_ever(client: Any, send: Callable[[], None]) -> None:
    for _ in range(50):
        send()
        client.recv(timeout=5)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_page_needs_the_token(web: WebStream) -> None:
    base = f"http://127.0.0.1:{web.address.port}"
    with urllib.request.urlopen(web.url, timeout=5) as response:
        page = response.read().decode()
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<canvas" in page
    assert "http://" not in page.replace("http://www.w3.org", "")  # nothing from elsewhere
    for wrong in ("/", "/?token=", "/?token=x", "/?token=%ff", "/stream?token=x"):
        assert status_of(base + wrong) == 403
    assert status_of(web.url.replace("/?", "/other?")) == 404


def test_a_client_receives_every_person_and_is_not_obeyed(body: Body, web: WebStream) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    person = random_person(body)
    url = web.url.replace("http://", "ws://").replace("/?", "/stream?")
    with connect(url, compression=None) as client:
        hello = json.loads(client.recv(timeout=5))
        assert (hello["type"], hello["version"]) == ("hello", 1)
        assert hello["joint_names"] == list(body.joint_names)
        client.send('{"type": "delete everything"}')
        web.send(result_with(person, replace(person, id=2)))
        frame = json.loads(client.recv(timeout=5))
        assert [each["id"] for each in frame["people"]] == [1, 2]
        joints = np.array(frame["people"][0]["joints"])
        expected = (person.joints - person.joints[0]) * [1, -1, -1]
        assert joints - joints[0] == pytest.approx(expected, abs=2e-4)
        assert joints[:, 1].min() > -0.2  # stands on the ground
        turn = Rotation.from_quat(frame["people"][0]["rotations"][0]).as_matrix()
        assert turn == pytest.approx(np.diag([1, -1, -1]) @ person.rotations[0], abs=1e-4)
        client.send("x" * 5000)
        with pytest.raises(ConnectionClosed):
            receive_for_ever(client, lambda: web.send(result_with(person)))
    assert web.sent >= 1
    assert web.failure == ""


def test_malformed_requests_end_only_their_own_connection(body: Body, web: WebStream) -> None:
    target = ("127.0.0.1", web.address.port)
    request = b"GET /?token=\xff\xfe HTTP/1.1\r\n\r\n"
    for junk in (b"\0" * 200, b"GET", request, b"\x16\x03\x01" * 9):
        with socket.create_connection(target, timeout=5) as client:
            client.sendall(junk)
    web.send(result_with(random_person(body)))
    assert status_of(web.url) == 200


def test_a_slow_page_loses_frames_and_holds_up_no_one(body: Body, web: WebStream) -> None:
    from websockets.sync.client import connect

    url = web.url.replace("http://", "ws://").replace("/?", "/stream?")
    result = result_with(random_person(body))
    with connect(url, compression=None, max_queue=1) as client:
        client.recv(timeout=5)
        start = time.monotonic()
        for _ in range(200):
            web.send(result)
        assert time.monotonic() - start < 5
        numbers = 0
        deadline = time.monotonic() + 5
        while web.sent + web.lost < 200 and time.monotonic() < deadline:
            client.recv(timeout=5)
            numbers += 1
        assert web.lost > 0


def test_closing_ends_the_connections_within_two_seconds(body: Body) -> None:
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    stream = WebStream(body, Address("127.0.0.1", 0))
    with connect(stream.url.replace("http://", "ws://").replace("/?", "/stream?")) as client:
        client.recv(timeout=5)
        start = time.monotonic()
        stream.close()
        stream.close()
        assert time.monotonic() - start < 2
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=5)
    names = [thread.name for thread in threading.enumerate()]
    assert not any("web stream" in name for name in names)


def test_a_taken_port_and_another_computer_are_refused_in_one_line(
    body: Body, web: WebStream
) -> None:
    with pytest.raises(OutputError, match="Cannot listen at") as caught:
        WebStream(body, web.address)
    assert "\n" not in str(caught.value)
    for host in ("0.0.0.0", "192.0.2.1", "studio-pc"):
        with pytest.raises(UsageError, match="this computer only"):
            WebStream(body, Address(host, 39580))


def test_targets_have_the_usual_port_of_their_protocol() -> None:
    for protocol, info in PROTOCOLS.items():
        target = StreamTarget.parse(protocol, "localhost")
        assert target.address == Address("localhost", info.port)
        assert info.title in str(target)
    assert len({info.port for info in PROTOCOLS.values()}) == len(PROTOCOLS)
    with pytest.raises(UsageError):
        StreamTarget.parse("vrchat", "localhost:0")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_the_page_draws_the_body_in_a_browser(body: Body, web: WebStream) -> None:
    stop = threading.Event()
    person = make_person(body, rest_rotations(body))

    def stream() -> None:
        while not stop.wait(0.03):
            web.send(result_with(person))

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        # the browser's time runs ahead of the clock while it waits: on a busy machine one visit
        # may end before the socket is connected
        for milliseconds in (4000, 15000, 60000):
            done = subprocess.run(
                ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                 f"--virtual-time-budget={milliseconds}", "--dump-dom", web.url],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            if "1 people" in done.stdout:
                break
    finally:
        stop.set()
        thread.join()
    assert "1 people" in done.stdout, done.stdout[-500:] + done.stderr[-500:]

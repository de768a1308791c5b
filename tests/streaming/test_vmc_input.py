"""Head and hands that other trackers send over VMC."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body
from pymaf_live.errors import OutputError
from pymaf_live.streaming import Address, TrackerMerger, VmcInput
from pymaf_live.streaming.humanoid import Humanoid
from pymaf_live.streaming.osc_reader import read_osc
from pymaf_live.types import Camera, FrameResult, Person
from tests.streaming.test_vmc import make_person, rest_rotations, result_with

CAMERA = Camera.for_frame((1280, 720))


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture
def listening() -> Iterator[VmcInput]:
    made = VmcInput(Address("127.0.0.1", 0))
    yield made
    made.close()


def padded(text: str) -> bytes:
    data = text.encode()
    return data + b"\0" * (4 - len(data) % 4)


def bone(name: str, turn: Rotation) -> bytes:
    numbers = struct.pack(">7f", 0.1, 0.2, 0.3, *turn.as_quat())
    return padded("/VMC/Ext/Bone/Pos") + padded(",sfffffff") + padded(name) + numbers


def bundle(*parts: bytes) -> bytes:
    return b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", len(p)) + p for p in parts)


def send(target: VmcInput, *packets: bytes) -> None:
    before = target.received
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in packets:
            sender.sendto(packet, ("127.0.0.1", target.address.port))
    deadline = time.monotonic() + 5
    while target.received == before and time.monotonic() < deadline:
        time.sleep(0.005)
    assert target.received > before


def frame(person: Person, seconds: float) -> FrameResult:
    result = result_with(person)
    return replace(result, frame=replace(result.frame, time=seconds), camera=CAMERA)


def streamed(body: Body, person: Person, name: str) -> Rotation:
    pose = Humanoid(body).pose(person, np.zeros(3))
    return Rotation.from_quat(pose.rotations[pose.names.index(name)])


def test_head_and_hands_come_from_the_tracker(body: Body, listening: VmcInput) -> None:
    merger = TrackerMerger(body, [listening])
    rotations = Rotation.random(body.joint_count, np.random.default_rng(2)).as_matrix()
    person = make_person(body, rotations)
    nod, wave = Rotation.from_euler("x", 0.5), Rotation.from_euler("zy", [0.7, -0.2])
    merger.merge(frame(person, 0.0))
    send(listening, bundle(bone("Head", nod), bone("LeftHand", wave), bone("Hips", wave)))
    merged = merger.merge(frame(person, 1.0)).people[0]
    assert (streamed(body, merged, "Head").inv() * nod).magnitude() < 1e-4
    assert (streamed(body, merged, "LeftHand").inv() * wave).magnitude() < 1e-4
    for other in ("Hips", "Neck", "RightHand", "LeftLowerArm", "LeftFoot"):
        turn = streamed(body, merged, other).inv() * streamed(body, person, other)
        assert turn.magnitude() < 1e-5, other
    wrist, pelvis = (body.joint_names.index(name) for name in ("left_wrist", "pelvis"))
    assert merged.joints[[wrist, pelvis]] == pytest.approx(person.joints[[wrist, pelvis]])
    assert merged.joints_2d.shape == (body.joint_count, 2)


def test_the_first_tracker_has_priority_and_the_camera_takes_over_smoothly(
    body: Body, listening: VmcInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = VmcInput(Address("127.0.0.1", 0))
    merger = TrackerMerger(body, [listening, second])
    person = make_person(body, rest_rotations(body))
    left, right = Rotation.from_euler("y", 0.6), Rotation.from_euler("y", -0.6)
    try:
        merger.merge(frame(person, 0.0))
        send(second, bone("Head", right))
        shown = merger.merge(frame(person, 1.0)).people[0]
        assert (streamed(body, shown, "Head").inv() * right).magnitude() < 1e-4
        send(listening, bone("Head", left))
        shown = merger.merge(frame(person, 2.0)).people[0]
        assert (streamed(body, shown, "Head").inv() * left).magnitude() < 1e-4
        now = time.monotonic() + 1.0
        monkeypatch.setattr("pymaf_live.streaming.vmc_input.time.monotonic", lambda: now)
        angles = [
            streamed(body, merger.merge(frame(person, 2 + 0.05 * k)).people[0], "Head").magnitude()
            for k in range(1, 8)
        ]
        assert angles[0] == pytest.approx(0.8 * 0.6, abs=0.02)
        assert np.abs(np.diff([0.6, *angles])).max() < 0.13
        assert angles[-1] < 1e-3
    finally:
        second.close()


def test_malformed_packets_are_skipped(body: Body, listening: VmcInput) -> None:
    good = bone("Head", Rotation.from_euler("x", 0.3))
    nested = good
    for _ in range(200):
        nested = bundle(nested)
    nan = padded("/VMC/Ext/Bone/Pos") + padded(",sfffffff") + padded("Head")
    random = np.random.default_rng(4)
    junk = [random.integers(0, 256, 40, dtype=np.uint8).tobytes() for _ in range(300)]
    cut = [good[:end] for end in range(len(good))]
    wrong = [
        b"", b"#bundle\0", bundle(good)[:-3], b"#bundle\0" + bytes(8) + b"\x7f\xff\xff\xff", nested,
        nan + struct.pack(">7f", *[float("nan")] * 7), nan + bytes(28),
        padded("/VMC/Ext/Bone/Pos") + padded(",") + bytes(4),
        padded("/VMC/Ext/Bone/Pos") + padded(",ssssssss") + padded("Head") * 8,
    ]  # fmt: skip
    for packet in (*junk, *cut, *wrong):
        list(read_osc(packet))
    send(listening, *wrong, *cut[::7], *junk[:50], good)
    assert listening.received == 1
    assert listening.rotation("Head") == pytest.approx(Rotation.from_euler("x", 0.3).as_quat())
    assert listening.rotation("LeftHand") is None


def test_a_taken_port_is_reported_in_one_line(listening: VmcInput) -> None:
    for address in (listening.address, Address("192.0.2.1", 39540)):
        with pytest.raises(OutputError, match="Cannot listen at") as caught:
            VmcInput(address)
        assert "\n" not in str(caught.value)

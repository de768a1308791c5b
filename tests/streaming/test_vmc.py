"""VMC streaming, checked by an independent receiver over a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, default_body, pose_joints
from pymaf_live.errors import OutputError, UsageError
from pymaf_live.streaming import Address, VmcStream, parse_address
from pymaf_live.streaming.humanoid import BONES, Humanoid
from pymaf_live.types import Frame, FrameResult, Person
from tests.streaming.vmc_receiver import PARENTS, VmcReceiver, world

UPRIGHT = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture
def receiver() -> Iterator[VmcReceiver]:
    made = VmcReceiver()
    yield made
    made.close()


@pytest.fixture
def stream(body: Body, receiver: VmcReceiver) -> Iterator[VmcStream]:
    made = VmcStream(body, Address("127.0.0.1", receiver.port))
    yield made
    made.close()


def make_person(
    body: Body,
    rotations: np.ndarray,
    translation: tuple[float, float, float] = (0.3, -0.2, 3.5),
    shape: np.ndarray | None = None,
    number: int = 1,
) -> Person:
    shape = np.zeros(body.shape_count) if shape is None else shape
    joints = pose_joints(body, rotations, shape, np.array(translation))
    return Person(
        id=number,
        rotations=rotations,
        shape=shape,
        translation=np.array(translation),
        joints=joints,
        joints_2d=np.zeros((body.joint_count, 2)),
        box=np.zeros(4),
        score=0.9,
        joint_score=np.ones(body.joint_count),
    )


def rest_rotations(body: Body) -> np.ndarray:
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = UPRIGHT
    return rotations


def result_with(*people: Person) -> FrameResult:
    frame = Frame(0, 0.0, np.zeros((4, 4, 3), np.uint8))
    return FrameResult(frame, people)


def rotations_of(receiver: VmcReceiver) -> dict[str, Rotation]:
    return {name: Rotation.from_quat(values[3:]) for name, values in receiver.bones.items()}


def test_a_receiver_rebuilds_the_joints_to_a_millimetre(
    body: Body, stream: VmcStream, receiver: VmcReceiver
) -> None:
    random = np.random.default_rng(7)
    rotations = Rotation.random(body.joint_count, random).as_matrix()
    shape = random.normal(0, 1.5, body.shape_count)
    first = make_person(body, rotations, (0.4, -0.1, 3.0), shape)
    second = make_person(body, rotations[::-1].copy(), (-0.5, 0.1, 4.0), shape)
    stream.send(result_with(first))
    receiver.wait(lambda: len(receiver.bones) == len(PARENTS))
    before = world(dict(receiver.bones))
    count = len(receiver.packets)
    stream.send(result_with(second))
    receiver.wait(lambda: len(receiver.packets) >= count + 2)
    receiver.wait(lambda: sum(m[1][0] == "RightToes" for m in receiver.messages) == 2)
    after = world(dict(receiver.bones))
    # camera (x right, y down, z forward) to Unity (left-handed, y up) negates all three axes; the
    # origin, set with the first person, shifts both alike
    expected = {name: -first.joints[body.joint_names.index(joint)] for name, joint in BONES.items()}
    shift = before["Hips"] - expected["Hips"]
    for name, joint in BONES.items():
        number = body.joint_names.index(joint)
        assert np.linalg.norm(before[name] - (-first.joints[number] + shift)) < 1e-3
        assert np.linalg.norm(after[name] - (-second.joints[number] + shift)) < 1e-3


def test_a_strict_t_pose_is_sent_as_identity_rotations(
    body: Body, stream: VmcStream, receiver: VmcReceiver
) -> None:
    rotations = rest_rotations(body)
    person = make_person(body, rotations)
    # the body's rest pose differs from a T-pose in its limbs only: straighten them
    names = body.joint_names
    turns = {name: np.eye(3) for name in names}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for upper, lower, direction in (
            ("shoulder", "elbow", [sign, 0, 0]),
            ("elbow", "wrist", [sign, 0, 0]),
            ("hip", "knee", [0, -1, 0]),
            ("knee", "ankle", [0, -1, 0]),
        ):
            rest = pose_joints(body, np.tile(np.eye(3), (len(names), 1, 1)), person.shape)
            bone = rest[names.index(f"{side}_{lower}")] - rest[names.index(f"{side}_{upper}")]
            turn, _ = Rotation.align_vectors([direction], [bone])
            turns[f"{side}_{upper}"] = turn.as_matrix()
    for number, name in enumerate(names):
        if number:
            parent = turns[names[body.parents[number]]]
            rotations[number] = parent.T @ turns[name]
    stream.send(result_with(make_person(body, rotations)))
    receiver.wait(lambda: len(receiver.bones) == len(PARENTS))
    for name, turn in rotations_of(receiver).items():
        assert turn.magnitude() < 1e-5, name
    places = world(receiver.bones)
    # left at -x, facing +z, standing on the ground at the origin
    assert places["LeftHand"][0] < -0.5 < 0.5 < places["RightHand"][0]
    assert places["LeftHand"][1] == pytest.approx(places["LeftUpperArm"][1], abs=1e-6)
    assert places["LeftToes"][2] > places["LeftFoot"][2] + 0.05
    assert places["Hips"][[0, 2]] == pytest.approx([0, 0], abs=1e-6)
    assert 0 < places["LeftToes"][1] < 0.12
    assert places["Head"][1] > 1.2


def test_a_raised_left_forearm_follows_the_sign_convention_of_unity(
    body: Body, stream: VmcStream, receiver: VmcReceiver
) -> None:
    stream.send(result_with(make_person(body, rest_rotations(body))))
    receiver.wait(lambda: len(receiver.bones) == len(PARENTS))
    rest = world(dict(receiver.bones))
    rotations = rest_rotations(body)
    elbow = body.joint_names.index("left_elbow")
    # counter-clockwise about the body's +z (towards the camera): a hand at +x rises
    rotations[elbow] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    stream.send(result_with(make_person(body, rotations)))
    receiver.wait(lambda: sum(m[1][0] == "RightToes" for m in receiver.messages) == 2)
    places, turns = world(receiver.bones), rotations_of(receiver)
    assert places["LeftHand"][1] > rest["LeftHand"][1] + 0.2
    assert places["LeftHand"][0] == pytest.approx(rest["LeftLowerArm"][0], abs=0.02)
    # Unity's left arm points to -x, so raising it is a rotation by -90 degrees about z, up to the
    # difference between the resting arm and the strict T-pose
    assert turns["LeftLowerArm"].as_rotvec(degrees=True) == pytest.approx([0, 0, -90], abs=4)


def test_status_time_and_root_are_sent_beside_the_bones(
    body: Body, stream: VmcStream, receiver: VmcReceiver
) -> None:
    stream.send(result_with())
    receiver.wait(lambda: len(receiver.messages) == 2)
    assert receiver.messages[0] == ("/VMC/Ext/OK", (1, 3, 0, 0))
    assert receiver.bones == {}
    stream.send(result_with(make_person(body, rest_rotations(body))))
    receiver.wait(lambda: len(receiver.bones) == len(PARENTS))
    assert ("/VMC/Ext/OK", (1, 3, 0, 1)) in receiver.messages
    times = [values[0] for address, values in receiver.messages if address == "/VMC/Ext/T"]
    assert 0 <= times[0] < times[1] < 5
    assert receiver.root == ("root", 0, 0, 0, 0, 0, 0, 1)
    assert max(map(len, receiver.packets)) <= 1472  # UDP payload of an Ethernet frame
    assert stream.sent == 1
    assert stream.failure == ""


def test_another_person_is_streamed_only_after_the_first_has_left(
    body: Body, stream: VmcStream, receiver: VmcReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    clock = [now]
    monkeypatch.setattr("pymaf_live.streaming.streamed_person.time.monotonic", lambda: clock[0])
    one = make_person(body, rest_rotations(body), (0.0, 0.0, 3.0), number=1)
    two = make_person(body, rest_rotations(body), (1.0, 0.0, 3.0), number=2)

    def hips_after(*people: Person) -> float:
        before = len(receiver.messages)
        stream.send(result_with(*people))
        receiver.wait(lambda: len(receiver.messages) >= before + (25 if people else 2))
        return receiver.bones["Hips"][0]

    assert hips_after(one, two) == pytest.approx(0, abs=1e-5)
    assert hips_after(two, one) == pytest.approx(0, abs=1e-5)
    clock[0] += 0.5
    before = len(receiver.messages)
    stream.send(result_with(two))  # the first may come back
    receiver.wait(lambda: len(receiver.messages) == before + 2)
    clock[0] += 1.5
    assert hips_after(two) == pytest.approx(-1, abs=1e-5)
    stream.set_origin()
    assert hips_after(two) == pytest.approx(0, abs=1e-5)


def test_only_the_selected_person_is_streamed(
    body: Body, stream: VmcStream, receiver: VmcReceiver
) -> None:
    one = make_person(body, rest_rotations(body), (0.0, 0.0, 3.0), number=1)
    two = make_person(body, rest_rotations(body), (1.0, 0.0, 3.0), number=2)
    stream.send(result_with(one, two))
    receiver.wait(lambda: "Hips" in receiver.bones)
    assert receiver.bones["Hips"][0] == pytest.approx(0, abs=1e-5)
    stream.select_person(2)
    stream.send(result_with(one, two))
    receiver.wait(lambda: receiver.bones["Hips"][0] < -0.5)
    assert receiver.bones["Hips"][0] == pytest.approx(-1, abs=1e-5)
    sent = stream.sent
    stream.send(result_with(one))
    assert stream.sent == sent
    stream.select_person(None)
    stream.send(result_with(one))
    assert stream.sent == sent + 1


def test_a_body_without_some_joints_streams_its_other_bones(body: Body) -> None:
    """The rotation of an omitted joint is applied to the bone below it."""
    names = tuple("else" if name == "spine2" else name for name in body.joint_names)
    humanoid = Humanoid(replace(body, joint_names=names))
    assert "Chest" not in humanoid.names
    rotations = Rotation.random(body.joint_count, np.random.default_rng(3)).as_matrix()
    person = make_person(body, rotations)
    pose = humanoid.pose(person, np.zeros(3))
    known: dict[str, tuple[np.ndarray, Rotation]] = {}
    for name, place, quaternion in zip(pose.names, pose.positions, pose.rotations, strict=True):
        parent = PARENTS[name]
        parent = "Spine" if parent == "Chest" else parent
        turn = Rotation.from_quat(quaternion)
        if parent is not None:
            place = known[parent][0] + known[parent][1].apply(place)
            turn = known[parent][1] * turn
        known[name] = (place, turn)
        joint = body.joint_names.index(BONES[name])
        assert np.linalg.norm(place + person.joints[joint]) < 1e-3


def test_sending_never_raises(body: Body, stream: VmcStream) -> None:
    stream.close()
    stream.send(result_with(make_person(body, rest_rotations(body))))
    assert stream.sent == 0
    stream.close()


def test_an_unknown_host_is_reported_at_the_start(body: Body) -> None:
    with pytest.raises(OutputError, match=r"no-such-host\.invalid"):
        VmcStream(body, parse_address("no-such-host.invalid:39539"))


def test_a_pose_takes_a_fraction_of_a_frame(body: Body, stream: VmcStream) -> None:
    person = result_with(make_person(body, rest_rotations(body)))
    stream.send(person)
    best = min(_seconds(lambda: stream.send(person)) for _ in range(20))
    assert best < 0.005


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:39539", "127.0.0.1", 39539, True),
        (" localhost:1 ", "localhost", 1, True),
        ("localhost", "localhost", 39539, True),
        (":40000", "127.0.0.1", 40000, True),
        ("[::1]:65535", "::1", 65535, True),
        ("::1", "::1", 39539, True),
        ("[fe80::2]", "fe80::2", 39539, False),
        ("192.168.0.20:39540", "192.168.0.20", 39540, False),
        ("studio-pc.local:39539", "studio-pc.local", 39539, False),
    ],
)
def test_common_forms_of_addresses_are_parsed(
    text: str, host: str, port: int, loopback: bool
) -> None:
    address = parse_address(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1:"),
        *("127.0.0:39539", "300.0.0.1:5", "a b:39539", "http://host:1", "-host:1"),
        *("[::1", "1:2:3", "x" * 400),
    ],
)
def test_an_invalid_address_is_reported_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)

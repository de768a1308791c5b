"""Journal of a recording: content, crash safety, names, and older files."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError
from pymaf_live.takes.journal import Smoothing, TakeJournal, read_journal, summarize_journal
from pymaf_live.takes.people import names_of, people_of
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, Frame, FrameResult, Person, SourceFacts
from tests.helpers.take import (
    SIZE,
    make_take,
    moving_limbs,
    people_by_frame,
    standing,
    walking_past,
)

FACTS = SourceFacts("video", "dance.mp4", SIZE, Fraction(25), None, None, live=False)
ROW_COLUMNS = ("frame", "person", "pose", "shape", "translation", "joints", "joints_2d", "box",
               "score", "joint_score", "predicted")  # fmt: skip


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def two_people(body: Body) -> Take:
    times = np.arange(700) / 25
    return make_take(
        body,
        times,
        {1: moving_limbs(body, times), 2: standing(body, 300)},
        {1: walking_past(times), 2: walking_past(times[:300], 1.0)},
        frames={1: np.arange(700), 2: np.arange(200, 500)},
    )


@pytest.fixture(scope="module")
def results(body: Body, two_people: Take) -> list[FrameResult]:
    """60 frames of person 1; no person in frame 7."""
    people = people_by_frame(two_people)[:60]
    return [result(i / 25, each if i != 7 else ()) for i, each in enumerate(people)]


def result(
    time: float,
    people: tuple[Person, ...] = (),
    raw: tuple[Person, ...] | None = None,
    size: tuple[int, int] = SIZE,
) -> FrameResult:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    camera = Camera.for_frame(size, fov=60)
    return FrameResult(Frame(0, time, image), people, people if raw is None else raw, camera)


def recorded(
    path: Path,
    body: Body,
    results: list[FrameResult],
    facts: SourceFacts = FACTS,
    smoothing: Smoothing = "offline",
) -> TakeJournal:
    journal = TakeJournal(path, body, facts, model="lite 1", smoothing=smoothing)
    for each in results:
        assert journal.add(each)
    return journal


def test_take_written_to_a_journal_is_read_back_unchanged(
    body: Body, two_people: Take, tmp_path: Path
) -> None:
    people = people_by_frame(two_people)
    frames = [
        result(float(time), each) for time, each in zip(two_people.frame_time, people, strict=True)
    ]
    journal = recorded(tmp_path / "a.journal", body, frames, smoothing="live")
    assert (journal.frames, journal.rows) == (700, 1000)
    assert journal.seconds == pytest.approx(699 / 25)
    journal.close()
    content = read_journal(tmp_path / "a.journal")
    assert content.complete
    assert content.smoothing == content.take.smoothing == "live"
    take = content.take
    np.testing.assert_array_equal(take.frame_time, two_people.frame_time)
    for name in ROW_COLUMNS:
        expected = getattr(two_people, name)
        if expected.dtype == np.float64:
            assert getattr(take, name).dtype == np.float32
        np.testing.assert_allclose(
            getattr(take, name), expected, rtol=1e-5, atol=2e-6, err_msg=name
        )
    assert (take.source, take.model) == ("dance.mp4", "lite 1")
    assert (take.frame_rate, take.frame_size) == (25, SIZE)
    assert take.joint_names == body.joint_names
    assert take.focal_length == Camera.for_frame(SIZE, fov=60).focal_length
    assert take.file_time is None
    assert take.picture_camera is None


def test_offline_smoothing_stores_the_measured_people(
    body: Body, two_people: Take, tmp_path: Path
) -> None:
    people = people_by_frame(two_people)
    frame = result(0.0, people[0], raw=people[9])
    expected: list[tuple[Smoothing, Person]] = [
        ("offline", people[9][0]),
        ("live", people[0][0]),
        ("off", people[0][0]),
    ]
    for smoothing, person in expected:
        path = tmp_path / f"{smoothing}.journal"
        recorded(path, body, [frame], smoothing=smoothing).close()
        content = read_journal(path)
        assert content.smoothing == smoothing
        # 'offline' is still to be done
        assert content.take.smoothing == ("live" if smoothing == "live" else "off")
        np.testing.assert_allclose(content.take.translation[0], person.translation, rtol=1e-6)


def test_frames_without_people_keep_their_time(body: Body, tmp_path: Path) -> None:
    recorded(tmp_path / "a.journal", body, [result(time) for time in (0.0, 0.5, 0.7)]).close()
    take = read_journal(tmp_path / "a.journal").take
    assert take.frame_time.tolist() == [0.0, 0.5, 0.7]
    assert len(take.frame) == 0
    assert take.joints.shape == (0, body.joint_count, 3)


def test_frame_that_is_not_later_is_skipped(body: Body, tmp_path: Path) -> None:
    journal = recorded(tmp_path / "a.journal", body, [result(1.0)])
    assert not journal.add(result(1.0))
    assert not journal.add(result(0.2))
    assert journal.frames == 1
    journal.close()


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(30000, 1001), Fraction(15)])
def test_unknown_rate_is_measured(body: Body, tmp_path: Path, rate: Fraction) -> None:
    random = np.random.default_rng(0)
    frames = [result(index / float(rate) + random.choice([0, 1e-6])) for index in range(101)]
    facts = replace(FACTS, frame_rate=None)
    recorded(tmp_path / "a.journal", body, frames, facts).close()
    assert read_journal(tmp_path / "a.journal").take.frame_rate == rate


def test_frame_of_another_size_is_refused(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    journal = recorded(tmp_path / "a.journal", body, results[:3])
    with pytest.raises(InputError, match="1280x720 to 160x90"):
        journal.add(result(9.0, size=(160, 90)))
    journal.close()


def test_times_in_a_looping_file_are_kept(body: Body, tmp_path: Path) -> None:
    frames = [
        replace(each, frame=replace(each.frame, file_time=(index % 3) / 25))
        for index, each in enumerate(result(i / 25) for i in range(6))
    ]
    recorded(tmp_path / "a.journal", body, frames).close()
    take = read_journal(tmp_path / "a.journal").take
    assert take.file_time is not None
    np.testing.assert_array_equal(take.file_time, np.array([0, 1, 2, 0, 1, 2]) / 25)


def test_separate_images_keep_their_names_and_cameras(body: Body, tmp_path: Path) -> None:
    sizes = [(64, 48), (30, 90), (64, 48)]
    facts = SourceFacts("images", "album", None, None, None, None, live=False)
    frames = []
    for index, size in enumerate(sizes):
        each = result(float(index), size=size)
        frames.append(replace(each, frame=replace(each.frame, name=f"{index} ü.jpg")))
    recorded(tmp_path / "a.journal", body, frames, facts, "live").close()
    content = read_journal(tmp_path / "a.journal")
    assert content.smoothing == "off"
    take = content.take
    assert take.picture_name == ("0 ü.jpg", "1 ü.jpg", "2 ü.jpg")
    assert take.picture_camera is not None
    assert take.picture_camera[:, :2].tolist() == [list(size) for size in sizes]
    focal = [Camera.for_frame(size, fov=60).focal_length for size in sizes]
    np.testing.assert_array_equal(take.picture_camera[:, 2], focal)
    assert take.frame_size == sizes[0]


def test_every_frame_is_on_disk_before_the_next_arrives(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    journal = TakeJournal(tmp_path / "a.journal", body, FACTS)
    for count, each in enumerate(results[:5], 1):
        journal.add(each)
        assert len(read_journal(tmp_path / "a.journal").take.frame_time) == count
    assert not read_journal(tmp_path / "a.journal").complete
    journal.close()


def test_memory_does_not_grow_with_the_recording(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    journal = recorded(tmp_path / "a.journal", body, results)
    people = results[0].people
    image = np.zeros((0, 0, 3), np.uint8)
    camera = results[0].camera
    tracemalloc.start()
    before = 0
    for index in range(60, 4060):
        journal.add(FrameResult(Frame(index, index / 25, image), people, people, camera))
        if index == 100:
            before = tracemalloc.get_traced_memory()[0]
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    journal.close()
    # 4000 rows take 3.5 MB in the file
    assert (tmp_path / "a.journal").stat().st_size > 3_000_000
    assert after - before < 100_000


@pytest.mark.parametrize("lost", [1, 9, 500, 2000])
def test_torn_end_loses_only_the_torn_frames(
    body: Body, results: list[FrameResult], tmp_path: Path, lost: int
) -> None:
    path = tmp_path / "a.journal"
    recorded(path, body, results).close()
    content = path.read_bytes()[:-8]  # without the end mark
    path.write_bytes(content[:-lost])
    torn = read_journal(path)
    assert not torn.complete
    count = len(torn.take.frame_time)
    assert 60 - 1 - lost // 1000 <= count < 60
    np.testing.assert_array_equal(torn.take.frame_time, np.arange(count) / 25)


def test_reading_stops_at_a_damaged_frame(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    path = tmp_path / "a.journal"
    recorded(path, body, results).close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)
    assert 20 < len(read_journal(path).take.frame_time) < 40


def test_journal_of_an_earlier_version_is_smoothed_offline(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    """Earlier versions always smoothed offline, and numbered people from 0."""
    path = tmp_path / "a.journal"
    journal = recorded(path, body, results)
    journal.set_names({1: "Ann"})
    journal.close()
    content = path.read_bytes()
    signature, head = b"PyMAF Live journal 1\n", struct.Struct("<II")
    length, _ = head.unpack_from(content, len(signature))
    start = len(signature) + head.size
    facts = json.loads(content[start : start + length])
    assert facts.pop("smoothing") == "offline"
    assert facts.pop("first_person") == 1
    first = json.dumps(facts).encode()
    header = head.pack(len(first), zlib.crc32(first))
    path.write_bytes(signature + header + first + content[start + length :])
    old = read_journal(path)
    assert old.smoothing == "offline"
    assert len(old.take.frame_time) == 60
    assert people_of(old.take) == (2,)
    assert names_of(old.take) == {2: "Ann"}


def test_the_last_names_count(body: Body, results: list[FrameResult], tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    journal = recorded(path, body, results[:3])
    journal.set_names({1: "Ann", 7: "Not in the take"})
    for each in results[3:20]:
        journal.add(each)
    # known even if the program ends here
    torn = read_journal(path)
    assert not torn.complete
    assert names_of(torn.take) == {1: "Ann"}
    journal.set_names({1: "Änn  Lee"})
    journal.close()
    take = read_journal(path).take
    assert names_of(take) == {1: "Änn Lee"}
    assert len(take.frame_time) == 20
    assert (summarize_journal(path).frames, summarize_journal(path).rows) == (20, 19)
    assert summarize_journal(path).seconds == pytest.approx(19 / 25)
    # a removed name
    other = recorded(tmp_path / "b.journal", body, results[:3])
    other.set_names({1: "Ann"})
    other.set_names({})
    other.close()
    assert names_of(read_journal(tmp_path / "b.journal").take) == {}


def test_damaged_names_lose_only_the_names(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    path = tmp_path / "a.journal"
    journal = recorded(path, body, results[:3])
    for text in (b"", b"{", b'{"names": {"-1": "x"}}', b'{"names": {"1": 5}}', b"\xff" * 80):
        journal._records.append(struct.pack("<d", float("nan")) + text)
    journal.add(results[3])
    journal.close()
    take = read_journal(path).take
    assert len(take.frame_time) == 4
    assert names_of(take) == {}


@pytest.mark.parametrize("content", [b"", b"no journal at all", b"PyMAF Live journal 1\n"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_journal(path)
    assert "\n" not in str(caught.value)


def test_journal_without_frames_is_an_input_error(body: Body, tmp_path: Path) -> None:
    recorded(tmp_path / "a.journal", body, []).close()
    with pytest.raises(InputError, match="no frame arrived"):
        read_journal(tmp_path / "a.journal")

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError
from pymaf_live.takes import TakeRecorder, people_by_frame
from pymaf_live.takes.journal import TakeJournal, in_use, read_journal, summary_of_journal
from pymaf_live.takes.library import JOURNAL, StoredTake, TakeLibrary
from pymaf_live.takes.people import names_of
from pymaf_live.takes.pictures import LONGEST_SIDE, CopiedPictures, PictureCopy, small_jpeg
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, Frame, FrameResult, SourceFacts
from tests.helpers.take import SIZE, make_take, moving_limbs, walking_past

FACTS = SourceFacts("video", "dance.mp4", SIZE, Fraction(25), None, None, live=False)
ROWS = ("frame", "person", "pose", "shape", "translation", "joints", "joints_2d", "box", "score",
        "joint_score", "predicted", "frame_time")  # fmt: skip


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def results(body: Body) -> list[FrameResult]:
    times = np.arange(60) / 25
    take = make_take(
        body,
        times,
        {1: moving_limbs(body, times)},
        {1: walking_past(times)},
        frames={1: np.arange(60)},
    )
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    camera = Camera.for_frame(SIZE, fov=60)
    return [
        FrameResult(Frame(index, float(time), image), (), people if index != 7 else (), camera)
        for index, (time, people) in enumerate(zip(times, people_by_frame(take), strict=True))
    ]


def recorded(path: Path, body: Body, results: list[FrameResult]) -> TakeJournal:
    journal = TakeJournal(path, body, FACTS, model="lite 1")
    for result in results:
        assert journal.add(result)
    return journal


def test_a_journal_gives_the_take_that_a_recorder_in_memory_gives(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    journal = recorded(tmp_path / "a.journal", body, results)
    assert (journal.frames, journal.rows) == (60, 59)
    assert journal.seconds == pytest.approx(59 / 25)
    journal.close()
    recorder = TakeRecorder(body, FACTS, model="lite 1", raw=True)
    for result in results:
        recorder.add(result)
    wanted = recorder.take()
    found = read_journal(tmp_path / "a.journal")
    assert found.complete
    for name in ROWS:
        np.testing.assert_array_equal(getattr(found.take, name), getattr(wanted, name), name)
    assert found.take.frame_rate == 25
    assert found.take.joint_names == body.joint_names
    assert found.take.focal_length == wanted.focal_length
    assert found.take.smoothing == "off"


def test_every_frame_is_on_disk_before_the_next_comes(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    journal = TakeJournal(tmp_path / "a.journal", body, FACTS)
    for count, result in enumerate(results[:5], 1):
        journal.add(result)
        assert len(read_journal(tmp_path / "a.journal").take.frame_time) == count
    assert not read_journal(tmp_path / "a.journal").complete
    journal.close()


@pytest.mark.parametrize("lost", [1, 9, 500, 2000])
def test_a_torn_end_costs_the_torn_frame_only(
    body: Body, results: list[FrameResult], tmp_path: Path, lost: int
) -> None:
    path = tmp_path / "a.journal"
    recorded(path, body, results).close()
    content = path.read_bytes()[:-8]  # without the mark of the end
    path.write_bytes(content[:-lost])
    found = read_journal(path)
    assert not found.complete
    kept = len(found.take.frame_time)
    assert 60 - 1 - lost // 1000 <= kept < 60
    np.testing.assert_array_equal(found.take.frame_time, np.arange(kept) / 25)


def test_a_damaged_frame_ends_what_is_believed(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    path = tmp_path / "a.journal"
    recorded(path, body, results).close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)
    assert 20 < len(read_journal(path).take.frame_time) < 40


def test_names_are_in_the_take_and_the_last_word_holds(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    path = tmp_path / "a.journal"
    journal = recorded(path, body, results[:3])
    journal.call({1: "Ann", 7: "Nobody who was seen"})
    for result in results[3:20]:
        journal.add(result)
    # known even if the program ends here
    torn = read_journal(path)
    assert not torn.complete
    assert names_of(torn.take) == {1: "Ann"}
    journal.call({1: "Änn  Lee"})
    journal.close()
    take = read_journal(path).take
    assert names_of(take) == {1: "Änn Lee"}
    assert len(take.frame_time) == 20
    assert (summary_of_journal(path).frames, summary_of_journal(path).rows) == (20, 19)
    assert summary_of_journal(path).seconds == pytest.approx(19 / 25)
    # a name taken away again
    other = recorded(tmp_path / "b.journal", body, results[:3])
    other.call({1: "Ann"})
    other.call({})
    other.close()
    assert names_of(read_journal(tmp_path / "b.journal").take) == {}


def test_names_that_cannot_be_read_cost_the_names_only(
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
def test_what_is_no_journal_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_journal(path)
    assert "\n" not in str(caught.value)


def test_a_frame_of_another_size_is_refused(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    journal = recorded(tmp_path / "a.journal", body, results[:3])
    other = FrameResult(Frame(9, 9.0, np.zeros((90, 160, 3), np.uint8)), ())
    with pytest.raises(InputError, match="160x90"):
        journal.add(other)
    journal.close()


def test_a_repeated_film_keeps_the_times_in_its_file(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    journal = TakeJournal(tmp_path / "a.journal", body, FACTS)
    for index in range(6):
        image = results[0].frame.image
        frame = Frame(index, index / 25, image, file_time=(index % 3) / 25)
        journal.add(FrameResult(frame, ()))
    journal.close()
    take = read_journal(tmp_path / "a.journal").take
    assert take.file_time is not None
    np.testing.assert_array_equal(take.file_time, np.array([0, 1, 2, 0, 1, 2]) / 25)


def test_copied_pictures_are_small_and_found_by_time(tmp_path: Path) -> None:
    copy = PictureCopy(tmp_path / "p.journal")
    for index in range(10):
        image = np.full((720, 1280, 3), (20 * index, 255 - 20 * index, 128), np.uint8)
        copy.add(index / 10, small_jpeg(image))
    copy.close()
    pictures = CopiedPictures(tmp_path / "p.journal")
    for wanted, time in ((0, -1.0), (0, 0.05), (3, 0.3), (3, 0.39), (9, 55.0)):
        image = pictures.at(time)
        assert image is not None
        assert image.shape == (LONGEST_SIDE * 9 // 16, LONGEST_SIDE, 3)
        np.testing.assert_allclose(image[100, 100], (20 * wanted, 255 - 20 * wanted, 128), atol=4)
    pictures.close()
    # an independent reader: the content of a record is a plain JPEG
    assert cv2.imdecode(np.frombuffer(small_jpeg(image), np.uint8), 1).shape == image.shape


def test_the_library_lists_renames_and_deletes(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    library = TakeLibrary(tmp_path / "takes")
    assert library.entries() == ()
    first, second = library.begin("Camera 0", None), library.begin("Camera 0", None)
    assert first != second
    take = _take_of(tmp_path, body, results)
    for each in (first, second):
        library.save(each, StoredTake(library.about(each), take, take), b"jpeg")
    assert [entry.id for entry in library.entries()] == [second, first]
    library.rename(first, "  my\n dance ")
    entry = next(entry for entry in library.entries() if entry.id == first)
    assert entry.about.name == "my dance"
    assert entry.about.seconds == pytest.approx(59 / 25)
    assert entry.thumbnail is not None
    with pytest.raises(InputError):
        library.rename(first, "  ")
    library.delete(second)
    assert [entry.id for entry in library.entries()] == [first]
    assert [path.name for path in library.root.iterdir()] == [first]


def test_the_library_never_reaches_outside_its_folder(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path / "takes")
    (tmp_path / "mine").mkdir()
    for name in ("../mine", "..", "", "/etc"):
        with pytest.raises(InputError):
            library.delete(name)
    assert (tmp_path / "mine").is_dir()


def test_a_recording_in_the_making_is_not_found_and_a_torn_one_is(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    library = TakeLibrary(tmp_path / "takes")
    made = library.begin("Camera 0", None)
    path = library.folder(made) / JOURNAL
    journal = recorded(path, body, results)
    assert in_use(path)
    assert library.found() == ()
    journal._records._file.close()  # as the system does when the program is killed
    found = library.found()
    assert [(each.id, each.rows, each.complete) for each in found] == [(made, 59, False)]
    assert found[0].seconds == summary_of_journal(path).seconds == pytest.approx(59 / 25)
    take = read_journal(path).take
    library.save(made, StoredTake(found[0].about, take, take))
    assert library.found() == ()
    assert not path.exists()


def test_one_broken_take_does_not_hide_the_others(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    library = TakeLibrary(tmp_path / "takes")
    good, bad = library.begin("a", None), library.begin("b", None)
    take = _take_of(tmp_path, body, results)
    for each in (good, bad):
        library.save(each, StoredTake(library.about(each), take, take))
    (library.folder(bad) / "about.json").write_text("{")
    assert [entry.id for entry in library.entries()] == [good]


def _take_of(folder: Path, body: Body, results: list[FrameResult]) -> Take:
    recorded(folder / "one.journal", body, results).close()
    return read_journal(folder / "one.journal").take

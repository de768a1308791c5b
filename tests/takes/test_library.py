"""Take library: entries, unfinished recordings and image copies."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError
from pymaf_live.takes.image_copies import MAX_SIDE, ImageCopies, ImageCopyWriter, small_jpeg
from pymaf_live.takes.journal import read_journal, summarize_journal
from pymaf_live.takes.library import JOURNAL, StoredTake, TakeLibrary
from pymaf_live.takes.record_file import in_use
from pymaf_live.takes.take import Take
from pymaf_live.types import FrameResult
from tests.helpers.take import make_take, moving_limbs, people_by_frame, walking_past
from tests.takes.test_journal import recorded, result


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def results(body: Body) -> list[FrameResult]:
    times = np.arange(60) / 25
    take = make_take(body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)})
    return [result(i / 25, people) for i, people in enumerate(people_by_frame(take))]


@pytest.fixture
def take(body: Body, results: list[FrameResult], tmp_path: Path) -> Take:
    recorded(tmp_path / "one.journal", body, results).close()
    return read_journal(tmp_path / "one.journal").take


def test_takes_are_listed_renamed_and_deleted(take: Take, tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path / "takes")
    assert library.entries() == ()
    first, second = library.begin("Camera 0", None), library.begin("Camera 0", None)
    assert first != second
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


def test_corrections_of_an_earlier_version_are_renumbered_like_their_takes(
    take: Take, tmp_path: Path
) -> None:
    library = TakeLibrary(tmp_path / "takes")
    entry = library.begin("Camera 0", None)
    about = library.about(entry).model_copy(update={"corrections": ((20, 0),)})
    library.save(entry, StoredTake(about, take, take))
    assert library.about(entry).corrections == ((20, 0),)
    path = library.folder(entry) / "about.json"
    old = json.loads(path.read_text(encoding="utf-8"))
    del old["first_person"]
    path.write_text(json.dumps(old), encoding="utf-8")
    assert library.about(entry).corrections == ((20, 1),)
    library.rename(entry, "renamed")
    assert library.about(entry).corrections == ((20, 1),)


def test_ids_cannot_lead_outside_the_folder(tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path / "takes")
    (tmp_path / "mine").mkdir()
    for name in ("../mine", "..", "", "/etc"):
        with pytest.raises(InputError):
            library.delete(name)
    assert (tmp_path / "mine").is_dir()


def test_only_interrupted_recordings_are_unfinished(
    body: Body, results: list[FrameResult], tmp_path: Path
) -> None:
    library = TakeLibrary(tmp_path / "takes")
    entry = library.begin("Camera 0", None, temporary=True)
    path = library.folder(entry) / JOURNAL
    journal = recorded(path, body, results)
    assert in_use(path)
    assert library.unfinished() == ()
    journal._records._file.close()  # as the system does when the program is killed
    unfinished = library.unfinished()
    assert [(each.id, each.rows, each.complete) for each in unfinished] == [(entry, 60, False)]
    assert unfinished[0].about.temporary
    assert unfinished[0].seconds == summarize_journal(path).seconds == pytest.approx(59 / 25)
    take = read_journal(path).take
    library.save(entry, StoredTake(unfinished[0].about, take, take))
    assert library.unfinished() == ()
    assert not path.exists()
    assert not library.about(entry).temporary


def test_a_damaged_take_does_not_hide_the_others(take: Take, tmp_path: Path) -> None:
    library = TakeLibrary(tmp_path / "takes")
    good, bad = library.begin("a", None), library.begin("b", None)
    for each in (good, bad):
        library.save(each, StoredTake(library.about(each), take, take))
    (library.folder(bad) / "about.json").write_text("{")
    assert [entry.id for entry in library.entries()] == [good]


def test_image_copies_are_small_and_found_by_time(tmp_path: Path) -> None:
    writer = ImageCopyWriter(tmp_path / "p.journal")
    for index in range(10):
        image = np.full((720, 1280, 3), (20 * index, 255 - 20 * index, 128), np.uint8)
        writer.add(index / 10, small_jpeg(image))
    writer.close()
    copies = ImageCopies(tmp_path / "p.journal")
    for expected, time in ((0, -1.0), (0, 0.05), (3, 0.3), (3, 0.39), (9, 55.0)):
        found = copies.at(time)
        assert found is not None
        assert found.shape == (MAX_SIDE * 9 // 16, MAX_SIDE, 3)
        color = (20 * expected, 255 - 20 * expected, 128)
        np.testing.assert_allclose(found[100, 100], color, atol=4)
    copies.close()
    # an independent reader: the content of a record is a plain JPEG
    decoded = cv2.imdecode(np.frombuffer(small_jpeg(image), np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == (MAX_SIDE * 9 // 16, MAX_SIDE, 3)


def test_a_date_without_a_time_zone_hides_no_take(take: Take, tmp_path: Path) -> None:
    """Dates with and without a zone cannot be compared: the whole list was empty."""
    library = TakeLibrary(tmp_path / "library")
    first, second = (library.begin(name, None) for name in ("a.mp4", "b.mp4"))
    for each in (first, second):
        library.save(each, StoredTake(library.about(each), take, take))
    path = library.folder(first) / "about.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "created": "2020-01-02T03:04:05"}))
    entries = {entry.id: entry for entry in library.entries()}
    assert entries.keys() == {first, second}
    assert entries[first].about.created.tzinfo is not None
    assert entries[first].about.created.year == 2020
    path.write_text(json.dumps({**facts, "created": "0001-01-01T00:00:00"}))
    assert len(library.entries()) == 2

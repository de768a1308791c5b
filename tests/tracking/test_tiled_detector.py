"""Tiled detection finds several people where the whole image shows only some of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pymaf_live.resources import resource
from pymaf_live.sources import open_source
from pymaf_live.tracking import Detector, open_detector
from pymaf_live.tracking.small_people import SmallPeopleDetector
from pymaf_live.tracking.tiled_detector import TiledDetector, small_tiles_of, tiles_of
from pymaf_live.types import Detection, Image
from tests.helpers.paths import SHARED
from tests.tracking.real_data import video_frames


@pytest.fixture(scope="module")
def person() -> Image:
    """Return the person in the first frame of the demo, with a margin."""
    av = pytest.importorskip("av")
    with av.open(str(resource("demo.mp4"))) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    found = open_detector("openvino").detect(image)[0]
    x0, y0, x1, y1 = found.box
    margin = 0.25 * (y1 - y0)
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    return np.asarray(image[top : int(y1 + margin), left : int(x1 + margin)], dtype=np.uint8)


def side_by_side(person: Image, heights: list[int]) -> Image:
    image = np.full((720, 1280, 3), 110, np.uint8)
    for number, height in enumerate(heights):
        width = int(person.shape[1] * height / person.shape[0])
        small = cv2.resize(person, (width, height), interpolation=cv2.INTER_AREA)
        left = int((number + 0.5) * 1280 / len(heights) - width / 2)
        part = image[700 - height : 700, max(left, 0) : left + width]
        part[:] = small[:, : part.shape[1]]
    return image


def test_tiles_cover_the_whole_image_and_overlap() -> None:
    for width, height in ((1280, 720), (720, 1280), (640, 480), (3840, 800)):
        whole, *parts = tiles_of(width, height, 224)
        assert whole.side == pytest.approx(max(width, height))
        axis = 0 if width > height else 1
        starts = [part.centre[axis] - part.side / 2 + 0.5 for part in parts]
        assert starts[0] == pytest.approx(0)
        assert starts[-1] + parts[-1].side == pytest.approx(max(width, height))
        assert (np.diff(starts) <= 0.6 * min(width, height) + 1e-6).all()
    assert len(tiles_of(500, 500, 224)) == 1


def test_people_of_all_sizes_are_detected_nearest_first(person: Image) -> None:
    image = side_by_side(person, [390, 560, 440, 500])
    found = TiledDetector(6).detect(image)
    assert len(found) == 4
    sizes = [person.box[3] - person.box[1] for person in found]
    assert sizes == sorted(sizes, reverse=True)
    columns = [float(person.box[[0, 2]].mean()) // 320 for person in found]
    assert columns == [1, 3, 2, 0]
    nearest = TiledDetector(2).detect(image)
    assert [float(person.box[[0, 2]].mean()) // 320 for person in nearest] == [1, 3]


def test_the_detector_for_several_people_is_tiled() -> None:
    several, single = open_detector("openvino", people=4), open_detector("openvino")
    assert isinstance(several, TiledDetector)
    assert not isinstance(single, TiledDetector)


def test_three_dancers_side_by_side_are_all_detected() -> None:
    frames = video_frames("dance_three_portrait_audio", every=60)
    detector = TiledDetector(5)
    assert [len(detector.detect(image)) for image in frames].count(3) >= len(frames) - 1


def test_noise_is_not_a_person() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    assert TiledDetector(4).detect(cv2.resize(noise, (1280, 720))) == []


class CountingDetector(Detector):
    def __init__(self, *found: int) -> None:
        self.found = list(found)
        self.runs = 0
        self.closed = False

    def detect(self, image: Image) -> list[Detection]:
        self.runs += 1
        count = self.found.pop(0) if self.found else 0
        return [Detection(np.zeros(4), 1.0)] * count

    def close(self) -> None:
        self.closed = True


def test_small_people_are_searched_for_where_the_whole_image_shows_no_one() -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    whole, tiled = CountingDetector(1, 0, 1), CountingDetector(1)
    detector = SmallPeopleDetector(whole, lambda: tiled)
    assert [len(detector.detect(image)) for _ in range(3)] == [1, 1, 1]
    assert (whole.runs, tiled.runs) == (3, 1)
    # an empty scene is searched ever more rarely, but never given up
    for _ in range(60):
        detector.detect(image)
    assert 7 <= tiled.runs <= 12
    detector.close()
    assert whole.closed
    assert tiled.closed
    separate = SmallPeopleDetector(CountingDetector(), lambda: tiled, every_image=True)
    before = tiled.runs
    for _ in range(5):
        separate.detect(image)
    assert tiled.runs == before + 5


@pytest.mark.parametrize("name", ["tall.mp4", "wide.mp4"])
def test_a_person_of_a_tenth_of_the_image_is_found(name: str) -> None:
    path = SHARED / "cases" / "media" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    image = next(open_source(str(path)).frames()).image
    detector = open_detector("auto")
    (person,) = detector.detect(image)
    detector.close()
    size = (person.box[2:] - person.box[:2]).max() / max(image.shape[:2])
    assert 0.05 < size < 0.15


def test_a_person_is_found_at_a_tenth_of_a_wide_image() -> None:
    whole = next(open_source(str(SHARED / "data" / "videos" / "dancer_single.mp4")).frames()).image
    small = cv2.resize(whole, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    image = np.full_like(whole, 128)
    image[300 : 300 + small.shape[0], 700 : 700 + small.shape[1]] = small
    detector = TiledDetector(2)
    (person,) = detector.detect(image)
    detector.close()
    assert 0.05 < (person.box[2:] - person.box[:2]).max() / 1280 < 0.12


@pytest.mark.parametrize("size", [(640, 360), (300, 1000), (3840, 2160)])
def test_small_tiles_cover_the_image(size: tuple[int, int]) -> None:
    tiles = small_tiles_of(*size, 224)
    assert tiles
    corners = np.concatenate([tile.to_frame(np.array([[0, 0], [223, 223]])) for tile in tiles])
    assert corners.min() < 2
    assert corners[:, 0].max() > size[0] - 4
    assert corners[:, 1].max() > size[1] - 4
    assert small_tiles_of(100, 100, 224) == []

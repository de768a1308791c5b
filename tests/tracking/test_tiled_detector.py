"""Several people are found where a look at the whole picture sees some of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pymaf_live.resources import resource
from pymaf_live.tracking import open_detector
from pymaf_live.tracking.tiled_detector import TiledDetector, tiles_of
from pymaf_live.types import Image
from tests.tracking.real_data import video_frames


@pytest.fixture(scope="module")
def person() -> Image:
    """The first picture of the demo, about the person in it."""
    av = pytest.importorskip("av")
    with av.open(str(resource("demo.mp4"))) as container:
        image = next(container.decode(video=0)).to_ndarray(format="rgb24")
    found = open_detector("openvino").detect(image)[0]
    x0, y0, x1, y1 = found.box
    margin = 0.25 * (y1 - y0)
    left, top = max(0, int(x0 - margin)), max(0, int(y0 - margin))
    return np.asarray(image[top : int(y1 + margin), left : int(x1 + margin)], dtype=np.uint8)


def beside_each_other(person: Image, heights: list[int]) -> Image:
    picture = np.full((720, 1280, 3), 110, np.uint8)
    for number, height in enumerate(heights):
        width = int(person.shape[1] * height / person.shape[0])
        small = cv2.resize(person, (width, height), interpolation=cv2.INTER_AREA)
        left = int((number + 0.5) * 1280 / len(heights) - width / 2)
        part = picture[700 - height : 700, max(left, 0) : left + width]
        part[:] = small[:, : part.shape[1]]
    return picture


def test_squares_hold_the_whole_picture_and_overlap_along_it() -> None:
    for width, height in ((1280, 720), (720, 1280), (640, 480), (3840, 800)):
        whole, *parts = tiles_of(width, height, 224)
        assert whole.side == pytest.approx(max(width, height))
        axis = 0 if width > height else 1
        starts = [part.centre[axis] - part.side / 2 + 0.5 for part in parts]
        assert starts[0] == pytest.approx(0)
        assert starts[-1] + parts[-1].side == pytest.approx(max(width, height))
        assert (np.diff(starts) <= 0.6 * min(width, height) + 1e-6).all()
    assert len(tiles_of(500, 500, 224)) == 1


def test_people_of_all_sizes_are_found_the_nearest_first(person: Image) -> None:
    picture = beside_each_other(person, [390, 560, 440, 500])
    found = TiledDetector(6).detect(picture)
    assert len(found) == 4
    sizes = [one.box[3] - one.box[1] for one in found]
    assert sizes == sorted(sizes, reverse=True)
    middles = [float(one.box[[0, 2]].mean()) // 320 for one in found]
    assert middles == [1, 3, 2, 0]
    nearest = TiledDetector(2).detect(picture)
    assert [float(one.box[[0, 2]].mean()) // 320 for one in nearest] == [1, 3]


def test_for_several_people_the_picture_is_looked_at_in_parts() -> None:
    several, one = open_detector("openvino", people=4), open_detector("openvino")
    assert isinstance(several, TiledDetector)
    assert not isinstance(one, TiledDetector)


def test_three_dancers_side_by_side_are_all_seen() -> None:
    frames = video_frames("dance_three_portrait_audio", every=60)
    detector = TiledDetector(5)
    assert [len(detector.detect(image)) for image in frames].count(3) >= len(frames) - 1


def test_nobody_is_seen_where_nobody_is() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    assert TiledDetector(4).detect(cv2.resize(noise, (1280, 720))) == []

"""HDR and wide gamut become BT.709."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.sources import open_source
from pymaf_live.sources.tone_mapping import Transfer, tone_mapper
from tests.helpers.paths import SHARED


def mapped(transfer: int, primaries: int, color: tuple[float, float, float]) -> list[int]:
    mapper = tone_mapper(transfer, primaries)
    assert mapper is not None
    image = np.rint(np.full((2, 3, 3), color) * 65535).astype(np.uint16)
    result = mapper(image)
    assert result.shape == (2, 3, 3)
    assert result.dtype == np.uint8
    return [int(value) for value in result[0, 0]]


def test_untagged_and_bt709_videos_stay_as_they_are() -> None:
    assert tone_mapper(2, 2) is None
    assert tone_mapper(Transfer.SDR, 1) is None


@pytest.mark.parametrize(
    ("transfer", "signal"),
    [
        (Transfer.PQ, 0.5807),  # 203 cd/m2
        (Transfer.HLG, 0.75),
    ],
)
def test_reference_white_is_nearly_white_and_brighter_light_is_compressed(
    transfer: Transfer, signal: float
) -> None:
    (white, *_) = mapped(transfer, 9, (signal,) * 3)
    (bright, *_) = mapped(transfer, 9, (signal + 0.1,) * 3)
    assert 246 <= white <= 251
    assert white < bright <= 255
    assert mapped(transfer, 9, (0.0,) * 3) == [0, 0, 0]
    assert mapped(transfer, 9, (1.0,) * 3) == [255, 255, 255]


def test_middle_gray_of_pq() -> None:
    """26 cd/m2, BT.2408's reflectance of 18 % under a white of 203, is 0.128 of white."""
    power = (26 / 10_000) ** 0.1593017578125
    signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    assert signal == pytest.approx(0.38, abs=0.002)
    (gray, *_) = mapped(Transfer.PQ, 9, (signal,) * 3)
    assert gray == pytest.approx(255 * 0.128 ** (1 / 2.4), abs=2)


def test_a_gray_stays_gray_and_a_wide_color_becomes_more_saturated() -> None:
    assert mapped(Transfer.SDR, 9, (0.5, 0.5, 0.5)) == pytest.approx([128] * 3, abs=1)
    red, green, blue = mapped(Transfer.SDR, 12, (0.8, 0.4, 0.4))
    assert red > 204 + 5
    assert green < 102
    assert blue < 102


@pytest.mark.parametrize(
    ("name", "reference", "limit"),
    [
        # means of the absolute difference; read as if they were BT.709: 25, 7.5 and 13
        ("hdr_pq.mov", "sdr_ref.mp4", 5.0),
        ("hdr_pq_dim.mov", "sdr_dim.mp4", 7.4),
        ("hlg_real.mov", "sdr_ref.mp4", 6.0),
    ],
)
def test_hdr_videos_look_like_their_references(name: str, reference: str, limit: float) -> None:
    folder = SHARED / "cases" / "media"
    if not (folder / name).exists():
        pytest.skip(f"{folder / name} is not there")
    first, second = (
        next(open_source(str(folder / each)).frames()).image.astype(int)
        for each in (name, reference)
    )
    assert np.abs(first - second).mean() < limit

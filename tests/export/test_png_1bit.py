"""Tests of the black-and-white PNG files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_live.errors import OutputError
from pymaf_live.export.png_1bit import BilevelFiles


def test_opencv_reads_the_images_as_black_and_white(tmp_path: Path) -> None:
    files = BilevelFiles()
    rng = np.random.default_rng(7)
    for number, size in enumerate([(1280, 720), (61, 47), (61, 47), (1, 1), (8, 3), (1921, 5)]):
        wanted = rng.random((size[1], size[0])) < 0.3
        path = tmp_path / f"ü{number}.png"
        files.write(path, np.packbits(wanted, axis=1), size)
        content = path.read_bytes()
        assert content[24:26] == b"\x01\x00"  # a bit a pixel, grey
        by_opencv = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert by_opencv is not None
        assert by_opencv.dtype == np.uint8
        assert np.array_equal(by_opencv, 255 * wanted)


def test_images_decode_to_black_and_white_greys(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra 'train'")
    wanted = np.random.default_rng(8).random((47, 61)) < 0.3
    BilevelFiles().write(tmp_path / "a.png", np.packbits(wanted, axis=1), (61, 47))
    greys = np.asarray(pillow.open(tmp_path / "a.png").convert("L"))
    assert np.array_equal(greys, 255 * wanted)


def test_image_that_reads_back_differently_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = BilevelFiles()
    bits = np.packbits(np.eye(16, dtype=bool), axis=1)
    files.write(tmp_path / "a.png", bits, (16, 16))
    files.write(tmp_path / "other.png", ~bits, (16, 16))
    other, read = (tmp_path / "other.png").read_bytes(), Path.read_bytes
    for content in (other, read(tmp_path / "a.png")[:30], b"", b"not an image"):
        monkeypatch.setattr(Path, "read_bytes", lambda path, content=content: content)
        with pytest.raises(OutputError, match="reads back differently"):
            files.write(tmp_path / "b.png", bits, (16, 16))

"""Takes of separate images of different sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import InputError, OutputError
from pymaf_live.takes.journal import TakeJournal, read_journal
from pymaf_live.takes.npz_file import read_take, write_take
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, Frame, FrameResult, SourceFacts

SIZES = ((64, 48), (30, 90))


@pytest.fixture
def album(tmp_path: Path) -> Take:
    facts = SourceFacts("images", "album", None, None, len(SIZES), None, live=False)
    journal = TakeJournal(tmp_path / "album.journal", default_body(), facts)
    for index, (width, height) in enumerate(SIZES):
        image = np.zeros((height, width, 3), np.uint8)
        frame = Frame(index, float(index), image, f"{index}.jpg")
        journal.add(FrameResult(frame, (), camera=Camera.for_frame((width, height), 60)))
    journal.close()
    return read_journal(tmp_path / "album.journal").take


def test_each_image_keeps_its_name_and_camera(album: Take, tmp_path: Path) -> None:
    write_take(tmp_path / "album.npz", album)
    take = read_take(tmp_path / "album.npz")
    assert take.picture_name == ("0.jpg", "1.jpg")
    assert take.picture_camera is not None
    assert take.picture_camera[:, :2].tolist() == [[64, 48], [30, 90]]
    # half the diagonal over the tangent of half of 60 degrees
    focal = [np.hypot(*size) / 2 * np.sqrt(3) for size in SIZES]
    np.testing.assert_allclose(take.picture_camera[:, 2], focal, rtol=1e-12)
    assert take.frame_size == SIZES[0]


def test_a_video_has_neither_key(album: Take, tmp_path: Path) -> None:
    video = replace(album, picture_name=(), picture_camera=None)
    write_take(tmp_path / "video.npz", video)
    with np.load(tmp_path / "video.npz") as file:
        assert not {"picture_name", "picture_camera"} & set(file.files)
    assert read_take(tmp_path / "video.npz").picture_camera is None


def test_names_without_cameras_are_refused(album: Take, tmp_path: Path) -> None:
    write_take(tmp_path / "album.npz", album)
    with np.load(tmp_path / "album.npz") as file:
        arrays = {name: file[name] for name in file.files if name != "picture_camera"}
    np.savez(tmp_path / "half.npz", **arrays)
    with pytest.raises(InputError, match="picture_camera"):
        read_take(tmp_path / "half.npz")
    with pytest.raises(OutputError, match="picture_name"):
        write_take(tmp_path / "short.npz", replace(album, picture_name=("0.jpg",)))

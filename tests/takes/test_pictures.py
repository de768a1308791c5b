"""A take of separate pictures of different sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import InputError, OutputError
from pymaf_live.takes import TakeRecorder
from pymaf_live.takes.npz_file import read_take, write_take
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, Frame, FrameResult, SourceFacts

SIZES = ((64, 48), (30, 90))


def picture_take() -> Take:
    facts = SourceFacts("pictures", "album", None, None, len(SIZES), None, live=False)
    recorder = TakeRecorder(default_body(), facts)
    for index, (width, height) in enumerate(SIZES):
        image = np.zeros((height, width, 3), np.uint8)
        frame = Frame(index, float(index), image, f"{index}.jpg")
        recorder.add(FrameResult(frame, (), camera=Camera.for_frame((width, height), 60)))
    return recorder.take()


def test_each_picture_keeps_its_own_name_and_camera(tmp_path: Path) -> None:
    write_take(tmp_path / "album.npz", picture_take())
    take = read_take(tmp_path / "album.npz")
    assert take.picture_name == ("0.jpg", "1.jpg")
    assert take.picture_camera is not None
    assert take.picture_camera[:, :2].tolist() == [[64, 48], [30, 90]]
    # half the diagonal over the tangent of half of 60 degrees
    focal = [np.hypot(*size) / 2 * np.sqrt(3) for size in SIZES]
    np.testing.assert_allclose(take.picture_camera[:, 2], focal, rtol=1e-12)
    assert take.frame_size == SIZES[0]


def test_a_film_has_neither_key(tmp_path: Path) -> None:
    film = replace(picture_take(), picture_name=(), picture_camera=None)
    write_take(tmp_path / "film.npz", film)
    with np.load(tmp_path / "film.npz") as file:
        assert not {"picture_name", "picture_camera"} & set(file.files)
    assert read_take(tmp_path / "film.npz").picture_camera is None


def test_names_without_cameras_are_refused(tmp_path: Path) -> None:
    write_take(tmp_path / "album.npz", picture_take())
    with np.load(tmp_path / "album.npz") as file:
        arrays = {name: file[name] for name in file.files if name != "picture_camera"}
    np.savez(tmp_path / "half.npz", **arrays)
    with pytest.raises(InputError, match="picture_camera"):
        read_take(tmp_path / "half.npz")
    with pytest.raises(OutputError, match="picture_name"):
        write_take(tmp_path / "short.npz", replace(picture_take(), picture_name=("0.jpg",)))

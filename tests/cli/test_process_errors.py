"""Inputs, boxes, models and folders that `process` rejects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pymaf_live.takes import read_take
from tests.cli.helpers import Run, Work, folder_without_images, partial_files, write_bytes


def cut_in_half(path: Path, source: Path) -> Path:
    content = source.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


BAD_INPUTS: dict[str, Callable[[Path, Work], Path]] = {
    "missing": lambda folder, work: folder / "missing.mp4",
    "empty": lambda folder, work: write_bytes(folder / "empty.mp4", b""),
    "truncated": lambda folder, work: cut_in_half(folder / "cut.mp4", work.clip),
    "no video": lambda folder, work: write_bytes(folder / "text.mp4", b"not a video\n" * 100),
    "no image": lambda folder, work: write_bytes(folder / "text.jpg", b"not an image\n" * 100),
    "folder without images": lambda folder, work: folder_without_images(folder / "nothing"),
}


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_an_unusable_input_is_reported_in_one_line(
    run: Run, work: Work, tmp_path: Path, kind: str
) -> None:
    bad = BAD_INPUTS[kind](tmp_path, work)
    code, _, lines = run(bad, "--out", tmp_path / "o")
    assert code == 3
    assert len(lines) == 1, lines
    assert bad.name in lines[0]
    assert list((tmp_path / "o").iterdir()) == []


def test_a_line_break_in_a_file_name_does_not_break_the_message(run: Run, tmp_path: Path) -> None:
    code, _, lines = run(tmp_path / "two\nlines\x1b[31m.mp4", "--out", tmp_path / "o")
    assert code == 3
    assert len(lines) == 1
    assert "\x1b" not in lines[0]


def test_one_bad_input_does_not_stop_the_others(run: Run, work: Work, tmp_path: Path) -> None:
    code, _, lines = run(
        tmp_path / "missing.mp4", work.clip, "--out", tmp_path / "o", "--no-overlay",
        "--boxes", work.boxes,
    )  # fmt: skip
    assert code == 1
    assert all("missing.mp4" in line for line in lines)
    assert (tmp_path / "o" / "walk.npz").is_file()


def test_an_unreadable_image_in_a_folder_is_named(run: Run, work: Work, tmp_path: Path) -> None:
    folder = folder_without_images(tmp_path / "album")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    cv2.imwrite(str(folder / "good.jpg"), np.zeros((40, 40, 3), np.uint8))
    code, _, lines = run(folder, "--out", tmp_path / "o", "--no-overlay", "--export", "npz")
    assert code == 1
    assert len(lines) == 1
    assert "broken.jpg" in lines[0]
    assert read_take(tmp_path / "o" / "album.npz").picture_name == ("good.jpg",)


BAD_BOXES = {
    "not JSON": "{",
    "a list": "[1, 2]",
    "NaN": '{"0": [[0, 0, NaN, 10]]}',
    "infinite": '{"0": [[0, 0, 1e999, 10]]}',
    "huge": '{"0": [[0, 0, 1e30, 10]]}',
    "many digits": '{"0": [[0, 0, ' + "9" * 5000 + ", 10]]}",
    "three numbers": '{"0": [[0, 0, 10]]}',
    "text": '{"0": [["a", 0, 10, 10]]}',
    "true": '{"0": [[true, 0, 10, 10]]}',
    "no extent": '{"0": [[10, 10, 10, 20]]}',
    "the same box twice": '{"0": [[0, 0, 10, 20], [5, 5, 9, 9], [0, 0, 10, 20]]}',
    "not a list": '{"0": {"x": 1}}',
    "another image": '{"walk2.jpg": [[0, 0, 10, 10]]}',
    "a frame past the end": '{"12": [[0, 0, 10, 10]]}',
    "deep": "[" * 100_000,
    "too many": json.dumps({"0": [[0, 0, 10, 10]] * 1000}),
}


@pytest.mark.parametrize("kind", BAD_BOXES)
def test_an_invalid_boxes_file_is_rejected_before_any_work(
    run: Run, work: Work, tmp_path: Path, kind: str
) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(BAD_BOXES[kind])
    code, _, lines = run(work.clip, "--out", tmp_path / "o", "--boxes", boxes)
    assert code == 3
    assert len(lines) == 1, lines
    assert "boxes.json" in lines[0]
    assert len(lines[0]) < 400
    assert not (tmp_path / "o").exists()


def test_an_impossible_output_folder_is_reported(run: Run, work: Work, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, lines = run(work.clip, "--out", tmp_path / "file" / "o")
    assert code == 4
    assert len(lines) == 1


def test_an_unusable_model_is_reported(run: Run, work: Work, tmp_path: Path) -> None:
    text = write_bytes(tmp_path / "model.onnx", b"no model")
    for model in (text, tmp_path / "missing.onnx"):
        code, _, lines = run(work.clip, "--out", tmp_path / "o", model=model)
        assert code == 5
        assert len(lines) == 1, lines
        assert model.name in lines[0]
    assert partial_files(tmp_path) == []
    assert not list((tmp_path / "o").glob("*")) if (tmp_path / "o").exists() else True

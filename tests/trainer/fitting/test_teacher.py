"""Tests of the teacher's pass: interrupted passes continue, broken images do not end it."""

import shutil
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.errors import InputError  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from trainer.data import image_check  # noqa: E402
from trainer.data.fitted import FittedDataset  # noqa: E402
from trainer.data.image_check import BlankedDataset, check_images  # noqa: E402
from trainer.data.lspet import read_joint_set  # noqa: E402
from trainer.fitting import teacher  # noqa: E402
from trainer.fitting.teacher import read_teacher_landmarks, run_teacher_once  # noqa: E402

COUNT = 10


class FakeLandmarker:
    """Returns the mean colour of a crop as every value."""

    def __init__(self, path, *, heat_maps):
        assert heat_maps

    def run_with_mirror(self, cuts):
        grey = np.array([cut.mean() for cut in cuts])
        batch = SimpleNamespace(
            points=np.broadcast_to(grey[:, None, None], (len(cuts), 33, 3)).copy(),
            world=np.broadcast_to(grey[:, None, None], (len(cuts), 33, 3)).copy(),
            visibility=np.broadcast_to(grey[:, None], (len(cuts), 33)).copy(),
            presence=grey,
            heat_maps=np.zeros((len(cuts), 64, 64, 33), np.float32),
        )
        return batch, batch


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setattr(teacher, "BlazePoseLandmarker", FakeLandmarker)
    monkeypatch.setattr(teacher, "_CHUNK", 2)
    monkeypatch.setattr(teacher, "_BLOCK", 4)
    (tmp_path / "heavy.tflite").write_bytes(b"a teacher")
    random = np.random.default_rng(0)
    frames = np.tile(np.eye(2, 3), (COUNT, 1, 1))
    frames[:, :, 2] = random.uniform(0, 20, (COUNT, 2))
    images = random.integers(0, 255, (COUNT, 300, 300, 3), dtype=np.uint8)
    return tmp_path, frames, images


def test_an_interrupted_pass_continues_at_its_block(small):
    folder, frames, images = small
    path, heavy = folder / "teacher.npz", folder / "heavy.tflite"
    read = []

    def image(row):
        read.append(row)
        if len(read) == 7:
            raise KeyboardInterrupt
        return images[row]

    with pytest.raises(KeyboardInterrupt):
        run_teacher_once(path, frames, image, heavy)
    assert not path.exists()
    assert len(list((folder / "teacher_blocks").iterdir())) == 1
    read.clear()
    read.extend([-1] * 7)
    run_teacher_once(path, frames, image, heavy)
    assert read[7:] == [4, 5, 6, 7, 8, 9]
    assert not (folder / "teacher_blocks").exists()
    found = read_teacher_landmarks(path, COUNT)
    run_teacher_once(folder / "whole.npz", frames, images.__getitem__, heavy)
    whole = read_teacher_landmarks(folder / "whole.npz", COUNT)
    assert np.array_equal(found.presence, whole.presence)
    assert np.array_equal(found.points, whole.points)
    # what is there is not made again
    run_teacher_once(path, frames, lambda _: pytest.fail("the teacher ran"), heavy)


def test_blocks_of_other_crops_or_teachers_are_not_used(small):
    folder, frames, images = small
    heavy, blocks = folder / "heavy.tflite", folder / "blocks"
    read = []

    def image(row):
        read.append(row)
        return images[row]

    def passes(frames):
        read.clear()
        teacher.run_teacher(frames, image, heavy, finished=blocks)
        return len(read)

    assert passes(frames) == COUNT
    assert passes(frames) == 0
    moved = frames.copy()
    moved[5, 0, 2] += 3
    assert passes(moved) == 4
    (sorted(blocks.iterdir())[0]).write_bytes(b"damaged")
    assert passes(moved) == 4
    heavy.write_bytes(b"another teacher")
    assert passes(moved) == COUNT


def test_broken_images_are_black_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(image_check, "MAX_BROKEN_SHARE", 0.2)
    write_people(tmp_path, 6)
    shutil.copyfile(tmp_path / "images_00.zip", tmp_path / "whole.zip")
    with (
        zipfile.ZipFile(tmp_path / "whole.zip") as whole,
        zipfile.ZipFile(tmp_path / "images_00.zip", "w") as archive,
    ):
        for name in whole.namelist():
            if name != "im00004.jpg":
                archive.writestr(name, whole.read(name))
    people = FittedDataset(read_joint_set(tmp_path))
    broken = check_images([people])
    assert broken == [[4]]
    blanked = BlankedDataset(people, broken[0])
    assert (len(blanked), blanked.name) == (6, "lspet")
    assert not blanked.image(4).any()
    assert np.array_equal(blanked.image(3), people.image(3))
    assert np.array_equal(blanked.labels(4).keypoints, people.labels(4).keypoints)
    with pytest.raises(InputError, match=r"im00004\.jpg"):
        people.image(4)

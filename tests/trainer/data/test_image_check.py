"""Tests of missing and broken images: counted at the start, skipped while drawn, or refused."""

import shutil
import zipfile

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import trainer.network.pymaf as network  # noqa: E402
import trainer.train as training  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.system.reporter import SilentReporter  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from tests.trainer.tiny_run import TinyEncoder, config  # noqa: E402
from trainer.data import image_check  # noqa: E402
from trainer.data.fits import write_fits  # noqa: E402
from trainer.data.fitted import FittedDataset  # noqa: E402
from trainer.data.image_check import check_images  # noqa: E402
from trainer.data.image_files import ImageError, check_image_file  # noqa: E402
from trainer.data.lspet import read_joint_set  # noqa: E402
from trainer.training.checkpoint import read_progress  # noqa: E402
from trainer.training.config import read_run_config  # noqa: E402
from trainer.training.datasets import DatasetSpec, Locations  # noqa: E402

COUNT = 6


class Messages(SilentReporter):
    def __init__(self):
        self.lines, self.details = [], set()

    def message(self, text):
        self.lines.append(text)

    def progress(self, fraction, detail=""):
        self.details.add(detail)


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("valid")
    write_fits(folder / "fits.npz", write_people(folder, COUNT))
    return folder


@pytest.fixture
def people(valid, tmp_path):
    return shutil.copytree(valid, tmp_path / "people")


@pytest.fixture
def one_may_break(monkeypatch):
    monkeypatch.setattr(image_check, "MAX_BROKEN_SHARE", 1 / COUNT)


def damage(folder, *names, missing=False):
    with zipfile.ZipFile(folder / "images_00.zip") as archive:
        images = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(folder / "images_00.zip", "w") as archive:
        for name, image in images.items():
            if name not in names:
                archive.writestr(name, image)
            elif not missing:
                archive.writestr(name, image[:40])


def damage_on_disk(folder, name):
    """Change bytes of a stored image, so that its checksum is wrong."""
    path = folder / "images_00.zip"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    content = bytearray(path.read_bytes())
    at = info.header_offset + 30 + len(name) + 300
    content[at : at + 4] = b"\x00\x01\x02\x03"
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("kind", ["broken", "missing", "checksum"])
def test_a_broken_image_is_named_at_the_start(people, one_may_break, kind):
    if kind == "checksum":
        damage_on_disk(people, "im00002.jpg")
    else:
        damage(people, "im00002.jpg", missing=kind == "missing")
    reporter = Messages()
    check_images([FittedDataset(read_joint_set(people))], reporter)
    assert len(reporter.lines) == 1
    assert reporter.lines[0].startswith(f"lspet: 1 of {COUNT} skipped: the image im00002.jpg")
    assert reporter.details == {"checking the images of lspet"}


def test_more_broken_images_than_allowed_are_one_error(people, one_may_break):
    damage(people, "im00002.jpg", "im00004.jpg")
    with pytest.raises(InputError, match=r"lspet: 2 or more of its 6 images.*im00002\.jpg"):
        check_images([FittedDataset(read_joint_set(people))])


def test_one_in_a_hundred_may_be_broken():
    assert [image_check.broken_allowed(count) for count in (6, 99, 100, 9600)] == [0, 0, 1, 96]


def test_files_are_checked_by_their_ends(tmp_path, monkeypatch):
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    for suffix in ("jpg", "png"):
        cv2.imwrite(str(tmp_path / f"a.{suffix}"), image)
        check_image_file(tmp_path, f"a.{suffix}")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:30])
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("cut.jpg", "empty.jpg", "none.jpg"):
        with pytest.raises(ImageError, match=name):
            check_image_file(tmp_path, name)


def locations_of(people):
    return Locations({"lspet": people, "fits": people / "fits.npz"})


def open_stream(people):
    return DatasetSpec(read_run_config(config(), "tiny"), locations_of(people), 64).open()


def test_a_broken_image_is_replaced_while_drawn(people, one_may_break, capsys):
    whole = open_stream(people)
    before = [whole.sample(index) for index in range(12)]
    damage(people, "im00003.jpg")
    drawn = [open_stream(people).sample(index) for index in range(12)]
    changed = [
        index for index in range(12) if not np.array_equal(before[index].image, drawn[index].image)
    ]
    # each of six people is drawn twice
    assert len(changed) >= 2
    again = [open_stream(people).sample(index) for index in range(12)]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(drawn, again, strict=True))
    assert "skipped: the image im00003.jpg does not decode" in capsys.readouterr().err
    # named once per stream
    stream = open_stream(people)
    for index in range(12):
        stream.sample(index)
    assert capsys.readouterr().err.count("skipped") == 1


def test_a_run_that_images_end_has_saved(people, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "_make_encoder", lambda *_: TinyEncoder())
    monkeypatch.setattr(training, "validate", lambda *_: {})
    drawn = []
    real = FittedDataset.image

    def image(self, row):
        drawn.append(row)
        if len(drawn) > 8:
            raise ImageError("the image im00001.jpg is missing")
        return real(self, row)

    monkeypatch.setattr(FittedDataset, "image", image)
    path = tmp_path / "run.toml"
    path.write_text(config(batch=2, images=40))
    with pytest.raises(InputError, match=r"im00001\.jpg"):
        training.train(path, out=tmp_path / "run", locations=locations_of(people))
    steps = read_progress(tmp_path / "run" / "checkpoint.safetensors").step
    assert steps >= 1
    # the same command continues once the images are back
    monkeypatch.setattr(FittedDataset, "image", real)
    training.train(path, out=tmp_path / "run", locations=locations_of(people))
    assert read_progress(tmp_path / "run" / "checkpoint.safetensors").step == 20

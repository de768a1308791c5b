"""Tests of damaged data: a run ends with a one-line error and the right exit code."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import trainer.network.pymaf as network  # noqa: E402
import trainer.train as training  # noqa: E402
from pymaf_live.errors import InputError, OutputError, PymafLiveError, UsageError  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from tests.trainer.tiny_run import TinyEncoder, config  # noqa: E402
from trainer.data.fits import write_fits  # noqa: E402
from trainer.training.checkpoint import load_matching  # noqa: E402
from trainer.training.config import read_run_config  # noqa: E402
from trainer.training.datasets import DatasetSpec, Locations  # noqa: E402
from trainer.training.optimizer import RelativeAdam  # noqa: E402


@pytest.fixture(scope="module")
def valid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("valid")
    write_fits(folder / "fits.npz", write_people(folder, 6))
    return folder


@pytest.fixture
def people(valid, tmp_path):
    return shutil.copytree(valid, tmp_path / "people")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(network, "_make_encoder", lambda *_: TinyEncoder())


def locations_of(people):
    return Locations({"lspet": people, "fits": people / "fits.npz"})


def draw_all(people):
    stream = DatasetSpec(read_run_config(config(), "tiny"), locations_of(people), 64).open()
    return [stream.sample(index) for index in range(12)]


def change(path, **arrays):
    with np.load(path) as file:
        stored = {name: file[name] for name in file.files}
    np.savez(path, **{**stored, **arrays})


def run(people, out, text=None):
    path = out.with_suffix(".toml")
    path.write_text(text or config(batch=2, images=4))
    training.train(path, out=out, locations=locations_of(people))


def test_valid_data_are_accepted(people):
    assert len(draw_all(people)) == 12


def test_damaged_image_is_named(people):
    import zipfile

    with zipfile.ZipFile(people / "images_00.zip") as archive:
        images = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(people / "images_00.zip", "w") as archive:
        for name, image in images.items():
            archive.writestr(name, image[:40] if name == "im00003.jpg" else image)
    with pytest.raises(InputError, match=r"im00003\.jpg"):
        draw_all(people)


def test_missing_image_is_named(people):
    (people / "images_00.zip").unlink()
    with pytest.raises(InputError, match=r"im0000\d\.jpg is missing"):
        draw_all(people)


def test_labels_of_wrong_shape_or_not_finite_are_rejected(people):
    with np.load(people / "labels.npz") as file:
        joints = file["joints"].copy()
    change(people / "labels.npz", joints=joints[:, :9])
    with pytest.raises(InputError, match="joints"):
        draw_all(people)
    joints[2, 3, 0] = np.nan
    change(people / "labels.npz", joints=joints)
    with pytest.raises(InputError, match="not finite"):
        draw_all(people)


def test_empty_set_is_rejected(people):
    with np.load(people / "labels.npz") as file:
        empty = {name: file[name][:0] for name in ("name", "shard", "joints")}
    change(people / "labels.npz", **empty)
    with pytest.raises(InputError, match="no images"):
        draw_all(people)


def test_set_without_a_location_is_rejected(people):
    text = config().replace('folder = "lspet"', 'folder = "nowhere"')
    spec = DatasetSpec(read_run_config(text, "tiny"), locations_of(people), 64)
    with pytest.raises(InputError, match="nowhere"):
        spec.open()


@pytest.mark.parametrize("ratio", ["0", "-1", "nan"])
def test_invalid_ratios_are_rejected(ratio):
    text = config().replace('rows = "all"', f'rows = "all"\nratio = {ratio}')
    with pytest.raises(InputError, match=r"data\.0\.ratio"):
        read_run_config(text, "tiny")


def test_names_are_resolved_to_locations(tmp_path):
    from pathlib import Path

    locations = Locations({"coco": tmp_path})
    assert locations.resolve(Path("coco/part")) == tmp_path / "part"
    assert locations.resolve(Path("coco")) == tmp_path
    assert locations.resolve(Path("else/coco")) == Path("else/coco")


def test_loss_that_is_not_finite_ends_the_run(people, tmp_path, monkeypatch):
    real = training.LossModule.forward

    def broken(self, *arguments):
        loss, terms = real(self, *arguments)
        return loss * float("nan"), terms

    monkeypatch.setattr(training.LossModule, "forward", broken)
    with pytest.raises(PymafLiveError, match="not finite at step 0; lower the rates"):
        run(people, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_full_disk_keeps_the_checkpoint(people, tmp_path, monkeypatch):
    import errno
    from pathlib import Path

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training, "validate", lambda *_: {})
    run(people, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputError, match=r"checkpoint.safetensors: No space left") as caught:
            training.save_checkpoint(
                tmp_path / "run" / "checkpoint.safetensors",
                torch.nn.Linear(1, 1),
                torch.nn.Linear(1, 1),
                RelativeAdam([{"params": [torch.nn.Parameter(torch.ones(1))]}]),
                training.Progress(1, ""),
            )
    assert caught.value.exit_code == 4
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before
    # a run of another configuration does not touch it either
    with pytest.raises(InputError, match="another configuration"):
        run(people, tmp_path / "run", config(batch=2, images=8))
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before

    # a larger network loads the tensors that match; tensors of other sizes are rejected
    class LargerNetwork(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.score = torch.nn.ModuleList([torch.nn.Linear(4, width)])
            self.added = torch.nn.Linear(2, 2)

    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    found = load_matching(checkpoint, LargerNetwork(64))
    assert found.missing == ["added.bias", "added.weight"]
    assert "encoder.first.weight" in found.unused
    with pytest.raises(InputError, match=r"score\.0\.bias is"):
        load_matching(checkpoint, LargerNetwork(3))
    with pytest.raises(InputError, match="no weights in common"):
        load_matching(checkpoint, torch.nn.Linear(1, 1))


def test_batch_that_processes_cannot_share_is_rejected(people, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UsageError, match="cannot be shared"):
        run(people, tmp_path / "run")

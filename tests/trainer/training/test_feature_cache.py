"""Tests of encoder outputs that are computed once for a run with a frozen encoder."""

import json
import threading
from dataclasses import fields

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import trainer.evaluation.preview as preview  # noqa: E402
import trainer.evaluation.validation as validation  # noqa: E402
import trainer.network.pymaf as network  # noqa: E402
import trainer.train as training  # noqa: E402
import trainer.training.feature_cache as feature_cache  # noqa: E402
from pymaf_live.errors import InputError, OutputError, UsageError  # noqa: E402
from pymaf_live.system.reporter import SILENT  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from tests.trainer.tiny_run import TinyEncoder, config  # noqa: E402
from trainer.data.fits import write_fits  # noqa: E402
from trainer.training.batches import batches, to_device  # noqa: E402
from trainer.training.config import read_run_config  # noqa: E402
from trainer.training.datasets import DatasetSpec, Locations  # noqa: E402
from trainer.training.distributed import DistributedContext  # noqa: E402
from trainer.training.feature_cache import CachedCrops, cached_inputs  # noqa: E402
from trainer.training.losses import Labels  # noqa: E402
from trainer.training.optimizer import TrainingOptimizer  # noqa: E402

ALONE = DistributedContext(0, 1, "cpu")


def cached_config(images=24, **changes):
    text = config(images=images, **changes)
    return text.replace("frozen_images = 8", f"frozen_images = {images}\ncached_images = 10")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_fits(folder / "fits.npz", write_people(folder, 8))
    return folder


def locations(people):
    return Locations({"lspet": people, "fits": people / "fits.npz"})


def read(people, folder, encoder, text=None, context=ALONE):
    text = text or cached_config()
    run = read_run_config(text, "tiny")
    spec = DatasetSpec(run, locations(people), TinyEncoder.size)
    return cached_inputs(folder, encoder, spec, context, 0, SILENT)


def make_encoder(seed=0):
    torch.manual_seed(seed)
    return TinyEncoder()


def test_every_crop_is_drawn_once_in_an_epoch():
    arrays = {"summary": np.arange(12.0)[:, None], "map_0": np.zeros((12, 1, 1, 1), np.float16)}
    arrays |= {f"label_{field.name}": np.arange(12.0) for field in fields(Labels)}
    crops = CachedCrops(arrays, seed=1)
    drawn = [crops.read(step, 4, "cpu")[1].person.tolist() for step in range(6)]
    first, second = np.concatenate(drawn[:3]), np.concatenate(drawn[3:])
    assert sorted(first) == sorted(second) == list(range(12))
    assert first.tolist() != second.tolist()


def test_cached_outputs_are_the_encoders(people, tmp_path):
    encoder, text = make_encoder(), cached_config()
    made = list(read(people, tmp_path / "outputs", encoder, text))
    assert len(made) == 6
    run = read_run_config(text, "tiny")
    spec = DatasetSpec(run, locations(people), TinyEncoder.size)
    expected = {}
    for batch in list(batches(spec, ALONE, run.schedule, 0))[:3]:
        image, labels = to_device(batch, "cpu")
        with torch.no_grad():
            summary = encoder(image).summary
        for row, points in zip(summary, labels.keypoints, strict=True):
            expected[points.numpy().tobytes()] = row
    for encoded, labels in made:
        for row, points in zip(encoded.summary, labels.keypoints, strict=True):
            assert torch.equal(row, expected[points.numpy().tobytes()])
        assert [tuple(one.shape) for one in encoded.maps] == [(4, 4, n, n) for n in (4, 8, 16)]


def test_the_thread_that_makes_batches_ends_with_the_last_use_of_them(people):
    run = read_run_config(cached_config(), "tiny")
    spec = DatasetSpec(run, locations(people), TinyEncoder.size)
    before = set(threading.enumerate())
    made = batches(spec, ALONE, run.schedule, 0)
    next(made)
    (thread,) = (one for one in set(threading.enumerate()) - before if one.name == "batches")
    made.close()
    thread.join(5)
    assert not thread.is_alive()


def test_interrupted_pass_continues_where_it_stopped(people, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_cache, "_STATE_EVERY", 1)
    encode, calls = feature_cache._encode, []

    def stop_at_third(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(*arguments)

    whole = [one.summary for one, _ in read(people, tmp_path / "whole", make_encoder())]
    monkeypatch.setattr(feature_cache, "_encode", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        next(read(people, tmp_path / "outputs", make_encoder()))
    resumed = [one.summary for one, _ in read(people, tmp_path / "outputs", make_encoder())]
    # two batches before, the last one after
    assert len(calls) == 4
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))


@pytest.mark.parametrize("damage", ["encoder", "state", "array", "missing"])
def test_outputs_that_do_not_belong_to_the_run_are_replaced(people, tmp_path, damage):
    folder = tmp_path / "outputs"
    list(read(people, folder, make_encoder()))
    encoder = make_encoder(1 if damage == "encoder" else 0)
    if damage == "state":
        (folder / "state.json").write_text("{")
    if damage == "array":
        (folder / "summary.npy").write_bytes(b"\x93NUMPY damaged")
    if damage == "missing":
        (folder / "map_1.npy").unlink()
    outputs = next(iter(read(people, folder, encoder)))[0]
    fresh = next(iter(read(people, tmp_path / "fresh", encoder)))[0]
    assert torch.equal(outputs.summary, fresh.summary)
    assert len(outputs.maps) == 3


def test_disk_that_is_too_small_is_one_line(people, tmp_path, monkeypatch):
    usage = feature_cache.shutil.disk_usage(tmp_path)._replace(free=2**30)
    monkeypatch.setattr(feature_cache.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match=r"12 encoder outputs take .* lower cached_images"):
        next(read(people, tmp_path / "outputs", make_encoder()))


def test_several_processes_are_refused(people, tmp_path):
    context = DistributedContext(0, 2, "cpu")
    with pytest.raises(UsageError, match="one process"):
        next(read(people, tmp_path / "outputs", make_encoder(), context=context))


def test_cache_with_a_training_encoder_is_refused():
    text = cached_config().replace("frozen_images = 24", "frozen_images = 8")
    with pytest.raises(InputError, match="cached_images needs frozen_images"):
        read_run_config(text, "tiny")


def test_cache_with_a_loss_of_heatmaps_is_refused():
    text = cached_config().replace("[schedule]", "[losses]\nheatmaps = 0.5\n[schedule]")
    with pytest.raises(InputError, match=r"^tiny: Value error, cached_images stores no heatmaps"):
        read_run_config(text, "tiny")


@pytest.mark.integration
def test_run_trains_on_cached_outputs(people, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "_make_encoder", lambda *_: TinyEncoder())
    rates = []
    step = TrainingOptimizer.step
    monkeypatch.setattr(
        TrainingOptimizer,
        "step",
        lambda self, *a: (rates.append(self.param_groups[0]["lr"]), step(self, *a))[1],
    )
    path = tmp_path / "run.toml"
    for module in (preview, validation):
        monkeypatch.setattr(module, "VALIDATION_COUNT", 4)
    path.write_text(cached_config(images=48))
    training.train(path, out=tmp_path, locations=locations(people))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(rates) == 12
    assert set(rates) == {0.0}
    assert lines
    assert (tmp_path / "encoder_outputs" / "state.json").exists()

"""Tests of data-parallel training against training with one process."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from safetensors.torch import load_file, save_file  # noqa: E402

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import UsageError  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from tests.trainer.tiny_run import (  # noqa: E402
    config,
    finish_run,
    make_tiny,
    process_context,
    start_run,
)
from trainer.data.fits import write_fits  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.batches import batches, to_device  # noqa: E402
from trainer.training.config import read_run_config  # noqa: E402
from trainer.training.datasets import DatasetSpec, Locations  # noqa: E402
from trainer.training.distributed import DistributedContext, distributed_context, mean_over_known  # noqa: E402
from trainer.training.loss_module import LossModule  # noqa: E402
from trainer.training.losses import Losses  # noqa: E402

BATCH = 8
LABELS = {
    "dropout": 0.0, "batch": BATCH, "images": 3 * BATCH, "auxiliary": "dense",
    "background": 0.3, "validate_every": 1000,
}  # fmt: skip


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Return a set in which few people have a body, so that the halves of a batch differ."""
    folder = tmp_path_factory.mktemp("people")
    fits = write_people(folder, 14)
    write_fits(folder / "fits.npz", replace(fits, kept=np.arange(14) % 3 == 0))
    return folder


def gradients(people, text, out, environment):
    """Write the gradients of a run's first step to a file per process."""
    import os

    os.environ.update(environment)
    make_tiny()
    run, body = read_run_config(text, "tiny"), default_body()
    with distributed_context("cpu", BATCH) as context:
        torch.manual_seed(0)
        model = PyMAF(run.network, body, InitialEstimate.upright(body))
        losses = Losses(body, run.losses, dense=True)
        loss_module = context.wrap(LossModule(model, losses, bf16=False))
        places = {"lspet": people, "fits": people / "fits.npz", "ccp": people / "ccp"}
        spec = DatasetSpec(run, Locations({n: p for n, p in places.items() if p.exists()}), 64)
        batch = next(batches(spec, context, run.schedule, 0))
        loss, terms = loss_module(*to_device(batch, "cpu"), False)
        loss.backward()
        found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        found |= {f"term {name}": torch.tensor(v) for name, v in context.mean(terms).items()}
        found["bodies"] = batch["fitted"].sum()
        save_file(found, out / f"{context.rank}.safetensors")


def error_text(folder):
    """Return the message of a run that ended with an error."""
    path = folder / "error.txt"
    return path.read_text() if path.exists() else "no message"


@pytest.fixture
def environments():
    """Return the environments of two processes that meet at a store of this one, as in torchrun.

    A port that is looked up and released first may be taken before the first process binds it.
    """
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }
    yield [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in (0, 1)]
    del store


@pytest.mark.integration
def test_two_processes_compute_the_gradients_of_one(people, environments, tmp_path):
    text = config(**LABELS)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    runs = [(people, text, tmp_path / "one", {})]
    runs += [(people, text, tmp_path / "two", environment) for environment in environments]
    started = [process_context().Process(target=gradients, args=run) for run in runs]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
        assert process.exitcode == 0
    one = load_file(tmp_path / "one" / "0.safetensors")
    two = [load_file(tmp_path / "two" / f"{rank}.safetensors") for rank in (0, 1)]
    # with equal numbers, averaging each half alone would pass too
    assert two[0]["bodies"] != two[1]["bodies"]
    assert two[0]["bodies"] + two[1]["bodies"] == one["bodies"] > 0
    assert one.keys() == two[0].keys() == two[1].keys()
    assert float(one["term auxiliary_uv"]) > 0
    for name, value in one.items():
        if name != "bodies":
            scale = float(value.abs().max()) + 1e-6
            for half in two:
                assert float((half[name] - value).abs().max()) < 1e-4 * scale, name


@pytest.mark.integration
def test_two_processes_train_like_one(people, environments, tmp_path):
    text = config(**LABELS)
    assert finish_run(tmp_path / "one", people, text) == 0
    started = [
        start_run(tmp_path / "two", people, text, environment=environment)
        for environment in environments
    ]
    for process in started:
        process.join(120)
        assert process.exitcode == 0, error_text(tmp_path / "two")
    one, two = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("one", "two"))
    # Adam's first steps follow the sign of gradients, even of pure rounding errors
    moments = [name for name in one if name.endswith(".mean")]
    assert float(one["optimiser.regressors.2.fc1.weight.mean"].abs().max()) > 0
    for name in moments:
        scale = float(one[name].abs().max()) + 1e-5
        assert float((one[name] - two[name]).abs().max()) < 0.01 * scale, name


def test_processes_split_a_step_without_overlap():
    shares = [DistributedContext(rank, 4, "cpu").sample_indices(3, 8) for rank in range(4)]
    assert [index for share in shares for index in share] == list(range(24, 32))


def test_mean_over_known_is_divided_by_the_number_of_known_values():
    values, weights = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 0.5, 1.0])
    assert mean_over_known(values, weights) == (0.5 * 2 + 4) / 2
    assert mean_over_known(values, torch.zeros(3)) == 0
    assert mean_over_known(values, 0.25 * weights) == 0.25 * mean_over_known(values, weights)


def test_batch_that_processes_cannot_share_is_rejected(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with (
        pytest.raises(UsageError, match="batch of 32 cannot be shared by 3"),
        distributed_context("cpu", 32),
    ):
        pass


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_rejected():
    with pytest.raises(UsageError, match="there is no cuda here"), distributed_context("cuda", 32):
        pass

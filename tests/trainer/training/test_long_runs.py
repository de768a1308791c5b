"""Tests of runs that are repeated, killed, stopped, limited in time, or out of disk space."""

import json
import os
import signal
import time

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from safetensors.torch import load_file  # noqa: E402

from tests.trainer.fake_people import write_people  # noqa: E402
from tests.trainer.tiny_run import config, finish_run, start_run  # noqa: E402
from trainer.data.fits import write_fits  # noqa: E402
from trainer.packaging.shards import pack, unpack  # noqa: E402
from trainer.training.checkpoint import read_progress  # noqa: E402

pytestmark = pytest.mark.integration
STEPS = 12


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_fits(folder / "fits.npz", write_people(folder, 14))
    return folder


@pytest.fixture(scope="module")
def expected(people, tmp_path_factory):
    """Return the weights of a run without interruptions."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert finish_run(folder, people, config()) == 0
    return load_file(folder / "checkpoint.safetensors")


def checkpoint(folder):
    return folder / "checkpoint.safetensors"


def assert_same(folder, expected):
    found = load_file(checkpoint(folder))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def wait_for_step(folder, step, process):
    for _ in range(1200):
        try:
            if read_progress(checkpoint(folder)).step >= step:
                return
        except Exception:
            assert process.is_alive(), "the run ended before it saved"
        time.sleep(0.05)
    raise AssertionError("the run did not reach the step")


def test_the_same_seed_gives_the_same_weights(people, expected, tmp_path):
    assert finish_run(tmp_path, people, config()) == 0
    assert_same(tmp_path, expected)
    # without any training the comparison would pass trivially
    weights = [n for n in expected if n.startswith("model.regressors") and n.endswith("fc1.weight")]
    assert not torch.equal(expected[weights[0]], expected[weights[0].replace("model.", "average.")])


def test_loader_processes_change_nothing(people, expected, tmp_path):
    assert finish_run(tmp_path, people, config(workers=2)) == 0
    assert_same(tmp_path, expected)


def test_packed_data_train_the_same_weights(people, expected, tmp_path):
    shards = pack(tmp_path / "packed", {"people": people}, largest=65_536)
    assert len(shards) > 1
    unpacked = unpack(tmp_path / "packed", tmp_path / "unpacked")["people"]
    assert finish_run(tmp_path / "run", unpacked, config()) == 0
    assert_same(tmp_path / "run", expected)


def test_repeatedly_killed_run_ends_with_the_same_weights(people, expected, tmp_path):
    text = config(save_every=0.0)
    for step in (2, 5, 9):
        process = start_run(tmp_path, people, text)
        wait_for_step(tmp_path, step, process)
        process.kill()
        process.join()
    assert finish_run(tmp_path, people, text) == 0
    assert_same(tmp_path, expected)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records] == [STEPS, STEPS]


def test_kill_while_saving_keeps_the_previous_checkpoint(people, expected, tmp_path):
    """A kill leaves a partial new checkpoint beside the old one."""
    text = config(save_every=0.0)
    process = start_run(tmp_path, people, text)
    partial_files = []
    while process.is_alive() and not (partial_files and checkpoint(tmp_path).exists()):
        partial_files = list(tmp_path.glob(".checkpoint.*.part.safetensors"))
    process.kill()
    process.join()
    partial = tmp_path / ".checkpoint.0badcafe.part.safetensors"
    partial.write_bytes(checkpoint(tmp_path).read_bytes()[:1000])
    assert 1 <= read_progress(checkpoint(tmp_path)).step <= STEPS
    assert finish_run(tmp_path, people, text) == 0
    assert not list(tmp_path.glob(".*.part*"))
    assert_same(tmp_path, expected)


def test_stop_request_saves_the_run(people, expected, tmp_path):
    text = config(images=4000, save_every=0.0)
    for number, folder in ((signal.SIGTERM, tmp_path / "a"), (signal.SIGINT, tmp_path / "b")):
        process = start_run(folder, people, text)
        wait_for_step(folder, 1, process)
        os.kill(process.pid, number)
        process.join(60)
        assert process.exitcode == 130
        step = read_progress(checkpoint(folder)).step
        assert f"stopped at step {step} of 1000" in (folder / "error.txt").read_text()


def test_time_limit_ends_a_run_with_a_finished_schedule(people, tmp_path):
    text = config(images=400000)
    started = time.monotonic()
    assert finish_run(tmp_path, people, text, minutes=0.05) == 0
    assert time.monotonic() - started < 60
    progress = read_progress(checkpoint(tmp_path))
    assert 3.0 <= progress.seconds < 10.0
    assert 1 <= progress.step < 100000
    # the time is used up, so the same command does not train further
    assert finish_run(tmp_path, people, text, minutes=0.05) == 0
    assert read_progress(checkpoint(tmp_path)).step == progress.step


def test_full_disk_keeps_the_last_checkpoint(people, tmp_path):
    """A limit on the file size makes the operating system reject the write."""
    text = config(save_every=0.0)
    process = start_run(tmp_path, people, text)
    wait_for_step(tmp_path, 2, process)
    process.kill()
    process.join()
    before = checkpoint(tmp_path).read_bytes()
    assert finish_run(tmp_path, people, text, max_file_bytes=len(before) // 2) == 4
    message = (tmp_path / "error.txt").read_text()
    assert message.startswith("cannot write")
    assert "\n" not in message
    assert checkpoint(tmp_path).read_bytes() == before
    assert not list(tmp_path.glob(".*part*"))


def test_bf16_trains_similar_weights(people, expected, tmp_path):
    assert finish_run(tmp_path, people, config(precision="bf16")) == 0
    found = load_file(checkpoint(tmp_path))
    name = "model.regressors.0.fc1.weight"
    assert found[name].dtype == torch.float32
    assert not torch.equal(found[name], expected[name])
    # twelve steps of 1e-3 move a weight by at most about 0.012
    assert (found[name] - expected[name]).abs().max() < 0.01

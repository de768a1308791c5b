"""Tiny training run that tests start, kill and finish many times, in a process of its own."""

import multiprocessing
import os
import resource
import sys
from pathlib import Path

import torch
from torch import nn

import trainer.network.pymaf as network
import trainer.train as training
from pymaf_live.errors import PymafLiveError
from pymaf_live.system.atomic_write import atomic_write
from trainer.network.encoder import EncoderOutput
from trainer.training.datasets import Locations

HELD_OUT = 4
CONFIG = """
name = "tiny"
[network]
grid = 3
point_widths = [4, 4]
point_channels = 2
hidden = 8
dropout = {dropout}
activation = true
auxiliary = "{auxiliary}"
[augmentation]
background = {background}
[[data]]
kind = "lspet"
folder = "lspet"
fits = "fits"
rows = "all"
[schedule]
images = {images}
frozen_images = 8
batch = {batch}
learning_rate = 1e-3
warm_up = 4
ema_decay = 0.9
validate_every = {validate_every}
save_every = {save_every}
seed = 3
workers = {workers}
precision = "{precision}"
"""


def config(**changes):
    """Return the text of the run's configuration, with changed fields."""
    defaults = {
        "dropout": 0.1, "images": 48, "validate_every": 1000, "save_every": 100.0, "workers": 0,
        "precision": "f32", "batch": 4, "background": 0.0, "auxiliary": "none",
    }  # fmt: skip
    return CONFIG.format(**{**defaults, **changes})


class TinyEncoder(nn.Module):
    size = 64
    channels = 4
    summary_width = 4

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, 4, 1)

    def freeze_stem(self, *, frozen=True):
        pass

    def forward(self, image):
        finest = torch.relu(self.first(image))
        maps = [nn.functional.adaptive_avg_pool2d(finest, side) for side in (4, 8, 16)]
        return EncoderOutput(maps, finest.mean((2, 3)))


def make_tiny():
    """Replace the network's encoder with the tiny one, and hold out only a few people."""
    torch.set_num_threads(1)
    network._make_encoder = lambda *_: TinyEncoder()
    for name, module in list(sys.modules.items()):
        if name.startswith("trainer.") and hasattr(module, "VALIDATION_COUNT"):
            module.VALIDATION_COUNT = HELD_OUT


def run(folder: Path, people: Path, text: str, environment=None, max_file_bytes=None, **options):
    """Train in this process, and exit with the code of the command."""
    os.environ.update(environment or {})
    make_tiny()
    if max_file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / "run.toml"
    if not path.exists():
        # processes that train together write it at the same time; none may see half of it
        with atomic_write(path) as temporary:
            temporary.write_text(text)
    try:
        training.train(
            path,
            out=folder,
            locations=Locations({"lspet": people, "fits": people / "fits.npz"}),
            **options,
        )
    except PymafLiveError as error:
        (folder / "error.txt").write_text(str(error))
        sys.exit(error.exit_code)


def process_context():
    """Return a fork server with torch preloaded, free of this process's threads and locks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def start_run(*arguments, **options):
    process = process_context().Process(target=run, args=arguments, kwargs=options)
    process.start()
    return process


def finish_run(*arguments, **options):
    process = start_run(*arguments, **options)
    process.join(120)
    assert process.exitcode is not None, "the run did not end"
    return process.exitcode

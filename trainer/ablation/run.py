"""The paper's comparisons on our data, under one equal budget: tables and a plot.

Equal budget means equal images: every variant sees the same people in the same order, as many as
the slowest one trains on in the given time. Results are stored one by one, so that a run that is
killed can be resumed, and more seeds or variants can be added later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pymaf_live.body import default_body
from pymaf_live.errors import InputError, UsageError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import SILENT, Reporter
from trainer.ablation.features import read_features
from trainer.ablation.learning import (
    AblationSetup,
    measure_variant,
    seconds_per_image,
    train_variant,
)
from trainer.ablation.report import draw, markdown
from trainer.ablation.variants import VARIANTS
from trainer.data.fits import Fits, read_fits
from trainer.data.lspet import VALIDATION_COUNT, JointSet, read_joint_set
from trainer.network.estimates import InitialEstimate
from trainer.training.config import RunConfig, read_config_file
from trainer.training.malloc import keep_freed_memory

CONFIG = Path(__file__).parents[1] / "configs" / "ablation.toml"
"""Configuration that the variants share, by default."""


@dataclass(frozen=True)
class Comparison:
    """Variants, seeds and budget of a comparison."""

    minutes: float
    """Training time of the slowest variant, of the device's own time."""
    seeds: int = 3
    variants: tuple[str, ...] = tuple(VARIANTS)
    people: int | None = None
    """Train only on this many people, the first ones; for a quick check."""


@dataclass(frozen=True)
class AblationData:
    """LSPET with its fits: people to train on, and held-out ones."""

    joint_set: JointSet
    fits: Fits
    people: int
    """People to train on: rows 0 .. `people` - 1."""
    held_out: range
    """Rows of the held-out people."""


def ablate(
    comparison: Comparison,
    *,
    out: Path,
    config_file: Path,
    lspet: Path,
    fits: Path,
    landmark_file: Path,
    device: str = "cpu",
    threads: int = 1,
    reporter: Reporter = SILENT,
) -> Path:
    """Train and measure everything that has no result yet, then write the page.

    Parameters
    ----------
    comparison : Comparison
    out : Path
        Folder of features, results (`VARIANT_SEED.json`), `ablation.md` and `ablation.png`.
    config_file : Path
        Configuration that the variants share, see `trainer/configs/ablation.toml`.
    lspet, fits : Path
        The packed LSPET set and its fits.
    landmark_file : Path
        BlazePose's `lite` file.
    device : str
        Torch's name of the device.
    threads : int
        CPU threads.
    reporter : Reporter

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UsageError
        If a variant does not exist, or the budget is not positive.
    InputError
        If the data cannot be used, or the folder's results have another budget.
    """
    _check(comparison)
    make_folder(out)
    keep_freed_memory()
    torch.set_num_threads(threads)
    text, config = read_config_file(config_file)
    data = _read_data(lspet, fits, comparison.people)
    setup = _make_setup(config, data, out / "features", landmark_file, device, reporter)
    single = device == "cpu" and threads == 1
    agreed = {
        "minutes": comparison.minutes,
        "people": data.people,
        "held_out": len(data.held_out),
        "device": "CPU thread" if single else f"{device}, {threads} threads",
        "config": hashlib.sha256(text.encode()).hexdigest(),
    }
    budget = _budget(out / "budget.json", agreed, setup)

    # the loop over seeds is the outer one, so that results are comparable at any time
    jobs = [(name, seed) for seed in range(comparison.seeds) for name in comparison.variants]
    pending = [job for job in jobs if not _result_path(out, *job).exists()]
    reporter.message(
        f"{budget['pictures']} images per variant; {len(pending)} of {len(jobs)} to do, "
        f"about {_minutes(budget, pending):.0f} minutes of the device's own time"
    )
    for number, (name, seed) in enumerate(pending):
        figures = _run_job(setup, data, budget, name, seed)
        with atomic_write(_result_path(out, name, seed)) as temporary:
            temporary.write_text(json.dumps(figures, indent=1), encoding="utf-8")
        _write_page(out, budget)
        reporter.message(
            f"{name}, seed {seed}: PCK {figures['pck'][-1]:.3f}, "
            f"{figures['mpjpe_to_fits_mm'][-1]:.0f} mm; "
            f"about {_minutes(budget, pending[number + 1 :]):.0f} minutes left"
        )
    return _write_page(out, budget)


def _check(comparison: Comparison) -> None:
    unknown = sorted(set(comparison.variants) - set(VARIANTS))
    if unknown:
        raise UsageError(f"no variant {unknown[0]!r}; variants are {', '.join(VARIANTS)}")
    if not comparison.minutes > 0 or comparison.seeds < 1:
        raise UsageError("minutes and seeds must be above 0")


def _read_data(lspet: Path, fits: Path, people: int | None) -> AblationData:
    joint_set = read_joint_set(lspet)
    trainable = len(joint_set) - VALIDATION_COUNT
    return AblationData(
        joint_set,
        read_fits(fits, len(joint_set)),
        min(people or trainable, trainable),
        range(trainable, len(joint_set)),
    )


def _make_setup(
    config: RunConfig,
    data: AblationData,
    folder: Path,
    landmark_file: Path,
    device: str,
    reporter: Reporter,
) -> AblationSetup:
    body, fits = default_body(), data.fits
    rows = [*range(data.people), *data.held_out]
    features = read_features(folder, data.joint_set, fits, body, landmark_file, rows, reporter)
    kept = np.flatnonzero(fits.kept[: data.people])
    start = InitialEstimate.mean(fits.rotations[kept], fits.shape[kept], fits.camera[kept])
    return AblationSetup(config, body, start, features, data.people, device)


def _run_job(
    setup: AblationSetup, data: AblationData, budget: dict[str, Any], name: str, seed: int
) -> dict[str, Any]:
    steps = int(budget["pictures"]) // setup.config.schedule.batch
    network = VARIANTS[name].network(setup.config.network)
    model, loss = train_variant(setup, network, seed, steps)
    figures = measure_variant(setup, model, data.joint_set, data.fits, data.held_out, data.people)
    return {**figures, "loss": loss}


def _budget(path: Path, agreed: dict[str, Any], setup: AblationSetup) -> dict[str, Any]:
    """Return the number of images per variant, measured once and stored with the results."""
    if path.exists():
        stored = _read(path)
        different = sorted(key for key in agreed if stored.get(key) != agreed[key])
        if different:
            raise InputError(f"{path.parent} has results with other {', '.join(different)}")
        return stored
    config: RunConfig = setup.config
    seconds = {
        name: seconds_per_image(setup, variant.network(config.network))
        for name, variant in VARIANTS.items()
    }
    slowest = max(seconds, key=lambda name: seconds[name])
    images = min(60 * agreed["minutes"] / seconds[slowest], config.schedule.images)
    steps = max(1, int(images) // config.schedule.batch)
    budget = {
        **agreed,
        "pictures": steps * config.schedule.batch,
        "slowest": slowest,
        "seconds_a_picture": seconds,
    }
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(budget, indent=1), encoding="utf-8")
    return budget


def _minutes(budget: dict[str, Any], jobs: Sequence[tuple[str, int]]) -> float:
    seconds = budget["seconds_a_picture"]
    return float(sum(seconds[name] for name, _ in jobs)) * int(budget["pictures"]) / 60


def _result_path(out: Path, name: str, seed: int) -> Path:
    return out / f"{name}_{seed}.json"


def _write_page(out: Path, budget: dict[str, Any]) -> Path:
    """Write the page with all results in the folder, including those of earlier comparisons."""
    results = {
        name: [_read(path) for path in sorted(out.glob(f"{name}_[0-9]*.json"))] for name in VARIANTS
    }
    draw(results, out / "ablation.png")
    page = out / "ablation.md"
    with atomic_write(page) as temporary:
        temporary.write_text(markdown(results, budget, "ablation.png"), encoding="utf-8")
    return page


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged; delete it to make it again: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged; delete it to make it again")
    return content

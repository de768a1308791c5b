"""The paper's comparisons on our data, under one equal budget: tables and a plot.

Equal budget = equal pictures: every variant sees the same people in the same order, as many as the
slowest one learns from in the time given. Results are kept one by one, so that a run that is killed
goes on where it stopped, and more seeds or variants may be added later.
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
from rich.console import Console

from pymaf_live.body import default_body
from pymaf_live.errors import InputError, UsageError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from trainer.ablation.features import read_features
from trainer.ablation.learning import AblationSetup, learned, measured, seconds_per_image
from trainer.ablation.report import draw, markdown
from trainer.ablation.variants import VARIANTS
from trainer.data.fits import read_fits
from trainer.data.lspet import VALIDATION, read_joint_set
from trainer.network.estimates import InitialEstimate
from trainer.training.config import RunConfig, read_config_file
from trainer.training.malloc import keep_freed_memory

CONFIG = Path(__file__).parents[1] / "configs" / "ablation.toml"
"""Configuration that the variants share, by default."""


@dataclass(frozen=True)
class Comparison:
    """What is compared, how often, and how long."""

    minutes: float
    """That the slowest variant may learn, of the device's own time."""
    seeds: int = 3
    variants: tuple[str, ...] = tuple(VARIANTS)
    people: int | None = None
    """Learn from the first so many people only; for a quick look."""


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
) -> Path:
    """Learn and measure what is not there yet, then write the page.

    Parameters
    ----------
    comparison : Comparison
    out : Path
        Folder of features, results (`VARIANT_SEED.json`), `ablation.md` and `ablation.png`.
    config_file : Path
        What the variants have in common, see `trainer/configs/ablation.toml`.
    lspet, fits : Path
        The packed LSPET set and its fits.
    landmark_file : Path
        BlazePose's `lite` file.
    device : str
        Torch's name of it.
    threads : int
        Of a CPU.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    UsageError
        If a variant is not known.
    InputError
        If the data cannot be used, or the folder's results are of another budget.
    """
    unknown = sorted(set(comparison.variants) - set(VARIANTS))
    if unknown or not comparison.minutes > 0 or comparison.seeds < 1:
        wrong = f"no variant {unknown[0]!r}" if unknown else "minutes and seeds must be above 0"
        raise UsageError(f"{wrong}; variants are {', '.join(VARIANTS)}")
    console = Console(stderr=True, soft_wrap=True)
    make_folder(out)
    keep_freed_memory()
    torch.set_num_threads(threads)

    # the people: some to learn from, the last ones held out
    text, config = read_config_file(config_file)
    body, joint_set = default_body(), read_joint_set(lspet)
    known = read_fits(fits, len(joint_set))
    everyone = len(joint_set) - VALIDATION
    people = min(comparison.people or everyone, everyone)
    held_out = range(everyone, len(joint_set))
    rows = [*range(people), *held_out]
    features = read_features(out / "features", joint_set, known, body, landmark_file, rows)
    good = np.flatnonzero(known.kept[:people])
    mean = InitialEstimate.mean(known.rotations[good], known.shape[good], known.camera[good])
    course = AblationSetup(config, body, mean, features, people, device)

    # one budget for all
    alone = device == "cpu" and threads == 1
    agreed = {
        "minutes": comparison.minutes,
        "people": people,
        "held_out": len(held_out),
        "device": "CPU thread" if alone else f"{device}, {threads} threads",
        "config": hashlib.sha256(text.encode()).hexdigest(),
    }
    budget = _budget(out / "budget.json", agreed, course)
    steps = int(budget["pictures"]) // config.schedule.batch

    # the seeds of a variant last, so that what is there is comparable at any time
    jobs = [(name, seed) for seed in range(comparison.seeds) for name in comparison.variants]
    paths = {job: out / f"{job[0]}_{job[1]}.json" for job in jobs}
    left = [job for job in jobs if not paths[job].exists()]
    console.print(
        f"{budget['pictures']} pictures a variant; {len(left)} of {len(jobs)} to do, "
        f"about {_minutes(budget, left):.0f} minutes of the device's own time"
    )
    for number, (name, seed) in enumerate(left):
        network = VARIANTS[name].network(config.network)
        model, loss = learned(course, network, seed, steps)
        figures = measured(course, model, joint_set, known, held_out, people)
        figures["loss"] = loss
        with atomic_write(paths[name, seed]) as temporary:
            temporary.write_text(json.dumps(figures, indent=1), encoding="utf-8")
        _write_page(out, budget)
        console.print(
            f"{name}, seed {seed}: PCK {figures['pck'][-1]:.3f}, "
            f"{figures['mpjpe_to_fits_mm'][-1]:.0f} mm; "
            f"about {_minutes(budget, left[number + 1 :]):.0f} minutes left"
        )
    return _write_page(out, budget)


def _budget(path: Path, agreed: dict[str, Any], course: AblationSetup) -> dict[str, Any]:
    """How many pictures a variant gets: asked once, kept with the results."""
    if path.exists():
        found = _read(path)
        other = sorted(key for key in agreed if found.get(key) != agreed[key])
        if other:
            raise InputError(f"{path.parent} has results of other {', '.join(other)}")
        return found
    config: RunConfig = course.config
    seconds = {
        name: seconds_per_image(course, one.network(config.network))
        for name, one in VARIANTS.items()
    }
    slowest = max(seconds, key=lambda name: seconds[name])
    most = min(60 * agreed["minutes"] / seconds[slowest], config.schedule.images)
    steps = max(1, int(most) // config.schedule.batch)
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


def _write_page(out: Path, budget: dict[str, Any]) -> Path:
    """All results that the folder has, whatever was asked for this time."""
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
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is broken; delete it to make it anew: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is broken; delete it to make it anew")
    return found

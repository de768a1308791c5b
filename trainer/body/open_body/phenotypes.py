"""Blend shapes of MakeHuman, and their weights as multilinear functions of phenotypes."""

from __future__ import annotations

import gzip
import itertools
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Mask
from trainer.body.open_body.makehuman import METRES, MakeHumanMesh

AXES: dict[str, tuple[str, ...]] = {
    "race": ("african", "asian", "caucasian"),
    "gender": ("male", "female"),
    "age": ("young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
    "cup": ("mincup", "averagecup", "maxcup"),
    "firm": ("minfirmness", "averagefirmness", "maxfirmness"),
}
"""Phenotype -> its anchors, as in the targets' file names."""

_FILES = (
    ("macrodetails", "universal-{}-{}-{}-{}", ("gender", "age", "muscle", "weight")),
    ("macrodetails", "{}-{}-{}", ("race", "gender", "age")),
    ("macrodetails/height", "{}-{}-{}-{}-{}", ("gender", "age", "muscle", "weight", "height")),
    (
        "macrodetails/proportions",
        "{}-{}-{}-{}-{}",
        ("gender", "age", "muscle", "weight", "proportions"),
    ),
    ("breast", "female-{}-{}-{}-{}-{}", ("age", "muscle", "weight", "cup", "firm")),
)
"""Folder, pattern of the file name and the phenotypes whose anchors complete it."""


@dataclass(frozen=True)
class Phenotypes:
    """Slider values of S people, 0..1 unless noted; the names are MakeHuman's."""

    race: Array
    """(S, 3) shares of African, Asian and Caucasian, which sum to one."""
    gender: Array
    """(S,) 0 male, 1 female."""
    age: Array
    """(S,) 0 young, 1 old adult."""
    muscle: Array
    weight: Array
    """(S,) extrapolated linearly outside 0..1."""
    height: Array
    proportions: Array
    """(S,) 0 ideal, 1 uncommon."""
    cup: Array
    firm: Array

    def replaced(self, **values: Array) -> Phenotypes:
        """Return a copy with some sliders replaced."""
        return replace(self, **values)

    def anchor_weights(self) -> Array:
        """Return the weight (S, A) of every anchor, in the order of `AXES`."""
        weights = [
            self.race,
            _two_anchors(self.gender),
            _two_anchors(self.age),
            _three_anchors(self.muscle),
            _three_anchors_extended(self.weight),
            _two_anchors(self.height),
            _two_anchors(self.proportions),
            _three_anchors(self.cup),
            _three_anchors(self.firm),
        ]
        return np.concatenate(weights, 1)


def middle_adult() -> Phenotypes:
    """Return one person with medium values of all phenotypes."""
    values = {field.name: np.full(1, 0.5) for field in fields(Phenotypes)}
    values |= {"race": np.full((1, 3), 1 / 3), "age": np.full(1, 0.25), "weight": np.full(1, 0.55)}
    return Phenotypes(**values)


@dataclass(frozen=True)
class Targets:
    """Blend shapes; K targets over V vertices."""

    offsets: NDArray[np.float32]
    """(K, V, 3) m."""
    factors: Mask
    """(K, A) True for anchors whose weights are multiplied to the target's weight."""

    def coefficients(self, people: Phenotypes) -> Array:
        """Return the weights (S, K) of the targets: products of their anchors' weights."""
        weights = people.anchor_weights()
        return np.stack([np.prod(weights[:, factors], 1) for factors in self.factors], 1)


def read_targets(mesh: MakeHumanMesh) -> Targets:
    """Read the symmetrised targets of the phenotypes; missing files are skipped.

    Raises
    ------
    InputError
        If there is no target, or a file has another format.
    """
    offsets, keys = [], []
    for folder, pattern, axes in _FILES:
        for anchors in itertools.product(*(AXES[axis] for axis in axes)):
            path = mesh.folder / "targets" / folder / (pattern.format(*anchors) + ".target.gz")
            if path.exists():
                offsets.append(_read_target(mesh, path))
                keys.append(("female", *anchors) if folder == "breast" else anchors)
    if not offsets:
        raise InputError(f"{mesh.folder} contains no targets")
    all_anchors = [anchor for axis in AXES.values() for anchor in axis]
    factors = np.array([[anchor in key for anchor in all_anchors] for key in keys])
    return Targets(np.stack(offsets), factors)


def _read_target(mesh: MakeHumanMesh, path: Path) -> NDArray[np.float32]:
    try:
        with gzip.open(path, "rb") as file:
            rows = np.array(file.read().split(), dtype=np.float64).reshape(-1, 4)
        offsets = np.zeros((len(mesh.vertices), 3))
        offsets[rows[:, 0].astype(int)] = rows[:, 1:] * METRES
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise InputError(f"{path} is not a target: {error}") from error
    return mesh.symmetrized(offsets).astype(np.float32)


def _two_anchors(values: Array) -> Array:
    x = np.clip(values, 0, 1)
    return np.stack([1 - x, x], -1)


def _three_anchors(values: Array) -> Array:
    """Return the weights (S, 3) of the anchors at 0, 0.5 and 1."""
    x = np.clip(values, 0, 1)
    return np.stack([np.clip(1 - 2 * x, 0, 1), 1 - np.abs(2 * x - 1), np.clip(2 * x - 1, 0, 1)], -1)


def _three_anchors_extended(values: Array) -> Array:
    """Return the weights (S, 3) of the anchors at 0, 0.5 and 1, linear also outside 0..1."""
    low = values < 0.5
    return np.stack(
        [
            np.where(low, 1 - 2 * values, 0),
            np.where(low, 2 * values, 2 - 2 * values),
            np.where(low, 0, 2 * values - 1),
        ],
        -1,
    )

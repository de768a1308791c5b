"""Random adults: phenotypes whose statures and body masses follow those of real people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pymaf_live.system.reporter import Reporter
from pymaf_live.types import Array, Ints
from trainer.body.open_body.geometry import mesh_volume, stature
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.makehuman import MakeHumanMesh
from trainer.body.open_body.phenotypes import Phenotypes, Targets

DENSITY = 1000.0
"""kg per cubic metre, as water."""

_ROUNDS = 4
_LEAST_WEIGHT, _MOST_WEIGHT = -0.20, 1.60
"""MakeHuman's weight slider, continued a little."""
_WEIGHT_STEP, _MOST_WEIGHT_CHANGE = 0.05, 0.4


@dataclass(frozen=True)
class _Wanted:
    """Stature and body mass index that the sampled people are to have; S people."""

    stature: Array
    """(S,) m."""
    bmi: Array
    """(S,) kg / m2."""


class Population:
    """Sampled adults on the half mesh.

    Parameters
    ----------
    mesh : MakeHumanMesh
    half : HalfMesh
    targets : Targets
    """

    def __init__(self, mesh: MakeHumanMesh, half: HalfMesh, targets: Targets) -> None:
        self._mesh, self._half, self._targets = mesh, half, targets
        self._rest = mesh.vertices[half.base_vertex].astype(np.float32)
        self._offsets = targets.offsets[:, half.base_vertex]
        self._cubes = [
            name.removeprefix("joint-")
            for name in mesh.groups
            if name.startswith("joint-") and "-r-" not in name and name != "joint-ground"
        ]

    def sample(
        self, random: np.random.Generator, count: int, reporter: Reporter
    ) -> tuple[Array, dict[str, Array]]:
        """Draw `count` adults.

        Returns
        -------
        points : (S, H, 3) array
            Half bodies in MakeHuman's rest pose, m.
        cubes : dict of str to (S, 3) array
            Middles of MakeHuman's joint cubes, those of the left and the midline.
        """
        people, wanted = _draw(random, count)
        people = self._calibrated(people, wanted, reporter)
        coefficients = self._targets.coefficients(people).astype(np.float32)
        points = self._half_bodies(people)
        points[:, self._half.on_midline, 0] = 0
        return points.astype(np.float64), {
            name: self._cube(name, coefficients) for name in self._cubes
        }

    def _half_bodies(self, people: Phenotypes) -> NDArray[np.float32]:
        """Return half bodies (S, H, 3) in MakeHuman's rest pose, m."""
        coefficients = self._targets.coefficients(people).astype(np.float32)
        moved = np.einsum("sk,kvc->svc", coefficients, self._offsets, optimize=True)
        bodies: NDArray[np.float32] = self._rest + moved
        return bodies

    def _cube(self, name: str, coefficients: NDArray[np.float32]) -> Array:
        rows: Ints = self._mesh.group("joint-" + name)
        middle = self._mesh.vertices[rows].mean(0)
        places: Array = middle + coefficients @ self._targets.offsets[:, rows].mean(1)
        if "l-" not in name:
            places[:, 0] = 0
        return places

    def _bmi(self, points: NDArray[np.float32]) -> Array:
        # a half body is closed by the plane x = 0, which adds no volume
        volume = 2 * mesh_volume(points.astype(np.float64), self._half.half_faces)
        return np.asarray(DENSITY * volume / stature(points) ** 2)

    def _calibrated(self, people: Phenotypes, wanted: _Wanted, reporter: Reporter) -> Phenotypes:
        """Set height and weight sliders by a few secant steps.

        Stature is nearly linear in "height", body mass monotone in "weight".
        """
        count = len(people.age)
        for number in range(_ROUNDS):
            low, high = (
                stature(self._half_bodies(people.replaced(height=np.full(count, value))))
                for value in (0.0, 1.0)
            )
            height = np.clip((wanted.stature - low) / (high - low), 0, 1)
            people = people.replaced(height=height)
            bodies = self._half_bodies(people)
            here = self._bmi(bodies)
            weight, heavier = people.weight, people.weight + _WEIGHT_STEP
            there = self._bmi(self._half_bodies(people.replaced(weight=heavier)))
            slope = np.where(np.abs(there - here) < 1e-6, 1e-6, there - here)
            change = (wanted.bmi - here) * (heavier - weight) / slope
            change = np.clip(change, -_MOST_WEIGHT_CHANGE, _MOST_WEIGHT_CHANGE)
            people = people.replaced(weight=np.clip(weight + change, _LEAST_WEIGHT, _MOST_WEIGHT))
            tall = stature(bodies)
            reporter.message(
                f"calibration {number}: stature {tall.mean():.3f} +- {tall.std():.3f} m, "
                f"BMI {here.mean():.1f} +- {here.std():.1f} (wanted {wanted.bmi.mean():.1f}), "
                f"weight slider {people.weight.mean():.2f} +- {people.weight.std():.2f}"
            )
        return people


def _draw(random: np.random.Generator, count: int) -> tuple[Phenotypes, _Wanted]:
    """Draw sliders and, by gender, the statures and body mass indices of adults.

    The order of the draws decides the body: a change of it changes the shape space.
    """
    female = random.random(count) < 0.5
    people = Phenotypes(
        race=random.dirichlet([1.5] * 3, count),
        gender=np.where(female, 1 - random.beta(1.1, 9, count), random.beta(1.1, 9, count)),
        age=random.beta(1.1, 3.0, count),
        muscle=np.clip(random.normal(0.5, 0.17, count), 0, 1),
        weight=np.clip(random.normal(0.5, 0.17, count), 0, 1),
        height=np.zeros(count),
        proportions=np.clip(random.normal(0.5, 0.22, count), 0, 1),
        cup=np.clip(random.normal(0.5, 0.18, count), 0, 1),
        firm=np.clip(random.normal(0.5, 0.15, count), 0, 1),
    )
    tall = np.where(female, random.normal(1.630, 0.066, count), random.normal(1.757, 0.071, count))
    bmi = np.clip(np.exp(random.normal(np.log(24.8), 0.165, count)), 16.5, 42)
    return people, _Wanted(tall, bmi)

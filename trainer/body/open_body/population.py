"""Random adults: phenotypes with the distribution of stature and body mass of real people."""

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
"""Density of the body in kg / m3, that of water."""

_CALIBRATION_STEPS = 4
_MIN_WEIGHT, _MAX_WEIGHT = -0.20, 1.60
"""Range of MakeHuman's weight slider, slightly extrapolated."""
_WEIGHT_STEP, _MAX_WEIGHT_CHANGE = 0.05, 0.4


@dataclass(frozen=True)
class _BodySize:
    """Target stature and body mass index of S sampled people."""

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
            Centres of MakeHuman's joint cubes, those of the left side and the midline.
        """
        people, target = _draw(random, count)
        people = self._calibrated(people, target, reporter)
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
        centre = self._mesh.vertices[rows].mean(0)
        positions: Array = centre + coefficients @ self._targets.offsets[:, rows].mean(1)
        if "l-" not in name:
            positions[:, 0] = 0
        return positions

    def _bmi(self, points: NDArray[np.float32]) -> Array:
        # a half body is closed by the plane x = 0, which does not contribute to the volume
        volume = 2 * mesh_volume(points.astype(np.float64), self._half.half_faces)
        return np.asarray(DENSITY * volume / stature(points) ** 2)

    def _calibrated(self, people: Phenotypes, target: _BodySize, reporter: Reporter) -> Phenotypes:
        """Calibrate the height and weight sliders by a few secant steps.

        Stature is almost linear in `height`, body mass is monotonic in `weight`.
        """
        count = len(people.age)
        for number in range(_CALIBRATION_STEPS):
            low, high = (
                stature(self._half_bodies(people.replaced(height=np.full(count, value))))
                for value in (0.0, 1.0)
            )
            height = np.clip((target.stature - low) / (high - low), 0, 1)
            people = people.replaced(height=height)
            bodies = self._half_bodies(people)
            bmi = self._bmi(bodies)
            weight, heavier = people.weight, people.weight + _WEIGHT_STEP
            heavier_bmi = self._bmi(self._half_bodies(people.replaced(weight=heavier)))
            slope = np.where(np.abs(heavier_bmi - bmi) < 1e-6, 1e-6, heavier_bmi - bmi)
            change = (target.bmi - bmi) * (heavier - weight) / slope
            change = np.clip(change, -_MAX_WEIGHT_CHANGE, _MAX_WEIGHT_CHANGE)
            people = people.replaced(weight=np.clip(weight + change, _MIN_WEIGHT, _MAX_WEIGHT))
            tall = stature(bodies)
            reporter.message(
                f"calibration {number}: stature {tall.mean():.3f} +- {tall.std():.3f} m, "
                f"BMI {bmi.mean():.1f} +- {bmi.std():.1f} (target {target.bmi.mean():.1f}), "
                f"weight slider {people.weight.mean():.2f} +- {people.weight.std():.2f}"
            )
        return people


def _draw(random: np.random.Generator, count: int) -> tuple[Phenotypes, _BodySize]:
    """Draw sliders and, by gender, the statures and body mass indices of adults.

    The shape space depends on the order of the draws; do not change it.
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
    return people, _BodySize(tall, bmi)

"""Build of the open body, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array
from trainer.body.open_body.base_mesh import build_half_skin
from trainer.body.open_body.charts import build_charts
from trainer.body.open_body.decimate import decimate, importance
from trainer.body.open_body.geometry import mesh_volume, stature
from trainer.body.open_body.half_mesh import HalfMesh, build_half_mesh
from trainer.body.open_body.joint_regressor import Regression, build_joint_regressor
from trainer.body.open_body.joints import origins, smpl_joints, trunk_profile
from trainer.body.open_body.keypoints import build_keypoints
from trainer.body.open_body.landmarks import LandmarkLocator
from trainer.body.open_body.makehuman import MakeHumanMesh, read_makehuman
from trainer.body.open_body.parts import build_parts
from trainer.body.open_body.phenotypes import Targets, middle_adult, read_targets
from trainer.body.open_body.population import DENSITY, Population
from trainer.body.open_body.rig import Rig, read_rig
from trainer.body.open_body.sample_vertices import build_sample_vertices
from trainer.body.open_body.shape_space import SHAPES, ShapeSpace, build_shape_space
from trainer.body.open_body.skeleton import mirrored_name
from trainer.body.open_body.skin_weights import build_skin_weights
from trainer.body.open_body.tpose import TPose, TPosed
from trainer.body.open_body.write import BodyParts, body_arrays, write_body


@dataclass(frozen=True)
class BuildOptions:
    """Sizes and seed of the body; the defaults are the shipped body's."""

    half_vertices: int = 3330
    """Number of vertices of the left half, including the midline."""
    samples: int = 1500
    """Number of random adults that the shape space is computed from."""
    seed: int = 0


@dataclass(frozen=True)
class Topology:
    """The decimated mesh with MakeHuman's weights and blend shapes on it."""

    mesh: MakeHumanMesh
    rig: Rig
    targets: Targets
    half: HalfMesh
    landmarks: dict[str, int]
    """Named vertices of both sides, numbered as in the body."""


@dataclass(frozen=True)
class SampledBodies:
    """Adults in the T-pose about SMPL's origin."""

    posed: TPosed
    joints: Array
    """(S, 24, 3) m."""


def build_open_body(
    assets: Path, out: Path, options: BuildOptions | None = None, reporter: Reporter = SILENT
) -> None:
    """Build the body from MakeHuman's assets and write it.

    Parameters
    ----------
    assets : Path
        MPFB2's data folder.
    out : Path
        The npz file to write.
    options : BuildOptions, optional
    reporter : Reporter
        Receives the figures of each step.

    Raises
    ------
    InputError
        If the assets are missing or do not have MPFB2's layout.
    OutputError
        If the file cannot be written.
    """
    options = options or BuildOptions()
    random = np.random.default_rng(options.seed)
    topology = build_topology(assets, options.half_vertices, reporter)
    sampled = sample_bodies(topology, random, options.samples, reporter)
    body = assemble(topology, sampled, random, reporter)
    write_body(out, body_arrays(body))
    reporter.message(f"wrote {out}, {out.stat().st_size / 2**20:.2f} MiB")


def build_topology(assets: Path, half_vertices: int, reporter: Reporter = SILENT) -> Topology:
    """Read the assets and decimate the mesh to `half_vertices` on the left half."""
    mesh = read_makehuman(assets)
    skin = build_half_skin(mesh)
    targets = read_targets(mesh)
    coefficients = targets.coefficients(middle_adult())[0]
    adult = mesh.vertices + np.einsum("k,kvc->vc", coefficients, targets.offsets)
    rig = read_rig(mesh, skin.cornea)
    locator = LandmarkLocator(mesh, skin, rig, adult)
    vertices = locator.locate()
    factor = importance(rig, adult, locator.joint("head"))
    faces = decimate(adult, skin.faces, half_vertices, set(vertices.values()), factor)
    half = build_half_mesh(mesh.vertices, faces)
    reporter.message(f"{half.count} vertices, {len(half.faces)} faces")
    landmarks = {
        name: int(np.searchsorted(half.base_vertex, vertex)) for name, vertex in vertices.items()
    }
    for name in vertices:
        if name.startswith("left_"):
            landmarks[mirrored_name(name)] = int(half.mirror[landmarks[name]])
    return Topology(mesh, rig, targets, half, landmarks)


def sample_bodies(
    topology: Topology, random: np.random.Generator, count: int, reporter: Reporter = SILENT
) -> SampledBodies:
    """Draw adults, put them into the T-pose and locate their joints."""
    population = Population(topology.mesh, topology.half, topology.targets)
    points, cubes = population.sample(random, count, reporter)
    posed = TPose(topology.rig, topology.half)(points, cubes)
    joints = smpl_joints(posed, trunk_profile(topology.rig, topology.half))
    tall = stature(posed.points)
    origin = origins(joints, tall)
    span = 2 * posed.points[:, :, 0].max(1).mean()
    reporter.message(
        f"T-posed; forearm twist {np.rad2deg(posed.twist).mean():.0f} deg; "
        f"stature {tall.mean():.3f} +- {tall.std():.3f} m, arm span {span:.3f} m"
    )
    return SampledBodies(posed.relative_to(origin), joints - origin[:, None])


def assemble(
    topology: Topology,
    sampled: SampledBodies,
    random: np.random.Generator,
    reporter: Reporter = SILENT,
) -> BodyParts:
    """Build the shape space and everything that depends on the mean body."""
    half, posed = topology.half, sampled.posed
    shape_space = build_shape_space(posed.points, half)
    mean_joints = sampled.joints.mean(0)
    weights = build_skin_weights(
        topology.rig, half, shape_space.mean, shape_space.template, mean_joints
    )
    regression = Regression(half, posed.points, shape_space.mean, weights, random)
    regressor, errors = build_joint_regressor(regression, half, sampled.joints)
    joints = regressor @ shape_space.template
    face_part = build_parts(half, shape_space.mean, weights, joints)
    textured, charts = build_charts(half, shape_space.template, face_part)
    keypoints = build_keypoints(
        regression, half, regressor, topology.landmarks, posed.cubes, sampled.joints
    )
    for error in errors + keypoints.errors:
        reporter.message(str(error))
    for name, chart in charts.items():
        reporter.message(
            f"chart {name}: {len(chart.vertices)} vertices, {chart.faces} faces, "
            f"{chart.flipped} flipped, L2 stretch {chart.stretch:.2f}"
        )
    _report_shapes(shape_space, half, reporter)
    return BodyParts(
        half=half,
        shape_space=shape_space,
        regressor=regressor,
        weights=weights,
        face_part=face_part,
        textured=textured,
        keypoints=keypoints,
        sample_vertices=build_sample_vertices(
            half, shape_space.template, weights, topology.landmarks
        ),
        landmarks=topology.landmarks,
    )


def _report_shapes(shape_space: ShapeSpace, half: HalfMesh, reporter: Reporter) -> None:
    variance, error = shape_space.variance, 1e3 * shape_space.error.mean(1)
    share = 100 * variance / variance.sum()
    reporter.message(
        f"{SHAPES} components keep {share[:SHAPES].sum():.2f} % of the variance; mean vertex error "
        f"{error.mean():.1f} mm (95 % of the samples: {np.percentile(error, 95):.1f} mm)"
    )
    for number in range(SHAPES):
        pair = [
            shape_space.template + step * shape_space.directions[..., number] for step in (-2, 2)
        ]
        tall = [np.ptp(body[:, 1]) for body in pair]
        heavy = [DENSITY * mesh_volume(body, half.faces) for body in pair]
        reporter.message(
            f"shape {number} at -2 and +2: stature {tall[0]:.3f} and {tall[1]:.3f} m, weight "
            f"{heavy[0]:.1f} and {heavy[1]:.1f} kg, {share[number]:.1f} % of the variance"
        )

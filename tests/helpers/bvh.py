"""Comparison of a BVH file with the take that it was exported from."""

from __future__ import annotations

from pathlib import Path

from pymaf_live.body import Body
from pymaf_live.export.bvh import read_back
from pymaf_live.export.options import ExportOptions, Unit
from pymaf_live.export.person_motion import finite_rows, people_by_row_count, person_motion
from pymaf_live.export.readback_check import verify_readback
from pymaf_live.export.scene import build_scene
from pymaf_live.export.world import UNITS_PER_METRE, world_transform
from pymaf_live.takes.take import Take


def bvh_joint_error(path: Path, take: Take, person: int, body: Body, unit: Unit) -> float:
    """Return the largest joint error in metres of a BVH exported with the default options.

    Raises
    ------
    OutputError
        If the file does not hold the person's motion.
    """
    take, options = finite_rows(take), ExportOptions(unit=unit)
    transform = world_transform(take, body, "ground", people_by_row_count(take)[0])
    motion = person_motion(take, body, person, transform)
    scene = build_scene(body, motion, options, plain_axes=True)
    return verify_readback(path, read_back(path, scene, UNITS_PER_METRE[unit]), scene)[0]

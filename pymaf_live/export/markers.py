"""Markers for programs of biomechanics: key points of the body under the names of HALPE_26.

The names are those that Pose2Sim and its OpenSim models use (RHip, LBigToe and so on). Positions
come from the key-point regressors of the body file, so they move with the mesh; joint centres are
inside the body as motion-capture markers are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from scipy.sparse import vstack

from pymaf_live.body import PointSet
from pymaf_live.errors import OutputError
from pymaf_live.export.per_person import PerPersonWriter, ReadScene, WriteScene, one_person
from pymaf_live.export.readback_check import ReadBack, verify_points, verify_timing
from pymaf_live.export.scene import Scene
from pymaf_live.types import Array

_SIDES = {"R": "right", "L": "left"}
_LIMBS = {
    "Hip": "hip",
    "Knee": "knee",
    "Ankle": "ankle",
    "BigToe": "big_toe_tip",
    "SmallToe": "small_toe_tip",
    "Heel": "heel",
    "Shoulder": "shoulder",
    "Elbow": "elbow",
    "Wrist": "wrist",
    "Eye": "eye",
    "Ear": "ear",
}
MARKERS: Mapping[str, str] = MappingProxyType(
    {
        "Hip": "mid_hip",
        "Neck": "neck_base",
        "Head": "head_top",
        "Nose": "nose",
        **{
            f"{letter}{part}": f"{side}_{point}"
            for letter, side in _SIDES.items()
            for part, point in _LIMBS.items()
        },
    }
)
"""Key point of the body by the name of the marker."""
_BATCH_FRAMES = 256


def marker_writer(suffix: str, write: WriteScene, read: ReadScene) -> PerPersonWriter:
    """Return the writer of a marker format, in millimetres by default.

    Scenes are on the body's own bones, as `marker_positions` requires.
    """
    return PerPersonWriter(
        suffix=suffix,
        unit="mm",
        write=one_person(write),
        read=read,
        check=verify_markers,
        plain_axes=True,
        gaps="the markers are missing there",
    )


def marker_names(scene: Scene) -> tuple[str, ...]:
    """Return the markers whose key points the body has."""
    known = scene.body.keypoint_names
    return tuple(name for name, point in MARKERS.items() if point in known)


def marker_positions(scene: Scene) -> Array:
    """Return the markers (N, K, 3) in metres, y up; NaN in frames without a measurement.

    Parameters
    ----------
    scene : Scene
        On the body's own bones: rig 'smpl' with plain axes.

    Raises
    ------
    OutputError
        If the body has none of the key points.
    """
    body = scene.body
    rows = [body.keypoint_names.index(MARKERS[name]) for name in marker_names(scene)]
    if not rows:
        raise OutputError("the body has no key points that could be markers")
    points = PointSet.from_rows(body, vstack([body.keypoint_regressor[row] for row in rows]))
    shift = scene.joints[:, 0] - scene.rest_joints[0]
    positions = np.empty((scene.frames, len(rows), 3))
    for start in range(0, scene.frames, _BATCH_FRAMES):
        part = slice(start, start + _BATCH_FRAMES)
        shape = np.broadcast_to(scene.shape, (len(shift[part]), len(scene.shape)))
        positions[part] = points.pose(scene.rotations[part], shape, shift[part])
    positions[~scene.seen] = np.nan
    return positions


def verify_markers(target: Path, found: ReadBack, scene: Scene) -> tuple[float, float]:
    """Compare the markers read from a file with those of the scene; see `verify_readback`."""
    verify_timing(target, found, scene)
    expected = marker_positions(scene)[found.checked]
    return verify_points(target, found, marker_names(scene), expected), found.rate

"""SMPL parameters as npz, one file per person, in the camera's frame and in the world.

The keys are those of WHAM's results: pose, trans (camera), pose_world, trans_world, betas and
frame_ids; with fps, K (camera matrix), gender, joint_names and body_sha256 beside them. Poses are
axis-angle, (N, 72) for 24 joints; translations are metres, added to the posed body, whose root
rotates about its own joint. No pickle.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.errors import OutputError
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter, one_person
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array

_MAX_CAMERA_ERROR = 1e-4
"""Largest distance in metres between the camera's joints and the world's."""


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene; implements `per_person.WriteScene`."""
    to_camera, shift = scene.transform.rotation.T, scene.transform.shift
    in_camera = scene.rotations.copy()
    in_camera[:, 0] = to_camera @ in_camera[:, 0]
    report_progress(reporter, 0.3)
    focal_length, center = scene.camera.focal_length, scene.camera.principal_point
    matrix = [[focal_length, 0, center[0]], [0, focal_length, center[1]], [0, 0, 1]]
    root = scene.rest_joints[0]
    with path.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            pose=axis_angle_from_matrix(in_camera).reshape(scene.frames, -1),
            trans=(scene.root - shift) @ to_camera.T - root,
            pose_world=axis_angle_from_matrix(scene.rotations).reshape(scene.frames, -1),
            trans_world=scene.root - root,
            betas=np.tile(scene.shape, (scene.frames, 1)),
            frame_ids=np.arange(scene.frames),
            seen=scene.seen,
            fps=np.array(float(scene.rate)),
            K=np.array(matrix, dtype=np.float64),
            gender=np.array("neutral"),
            joint_names=np.array(scene.body.joint_names),
            body_sha256=np.array(scene.body.sha256),
        )
    report_progress(reporter, 1.0)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read all frames of a file back, with SciPy's rotations; implements `per_person.ReadScene`.

    Raises
    ------
    OutputError
        If the file cannot be read, or the camera's joints contradict the world's.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
        in_world = _joints(scene.body, arrays, "pose_world", "trans_world")
        in_camera = _joints(scene.body, arrays, "pose", "trans")
        rate = float(arrays["fps"])
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error
    moved = in_camera @ scene.transform.rotation.T + scene.transform.shift
    deviation = float(np.abs(moved - in_world).max())
    if not deviation < _MAX_CAMERA_ERROR:
        raise OutputError(
            f"cannot write {path}: camera and world differ by {deviation * 1e3:.2f} mm"
        )
    names = tuple(scene.bones.names[bone] for bone in scene.joint_bones)
    return ReadBack(rate, len(in_world), np.arange(len(in_world)), names, in_world)


def _joints(body: Body, arrays: dict[str, Any], pose: str, trans: str) -> Array:
    """Return the joints (N, J, 3) of SMPL parameters."""
    betas = arrays["betas"][0]
    rest = body.joint_regressor @ (body.template + body.shape_directions @ betas)
    vectors = arrays[pose].reshape(len(arrays[pose]), body.joint_count, 3)
    positions: Array = np.zeros(vectors.shape)
    rotations: list[Rotation] = []
    for joint, parent in enumerate(body.parents):
        rotation = Rotation.from_rotvec(vectors[:, joint])
        if parent < 0:
            positions[:, joint] = arrays[trans] + rest[joint]
        else:
            bone = rotations[parent].apply(rest[joint] - rest[parent])
            positions[:, joint] = positions[:, parent] + bone
            rotation = rotations[parent] * rotation
        rotations.append(rotation)
    return positions


export_smpl = PerPersonWriter(
    suffix=".smpl.npz",
    unit="m",
    write=one_person(write_scene),
    read=read_back,
    plain_axes=True,
)

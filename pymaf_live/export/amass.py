"""AMASS export: one npz per person in the layout of that archive (SMPL+H, z up).

Keys: trans, poses (52 joints with three numbers each: the body, then the fingers at rest), betas,
dmpls (zero), gender and mocap_framerate; also body_sha256, because betas are meaningful only with
their body.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body
from pymaf_live.body.rotations import about_x, axis_angle_from_matrix
from pymaf_live.errors import OutputError
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter, one_person
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array, Ints

JOINTS = 52
"""Number of SMPL+H's joints: the body without SMPL's two hands, and thirty finger joints."""
_SHAPES = 16
_SOFT_TISSUE = 8
"""Number of soft-tissue coefficients (DMPL) per frame."""
_HANDS = ("left_hand", "right_hand")
_Z_UP_FROM_Y_UP: Array = about_x(np.pi / 2)


def _body_joints(body: Body) -> Ints:
    return np.array([j for j, name in enumerate(body.joint_names) if name not in _HANDS])


def _write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    joints = _body_joints(scene.body)
    if len(joints) > JOINTS:
        raise OutputError(f"cannot write {path}: the body has more joints than AMASS supports")
    rotations = scene.rotations[:, joints].copy()
    rotations[:, 0] = _Z_UP_FROM_Y_UP @ rotations[:, 0]
    poses = np.zeros((scene.frames, JOINTS, 3))
    poses[:, : len(joints)] = axis_angle_from_matrix(rotations)
    report_progress(reporter, 0.5)
    betas = np.zeros(max(_SHAPES, len(scene.shape)))
    betas[: len(scene.shape)] = scene.shape
    with path.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            trans=scene.root @ _Z_UP_FROM_Y_UP.T - scene.rest_joints[0],
            poses=poses.reshape(scene.frames, -1),
            betas=betas,
            dmpls=np.zeros((scene.frames, _SOFT_TISSUE)),
            gender=np.array("neutral"),
            mocap_framerate=np.array(float(scene.rate)),
            body_sha256=np.array(scene.body.sha256),
        )
    report_progress(reporter, 1.0)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read all frames of a file back, with SciPy's rotations; implements `per_person.ReadScene`.

    Positions are returned y up again.
    """
    body, joints = scene.body, _body_joints(scene.body)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
        poses = arrays["poses"].reshape(len(arrays["poses"]), JOINTS, 3)
        trans, betas = arrays["trans"], arrays["betas"][: body.shape_count]
        rate = float(arrays["mocap_framerate"])
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error
    rest = body.joint_regressor @ (body.template + body.shape_directions @ betas)
    own = np.zeros((len(poses), body.joint_count, 3))
    own[:, joints] = poses[:, : len(joints)]
    positions = np.zeros_like(own)
    rotations: list[Rotation] = []
    for joint, parent in enumerate(body.parents):
        rotation = Rotation.from_rotvec(own[:, joint])
        if parent < 0:
            positions[:, joint] = trans + rest[joint]
        else:
            bone = rotations[parent].apply(rest[joint] - rest[parent])
            positions[:, joint] = positions[:, parent] + bone
            rotation = rotations[parent] * rotation
        rotations.append(rotation)
    names = tuple(scene.bones.names[bone] for bone in scene.joint_bones)
    frames = np.arange(len(poses))
    return ReadBack(rate, len(poses), frames, names, positions @ _Z_UP_FROM_Y_UP)


export_amass = PerPersonWriter(
    suffix=".amass.npz", unit="m", write=one_person(_write_scene), read=read_back, plain_axes=True
)

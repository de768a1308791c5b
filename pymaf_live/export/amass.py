"""AMASS's npz: a file a person, as the motions of that archive come (SMPL+H, z up).

Keys: trans, poses (52 joints by three: the body's, then the fingers at rest), betas, dmpls (zero),
gender and mocap_framerate; and, since betas mean something only with their body, body_sha256.
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
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array, Ints

JOINTS = 52
"""Of SMPL+H: the body's without SMPL's two hands, and thirty of fingers."""
_SHAPES = 16
_SOFT = 8
_HANDS = ("left_hand", "right_hand")
_Z_UP: Array = about_x(np.pi / 2)


def _body_joints(body: Body) -> Ints:
    return np.array([j for j, name in enumerate(body.joint_names) if name not in _HANDS])


def _write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    kept = _body_joints(scene.body)
    if len(kept) > JOINTS:
        raise OutputError("the body has more joints than AMASS's")
    turns = scene.rotations[:, kept].copy()
    turns[:, 0] = _Z_UP @ turns[:, 0]
    poses = np.zeros((scene.frames, JOINTS, 3))
    poses[:, : len(kept)] = axis_angle_from_matrix(turns)
    report_progress(reporter, 0.5)
    betas = np.zeros(max(_SHAPES, len(scene.shape)))
    betas[: len(scene.shape)] = scene.shape
    with path.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            trans=scene.root @ _Z_UP.T - scene.rest_joints[0],
            poses=poses.reshape(scene.frames, -1),
            betas=betas,
            dmpls=np.zeros((scene.frames, _SOFT)),
            gender=np.array("neutral"),
            mocap_framerate=np.array(float(scene.rate)),
            body_sha256=np.array(scene.body.sha256),
        )
    report_progress(reporter, 1.0)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """As `per_person.ReadScene`: NumPy reads, SciPy turns; every frame is placed, y up again."""
    body, kept = scene.body, _body_joints(scene.body)
    try:
        with np.load(path, allow_pickle=False) as file:
            found: dict[str, Any] = {name: file[name] for name in file.files}
        poses = found["poses"].reshape(len(found["poses"]), JOINTS, 3)
        trans, betas = found["trans"], found["betas"][: body.shape_count]
        rate = float(found["mocap_framerate"])
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise OutputError(f"{path} cannot be read again: {error}") from error
    rest = body.joint_regressor @ (body.template + body.shape_directions @ betas)
    own = np.zeros((len(poses), body.joint_count, 3))
    own[:, kept] = poses[:, : len(kept)]
    places = np.zeros_like(own)
    turns: list[Rotation] = []
    for joint, parent in enumerate(body.parents):
        turn = Rotation.from_rotvec(own[:, joint])
        if parent < 0:
            places[:, joint] = trans + rest[joint]
        else:
            bone = turns[parent].apply(rest[joint] - rest[parent])
            places[:, joint] = places[:, parent] + bone
            turn = turns[parent] * turn
        turns.append(turn)
    names = tuple(scene.bones.names[bone] for bone in scene.joint_bones)
    return ReadBack(rate, len(poses), np.arange(len(poses)), names, places @ _Z_UP)


export_amass = PerPersonWriter(
    suffix=".amass.npz", unit="m", write=_write_scene, read=read_back, plain_axes=True
)

"""Human3.6M, MPI-INF-3DHP and 3DPW (and EFT's and SPIN's fits of 2D sets) as SPIN's `.npz` files.

The layout that Kolotouros et al. ('SPIN', ICCV 2019) and Joo et al. ('EFT', 3DV 2021) published,
N people: `imgname` (N,) below the image folder, `center` (N, 2), `scale` (N,) of a box of
200 x scale pixels; where present `part` (N, 24, 3) key points with confidence, `openpose`
(N, 25, 3), `S` (N, 24, 4) 3D joints in metres in the camera's frame (x right, y down, z forward)
with confidence, `pose` (N, 72), `shape` (N, 10), `has_smpl` (N,), `gender` (N,).

`pose` and `shape` are SMPL's. Our open body has SMPL's joints, tree and T-pose, but its limbs
differ by up to some 5 degrees in the rest pose, and it has its own shape space; used for our body
they would be wrong labels. They become a body label only if the body of the run IS an SMPL body,
which the caller states (`smpl_body`); the 3D joints in `S` are used in both cases.

Terms: Human3.6M, MPI-INF-3DHP and 3DPW are for academic, non-commercial use, as is SMPL.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, PointSet, crop_units_from_pixels
from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.body.rotations import about_z, matrix_from_axis_angle
from pymaf_live.errors import InputError
from pymaf_live.tracking.crop import SIDE, crop_about
from pymaf_live.types import Array, Crop, Image
from trainer.data.annotated import CROP_SIZE, keypoint_crop, validate_keypoints
from trainer.data.base import FACE_NAMES, KEYPOINT_NAMES, BodyLabel, PersonLabels
from trainer.data.image_files import check_image_file, read_image, resolve_inside

_ARRAYS = ("imgname", "center", "scale", "part", "openpose", "S")
_BODY_ARRAYS = ("pose", "shape", "has_smpl")
"""Read only where the body is SMPL. A file's other arrays, some pickled, are never read."""

_SPIN_JOINTS = 24
_PELVIS = 14
"""Row of Human3.6M's pelvis among SPIN's joints."""
_BOX_PIXELS = 200.0
_BOX_MARGIN = 1.2
"""Ratio of SPIN's boxes to the extent of the person's joints."""

# SPIN's 24 joints: LSP's 14, then some of MPII and Human3.6M, then COCO's face
_KEYPOINT_ROWS = (*range(14), 19, 20, 21, 22, 23)

# key point -> OpenPose's BODY_25; its neck is lower than LSP's, so it is left out
_OPENPOSE = {
    "right_ankle": 11, "right_knee": 10, "right_hip": 9, "left_hip": 12, "left_knee": 13,
    "left_ankle": 14, "right_wrist": 4, "right_elbow": 3, "right_shoulder": 2,
    "left_shoulder": 5, "left_elbow": 6, "left_wrist": 7, "nose": 0, "left_eye": 16,
    "right_eye": 15, "left_ear": 18, "right_ear": 17,
}  # fmt: skip
_MIN_CONFIDENCE = 0.3

_MIN_KEYPOINTS = 4
_MAX_JOINT_DISTANCE = 3.0
"""Metres from the hips; joints farther away indicate a file in millimetres."""

_MAX_CAMERA_ERROR = 0.2
"""Crop units; a body with a larger mean reprojection error is left out."""

_MAX_PEOPLE = 5_000_000


class SpinDataset:
    """Data set of the people in a file in SPIN's layout.

    Parameters
    ----------
    path : Path
        The npz file.
    folder : Path
        Folder of the images.
    body : Body
    name : str
    smpl_body : bool
        True if `body` is SMPL, so that the file's poses and shapes are valid labels for it. Shapes
        of men and women belong to SMPL's bodies of these genders, see `genders`.

    Raises
    ------
    InputError
        If the file is missing, has another layout, or contains no usable labels.
    """

    def __init__(
        self, path: Path, folder: Path, body: Body, name: str, *, smpl_body: bool = False
    ) -> None:
        self.name, self._folder = name, folder
        self._file = _File(path, (*_ARRAYS, *_BODY_ARRAYS) if smpl_body else _ARRAYS)
        self.keypoints = self._file.keypoints()
        self._joints_3d, self._pelvis = self._file.joints_3d()
        self._pose: tuple[Array, Array, npt.NDArray[np.bool_]] | None = None
        if smpl_body:
            self._pose = self._file.bodies(body)
        if not self.keypoints.any() and self._joints_3d is None and self._pose is None:
            raise InputError(
                f"{path} has neither key points nor 3D joints, only SMPL poses, which need an SMPL "
                "body (smpl_body)"
            )
        self._points = _body_keypoints(body)

    def genders(self) -> tuple[str, ...]:
        """Return 'f', 'm' or 'n' (neutral) of each person; all neutral if the file has none.

        Raises
        ------
        InputError
            If the file's genders cannot be read.
        """
        return self._file.genders()

    def __len__(self) -> int:
        """Return N."""
        return len(self._file.names)

    def image(self, row: int) -> Image:
        """Return (H, W, 3) uint8 RGB; raise `ImageError` naming a missing or broken image."""
        return read_image(self._folder, self._file.names[row])

    def check_image(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken."""
        check_image_file(self._folder, self._file.names[row])

    def labels(self, row: int) -> PersonLabels:
        """Return the key points, the 3D joints and, for an SMPL body, the body."""
        keypoints = image_points = self.keypoints[row]
        posed = self._posed(row)
        if (keypoints[:, 2] > 0).sum() >= _MIN_KEYPOINTS:
            crop = keypoint_crop(keypoints)
        elif posed is not None:
            image_points = self._keypoints_from_box(row, posed)
            crop = keypoint_crop(image_points)
        else:
            extent = self._extent(row)
            crop = crop_about(self._file.centre[row], SIDE * extent, 0.0, CROP_SIZE)
        turn = about_z(-crop.turn)
        joints_3d, pelvis = None, None
        if self._joints_3d is not None:
            joints = self._joints_3d[row]
            joints_3d = np.column_stack([joints[:, :3] @ turn.T, joints[:, 3]])
        if self._pelvis is not None and np.isfinite(self._pelvis[row]).all():
            pelvis = turn @ self._pelvis[row]
        label = self._label(row, crop, image_points, turn)
        if label is not None and posed is not None and joints_3d is None:
            middle = _hip_centre(posed)
            joints_3d = np.column_stack([(posed - middle) @ turn.T, np.ones(len(posed))])
        return PersonLabels(crop, keypoints, label, joints_3d, pelvis=pelvis)

    def _posed(self, row: int) -> Array | None:
        """Return the key points (K, 3) of the row's body along the camera axes, m."""
        if self._pose is None or not self._pose[2][row]:
            return None
        rotations, shapes, _ = self._pose
        posed = self._points.pose(matrix_from_axis_angle(rotations[row])[None], shapes[[row]])
        return np.asarray(posed[0])

    def _extent(self, row: int) -> float:
        """Return the extent of the person's joints in pixels, from the box."""
        return float(self._file.scale[row]) * _BOX_PIXELS / _BOX_MARGIN

    def _keypoints_from_box(self, row: int, posed: Array) -> Array:
        """Return the key points (K, 3) in the image of a body scaled to fill the row's box.

        For sets with poses and boxes only (3DPW).
        """
        joints = posed[: len(LSP_NAMES), :2]
        low, high = joints.min(axis=0), joints.max(axis=0)
        pixels = self._extent(row) / float((high - low).max())
        points = (posed[:, :2] - (low + high) / 2) * pixels + self._file.centre[row]
        return np.column_stack([points, np.ones(len(posed))])

    def _label(self, row: int, crop: Crop, image_points: Array, turn: Array) -> BodyLabel | None:
        if self._pose is None or not self._pose[2][row]:
            return None
        vectors, shapes, _ = self._pose
        rotations = matrix_from_axis_angle(vectors[row])
        rotations[0] = turn @ rotations[0]
        projected = self._points.pose(rotations[None], shapes[[row]])[0][:, :2]
        units = crop_units_from_pixels(crop.to_crop(image_points[:, :2]), crop.size)
        camera = _fit_camera(projected, units, image_points[:, 2])
        if camera is None:
            return None
        return BodyLabel(rotations, shapes[row], camera, np.ones(len(rotations)))


class _File:
    """Validated arrays of a file, limited to the needed ones."""

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        self.path = path
        try:
            with np.load(path, allow_pickle=False) as file:
                self._arrays = {name: file[name] for name in needed if name in file.files}
        except FileNotFoundError as error:
            raise InputError(f"there is no {path}") from error
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} is not a file in SPIN's layout: {error}") from error
        missing = [name for name in ("imgname", "center", "scale") if name not in self._arrays]
        if missing:
            raise InputError(f"{path} is not a file in SPIN's layout: no {', '.join(missing)}")
        names = self._arrays["imgname"]
        if names.ndim != 1 or names.dtype.kind not in "SU" or not 0 < len(names) <= _MAX_PEOPLE:
            raise InputError(f"{path}: imgname is not a list of names")
        self.names = [
            name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
            for name in names.tolist()
        ]
        for name in self.names:
            resolve_inside(path.parent, name)
        self.centre = self._numbers("center", (2,))
        self.scale = self._numbers("scale", ())
        if not (self.scale > 0).all():
            raise InputError(f"{path}: scale is not above 0 everywhere")

    def keypoints(self) -> Array:
        """Return (N, K, 3) of `part`, and of `openpose` where `part` is empty; weights 0..1."""
        keypoints = np.zeros((len(self.names), len(KEYPOINT_NAMES), 3))
        if "part" in self._arrays:
            keypoints[:] = self._numbers("part", (_SPIN_JOINTS, 3))[:, list(_KEYPOINT_ROWS)]
        if "openpose" in self._arrays:
            openpose = self._numbers("openpose", (25, 3))
            for name, joint in _OPENPOSE.items():
                row = KEYPOINT_NAMES.index(name)
                empty = (keypoints[:, row, 2] <= 0) & (openpose[:, joint, 2] > _MIN_CONFIDENCE)
                keypoints[empty, row] = openpose[empty, joint]
        keypoints[:, :, 2] = keypoints[:, :, 2].clip(0, 1)
        keypoints[keypoints[:, :, 2] == 0] = 0
        return validate_keypoints(str(self.path), keypoints, min_keypoints=0)

    def genders(self) -> tuple[str, ...]:
        """Return 'f', 'm' or 'n' (neutral) of each person; all neutral if the file has none."""
        try:
            # read only here: some files have it as pickled objects, and training needs no genders
            with np.load(self.path, allow_pickle=False) as file:
                if "gender" not in file.files:
                    return ("n",) * len(self.names)
                values = file["gender"]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.path}: gender cannot be read: {error}") from error
        if values.shape != (len(self.names),) or values.dtype.kind not in "SU":
            raise InputError(f"{self.path}: gender is {values.dtype} {values.shape}, not N letters")
        letters = [
            (value.decode("latin-1") if isinstance(value, bytes) else str(value))[:1].lower()
            for value in values.tolist()
        ]
        unknown = sorted(set(letters) - {"f", "m", "n"})
        if unknown:
            raise InputError(f"{self.path}: gender is {unknown[0]!r}, not f, m or n")
        return tuple(letters)

    def joints_3d(self) -> tuple[Array | None, Array | None]:
        """Return (N, K, 4) of `S`: m from the hip centre along the camera axes, and a weight.

        And the pelvis (N, 3) in the same frame, NaN where it is unknown. None where the file has
        no `S`, or none with hips.
        """
        if "S" not in self._arrays:
            return None, None
        every = self._numbers("S", (_SPIN_JOINTS, 4))
        joints = every[:, list(_KEYPOINT_ROWS)].copy()
        hips = [LSP_NAMES.index("right_hip"), LSP_NAMES.index("left_hip")]
        joints[:, :, 3] = joints[:, :, 3].clip(0, 1)
        # without the hips the joints have no origin
        joints[~(joints[:, hips, 3] > 0).all(axis=1), :, 3] = 0
        middle = joints[:, hips, :3].mean(axis=1)
        pelvis = np.where(every[:, _PELVIS, 3:] > 0, every[:, _PELVIS, :3] - middle, np.nan)
        joints[:, :, :3] -= middle[:, None]
        joints[joints[:, :, 3] == 0] = 0
        if np.abs(joints[:, :, :3]).max() > _MAX_JOINT_DISTANCE:
            raise InputError(
                f"{self.path}: S has joints too far from the hips; it must be in metres"
            )
        return (joints, pelvis) if joints[:, :, 3].any() else (None, None)

    def bodies(self, body: Body) -> tuple[Array, Array, npt.NDArray[np.bool_]] | None:
        """Return rotation vectors (N, J, 3), shapes (N, S) and a mask of the valid rows (N,)."""
        if "pose" not in self._arrays or "shape" not in self._arrays:
            return None
        joints = body.joint_count
        pose = self._numbers("pose", (3 * joints,)).reshape(-1, joints, 3)
        shape = self._numbers("shape", (body.shape_count,))
        valid = np.ones(len(pose), dtype=bool)
        if "has_smpl" in self._arrays:
            valid = self._numbers("has_smpl", ()) > 0
        return pose, shape, valid

    def _numbers(self, name: str, shape: tuple[int, ...]) -> Array:
        values = self._arrays[name]
        expected = (len(self.names), *shape)
        if shape == () and values.shape == (len(self.names), 1):
            values = values[:, 0]
        if values.dtype.kind not in "fiub" or values.shape != expected:
            raise InputError(
                f"{self.path}: {name} is {values.dtype} {values.shape}, not {expected}"
            )
        numbers: Array = values.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise InputError(f"{self.path}: {name} has values that are not finite")
        return numbers


def _body_keypoints(body: Body) -> PointSet:
    rows = np.r_[body.keypoint_sets["lsp"], body.keypoint_sets["coco"][: len(FACE_NAMES)]]
    return PointSet.from_rows(body, body.keypoint_regressor[rows])


def _hip_centre(points: Array) -> Array:
    rows = [LSP_NAMES.index("right_hip"), LSP_NAMES.index("left_hip")]
    return np.asarray(points[rows].mean(axis=0))


def _fit_camera(points: Array, image_points: Array, weight: Array) -> Array | None:
    """Fit a camera (3,) that projects points (K, 2) in metres onto key points in crop units.

    None if the fit is poor.
    """
    share = (weight / weight.sum())[:, None]
    middle, target = (share * points).sum(axis=0), (share * image_points).sum(axis=0)
    near, far = points - middle, image_points - target
    scale = float((share * near * far).sum() / (share * near * near).sum())
    if scale < 0.05:
        return None
    camera = np.r_[scale, target / scale - middle]
    miss = np.linalg.norm(scale * (points + camera[1:]) - image_points, axis=1)
    return camera if float((share[:, 0] * miss).sum()) < _MAX_CAMERA_ERROR else None

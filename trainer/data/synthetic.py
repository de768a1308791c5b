"""Synthetic people with exact truth, in a packed layout: `labels.npz` and zips of JPEGs."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Crop, Image
from trainer.data.base import KEYPOINT_NAMES, BodyLabel, PersonLabels

OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2
"""How a key point is seen: its place is true in every case."""

HIDDEN_WEIGHT = 0.5
"""Weight of a key point that something hides; outside the picture it is 0, in 3D always 1."""

_MOST_PEOPLE = 2_000_000


@dataclass(frozen=True)
class SyntheticLabels:
    """What `labels.npz` holds; N people, K key points, J joints, S shapes."""

    name: npt.NDArray[np.str_]
    """(N,) the JPEG inside its zip."""
    shard: npt.NDArray[np.int64]
    """(N,) k: in `images_{k:02d}.zip`."""
    keypoints: Array
    """(N, K, 2) picture pixels, true also where hidden or outside."""
    visibility: npt.NDArray[np.uint8]
    """(N, K) `OUTSIDE`, `HIDDEN` or `VISIBLE`."""
    joints_3d: Array
    """(N, K, 3) m, relative to the hips' middle, frame of the crop."""
    rotations: Array
    """(N, J, 3, 3) frame of the crop."""
    shape: Array
    """(N, S)"""
    camera: Array
    """(N, 3) the weak perspective nearest to the true one, crop units."""
    frame_from_crop: Array
    """(N, 2, 3) crops of `crop_size` pixels."""
    crop_size: int
    distance: Array
    """(N,) m from the camera."""
    misfit: Array
    """(N,) crop units: the most by which the label's camera misses a key point in the picture."""
    kind: npt.NDArray[np.str_]
    """(N,) 'whole' or 'truncated'."""
    pose: npt.NDArray[np.str_]
    """(N,) where the pose came from."""
    backdrop: npt.NDArray[np.str_]
    """(N,) where the background came from."""
    body_sha256: str
    settings: str
    """JSON of what the set was made with, the seed among it."""


def read_synthetic(folder: Path) -> SyntheticPeople:
    """Open a set that ``python -m trainer synthesize`` wrote.

    Raises
    ------
    InputError
        If the set is missing, not finished, or its labels are not sound.
    """
    path = folder / "labels.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        why = "; its making was not finished" if any(folder.glob("part_*.npz")) else ""
        raise InputError(f"there is no {path}{why}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} holds no synthetic labels: {error}") from error
    try:
        return SyntheticPeople(folder, labels_from_arrays(arrays))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not sound: {error}") from error


def labels_from_arrays(arrays: dict[str, npt.NDArray[np.generic]]) -> SyntheticLabels:
    """Check the arrays of a labels file.

    Raises
    ------
    KeyError, ValueError, TypeError
        If one is missing, of a wrong shape or kind, or not finite.
    """
    names = np.asarray(arrays["name"])
    count, points = len(names), len(KEYPOINT_NAMES)
    if not 0 < count <= _MOST_PEOPLE:
        raise ValueError(f"it is of {count} people")
    rotations = np.asarray(arrays["rotations"])
    shape = np.asarray(arrays["shape"])
    if rotations.ndim != 4 or shape.ndim != 2:
        raise ValueError(f"rotations {rotations.shape} and shape {shape.shape} are not of bodies")
    wanted: dict[str, tuple[int, ...]] = {
        "shard": (count,),
        "keypoints": (count, points, 2),
        "visibility": (count, points),
        "joints_3d": (count, points, 3),
        "rotations": (count, rotations.shape[1], 3, 3),
        "shape": (count, shape.shape[1]),
        "camera": (count, 3),
        "frame_from_crop": (count, 2, 3),
        "distance": (count,),
        "misfit": (count,),
    }
    for key, expected in wanted.items():
        values = np.asarray(arrays[key])
        if values.shape != expected:
            raise ValueError(f"{key} is {values.shape}, not {expected}")
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError(f"{key} has values that are not finite")
    for key in ("name", "kind", "pose", "backdrop"):
        text = np.asarray(arrays[key])
        if text.shape != (count,) or text.dtype.kind != "U":
            raise ValueError(f"{key} is not one text a person")
    visibility = np.asarray(arrays["visibility"])
    if visibility.dtype.kind not in "iu" or not ((visibility >= 0) & (visibility <= VISIBLE)).all():
        raise ValueError("visibility has other values than 0, 1 and 2")
    shard = np.asarray(arrays["shard"])
    if shard.dtype.kind not in "iu":
        raise ValueError("shard is not whole numbers")
    size = int(np.asarray(arrays["crop_size"]))
    if not 1 <= size <= 4096:
        raise ValueError(f"crops of {size} pixels")
    turned = np.einsum("njab,njcb->njac", rotations[:64], rotations[:64])
    if np.abs(turned - np.eye(3)).max() > 1e-3:
        raise ValueError("rotations are not rotations")

    def numbers(key: str) -> Array:
        # float32 as in the file: half the memory, and samples are cast one at a time
        return np.asarray(arrays[key])

    return SyntheticLabels(
        name=names,
        shard=shard.astype(np.int64),
        keypoints=numbers("keypoints"),
        visibility=visibility.astype(np.uint8),
        joints_3d=numbers("joints_3d"),
        rotations=rotations,
        shape=shape,
        camera=numbers("camera"),
        frame_from_crop=numbers("frame_from_crop"),
        crop_size=size,
        distance=numbers("distance"),
        misfit=numbers("misfit"),
        kind=np.asarray(arrays["kind"]),
        pose=np.asarray(arrays["pose"]),
        backdrop=np.asarray(arrays["backdrop"]),
        body_sha256=str(np.asarray(arrays["body_sha256"])),
        settings=str(np.asarray(arrays["settings"])),
    )


class SyntheticPeople:
    """A `PeopleSet` of synthetic people; pictures are decoded when asked for, from one thread."""

    def __init__(self, folder: Path, labels: SyntheticLabels) -> None:
        self.name = folder.name
        self.table = labels
        self._folder = folder
        self._zips: dict[int, zipfile.ZipFile] = {}

    def __len__(self) -> int:
        """N."""
        return len(self.table.name)

    def check_body(self, sha256: str) -> None:
        """Raise `InputError` where the truth is of another body file than the one with this sum."""
        if sha256 != self.table.body_sha256:
            raise InputError(
                f"the set {self._folder} is of another body file ({self.table.body_sha256[:12]}, "
                f"not {sha256[:12]}); make it again"
            )

    def encoded(self, row: int) -> bytes:
        """The JPEG of a row as it is stored.

        Raises
        ------
        InputError
            If it is missing; the message names it.
        """
        shard, name = int(self.table.shard[row]), str(self.table.name[row])
        path = self._folder / f"images_{shard:02d}.zip"
        try:
            if shard not in self._zips:
                self._zips[shard] = zipfile.ZipFile(path)
            return self._zips[shard].read(name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"the picture {name} is missing from {path}: {error}") from error

    def image(self, row: int) -> Image:
        """(H, W, 3) uint8 RGB of a row.

        Raises
        ------
        InputError
            If the picture is missing or does not decode; the message names it.
        """
        encoded = np.frombuffer(self.encoded(row), np.uint8)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
        if decoded is None:
            raise InputError(f"the picture {self.table.name[row]} does not decode")
        return np.ascontiguousarray(decoded[..., ::-1], dtype=np.uint8)

    def labels(self, row: int) -> PersonLabels:
        """The truth of a row; hidden key points weigh `HIDDEN_WEIGHT`, those outside nothing."""
        labels = self.table
        weight = np.array([0.0, HIDDEN_WEIGHT, 1.0])[labels.visibility[row]]
        points = labels.keypoints[row].astype(np.float64)
        joints = labels.joints_3d[row].astype(np.float64)
        rotations = labels.rotations[row].astype(np.float64)
        return PersonLabels(
            crop=Crop(labels.frame_from_crop[row].astype(np.float64), labels.crop_size),
            keypoints=np.column_stack([points, weight]),
            body=BodyLabel(
                rotations=rotations,
                shape=labels.shape[row].astype(np.float64),
                camera=labels.camera[row].astype(np.float64),
                joint_trust=np.ones(len(rotations)),
            ),
            joints_3d=np.column_stack([joints, np.ones(len(joints))]),
        )

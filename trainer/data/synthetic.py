"""Synthetic people with exact ground truth, packed as `labels.npz` and zips of JPEGs."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Camera, Crop, Image
from trainer.data.base import KEYPOINT_NAMES, BodyLabel, PersonLabels
from trainer.data.crop_views import CropViews
from trainer.data.image_files import ImageError, check_encoded

OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2
"""Visibility of a key point; its position is exact in every case."""

HIDDEN_WEIGHT = 0.5
"""Weight of an occluded key point; outside the image it is 0, in 3D always 1."""

_MAX_PEOPLE = 2_000_000


@dataclass(frozen=True)
class SyntheticLabels:
    """Contents of `labels.npz`; N people, K key points, J joints, S shape coefficients."""

    name: npt.NDArray[np.str_]
    """(N,) the JPEG inside its zip."""
    shard: npt.NDArray[np.int64]
    """(N,) k: in `images_{k:02d}.zip`."""
    keypoints: Array
    """(N, K, 2) image pixels, exact also where hidden or outside."""
    visibility: npt.NDArray[np.uint8]
    """(N, K) `OUTSIDE`, `HIDDEN` or `VISIBLE`."""
    joints_3d: Array
    """(N, K, 3) m, relative to the hip centre; frame of the camera, turned in the plane by the
    crop's rotation."""
    rotations: Array
    """(N, J, 3, 3) the same frame."""
    shape: Array
    """(N, S)"""
    camera: Array
    """(N, 3) weak-perspective camera nearest to the true one, crop units."""
    frame_from_crop: Array
    """(N, 2, 3) crops of `crop_size` pixels."""
    crop_size: int
    distance: Array
    """(N,) m from the camera."""
    misfit: Array
    """(N,) crop units, largest error of a key point in the image under the label's camera."""
    kind: npt.NDArray[np.str_]
    """(N,) 'whole' or 'truncated'."""
    pose: npt.NDArray[np.str_]
    """(N,) source of the pose."""
    backdrop: npt.NDArray[np.str_]
    """(N,) source of the background."""
    group: npt.NDArray[np.str_]
    """(N,) group of a test set that the person belongs to; '' in sets without groups, where the
    file has no array of that name."""
    body_sha256: str
    settings: str
    """JSON of the settings of the synthesis, with its seed."""
    perspective: Perspective | None = None
    """Exact cameras of dressed people; None in sets of people in painted cloth."""


@dataclass(frozen=True)
class Perspective:
    """Exact cameras and looks of N dressed people.

    A point of the body at p (metres, root at the origin, frame of the camera that took the picture)
    is at pixel (p + translation)_xy / (p + translation)_z * focal + principal.
    """

    look: npt.NDArray[np.str_]
    """(N,) skin and garments, joined by ' + '."""
    focal: Array
    """(N,) pixels."""
    principal: Array
    """(N, 2) pixels."""
    translation: Array
    """(N, 3) m, of the root."""

    def camera(self, row: int) -> Camera:
        """Return the camera of a row; the picture may be a part of what it took."""
        principal = self.principal[row].astype(np.float64)
        size = (round(2 * float(principal[0])) + 1, round(2 * float(principal[1])) + 1)
        return Camera(float(self.focal[row]), principal, size)


def read_synthetic(folder: Path, body: Body | None = None) -> SyntheticDataset:
    """Open a set that ``python -m trainer synthesize`` wrote.

    Parameters
    ----------
    folder : Path
    body : Body, optional
        That the labels were made with; the default is the bundled body.

    Raises
    ------
    InputError
        If the set is missing or unfinished, or its labels are invalid.
    """
    path = folder / "labels.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        reason = "; the synthesis was not finished" if any(folder.glob("part_*.npz")) else ""
        raise InputError(f"there is no {path}{reason}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} contains no synthetic labels: {error}") from error
    try:
        return SyntheticDataset(folder, labels_from_arrays(arrays), body or default_body())
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is invalid: {error}") from error


def labels_from_arrays(arrays: dict[str, npt.NDArray[np.generic]]) -> SyntheticLabels:
    """Check the arrays of a labels file and return them as labels.

    Raises
    ------
    KeyError, ValueError, TypeError
        If an array is missing, has a wrong shape or kind, or is not finite.
    """
    _check_shapes(arrays)
    _check_text(arrays)
    _check_values(arrays)

    def numbers(key: str) -> Array:
        # float32 as in the file: half the memory, and samples are cast one at a time
        return np.asarray(arrays[key])

    return SyntheticLabels(
        name=np.asarray(arrays["name"]),
        shard=numbers("shard").astype(np.int64),
        keypoints=numbers("keypoints"),
        visibility=numbers("visibility").astype(np.uint8),
        joints_3d=numbers("joints_3d"),
        rotations=numbers("rotations"),
        shape=numbers("shape"),
        camera=numbers("camera"),
        frame_from_crop=numbers("frame_from_crop"),
        crop_size=int(numbers("crop_size")),
        distance=numbers("distance"),
        misfit=numbers("misfit"),
        kind=np.asarray(arrays["kind"]),
        pose=np.asarray(arrays["pose"]),
        backdrop=np.asarray(arrays["backdrop"]),
        group=np.asarray(arrays.get("group", np.full(len(np.asarray(arrays["name"])), ""))),
        body_sha256=str(np.asarray(arrays["body_sha256"])),
        settings=str(np.asarray(arrays["settings"])),
        perspective=_perspective(arrays),
    )


def _perspective(arrays: dict[str, npt.NDArray[np.generic]]) -> Perspective | None:
    """Return what only sets of dressed people have; ValueError if it is invalid."""
    if "focal" not in arrays:
        return None
    count = len(np.asarray(arrays["name"]))
    if np.asarray(arrays["look"]).shape != (count,) or arrays["look"].dtype.kind != "U":
        raise ValueError("look is not one text per person")
    for key, width in (("focal", ()), ("principal", (2,)), ("translation", (3,))):
        values = np.asarray(arrays[key])
        if values.shape != (count, *width) or values.dtype.kind != "f":
            raise ValueError(f"{key} is {values.shape}, not {(count, *width)}")
        if not np.isfinite(values).all():
            raise ValueError(f"{key} has values that are not finite")
    return Perspective(
        look=np.asarray(arrays["look"]),
        focal=np.asarray(arrays["focal"]),
        principal=np.asarray(arrays["principal"]),
        translation=np.asarray(arrays["translation"]),
    )


def _check_shapes(arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Raise ValueError unless the numeric arrays have the right shapes and finite values."""
    count, points = len(np.asarray(arrays["name"])), len(KEYPOINT_NAMES)
    if not 0 < count <= _MAX_PEOPLE:
        raise ValueError(f"it has {count} people")
    rotations = np.asarray(arrays["rotations"])
    shape = np.asarray(arrays["shape"])
    if rotations.ndim != 4 or shape.ndim != 2:
        raise ValueError(f"rotations {rotations.shape} and shape {shape.shape} do not fit a body")
    shapes: dict[str, tuple[int, ...]] = {
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
    for key, expected in shapes.items():
        values = np.asarray(arrays[key])
        if values.shape != expected:
            raise ValueError(f"{key} is {values.shape}, not {expected}")
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise ValueError(f"{key} has values that are not finite")


def _check_text(arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Raise ValueError unless the text arrays have one entry per person."""
    count = len(np.asarray(arrays["name"]))
    optional = ("group",) if "group" in arrays else ()
    for key in ("name", "kind", "pose", "backdrop", *optional):
        text = np.asarray(arrays[key])
        if text.shape != (count,) or text.dtype.kind != "U":
            raise ValueError(f"{key} is not one text per person")


def _check_values(arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Raise ValueError unless flags, shards, the crop size and the rotations are in range."""
    visibility = np.asarray(arrays["visibility"])
    if visibility.dtype.kind not in "iu" or not np.isin(visibility, (0, 1, 2)).all():
        raise ValueError("visibility has values other than 0, 1 and 2")
    if np.asarray(arrays["shard"]).dtype.kind not in "iu":
        raise ValueError("shard is not an array of integers")
    size = int(np.asarray(arrays["crop_size"]))
    if not 1 <= size <= 4096:
        raise ValueError(f"the crop size is {size} pixels")
    rotations: Array = np.asarray(arrays["rotations"])[:64]
    products = np.einsum("njab,njcb->njac", rotations, rotations)
    if np.abs(products - np.eye(3)).max() > 1e-3:
        raise ValueError("rotations are not rotation matrices")


class SyntheticDataset:
    """A `PersonDataset` of synthetic people; images are decoded on demand, from one thread."""

    def __init__(self, folder: Path, labels: SyntheticLabels, body: Body) -> None:
        self.name = folder.name
        self._views = CropViews(body)
        self.table = labels
        self._folder = folder
        self._zips: dict[int, zipfile.ZipFile] = {}

    def __len__(self) -> int:
        """N."""
        return len(self.table.name)

    def check_body(self, sha256: str) -> None:
        """Raise `InputError` if the labels were made with a body file of another SHA-256."""
        if sha256 != self.table.body_sha256:
            raise InputError(
                f"the set {self._folder} was made with another body file "
                f"({self.table.body_sha256[:12]}, not {sha256[:12]}); synthesize it again"
            )

    def encoded(self, row: int) -> bytes:
        """Return the stored JPEG of a row.

        Raises
        ------
        ImageError
            If the image is missing; the message names it.
        """
        shard, name = int(self.table.shard[row]), str(self.table.name[row])
        path = self._folder / f"images_{shard:02d}.zip"
        try:
            if shard not in self._zips:
                self._zips[shard] = zipfile.ZipFile(path)
            return self._zips[shard].read(name)
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise ImageError(f"the image {name} is missing from {path}: {error}") from error

    def check_image(self, row: int) -> None:
        """Raise `ImageError` if the image of a row is missing or broken."""
        check_encoded(self.encoded(row), str(self.table.name[row]))

    def image(self, row: int) -> Image:
        """Return the image of a row as (H, W, 3) uint8 RGB.

        Raises
        ------
        ImageError
            If the image is missing or does not decode; the message names it.
        """
        encoded = np.frombuffer(self.encoded(row), np.uint8)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
        if decoded is None:
            raise ImageError(f"the image {self.table.name[row]} does not decode")
        return np.ascontiguousarray(decoded[..., ::-1], dtype=np.uint8)

    def mask(self, row: int) -> npt.NDArray[np.uint8]:
        """Return who is seen where (H, W): 1 the dressed person, 2 other people, 0 the rest.

        Raises
        ------
        InputError
            If the mask is missing or does not decode; the message names it.
        """
        name = f"{str(self.table.name[row]).removesuffix('.jpg')}.png"
        path = self._folder / f"masks_{int(self.table.shard[row]):02d}.zip"
        try:
            with zipfile.ZipFile(path) as archive:
                encoded = np.frombuffer(archive.read(name), np.uint8)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"the mask {name} is missing from {path}: {error}") from error
        decoded = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
        if decoded is None:
            raise InputError(f"the mask {name} does not decode")
        return np.asarray(decoded, np.uint8)

    def labels(self, row: int) -> PersonLabels:
        """Return the labels of a row; hidden key points weigh `HIDDEN_WEIGHT`, those outside 0.

        Where the camera is known, their frame is that of a camera turned to the crop's centre.
        """
        labels = self.table
        weight = np.array([0.0, HIDDEN_WEIGHT, 1.0])[labels.visibility[row]]
        points = labels.keypoints[row].astype(np.float64)
        joints = labels.joints_3d[row].astype(np.float64)
        rotations = labels.rotations[row].astype(np.float64)
        known = PersonLabels(
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
        if labels.perspective is None:
            return known
        return self._views.seen_from_crop(known, labels.perspective.camera(row))

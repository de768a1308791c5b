"""The take: the motion of the people in a video, image folder or camera recording."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Camera, Mask

if TYPE_CHECKING:
    from pymaf_live.body import Body


@dataclass(frozen=True)
class Take:
    """A recorded or processed sequence of F frames with R rows; a row is a person in a frame.

    J is the number of the body's joints, S the number of its shape coefficients.
    """

    source: str
    """Name of the source as the user gave it."""
    frame_size: tuple[int, int]
    """Width, height in pixels."""
    frame_rate: Fraction
    """Frames per second."""
    frame_time: Array
    """(F,) s"""
    focal_length: float
    """Pixels."""
    principal_point: Array
    """(2,) px"""
    frame: npt.NDArray[np.int64]
    """(R,) index into `frame_time`; does not decrease."""
    person: npt.NDArray[np.int64]
    """(R,) number of the person, stable over the take."""
    pose: Array
    """(R, J, 3) axis-angle, rad; the root's in the camera frame."""
    shape: Array
    """(R, S)"""
    translation: Array
    """(R, 3) m, camera frame."""
    joints: Array
    """(R, J, 3) m, camera frame."""
    joints_2d: Array
    """(R, J, 2) px"""
    box: Array
    """(R, 4) x0, y0, x1, y1 px"""
    score: Array
    """(R,) 0..1"""
    joint_score: Array
    """(R, J) 0..1"""
    predicted: Mask
    """(R,) True where the smoothing filled a gap."""
    joint_names: tuple[str, ...]
    parents: npt.NDArray[np.int64]
    """(J,) -1 at the root."""
    body_sha256: str
    """SHA-256 of the body file."""
    model: str
    """Name and version of the network."""
    smoothing: str
    """'off', 'live', 'offline' or 'refine'."""
    picture_name: tuple[str, ...] = ()
    """(F,) file names of separate images; empty for a video or camera."""
    picture_camera: Array | None = None
    """(F, 5) cameras of separate images, whose sizes differ: width, height, focal length, principal
    point x, y. The take's own camera is then that of the first image."""
    file_time: Array | None = None
    """(F,) s in the source's file, where `frame_time` continues over repetitions of the file."""
    trim: tuple[int, int] | None = None
    """First and last frame to keep; None keeps all. `takes.trimmed` removes the others."""
    marker_frame: tuple[int, ...] = ()
    """Frames of the markers, increasing."""
    marker_name: tuple[str, ...] = ()
    """Name of each marker."""
    ground: Array | None = None
    """(4,) up direction u and height h (m) of the ground in the camera frame: its points p have
    u @ p = h. None where it was not estimated."""
    camera_motion: Array | None = None
    """(F, 4) how the camera has turned since the first frame: axis-angle (rad) of the rotation from
    its frame of reference to that of the first one, and its zoom relative to the first. None where
    the camera stood still or its motion is unknown."""
    person_number: tuple[int, ...] = ()
    """Numbers of the people that have a name, increasing."""
    person_name: tuple[str, ...] = ()
    """Name of each person in `person_number`."""

    @property
    def camera(self) -> Camera:
        """Camera of the take; of separate images, that of the first one."""
        return Camera(self.focal_length, np.asarray(self.principal_point), self.frame_size)

    @property
    def faces(self) -> npt.NDArray[np.int64]:
        """(T, 3) vertex indices of the body's triangles.

        Raises
        ------
        InputError
            If the body of the take is not installed.
        """
        return np.asarray(self._body().faces, dtype=np.int64)

    def vertices(self, frame: int, person: int | None = None) -> Array:
        """Return the mesh of one person in one frame.

        Parameters
        ----------
        frame : int
            Index into `frame_time`.
        person : int, optional
            Number of the person; may be left out where one person is in the frame.

        Returns
        -------
        (V, 3) array
            Metres, camera frame; `faces` index into it.

        Raises
        ------
        UsageError
            If there is no such frame, the person is not in it, or several people are in it and
            none is chosen.
        InputError
            If the body of the take is not installed.
        """
        from pymaf_live.takes.mesh import vertices_of

        return vertices_of(self, self._body(), frame, person)

    def to_dict(self) -> dict[str, Any]:
        """Return the take as plain Python values, ready for `json.dumps`.

        Returns
        -------
        dict
            Facts of the source and the camera, and under 'frames' one entry per frame: 'time' (s)
            and 'people', each with 'id', 'name', 'score', 'predicted', 'pose' (J, 3), 'shape' (S,),
            'translation' (3,), 'joints' (J, 3), 'joints_2d' (J, 2), 'joint_score' (J,) and
            'box' (4,). Units and frames of reference as the attributes'.
        """
        from pymaf_live.takes.dictionary import take_to_dict

        return take_to_dict(self)

    def _body(self) -> Body:
        from pymaf_live.body.registry import body_by_hash
        from pymaf_live.takes.npz_file import require_body

        body = body_by_hash(self.body_sha256)
        require_body(self, body)
        return body

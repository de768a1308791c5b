"""Conversions between the ways to write a rotation; the only place where they live.

Matrices inside the program, axis-angle in files, quaternions (w, x, y, z) for filters and formats.
"""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array

# of a matrix row by row, what stands below the diagonal and what faces it, axis by axis
_BELOW, _ABOVE = [7, 2, 3], [5, 6, 1]


def _products_to_matrix() -> Array:
    """(16, 9): of a unit quaternion's products with itself to the flat matrix.

    With w and v of the quaternion R = (w^2 - v.v) I + 2 v v^T + 2 w [v]x.
    """
    told = np.zeros((4, 4, 3, 3))
    told[0, 0] = np.eye(3)
    for one in range(3):
        told[one + 1, one + 1] -= np.eye(3)
        for other in range(3):
            told[one + 1, other + 1, one, other] += 2.0
    for axis, row, column in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        told[0, axis + 1, row, column], told[0, axis + 1, column, row] = 2.0, -2.0
    return told.reshape(16, 9)


def _matrix_to_axis() -> Array:
    """(9, 4): of a flat matrix to its axis by the sine of the angle, and half its trace."""
    told = np.zeros((9, 4))
    for axis, (below, above) in enumerate(zip(_BELOW, _ABOVE, strict=True)):
        told[below, axis], told[above, axis] = 0.5, -0.5
    told[::4, 3] = 0.5
    return told


_MATRIX_OF_PRODUCTS, _AXIS_OF_MATRIX = _products_to_matrix(), _matrix_to_axis()
_TINY = 1e-150

# SciPy's rotations take a tenth of the program's start: only what is not asked for before the first
# result uses them


def matrix_from_axis_angle(axis_angle: Array) -> Array:
    """Rotation vectors (..., 3) in radians to matrices (..., 3, 3), through quaternions.

    As few calls as can be: for a single body they are what it costs.
    """
    vector = np.asarray(axis_angle, dtype=np.float64)
    half = np.sqrt(np.einsum("...i,...i->...", vector, vector))[..., None] / 2
    half = np.maximum(half, _TINY)
    quaternion = np.empty((*vector.shape[:-1], 4))
    np.cos(half, out=quaternion[..., :1])
    np.multiply(vector, np.sin(half) / half / 2, out=quaternion[..., 1:])
    products = quaternion[..., :, None] * quaternion[..., None, :]
    flat = products.reshape(*vector.shape[:-1], 16) @ _MATRIX_OF_PRODUCTS
    return np.asarray(flat.reshape(*vector.shape[:-1], 3, 3))


def axis_angle_from_matrix(matrix: Array) -> Array:
    """Rotation matrices (..., 3, 3) to rotation vectors (..., 3), angle in 0..pi."""
    from scipy.spatial.transform import Rotation

    flat = np.asarray(matrix, dtype=np.float64).reshape(-1, 3, 3)
    if not len(flat):
        return np.zeros(matrix.shape[:-1])
    return np.asarray(Rotation.from_matrix(flat).as_rotvec()).reshape(matrix.shape[:-1])


def axis_angle_from_rotation(rotation: Array) -> Array:
    """As `axis_angle_from_matrix`, of matrices (..., 3, 3) that are rotations already.

    They are not checked and put right, which for a single body takes most of the time.
    """
    told = rotation.reshape(*rotation.shape[:-2], 9) @ _AXIS_OF_MATRIX
    sines, cosine = told[..., :3], told[..., 3] - 0.5
    sine = np.maximum(np.sqrt(np.einsum("...i,...i->...", sines, sines)), _TINY)
    found = sines * (np.arctan2(sine, cosine) / sine)[..., None]
    # near half a turn the sines vanish, and the axis with them
    half = cosine < -0.99
    if half.any():
        found[half] = _axis_angle_by_quaternion(rotation[half])
    return np.asarray(found)


def _axis_angle_by_quaternion(rotation: Array) -> Array:
    """As `axis_angle_from_rotation`, of rotations (N, 3, 3) about any angle.

    Four times the quaternion's products with itself are sums of the matrix's elements; of their
    rows the one of its largest number is taken (Shepperd 1978).
    """
    flat = rotation.reshape(-1, 9)
    signs = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    diagonal = 1 + flat[:, [0, 4, 8]] @ signs.T
    below, above = flat[:, _BELOW], flat[:, _ABOVE]
    crossed, shared = below - above, below + above
    products = np.empty((len(flat), 4, 4))
    products[:, range(4), range(4)] = diagonal
    products[:, 0, 1:] = products[:, 1:, 0] = crossed
    for one, other, axis in ((1, 2, 2), (1, 3, 1), (2, 3, 0)):
        products[:, one, other] = products[:, other, one] = shared[:, axis]
    quaternion = products[np.arange(len(flat)), diagonal.argmax(axis=1)]
    quaternion = np.where(quaternion[:, :1] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[:, 1:], axis=1, keepdims=True)
    # not zero: at no turn at all the largest number is another one, and this is not asked then
    angle = 2 * np.arctan2(sine, quaternion[:, :1])
    return np.asarray(quaternion[:, 1:] * (angle / np.maximum(sine, 1e-300)))


def quaternion_from_matrix(matrix: Array) -> Array:
    """Rotation matrices (..., 3, 3) to unit quaternions (..., 4), w first, w >= 0."""
    from scipy.spatial.transform import Rotation

    flat = np.asarray(matrix, dtype=np.float64).reshape(-1, 3, 3)
    if not len(flat):
        return np.zeros((*matrix.shape[:-2], 4))
    xyzw = np.asarray(Rotation.from_matrix(flat).as_quat(canonical=True))
    return xyzw[:, [3, 0, 1, 2]].reshape(*matrix.shape[:-2], 4)


def matrix_from_quaternion(quaternion: Array) -> Array:
    """Quaternions (..., 4), w first, of any length but zero, to matrices (..., 3, 3)."""
    from scipy.spatial.transform import Rotation

    flat = np.asarray(quaternion, dtype=np.float64).reshape(-1, 4)
    if not len(flat):
        return np.zeros((*quaternion.shape[:-1], 3, 3))
    matrices = np.asarray(Rotation.from_quat(flat[:, [1, 2, 3, 0]]).as_matrix())
    return matrices.reshape(*quaternion.shape[:-1], 3, 3)


def matrix_from_6d(columns: Array) -> Array:
    """Six numbers (..., 6) to matrices (..., 3, 3) by Gram-Schmidt.

    The six numbers are a (3, 2) matrix row by row, its columns the first two of the rotation, as in
    Zhou et al., 'On the continuity of rotation representations' (CVPR 2019) and PyMAF's heads.
    """
    pairs = np.asarray(columns).reshape(*columns.shape[:-1], 3, 2)
    first = pairs[..., 0] / np.linalg.norm(pairs[..., 0], axis=-1, keepdims=True)
    second = pairs[..., 1] - (first * pairs[..., 1]).sum(-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def about_z(angle: float) -> Array:
    """Rotation (3, 3) about z by an angle in radians (x towards y)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def about_x(angle: float) -> Array:
    """Rotation (3, 3) about x by an angle in radians (y towards z)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def about_y(angle: float) -> Array:
    """Rotation (3, 3) about y by an angle in radians (z towards x)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])

"""Conversions between representations of rotations; the only place where they live.

Matrices inside the program, axis-angle in files, quaternions (w, x, y, z) for filters and formats.
"""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array

# elements of a flat matrix below the diagonal and their mirror images, axis by axis
_BELOW, _ABOVE = [7, 2, 3], [5, 6, 1]


def _products_to_matrix() -> Array:
    """Return the map (16, 9) from a unit quaternion's outer product to the flat matrix.

    With w and v of the quaternion R = (w^2 - v.v) I + 2 v v^T + 2 w [v]x.
    """
    coefficients = np.zeros((4, 4, 3, 3))
    coefficients[0, 0] = np.eye(3)
    for i in range(3):
        coefficients[i + 1, i + 1] -= np.eye(3)
        for j in range(3):
            coefficients[i + 1, j + 1, i, j] += 2.0
    for axis, row, column in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        coefficients[0, axis + 1, row, column] = 2.0
        coefficients[0, axis + 1, column, row] = -2.0
    return coefficients.reshape(16, 9)


def _matrix_to_axis() -> Array:
    """Return the map (9, 4) from a flat matrix to its axis times the sine, and half its trace."""
    coefficients = np.zeros((9, 4))
    for axis, (below, above) in enumerate(zip(_BELOW, _ABOVE, strict=True)):
        coefficients[below, axis], coefficients[above, axis] = 0.5, -0.5
    coefficients[::4, 3] = 0.5
    return coefficients


_MATRIX_FROM_PRODUCTS, _AXIS_FROM_MATRIX = _products_to_matrix(), _matrix_to_axis()
_TINY = 1e-150

# importing SciPy's rotations takes a tenth of the program's start time: only functions that are not
# called before the first result use them


def matrix_from_axis_angle(axis_angle: Array) -> Array:
    """Convert rotation vectors (..., 3) in radians to matrices (..., 3, 3), through quaternions.

    Written with as few NumPy calls as possible: for a single body they are the whole cost.
    """
    vector = np.asarray(axis_angle, dtype=np.float64)
    half = np.sqrt(np.einsum("...i,...i->...", vector, vector))[..., None] / 2
    half = np.maximum(half, _TINY)
    quaternion = np.empty((*vector.shape[:-1], 4))
    np.cos(half, out=quaternion[..., :1])
    np.multiply(vector, np.sin(half) / half / 2, out=quaternion[..., 1:])
    products = quaternion[..., :, None] * quaternion[..., None, :]
    flat = products.reshape(*vector.shape[:-1], 16) @ _MATRIX_FROM_PRODUCTS
    return np.asarray(flat.reshape(*vector.shape[:-1], 3, 3))


def axis_angle_from_matrix(matrix: Array) -> Array:
    """Convert matrices (..., 3, 3) to rotation vectors (..., 3), angle in 0..pi.

    Matrices that are not exactly rotations are orthogonalised first.
    """
    from scipy.spatial.transform import Rotation

    flat = np.asarray(matrix, dtype=np.float64).reshape(-1, 3, 3)
    if not len(flat):
        return np.zeros(matrix.shape[:-1])
    return np.asarray(Rotation.from_matrix(flat).as_rotvec()).reshape(matrix.shape[:-1])


def axis_angle_from_rotation(rotation: Array) -> Array:
    """Convert exact rotations (..., 3, 3) to rotation vectors (..., 3), angle in 0..pi.

    Unlike `axis_angle_from_matrix` it neither checks nor orthogonalises the matrices, which for a
    single body takes most of the time.
    """
    parts = rotation.reshape(*rotation.shape[:-2], 9) @ _AXIS_FROM_MATRIX
    sines, cosine = parts[..., :3], parts[..., 3] - 0.5
    sine = np.maximum(np.sqrt(np.einsum("...i,...i->...", sines, sines)), _TINY)
    vectors = sines * (np.arctan2(sine, cosine) / sine)[..., None]
    # near half a turn the sines vanish, and the axis with them
    half_turn = cosine < -0.99
    if half_turn.any():
        vectors[half_turn] = _axis_angle_through_quaternion(rotation[half_turn])
    return np.asarray(vectors)


def _axis_angle_through_quaternion(rotation: Array) -> Array:
    """Convert exact rotations (N, 3, 3) by any angle to rotation vectors (N, 3).

    Four times the quaternion's outer product is a sum of the matrix's elements; the row with its
    largest diagonal element is used (Shepperd 1978).
    """
    flat = rotation.reshape(-1, 9)
    signs = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    diagonal = 1 + flat[:, [0, 4, 8]] @ signs.T
    below, above = flat[:, _BELOW], flat[:, _ABOVE]
    difference, total = below - above, below + above
    products = np.empty((len(flat), 4, 4))
    products[:, range(4), range(4)] = diagonal
    products[:, 0, 1:] = products[:, 1:, 0] = difference
    for i, j, axis in ((1, 2, 2), (1, 3, 1), (2, 3, 0)):
        products[:, i, j] = products[:, j, i] = total[:, axis]
    quaternion = products[np.arange(len(flat)), diagonal.argmax(axis=1)]
    quaternion = np.where(quaternion[:, :1] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[:, 1:], axis=1, keepdims=True)
    # never zero: without rotation w is the largest element, and this function is not called
    angle = 2 * np.arctan2(sine, quaternion[:, :1])
    return np.asarray(quaternion[:, 1:] * (angle / np.maximum(sine, 1e-300)))


def quaternion_from_matrix(matrix: Array) -> Array:
    """Convert matrices (..., 3, 3) to unit quaternions (..., 4), w first, w >= 0."""
    from scipy.spatial.transform import Rotation

    flat = np.asarray(matrix, dtype=np.float64).reshape(-1, 3, 3)
    if not len(flat):
        return np.zeros((*matrix.shape[:-2], 4))
    xyzw = np.asarray(Rotation.from_matrix(flat).as_quat(canonical=True))
    return xyzw[:, [3, 0, 1, 2]].reshape(*matrix.shape[:-2], 4)


def matrix_from_quaternion(quaternion: Array) -> Array:
    """Convert quaternions (..., 4), w first, of any length but zero, to matrices (..., 3, 3)."""
    from scipy.spatial.transform import Rotation

    flat = np.asarray(quaternion, dtype=np.float64).reshape(-1, 4)
    if not len(flat):
        return np.zeros((*quaternion.shape[:-1], 3, 3))
    matrices = np.asarray(Rotation.from_quat(flat[:, [1, 2, 3, 0]]).as_matrix())
    return matrices.reshape(*quaternion.shape[:-1], 3, 3)


def matrix_from_6d(columns: Array) -> Array:
    """Convert six numbers (..., 6) to matrices (..., 3, 3) by Gram-Schmidt.

    The numbers are a (3, 2) matrix row by row, its columns the first two of the rotation, as in
    Zhou et al., 'On the continuity of rotation representations' (CVPR 2019) and PyMAF's heads.
    """
    pairs = np.asarray(columns).reshape(*columns.shape[:-1], 3, 2)
    first = pairs[..., 0] / np.linalg.norm(pairs[..., 0], axis=-1, keepdims=True)
    second = pairs[..., 1] - (first * pairs[..., 1]).sum(-1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def rotation_between(first: Array, second: Array) -> Array:
    """Return the smallest rotations (..., 3, 3) from directions (..., 3) to others."""
    a = first / np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), 1e-12)
    b = second / np.maximum(np.linalg.norm(second, axis=-1, keepdims=True), 1e-12)
    a, b = np.broadcast_arrays(a, b)
    # product of two half turns: about the bisector of the two, and about the first
    bisector = a + b
    square = (bisector * bisector).sum(axis=-1)[..., None, None]
    opposite = square < 1e-12
    scaled = 2 * bisector[..., :, None] * bisector[..., None, :] / np.where(opposite, 1, square)
    about_bisector = scaled - np.eye(3)
    about_first = 2 * a[..., :, None] * a[..., None, :] - np.eye(3)
    # between opposite directions, any half turn about a perpendicular
    normal = np.cross(a, np.eye(3)[np.abs(a).argmin(axis=-1)])
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    about_normal = 2 * normal[..., :, None] * normal[..., None, :] - np.eye(3)
    rotations: Array = np.where(opposite, about_normal, about_bisector @ about_first)
    return rotations


def about_z(angle: float) -> Array:
    """Return the rotation (3, 3) about z by an angle in radians (x towards y)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def about_x(angle: float) -> Array:
    """Return the rotation (3, 3) about x by an angle in radians (y towards z)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def about_y(angle: float) -> Array:
    """Return the rotation (3, 3) about y by an angle in radians (z towards x)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])

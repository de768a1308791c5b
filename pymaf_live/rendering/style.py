"""How a drawn body looks: colours and light, for the graphics card and for NumPy alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Person

# soft, clearly different from each other, and the first of them rare in rooms, streets and gardens;
# sRGB 0..1
PALETTE: npt.NDArray[np.float32] = np.array(
    [
        [0.67, 0.69, 0.97],  # periwinkle
        [0.97, 0.62, 0.49],  # coral
        [0.60, 0.84, 0.66],  # mint
        [0.95, 0.80, 0.47],  # honey
        [0.94, 0.65, 0.80],  # rose
        [0.47, 0.81, 0.83],  # lagoon
        [0.52, 0.71, 0.92],  # sky
        [0.76, 0.80, 0.50],  # olive
    ],
    dtype=np.float32,
)

# Light in the camera frame (x right, y down, z forward): a key from the upper left behind the
# camera, a head light, a sky above. The sum stays near 1.1 so that colours keep
# their hue.
KEY_DIRECTION = np.array([-0.48, -0.66, -0.58]) / np.linalg.norm([-0.48, -0.66, -0.58])
AMBIENT, SKY, KEY, HEAD = 0.38, 0.10, 0.42, 0.28
# a darker rim sets limbs off from the trunk and the body from the picture
RIM, GLOSS = 0.34, 0.16
# powers of two by squaring: a software renderer takes long over pow()
RIM_SQUARINGS, GLOSS_SQUARINGS = 2, 4


# of the person's score
_DOUBTED, _SURE = 0.15, 0.5
_CARRIED_FROM, _CARRIED_TO = 0.35, 0.75
# of the joints' mean score
_JOINTS_SURE = (0.05, 0.35)
_PALE = 0.25


@dataclass(frozen=True)
class Look:
    """What an overlay shows."""

    opacity: float = 0.85
    """0..1 of the body over the picture."""
    body: bool = True
    skeleton: bool = False
    points: bool = False
    """Dots at the joints in the picture, by how sure the network is of each: red, yellow, green."""
    box: bool = False
    """The box about each person's joints."""
    parts: bool = False
    """The body's parts in flat colours in place of the lit surface: a dense correspondence."""
    tint: tuple[float, float, float] | None = None
    """sRGB 0..1 of every body in place of each person's own."""


def person_colour(person: int) -> npt.NDArray[np.float32]:
    """(3,) sRGB 0..1; the same for a person in every frame."""
    return np.asarray(PALETTE[person % len(PALETTE)])


def part_colours(count: int) -> npt.NDArray[np.float32]:
    """(count, 3) sRGB 0..1; neighbours in number are far apart in hue."""
    hue = np.arange(count) * 0.618034 % 1.0
    # cosine palette: smooth in hue, no dark ones
    waves = np.cos(2 * np.pi * (hue[:, None] + np.array([0.0, 1 / 3, 2 / 3])))
    value = np.where(np.arange(count) % 2, 0.95, 0.75)[:, None]
    return np.asarray(np.clip(value * (0.58 + 0.42 * waves), 0, 1), dtype=np.float32)


def presence(person: Person) -> float:
    """How much of a person is drawn, 0..1: less where the network doubts, fading while lost.

    A measured person is drawn whole from a score of 0.5 on, where the joints are sure enough too:
    a body whose every joint is doubtful stays as a pale one. One that is only carried on by the
    smoothing, with a score that falls meanwhile, is gone when it comes to a third, so that no body
    waves its limbs about where nobody is seen.
    """
    joints = float(np.mean(person.joint_score))
    if not np.isfinite(person.score + joints):
        return 0.0
    low, high = (_CARRIED_FROM, _CARRIED_TO) if person.predicted else (_DOUBTED, _SURE)
    doubt = 1 - _between(joints, *_JOINTS_SURE)
    return _between(person.score, low, high) * (1 - (1 - _PALE) * doubt)


def _between(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, smooth between them."""
    part = float(np.clip((value - low) / (high - low), 0.0, 1.0))
    return part * part * (3 - 2 * part)


def certainty_colours(scores: Array) -> npt.NDArray[np.float32]:
    """(N, 3) sRGB 0..1 of scores (N,): red at 0, yellow at a half, green at 1."""
    sure = np.clip(np.nan_to_num(np.asarray(scores, float)), 0.0, 1.0)[:, None]
    red, yellow, green = np.array([[0.93, 0.33, 0.31], [0.96, 0.82, 0.33], [0.38, 0.82, 0.45]])
    first = red + (yellow - red) * np.minimum(2 * sure, 1)
    return np.asarray(first + (green - yellow) * np.maximum(2 * sure - 1, 0), np.float32)


def shade(points: Array, normals: Array, colour: Array) -> npt.NDArray[np.float32]:
    """Colours of surface points, by the same formula as the shader.

    Parameters
    ----------
    points : (N, 3) array
        Metres, camera frame.
    normals : (N, 3) array
        Outward, unit length, camera frame.
    colour : (3,) array
        sRGB 0..1.

    Returns
    -------
    (N, 3) float32 array
        0..1.
    """
    to_eye = -points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6)
    facing = np.maximum(np.einsum("na,na->n", normals, to_eye), 0.0)
    key = np.maximum(normals @ KEY_DIRECTION, 0.0)
    half = to_eye + KEY_DIRECTION
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    gloss = np.maximum(np.einsum("na,na->n", normals, half), 0.0) ** 2**GLOSS_SQUARINGS
    light = AMBIENT - SKY * normals[:, 1] + KEY * key + HEAD * facing
    light = light * (1 - RIM * (1 - facing) ** 2**RIM_SQUARINGS)
    lit = np.clip(colour * light[:, None] + GLOSS * gloss[:, None], 0.0, 1.0)
    return np.asarray(lit, dtype=np.float32)

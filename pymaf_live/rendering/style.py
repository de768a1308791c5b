"""Overlay style, colours and lighting, shared by the OpenGL shader and the CPU rasteriser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, BodyStyle, Person

# sRGB 0..1: soft, clearly different from each other, the first of them rare in rooms, streets and
# gardens
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

# Light in the camera frame (x right, y down, z forward): a key light from the upper left behind the
# camera, a headlight and a sky light. They sum to about 1.1, so that colours keep their hue.
KEY_DIRECTION = np.array([-0.48, -0.66, -0.58]) / np.linalg.norm([-0.48, -0.66, -0.58])
AMBIENT, SKY, KEY, HEAD = 0.38, 0.10, 0.42, 0.28
# a darker rim separates limbs from the trunk and the body from the image
RIM, GLOSS = 0.34, 0.16
# powers of two by squaring: pow() is slow in software OpenGL
RIM_SQUARINGS, GLOSS_SQUARINGS = 2, 4

# visibility ramps from 0 to 1 over these ranges of the person's score ...
_MEASURED_SCORES = (0.15, 0.5)
_PREDICTED_SCORES = (0.35, 0.75)
# ... and falls to this share below this range of the mean joint score
_JOINT_SCORES = (0.05, 0.35)
_MIN_JOINT_FACTOR = 0.25


GREY = (0.72, 0.73, 0.75)
"""sRGB 0..1 of grey bodies."""


@dataclass(frozen=True)
class OverlayStyle:
    """Selection and appearance of what an overlay draws."""

    opacity: float = 0.85
    """Opacity of the body over the image, 0..1."""
    body: BodyStyle = "plain"
    """Appearance of people; a body that the clothes do not fit is drawn plain instead."""
    mesh: bool = True
    """Draw the body mesh."""
    skeleton: bool = False
    """Draw bones and joints."""
    points: bool = False
    """Draw a dot at each joint, coloured by its score: red, yellow, green."""
    box: bool = False
    """Draw the box around each person's joints."""
    parts: bool = False
    """Draw body parts in flat colours instead of the lit surface (dense correspondence)."""
    tint: tuple[float, float, float] | None = None
    """sRGB 0..1 of every body; None uses each person's own colour."""

    @property
    def draws_mesh(self) -> bool:
        """True if the surface is drawn, or its edges."""
        return self.mesh and self.body != "skeleton"

    @property
    def draws_skeleton(self) -> bool:
        """True if bones and joints are drawn."""
        return self.skeleton or (self.mesh and self.body == "skeleton")

    def colour_of(self, person: int) -> npt.NDArray[np.float32]:
        """Return the colour (3,) of a person by its number from 1, sRGB 0..1."""
        if self.tint is not None:
            return np.asarray(self.tint, np.float32)
        return np.asarray(GREY, np.float32) if self.body == "grey" else person_colour(person)


def person_colour(person: int) -> npt.NDArray[np.float32]:
    """Return the colour (3,) of a person by its number from 1, sRGB 0..1."""
    return np.asarray(PALETTE[(person - 1) % len(PALETTE)])


def part_colours(count: int) -> npt.NDArray[np.float32]:
    """Return colours (count, 3), sRGB 0..1; successive ones are far apart in hue."""
    hue = np.arange(count) * 0.618034 % 1.0
    # cosine palette: smooth in hue, without dark colours
    waves = np.cos(2 * np.pi * (hue[:, None] + np.array([0.0, 1 / 3, 2 / 3])))
    value = np.where(np.arange(count) % 2, 0.95, 0.75)[:, None]
    return np.asarray(np.clip(value * (0.58 + 0.42 * waves), 0, 1), dtype=np.float32)


def person_visibility(person: Person) -> float:
    """Return the visibility of a person, 0..1, by the confidence of the estimate.

    A detected person is fully visible from a score of 0.5 on, provided the mean joint score is high
    enough too; with doubtful joints the body stays pale. A person who is only predicted by the
    smoother, with a falling score, is invisible once the score reaches 0.35, so that no body moves
    where no person is detected.
    """
    joints = float(np.mean(person.joint_score))
    if not np.isfinite(person.score + joints):
        return 0.0
    scores = _PREDICTED_SCORES if person.predicted else _MEASURED_SCORES
    doubt = 1 - _smooth_step(joints, *_JOINT_SCORES)
    return _smooth_step(person.score, *scores) * (1 - (1 - _MIN_JOINT_FACTOR) * doubt)


def _smooth_step(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high` on, and a smooth ramp in between."""
    part = float(np.clip((value - low) / (high - low), 0.0, 1.0))
    return part * part * (3 - 2 * part)


def score_colours(scores: Array) -> npt.NDArray[np.float32]:
    """Return colours (N, 3), sRGB 0..1, of scores (N,): red at 0, yellow at 0.5, green at 1."""
    score = np.clip(np.nan_to_num(np.asarray(scores, float)), 0.0, 1.0)[:, None]
    red, yellow, green = np.array([[0.93, 0.33, 0.31], [0.96, 0.82, 0.33], [0.38, 0.82, 0.45]])
    lower = red + (yellow - red) * np.minimum(2 * score, 1)
    return np.asarray(lower + (green - yellow) * np.maximum(2 * score - 1, 0), np.float32)


def shade(points: Array, normals: Array, colour: Array) -> npt.NDArray[np.float32]:
    """Light surface points, by the formula of the shader in `visuals`.

    Parameters
    ----------
    points : (N, 3) array
        Metres, camera frame.
    normals : (N, 3) array
        Outward, unit length, camera frame.
    colour : (3,) or (N, 3) array
        sRGB 0..1.

    Returns
    -------
    (N, 3) float32 array
        sRGB 0..1.
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

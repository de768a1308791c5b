"""Advice before a recording: what is wrong with the image, and what to do about it."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import FrameResult, Image, Mask

_DARK = 45.0
"""Mean brightness 0..255 of the person's surroundings below which an image is too dark."""
_SMALL = 0.28
"""Height of a person as a part of the image's below which the person is too far away."""
_MIN_RATE = 12.0
"""Results per second below which fast motion is lost."""
_HEAD, _FEET = "head", ("left_foot", "right_foot")
_STRIDE = 8


def framing_advice(
    result: FrameResult, joint_names: tuple[str, ...], frames_per_second: float
) -> str:
    """Return the most important advice in one line; empty if a recording can start.

    Parameters
    ----------
    result : FrameResult
    joint_names : tuple of str
        Names of the joints of its people.
    frames_per_second : float
        Rate of the results; 0 while it is unknown.
    """
    if brightness(result.frame.image) < _DARK:
        return "It is too dark: add light, or turn the camera away from the window."
    if not result.people:
        return ""  # the view says so itself
    width, height = result.frame.image.shape[1::-1]
    person = max(result.people, key=lambda each: float(np.ptp(each.joints_2d[:, 1])))
    points = person.joints_2d
    inside: Mask = np.asarray(((points >= 0) & (points < (width, height))).all(axis=1))
    visible = dict(zip(joint_names, inside, strict=False))
    if not visible.get(_HEAD, True):
        return "Tilt the camera up or step back: your head is not visible."
    if not all(visible.get(name, True) for name in _FEET):
        return "Step back: your feet are not visible."
    if not inside.all():
        return "Move to the middle: a part of you is outside the image."
    if np.ptp(person.joints_2d[:, 1]) < _SMALL * height:
        return "Come closer: you are small in the image."
    if 0 < frames_per_second < _MIN_RATE:
        return (
            f"Only {frames_per_second:.0f} frames per second: choose the model lite, "
            "or close other programs."
        )
    return ""


def brightness(image: Image) -> float:
    """Return the mean brightness of an image (H, W, 3), 0..255."""
    return float(image[::_STRIDE, ::_STRIDE].mean())

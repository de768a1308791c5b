"""Alignment of the upper body, as a seated person before a webcam shows it.

Judged are head (nose, ears), shoulders, elbows and wrists that lie in the image, in 2D relative to
the person's own shoulder width, and in 3D after Procrustes alignment of these points alone. The
shoulder width is the true 3D one at the image scale of the upper body, so it does not shrink when
the person turns sideways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array, Ints, Mask
from trainer.data.base import KEYPOINT_NAMES, PersonLabels
from trainer.evaluation.metrics import pa_mpjpe

UPPER_NAMES = (
    "nose", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip
UPPER = tuple(KEYPOINT_NAMES.index(name) for name in UPPER_NAMES)
"""Rows of the judged points among `KEYPOINT_NAMES`."""

_SHOULDERS = [UPPER_NAMES.index(f"{side}_shoulder") for side in ("left", "right")]
_MIN_POINTS = 6
_FRONTAL = 0.5
"""Share of the full shoulder width that a person must show for the ratio of widths."""


@dataclass(frozen=True)
class UpperBodies:
    """True upper bodies of the M people who show enough of it."""

    rows: Ints
    """(M,) their rows among the labels."""
    points: Array
    """(M, 9, 2) image pixels."""
    points_3d: Array
    """(M, 9, 3) m."""
    shown: Mask
    """(M, 9) True for points in the image."""
    width: Array
    """(M,) full shoulder width in image pixels."""


def read_upper_bodies(known: Sequence[PersonLabels]) -> UpperBodies | None:
    """Return the upper bodies of people with 3D joints, both shoulders and six points in the image.

    None if there is no such person.
    """
    rows, widths = [], []
    for row, labels in enumerate(known):
        shown = labels.keypoints[list(UPPER), 2] > 0
        joints = labels.joints_3d
        if joints is None or shown.sum() < _MIN_POINTS or not shown[_SHOULDERS].all():
            continue
        if (joints[list(UPPER), 3] > 0).all():
            rows.append(row)
            widths.append(_shoulder_width(labels))
    if not rows:
        return None
    points = np.stack([known[row].keypoints[list(UPPER)] for row in rows])
    joints_3d = [known[row].joints_3d for row in rows]
    points_3d = np.stack([one[list(UPPER), :3] for one in joints_3d if one is not None])
    return UpperBodies(
        np.array(rows), points[..., :2], points_3d, points[..., 2] > 0, np.array(widths)
    )


def upper_body_figures(points: Array, points_3d: Array, true: UpperBodies) -> dict[str, float]:
    """Return the figures of estimated key points of the same people as the labels.

    ``upper_2d_error_percent``: mean distance of a point in the image, in percent of the shoulder
    width; ``shoulder_width_ratio``: median of estimated to true width in the image, of people who
    show at least half of their shoulders' width; ``upper_pa_mpjpe_mm``.

    Parameters
    ----------
    points : (N, 19, 2) array
        Image pixels, in the order of `KEYPOINT_NAMES`.
    points_3d : (N, 19, 3) array
        Metres, in any frame.
    true : UpperBodies
    """
    found = points[true.rows][:, list(UPPER)]
    found_3d = points_3d[true.rows][:, list(UPPER)]
    distance = np.linalg.norm(found - true.points, axis=-1) / true.width[:, None]
    widths = [np.linalg.norm(np.diff(p[:, _SHOULDERS], axis=1)[:, 0], axis=-1)
              for p in (found, true.points)]  # fmt: skip
    frontal = widths[1] > _FRONTAL * true.width
    ratio = widths[0][frontal] / widths[1][frontal]
    errors = [
        pa_mpjpe(one[None, shown], other[None, shown])
        for one, other, shown in zip(found_3d, true.points_3d, true.shown, strict=True)
    ]
    return {
        "upper_2d_error_percent": 100 * float(distance[true.shown].mean()),
        "shoulder_width_ratio": float(np.median(ratio)) if len(ratio) else float("nan"),
        "upper_pa_mpjpe_mm": float(np.average(errors, weights=true.shown.sum(axis=1))),
    }


def _shoulder_width(labels: PersonLabels) -> float:
    """Return the 3D shoulder width in image pixels, at the scale of the upper body."""
    assert labels.joints_3d is not None
    metres = labels.joints_3d[list(UPPER), :3]
    shown = labels.keypoints[list(UPPER), 2] > 0
    # the crop's axes are those of the 3D joints
    crop = labels.crop
    pixels = crop.to_crop(labels.keypoints[list(UPPER), :2]) * (crop.side / crop.size)
    a, b = metres[shown, :2], pixels[shown]
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    scale = float((a * b).sum() / max(float((a * a).sum()), 1e-12))
    return scale * float(np.linalg.norm(metres[_SHOULDERS[0]] - metres[_SHOULDERS[1]]))

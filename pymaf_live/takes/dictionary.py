"""Takes as plain Python values, for JSON and for other languages."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_live.takes.take import Take

_ROW_KEYS = ("pose", "shape", "translation", "joints", "joints_2d", "joint_score", "box")


def take_to_dict(take: Take) -> dict[str, Any]:
    """Return a take as dictionaries, lists, numbers and text; see `Take.to_dict`."""
    names = dict(zip(take.person_number, take.person_name, strict=True))
    frames: list[dict[str, Any]] = [{"time": float(time), "people": []} for time in take.frame_time]
    for name, image in zip(take.picture_name, frames, strict=False):
        image["image"] = name
    for row, frame in enumerate(take.frame):
        number = int(take.person[row])
        person: dict[str, Any] = {
            "id": number,
            "name": names.get(number, ""),
            "score": float(take.score[row]),
            "predicted": bool(take.predicted[row]),
        }
        person |= {key: np.asarray(getattr(take, key)[row]).tolist() for key in _ROW_KEYS}
        frames[frame]["people"].append(person)
    return {
        "source": take.source,
        "frame_size": list(take.frame_size),
        "frame_rate": float(take.frame_rate),
        "focal_length": float(take.focal_length),
        "principal_point": np.asarray(take.principal_point, dtype=np.float64).tolist(),
        "joint_names": list(take.joint_names),
        "parents": np.asarray(take.parents).tolist(),
        "body_sha256": take.body_sha256,
        "model": take.model,
        "smoothing": take.smoothing,
        "frames": frames,
    }

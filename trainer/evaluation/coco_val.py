"""COCO val2017 in its published layout, over annotated boxes: Table 3's protocol on the whole set.

As the authors evaluate: people with at least one annotated key point, who are not crowds; their
annotated box, clipped to the image, made square by its larger side and enlarged by `BOX_SIDE`; one
pass of the network. Networks of turned crops take their own rule's side, since they were trained
on it. The second pass, on crops refined by the first, is the program's and not the authors'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.tracking.crop import crop_from_box
from pymaf_live.types import Array
from trainer.data.coco import COCO_NAMES
from trainer.data.image_files import read_image, resolve_inside
from trainer.evaluation.coco import average_precision
from trainer.evaluation.inference import CropEstimates, estimate_twice
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.network import Network

BOX_SIDE = 1.25
"""Side of the authors' crop as a multiple of the box's larger side."""

PART = "val2017"
_PERSON = 1
_MAX_PEOPLE = 5_000_000


@dataclass(frozen=True)
class CocoVal:
    """People of COCO's validation set; N people, several to an image."""

    folder: Path
    """Folder of the images."""
    truth: dict[str, Any]
    """The whole annotation."""
    names: tuple[str, ...]
    """(N,) image file of each person."""
    image_ids: tuple[int, ...]
    boxes: Array
    """(N, 4) x0, y0, x1, y1 in image pixels, inside the image."""


def read_coco_val(folder: Path) -> CocoVal:
    """Read the people of ``annotations/person_keypoints_val2017.json``; images are in ``val2017``.

    Raises
    ------
    InputError
        If the annotation is missing or invalid, or has no person with key points.
    """
    path = folder / "annotations" / f"person_keypoints_{PART}.json"
    names, ids, boxes = [], [], []
    try:
        truth = json.loads(path.read_text("utf-8"))
        images = {int(image["id"]): image for image in truth["images"]}
        if len(truth["annotations"]) > _MAX_PEOPLE:
            raise ValueError(f"more than {_MAX_PEOPLE} people")
        for person in truth["annotations"]:
            image = images[int(person["image_id"])]
            box = _box(person, (float(image["width"]), float(image["height"])))
            if box is None:
                continue
            name = str(image["file_name"])
            resolve_inside(folder / PART, name)
            names.append(name)
            ids.append(int(image["id"]))
            boxes.append(box)
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not COCO's key-point annotation: {error!r}") from error
    if not names:
        raise InputError(f"{path} has no person with key points")
    return CocoVal(folder / PART, truth, tuple(names), tuple(ids), np.array(boxes))


def _box(person: Mapping[str, Any], size: tuple[float, float]) -> list[float] | None:
    """Return a person's box (4,) inside the image; None for people who are not judged."""
    values = np.asarray(person["keypoints"], dtype=np.float64)
    if values.shape != (3 * len(COCO_NAMES),):
        raise ValueError(f"{values.shape} key-point values")
    if int(person["category_id"]) != _PERSON or person.get("iscrowd") or not values.max() > 0:
        return None
    x, y, width, height = (float(value) for value in person["bbox"])
    # whole pixels: a box of one pixel has both ends in it
    low = max(x, 0.0), max(y, 0.0)
    high = [
        min(limit - 1, start + max(extent - 1, 0.0))
        for limit, start, extent in zip(size, low, (width, height), strict=True)
    ]
    if not float(person["area"]) > 0 or high[0] < low[0] or high[1] < low[1]:
        return None
    return [*low, *high]


def measure_coco_val(
    network: Network,
    people: CocoVal,
    bodies: BodyPoser,
    results: Path | None = None,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Return COCO's key-point AP of every level, of the authors' single pass and of the second.

    Parameters
    ----------
    network : Network
    people : CocoVal
    bodies : BodyPoser
    results : Path, optional
        Folder for the single pass's results of the last level as COCO JSON.
    reporter : Reporter
    """
    side = network.rule.side if network.rule.turned else BOX_SIDE
    crops = [crop_from_box(box, 0.0, network.size, side) for box in people.boxes]
    first, second = estimate_twice(
        network,
        bodies,
        lambda row: read_image(people.folder, people.names[row]),
        crops,
        "coco val2017",
        reporter,
    )
    levels = range(len(first.estimates.rotations))
    found = [_results(first, people, bodies, level) for level in levels]
    by_level = [average_precision(people.truth, level) for level in found]
    figures: dict[str, Any] = {"people": len(people.names)}
    figures |= {name: [one[name] for one in by_level] for name in by_level[0]}
    refined = average_precision(people.truth, _results(second, people, bodies, -1))
    figures |= {f"{name}_second_look": refined[name] for name in ("ap", "ap_50")}
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        with atomic_write(results / f"coco_{PART}_results.json") as temporary:
            temporary.write_text(json.dumps(found[-1]), encoding="utf-8")
    return figures


def _results(
    found: CropEstimates, people: CocoVal, bodies: BodyPoser, level: int
) -> list[dict[str, Any]]:
    points = found.points(bodies, "coco", level)
    scores = found.estimates.score * found.estimates.joint_score.mean(axis=1)
    return [
        {
            "image_id": image,
            "category_id": _PERSON,
            "keypoints": np.column_stack([one, np.ones(len(one))]).ravel().tolist(),
            "score": float(score),
        }
        for image, one, score in zip(people.image_ids, points, scores, strict=True)
    ]

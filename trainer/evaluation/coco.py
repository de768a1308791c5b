"""COCO key-point AP over annotated boxes, by pycocotools: Table 3's protocol.

The projected key points of each annotated person are written as a COCO results file and scored by
COCO's own code. The network runs twice on each box, as in the program: on the upright box, then on
the refined crop.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import InputError, ModelError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array
from trainer.data.lspet import ImageStore, JointSet, read_joint_set
from trainer.evaluation.inference import CropEstimates, box_crop, estimate_twice
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.network import Network

_PERSON = 1
_AREA_OF_BOX = 0.53
"""Mean share of a person's box that the segment covers, as COCO's own box evaluations take it."""


@dataclass(frozen=True)
class BoxedPeople:
    """Images with COCO's 17 key points and boxes; N people, one per image."""

    joint_set: JointSet
    boxes: Array
    """(N, 4) x0, y0, x1, y1 in image pixels."""
    area: Array
    """(N,) square pixels, the scale of OKS."""
    ids: tuple[int, ...]


def read_coco_mini(folder: Path) -> BoxedPeople:
    """Read the packed COCO persons.

    The packed set has no segment areas, so the area is a fixed share of the box.

    Raises
    ------
    InputError
        If the set is missing or has another layout.
    """
    joint_set = read_joint_set(folder)
    try:
        with np.load(folder / "labels.npz", allow_pickle=False) as labels:
            x, y, width, height = labels["person_bbox_xywh_orig"].astype(np.float64).T
            scale, offset = labels["scale"].astype(np.float64), labels["offset"]
            ids = tuple(int(index) for index in labels["index"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{folder} is not the packed COCO set: {error}") from error
    low = (np.column_stack([x, y]) - offset) * scale
    high = (np.column_stack([x + width, y + height]) - offset) * scale
    area = _AREA_OF_BOX * np.prod(high - low, axis=1)
    return BoxedPeople(joint_set, np.concatenate([low, high], axis=1), area, ids)


def estimate_boxed(
    network: Network, people: BoxedPeople, bodies: BodyPoser, reporter: Reporter = SILENT
) -> tuple[CropEstimates, CropEstimates]:
    """Run a network twice on every box."""
    images = ImageStore(people.joint_set)
    crops = [box_crop(box, network) for box in people.boxes]
    return estimate_twice(network, bodies, images.__getitem__, crops, "coco", reporter)


def measure_coco(
    passes: Sequence[CropEstimates],
    people: BoxedPeople,
    bodies: BodyPoser,
    results: Path | None = None,
) -> dict[str, Any]:
    """Return the AP of every level of the second pass and of the first pass's last level.

    Parameters
    ----------
    passes
        From `estimate_boxed`.
    people : BoxedPeople
    bodies : BodyPoser
    results : Path, optional
        Folder for the last level's results and the truth as COCO JSON.
    """
    first, second = passes
    truth = coco_truth(people)
    found = [
        coco_results(second, people, bodies, level)
        for level in range(len(second.estimates.rotations))
    ]
    by_level = [average_precision(truth, level) for level in found]
    figures: dict[str, Any] = {name: [one[name] for one in by_level] for name in by_level[0]}
    figures["ap_one_look"] = average_precision(truth, coco_results(first, people, bodies, -1))["ap"]
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
        for name, content in (("coco_truth", truth), ("coco_results", found[-1])):
            with atomic_write(results / f"{name}.json") as temporary:
                temporary.write_text(json.dumps(content), encoding="utf-8")
    return figures


def coco_truth(people: BoxedPeople) -> dict[str, Any]:
    """Return the annotation as COCO JSON, in the stored images' pixels."""
    annotations = []
    for row, (joints, box, area) in enumerate(
        zip(people.joint_set.joints, people.boxes, people.area, strict=True)
    ):
        annotations.append(
            {
                "id": people.ids[row],
                "image_id": row + 1,
                "category_id": _PERSON,
                "iscrowd": 0,
                "area": float(area),
                "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
                "keypoints": joints.ravel().tolist(),
                "num_keypoints": int((joints[:, 2] > 0).sum()),
            }
        )
    names = list(people.joint_set.joint_names)
    return {
        "info": {},
        "images": [
            {"id": row + 1, "file_name": name} for row, name in enumerate(people.joint_set.names)
        ],
        "annotations": annotations,
        "categories": [{"id": _PERSON, "name": "person", "keypoints": names}],
    }


def coco_results(
    found: CropEstimates, people: BoxedPeople, bodies: BodyPoser, level: int
) -> list[dict[str, Any]]:
    """Return the projected key points as COCO results, scored by person and mean joint score."""
    points = found.points(bodies, "coco", level)
    scores = found.estimates.score * found.estimates.joint_score.mean(axis=1)
    return [
        {
            "image_id": row + 1,
            "category_id": _PERSON,
            "keypoints": np.column_stack([one, np.ones(len(one))]).ravel().tolist(),
            "score": float(score),
        }
        for row, (one, score) in enumerate(zip(points, scores, strict=True))
    ]


def average_precision(truth: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, float]:
    """Return COCO's key-point AP: OKS .5 to .95, at .5, at .75, of medium and large people.

    Raises
    ------
    ModelError
        If pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ModelError("COCO's AP needs pycocotools: pip install pycocotools") from error
    # pycocotools prints to stdout
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO()
        annotated.dataset = truth
        annotated.createIndex()
        evaluation = COCOeval(annotated, annotated.loadRes(results), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    names = ("ap", "ap_50", "ap_75", "ap_medium", "ap_large")
    return {name: float(value) for name, value in zip(names, evaluation.stats[:5], strict=True)}

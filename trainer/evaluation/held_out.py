"""Held-out images of LSPET as files, with their boxes, for ``main.py process --boxes``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from trainer.data.lspet import VALIDATION_COUNT, ImageStore, JointSet, read_joint_set
from trainer.evaluation.lspet import held_out_boxes


def unpack_held_out(lspet: Path, folder: Path) -> int:
    """Write the held-out images of the packed LSPET set and return their number."""
    joint_set = read_joint_set(lspet)
    rows = range(len(joint_set) - VALIDATION_COUNT, len(joint_set))
    return write_held_out(joint_set, rows, folder)


def write_held_out(joint_set: JointSet, rows: Sequence[int], folder: Path) -> int:
    """Write images of some rows into `pictures`, with `boxes.json` beside, and return their number.

    Parameters
    ----------
    joint_set : JointSet
    rows : sequence of int
    folder : Path
    """
    images = ImageStore(joint_set)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    boxes = held_out_boxes(joint_set, rows)
    for row in rows:
        (folder / "pictures" / joint_set.names[row]).write_bytes(images.encoded(row))
    (folder / "boxes.json").write_text(json.dumps(boxes), encoding="utf-8")
    return len(boxes)

"""Figures of a model on the held-out block, beside those of the landmarkers it is built on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from pymaf_live.atomic import written_whole
from pymaf_live.body import Body, PointSet, project
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import InputError
from pymaf_live.network.preprocess import cut
from pymaf_live.types import Array, Camera
from trainer.calibration import calibration
from trainer.data.lspet import VALIDATION, JointSet, Pictures, annotated_crop, read_joint_set
from trainer.export import load_network, round_weights
from trainer.fit import read_fits
from trainer.landmarker import LSP, SIZE, Landmarker
from trainer.metrics import pck
from trainer.overlays import sheets_of_network
from trainer.validate import validate


def evaluate(
    checkpoint: Path,
    *,
    lspet: Path,
    fits: Path,
    landmark_file: Path | None,
    landmark_folder: Path | None = None,
    takes: Path | None = None,
    ccp: Path | None = None,
    sheets: Path | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Measure a run's averaged weights, rounded as the exported file holds them.

    Parameters
    ----------
    checkpoint : Path
    lspet, fits : Path
        The packed set and its fits; the last `VALIDATION` rows are looked at.
    landmark_file : Path, optional
        BlazePose's file of the network's encoder.
    landmark_folder : Path, optional
        Folder of `pose_landmark_{lite,full,heavy}.tflite`, measured on the same crops.
    takes : Path, optional
        Folder of the npz files that ``main.py process --boxes`` wrote for the held-out pictures:
        protocol 'program'.
    ccp : Path, optional
        The packed CCP set, whose held-out backgrounds the person score is measured against.
    sheets : Path, optional
        Folder for sheets of overlays: the worst, at random, the best.
    out : Path, optional
        A JSON file for the figures.
    """
    joint_set = read_joint_set(lspet)
    model, body, _ = load_network(checkpoint, landmark_file)
    round_weights(model)
    figures: dict[str, Any] = {
        "network": validate(model, joint_set, read_fits(fits, len(joint_set)), body)
    }
    if landmark_folder is not None:
        figures["landmarkers"] = {
            kind: _landmarker_pck(joint_set, landmark_folder / f"pose_landmark_{kind}.tflite")
            for kind in ("lite", "full", "heavy")
        }
    if ccp is not None:
        figures["calibration"] = calibration(model, joint_set, body, ccp)
    if takes is not None:
        figures["program"] = {"pck": _program_pck(joint_set, takes, body)}
    if sheets is not None:
        sheets_of_network(sheets, model, joint_set, body)
    _print(figures)
    if out is not None:
        with written_whole(out) as temporary:
            temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def held_out_boxes(joint_set: JointSet) -> dict[str, list[list[float]]]:
    """Boxes of protocol 'program': the annotated joints' box, 0.1 x its larger extent wider."""
    boxes = {}
    for row in range(len(joint_set) - VALIDATION, len(joint_set)):
        joints = joint_set.joints[row]
        known = joints[joints[:, 2] > 0, :2]
        low, high = known.min(axis=0), known.max(axis=0)
        margin = 0.1 * float((high - low).max())
        boxes[joint_set.names[row]] = [[*(low - margin).tolist(), *(high + margin).tolist()]]
    return boxes


def unpack_held_out(lspet: Path, folder: Path) -> int:
    """Write the held-out pictures as files and `boxes.json` beside them, for ``process --boxes``.

    Returns
    -------
    int
        How many.
    """
    joint_set = read_joint_set(lspet)
    pictures = Pictures(joint_set)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    boxes = held_out_boxes(joint_set)
    for row in range(len(joint_set) - VALIDATION, len(joint_set)):
        (folder / "pictures" / joint_set.names[row]).write_bytes(pictures.encoded(row))
    (folder / "boxes.json").write_text(json.dumps(boxes), encoding="utf-8")
    return len(boxes)


def _landmarker_pck(joint_set: JointSet, path: Path) -> dict[str, float]:
    """A landmarker's own 2D on the annotated crops, as it is and averaged with its mirrored run."""
    rows = range(len(joint_set) - VALIDATION, len(joint_set))
    pictures = Pictures(joint_set)
    crops = [annotated_crop(joint_set.joints[row], SIZE) for row in rows]
    cuts = [cut(pictures[row], crop) for row, crop in zip(rows, crops, strict=True)]
    plain, mirrored = Landmarker(path).run_both_ways(cuts)
    joints = joint_set.joints[list(rows)]

    def figure(points: Array) -> float:
        chosen = points[:, list(LSP), :2]
        found = [crop.to_frame(p) for crop, p in zip(crops, chosen, strict=True)]
        return round(pck(np.stack(found), joints), 4)

    mean = (plain.points + mirrored.points) / 2
    return {"pck": figure(plain.points), "pck_mirrored_mean": figure(mean)}


def _program_pck(joint_set: JointSet, folder: Path, body: Body) -> float:
    """PCK of the program's results on whole pictures; a picture without a result is all wrong."""
    path = next(iter(sorted(folder.glob("*.npz"))), None)
    if path is None:
        raise InputError(f"there is no npz in {folder}")
    rows = range(len(joint_set) - VALIDATION, len(joint_set))
    place = {joint_set.names[row]: index for index, row in enumerate(rows)}
    found = np.full((len(rows), len(body.keypoint_sets["lsp"]), 2), np.nan)
    points = PointSet.keypoints(body, "lsp")
    with np.load(path, allow_pickle=False) as take:
        names, cameras = take["picture_name"], take["picture_camera"]
        rotations = matrix_from_axis_angle(take["pose"].astype(np.float64))
        posed = points.pose(rotations, take["shape"], take["translation"])
        for joints, frame in zip(posed, take["frame"].tolist(), strict=True):
            width, height, focal, *centre = cameras[frame].tolist()
            camera = Camera(focal, np.array(centre), (int(width), int(height)))
            found[place[str(names[frame])]] = project(joints, camera)
    return round(pck(found, joint_set.joints[list(rows)]), 4)


def _print(figures: dict[str, Any]) -> None:
    table = Table("", "figure", "value")
    for protocol, values in figures.items():
        for name, value in values.items():
            table.add_row(protocol, name, json.dumps(value))
    Console().print(table)

"""Validation while training: LSPET's held-out rows, level by level."""

from __future__ import annotations

from pymaf_live.body import Body
from trainer.data.fits import Fits
from trainer.data.lspet import VALIDATION_COUNT, JointSet
from trainer.evaluation.lspet import estimate_annotated, measure_lspet
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.network import TorchNetwork
from trainer.network.pymaf import PyMAF


def validate(
    model: PyMAF, joint_set: JointSet, fits: Fits, body: Body, device: str = "cpu"
) -> dict[str, float]:
    """Return PCK of every level and of the encoder's landmarks, and 3D errors to the fits in mm.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set, fits
        The whole set; its last `VALIDATION_COUNT` rows are measured.
    body : Body
    device : str
    """
    rows = range(len(joint_set) - VALIDATION_COUNT, len(joint_set))
    found = estimate_annotated(TorchNetwork(model, device), joint_set, rows)
    measured = measure_lspet(found, joint_set, rows, BodyPoser(body), fits)
    figures = {f"pck_level_{level + 1}": value for level, value in enumerate(measured["pck"])}
    if "pck_landmarks" in measured:
        figures["pck_landmarks"] = measured["pck_landmarks"]
    figures["mpjpe_to_fits_mm"] = measured["mpjpe_to_fits_mm"][-1]
    figures["pa_mpjpe_to_fits_mm"] = measured["pa_mpjpe_to_fits_mm"][-1]
    return {name: round(value, 4) for name, value in figures.items()}

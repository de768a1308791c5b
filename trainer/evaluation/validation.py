"""A network on the held-out block while it learns: protocol 'network' of LSPET, level by level."""

from __future__ import annotations

from pymaf_live.body import Body
from trainer.data.fits import Fits
from trainer.data.lspet import VALIDATION, JointSet
from trainer.evaluation.lspet import estimate_annotated, measure_lspet
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.network import TorchNetwork
from trainer.network.pymaf import PyMAF


def validate(
    model: PyMAF, joint_set: JointSet, fits: Fits, body: Body, device: str = "cpu"
) -> dict[str, float]:
    """PCK of every level and of the encoder's landmarks, 3D errors against the fits in mm.

    Parameters
    ----------
    model : PyMAF
        In evaluation mode.
    joint_set, fits
        The whole set; its last `VALIDATION` rows are looked at.
    body : Body
    device : str
    """
    rows = range(len(joint_set) - VALIDATION, len(joint_set))
    bodies = BodyPoser(body)
    looked = estimate_annotated(TorchNetwork(model, device), joint_set, rows)
    found = measure_lspet(looked, joint_set, rows, bodies, fits)
    figures = {f"pck_level_{level + 1}": value for level, value in enumerate(found["pck"])}
    if "pck_landmarks" in found:
        figures["pck_landmarks"] = found["pck_landmarks"]
    figures["mpjpe_to_fits_mm"] = found["mpjpe_to_fits_mm"][-1]
    figures["pa_mpjpe_to_fits_mm"] = found["pa_mpjpe_to_fits_mm"][-1]
    return {name: round(value, 4) for name, value in figures.items()}

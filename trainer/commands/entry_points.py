"""Functions that the runtime calls through the entry-point group ``pymaf_live.trainer``.

Arguments and results are JSON values; `pymaf_live.system.trainer_entry` runs each function in a
process of its own.
"""

from __future__ import annotations

from pathlib import Path


def published_speed(threads: int = 2, rounds: int = 15) -> dict[str, float]:
    """Measure PyMAF's published network in torch, in OpenVINO and in int8.

    Parameters
    ----------
    threads : int
        CPU threads of every run.
    rounds : int
        Number of runs of each.

    Returns
    -------
    dict
        Speed ratios by name, as `trainer.evaluation.speed.measure` names them.
    """
    from trainer.evaluation.speed import measure

    ratios: dict[str, float] = measure(threads, rounds)["ratios"]
    return ratios


def import_pymaf(checkpoint: str, smpl: str, name: str, out: str) -> str:
    """Convert a published PyMAF checkpoint to an ONNX model and return its path.

    Parameters
    ----------
    checkpoint, smpl : str
        Paths of the checkpoint and of SMPL's body file.
    name : str
        Name of the model and of its body.
    out : str
        Path of the ONNX file.

    Raises
    ------
    InputError
        If a file cannot be used.
    ModelError
        If the ONNX model does not reproduce torch's output.
    """
    from trainer.importers.pymaf import import_pymaf as import_checkpoint

    path, _ = import_checkpoint(Path(checkpoint), smpl=Path(smpl), name=name, out=Path(out))
    return str(path)

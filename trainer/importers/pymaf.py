"""Import of PyMAF's published checkpoint: mapped onto our parts, checked, and exported as ONNX."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.body.registry import SHIPPED_BODY, body_by_name, user_body_path, user_model_folder
from pymaf_live.body.smpl_file import read_smpl
from pymaf_live.body.smpl_import import write_body
from pymaf_live.errors import InputError, ModelError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import SILENT, Reporter
from trainer.export.onnx import OUTPUT_NAMES, add_metadata, largest_difference, trace_module
from trainer.importers.checkpoint import build_network, check_body, read_weights
from trainer.importers.mesh_reduction import find_reduction
from trainer.importers.published import PublishedPyMAF

CROP_RULE = "upright 1.20"
"""Square of the larger side of a person's box, which lies a tenth outside the joints all round."""
NORMALISATION = "ImageNet's mean and deviation, inside the graph"
LICENCE = (
    "as the imported checkpoint and SMPL are: for non-commercial research, not to be passed on"
)

_DETAIL = "importing the checkpoint, about a minute"
_MAX_DIFFERENCE = 1e-4


def import_pymaf(
    checkpoint: Path,
    *,
    smpl: Path,
    mean: Path | None = None,
    downsampling: Path | None = None,
    name: str = "pymaf",
    out: Path | None = None,
    reporter: Reporter = SILENT,
) -> tuple[Path, float]:
    """Make an ONNX file with the program's contract from a published checkpoint.

    Parameters
    ----------
    checkpoint : Path
    smpl : Path
        Body that the checkpoint was trained with; stored in the user's data folder under `name`.
    mean, downsampling : Path, optional
        Required if the checkpoint lacks their buffers; otherwise they must agree with them.
    name : str
        Of the model and of the body.
    out : Path, optional
        By default in the user's data folder.
    reporter : Reporter

    Returns
    -------
    out : Path
    difference : float
        Largest difference of an output's element between ONNX Runtime and torch.

    Raises
    ------
    InputError
        If a file is damaged, or tensors are missing, unknown or of another shape (named).
    ModelError
        If the ONNX file does not agree with torch.
    """
    weights = read_weights(checkpoint)
    shipped = body_by_name(SHIPPED_BODY)
    smpl_body = read_smpl(smpl, shipped)
    directions = smpl_body.pose_directions
    if directions is None:
        raise InputError(f"{smpl} has no pose directions (posedirs), which the network needs")
    reduction = find_reduction(weights, downsampling, checkpoint, len(smpl_body.template))
    check_body(weights, smpl_body.template, checkpoint, smpl)
    out = out or user_model_folder() / f"{name}.onnx"
    # the body is stored only after everything else has succeeded
    with TemporaryDirectory() as folder:
        draft = Path(folder) / "body.npz"
        body = write_body(draft, smpl_body, shipped)
        model = build_network(weights, body, reduction, directions, mean, checkpoint)
        make_folder(out.parent)
        # the files are in order: what follows takes long
        reporter.progress(0.1, _DETAIL)
        difference = _export(model, body, name, checkpoint, out)
        reporter.progress(0.95, _DETAIL)
        body_path = user_body_path(name)
        make_folder(body_path.parent)
        with atomic_write(body_path) as temporary:
            shutil.copyfile(draft, temporary)
    reporter.progress(1.0, _DETAIL)
    return out, difference


class _ExportedModule(nn.Module):
    """Finest level with the contract's outputs; the scores, which were not trained, are ones."""

    def __init__(self, model: PublishedPyMAF) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("ones", torch.ones(1, model.joints), persistent=False)

    ones: Tensor

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        last = self.model(image)[-1]
        score = torch.ones_like(last.camera[:, :1])
        return last.rotations, last.shape, last.camera, score, score * self.ones


def _export(model: PublishedPyMAF, body: Body, name: str, source: Path, out: Path) -> float:
    size = model.encoder.size
    module = _ExportedModule(model).eval()
    metadata = {
        "name": name,
        "version": "published",
        "input_size": str(size),
        "crop_rule": CROP_RULE,
        "normalisation": NORMALISATION,
        "scores": "none",
        "joint_names": ",".join(body.joint_names),
        "body_sha256": body.sha256,
        # there is no configuration of ours: the checkpoint stands in for it
        "config_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "licence": LICENCE,
        "levels": "1",
        "reads": "0",
    }
    with atomic_write(out) as temporary:
        graph = trace_module(module, size, OUTPUT_NAMES)
        add_metadata(graph, metadata)
        onnx.checker.check_model(graph)
        onnx.save(graph, temporary)
        difference = largest_difference(module, temporary, size, OUTPUT_NAMES, (1, 2))
        if not difference < _MAX_DIFFERENCE:
            raise ModelError(f"the ONNX file differs from torch by {difference:.1e}")
    return difference

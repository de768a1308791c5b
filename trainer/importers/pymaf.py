"""PyMAF's published checkpoint: read, mapped onto our parts, checked, and exported as ONNX.

The checkpoint holds tensors under `model`: the encoder, each level's point features
(`maf_extractor`) and regressor, and buffers (mean parameters, the grid, the mesh's downsampling,
SMPL's own arrays) which must say the same as the files given beside it.
"""

from __future__ import annotations

import hashlib
import math
import re
import shutil
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from scipy.sparse import csr_matrix, issparse
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.body.registry import SHIPPED_BODY, body_by_name, user_body_path, user_model_folder
from pymaf_live.body.smpl_file import read_smpl, read_zipped
from pymaf_live.body.smpl_import import write_body
from pymaf_live.errors import InputError, ModelError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.types import Array
from trainer.export.onnx import OPSET
from trainer.importers.published import PublishedPyMAF, Sizes

CROP_RULE = "upright 1.20"
"""Square of the larger side of a person's box, which lies a tenth outside the joints all round."""
NORMALISATION = "ImageNet's mean and deviation, inside the graph"
LICENCE = (
    "as the imported checkpoint and SMPL are: for non-commercial research, not to be passed on"
)

_WORST_ERROR = 1e-4
_SAME = 1e-4
_NAMED = 4
"""Names of missing or odd tensors that a message tells."""

_ENCODER = re.compile(r"(?:feature_extractor\.)?((?:conv1|bn1|layer[1-4]|deconv_layers)\..+)")
_POINTS = re.compile(r"maf_extractor\.(\d+)\.conv(\d+)\.(weight|bias)")
_REGRESSOR = re.compile(r"regressor\.(\d+)\.((?:fc1|fc2|decpose|decshape|deccam)\.(?:weight|bias))")
_START = {"init_pose": "start_pose", "init_shape": "start_shape", "init_cam": "start_camera"}
_MEAN = {"start_pose": "pose", "start_shape": "shape", "start_camera": "cam"}
_BUFFER = re.compile(r"regressor\.(\d+)\.(init_pose|init_shape|init_cam)")
_REDUCTION = re.compile(r"maf_extractor\.\d+\.Dmap")
_BODY = re.compile(r"regressor\.\d+\.smpl\.(.+)")
_UNUSED = re.compile(r"dp_head\.|points_grid$|fp_grid$|feature_extractor\.fc\.")
"""Of training alone, or what the network's own parts say again."""


def import_pymaf(
    checkpoint: Path,
    *,
    smpl: Path,
    mean: Path | None = None,
    downsampling: Path | None = None,
    name: str = "pymaf",
    out: Path | None = None,
) -> tuple[Path, float]:
    """Make an ONNX file of the program's contract from a published checkpoint.

    Parameters
    ----------
    checkpoint : Path
    smpl : Path
        The body that it was trained with; kept in the user's data folder under `name`.
    mean, downsampling : Path, optional
        Needed where the checkpoint lacks their buffers; where both are there they must agree.
    name : str
        Of the model and of the body.
    out : Path, optional
        By default in the user's data folder.

    Returns
    -------
    out : Path
    difference : float
        The greatest of an output's element between ONNX Runtime's run and torch's.

    Raises
    ------
    InputError
        If a file is unsound, or tensors are missing, left over or of another shape (named).
    ModelError
        If the ONNX file does not agree with torch.
    """
    content = _weights(checkpoint)
    shipped = body_by_name(SHIPPED_BODY)
    given = read_smpl(smpl, shipped)
    if given.pose_directions is None:
        raise InputError(f"{smpl} has no pose directions (posedirs), which the network reads")
    reduction = _reduction(content, downsampling, checkpoint, len(given.template))
    _require_body(content, given.template, checkpoint, smpl)
    out = out or user_model_folder() / f"{name}.onnx"
    # nothing is kept before all of it fits together
    with TemporaryDirectory() as folder:
        draft = Path(folder) / "body.npz"
        body = write_body(draft, given, shipped)
        model = mapped(content, body, reduction, given.pose_directions, mean, checkpoint)
        make_folder(out.parent)
        difference = _export(model, body, name, checkpoint, out)
        kept = user_body_path(name)
        make_folder(kept.parent)
        with atomic_write(kept) as temporary:
            shutil.copyfile(draft, temporary)
    return out, difference


def mapped(
    content: Mapping[str, Tensor],
    body: Body,
    reduction: csr_matrix,
    pose_directions: Array,
    mean: Path | None,
    source: Path,
) -> PublishedPyMAF:
    """The network with a checkpoint's weights, every name and shape of them accounted for.

    Raises
    ------
    InputError
        If tensors are missing, left over or of another shape, with their names.
    """
    given: dict[str, tuple[str, Tensor]] = {}
    left_over = []
    for name, value in content.items():
        own = _own_name(name)
        if own is None:
            left_over.append(name)
        elif own:
            other = given.setdefault(own, (name, value))[1]
            if own in _MEAN and not torch.allclose(other, value, atol=_SAME):
                raise InputError(f"{source}: its levels begin from different {_MEAN[own]}s")
    if left_over:
        raise InputError(f"{source} has layers that PyMAF has not: {_some(left_over)}")
    _fill_start(given, mean, source)
    grid = content.get("points_grid")
    model = PublishedPyMAF(_sizes(given, source), body, reduction, pose_directions)
    if grid is not None and not _same_grid(grid, model.grid):
        raise InputError(f"{source}: its points_grid is in another order than PyMAF's")
    wanted = model.state_dict()
    missing = [n for n in wanted if n not in given and not _made_here(n)]
    if missing:
        raise InputError(f"{source} lacks layers of PyMAF, by our names: {_some(missing)}")
    extra = [given[n][0] for n in given if n not in wanted]
    if extra:
        raise InputError(f"{source} has layers that PyMAF has not: {_some(extra)}")
    filled = {}
    for own, (name, value) in given.items():
        if value.numel() == wanted[own].numel() and own in _MEAN:
            value = value.reshape(wanted[own].shape)
        if value.shape != wanted[own].shape:
            sizes = f"{tuple(value.shape)}, not {tuple(wanted[own].shape)}"
            raise InputError(f"{source}: {name} is {sizes}")
        if not torch.isfinite(value).all():
            raise InputError(f"{source}: {name} has values that are not finite")
        filled[own] = value
    model.load_state_dict(filled, strict=False)
    return model.eval()


def _own_name(name: str) -> str | None:
    """Our name of a tensor; empty where it is checked or used elsewhere, None where unknown."""
    if found := _POINTS.fullmatch(name):
        return f"points.{found[1]}.layers.{found[2]}.{found[3]}"
    if found := _REGRESSOR.fullmatch(name):
        return f"regressors.{found[1]}.{found[2]}"
    if found := _BUFFER.fullmatch(name):
        return _START[found[2]]
    if _REDUCTION.fullmatch(name) or _BODY.fullmatch(name) or _UNUSED.match(name):
        return ""
    if found := _ENCODER.fullmatch(name):
        return f"encoder.{found[1]}"
    return None


def _same_grid(published: Tensor, ours: Tensor) -> bool:
    """(1, 2, N) as published, and (1, N, 2)."""
    turned = published.transpose(-1, -2)
    return turned.shape == ours.shape and torch.allclose(turned, ours, atol=1e-5)


def _made_here(name: str) -> bool:
    # the encoder's normalisation is part of ours; batches are counted while training alone
    return name in ("encoder.mean", "encoder.std") or name.endswith("num_batches_tracked")


def _sizes(given: Mapping[str, tuple[str, Tensor]], source: Path) -> Sizes:
    def rows(name: str) -> int:
        if name not in given:
            raise InputError(f"{source} lacks layers of PyMAF, by our names: {name}")
        return int(given[name][1].shape[0])

    levels = len({name.split(".")[1] for name in given if name.startswith("regressors.")})
    layers = len({n.split(".")[3] for n in given if n.startswith("points.0.layers.")})
    widths = [rows(f"points.0.layers.{layer}.bias") for layer in range(max(layers, 1))]
    hidden = rows("regressors.0.fc1.bias")
    estimate = sum(rows(f"regressors.0.{head}.bias") for head in ("decpose", "decshape", "deccam"))
    read = given["regressors.0.fc1.weight"][1] if "regressors.0.fc1.weight" in given else None
    if read is None or read.ndim != 2:
        raise InputError(f"{source} lacks layers of PyMAF, by our names: regressors.0.fc1.weight")
    grid = math.isqrt(max(int(read.shape[1]) - estimate, 0) // widths[-1])
    if not 1 <= levels <= 3 or not 1 <= grid <= 256:
        raise InputError(f"{source} has {levels} levels and a grid of {grid}, not PyMAF's")
    return Sizes(levels, grid, tuple(widths[:-1]), widths[-1], hidden)


def _fill_start(given: dict[str, tuple[str, Tensor]], mean: Path | None, source: Path) -> None:
    """Take what the mean's file has where the checkpoint has nothing; else compare."""
    if mean is None:
        lacking = [key for own, key in _MEAN.items() if own not in given]
        if lacking:
            raise InputError(
                f"{source} has no mean {', '.join(lacking)}: give the file with --mean"
            )
        return
    try:
        with np.load(mean, allow_pickle=False) as file:
            found = {own: np.asarray(file[key], np.float32) for own, key in _MEAN.items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{mean} is no file of mean parameters: {error}") from error
    for own, values in found.items():
        tensor = torch.from_numpy(values.reshape(1, -1))
        if own not in given:
            given[own] = (f"{_MEAN[own]} of {mean}", tensor)
        elif given[own][1].numel() != tensor.numel() or not torch.allclose(
            given[own][1].reshape(1, -1), tensor, atol=_SAME
        ):
            raise InputError(f"the mean {_MEAN[own]} of {mean} is not that of {source}")


def _weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint; nothing in it is run."""
    import numpy._core.multiarray as numbers

    # figures of merit are kept beside the weights as NumPy's numbers
    plain: list[Any] = [numbers.scalar, np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType]
    try:
        with torch.serialization.safe_globals(plain):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"there is no checkpoint {path}") from error
    except Exception as error:
        # torch tells of damage and of forbidden content by many kinds of errors
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"it holds {named[1]}" if named else (str(error).splitlines() or ["damaged"])[0]
        raise InputError(f"{path} is no checkpoint of weights alone: {reason}") from error
    tensors = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not tensors:
        raise InputError(f"{path} has no weights under `model`")
    odd = [str(name) for name, value in tensors.items() if not isinstance(value, Tensor)]
    if odd:
        raise InputError(f"{path} has something else than tensors under `model`: {_some(odd)}")
    return {
        str(name).removeprefix("module."): value.detach().float()
        if value.is_floating_point()
        else value
        for name, value in tensors.items()
    }


def _require_body(content: Mapping[str, Tensor], template: Array, source: Path, smpl: Path) -> None:
    """Where the checkpoint carries SMPL's mesh, it must be that of the file."""
    for name, value in content.items():
        found = _BODY.fullmatch(name)
        if found is None or found[1] != "v_template":
            continue
        mesh = value.numpy()
        if mesh.shape != template.shape:
            raise InputError(
                f"{smpl} has {len(template)} vertices, the checkpoint {source} was trained with a "
                f"body of {len(mesh)}"
            )
        if np.abs(mesh - template).max() > _SAME:
            raise InputError(
                f"{smpl} is another body than the checkpoint {source} was trained with"
            )


def _reduction(
    content: Mapping[str, Tensor], path: Path | None, source: Path, vertices: int
) -> csr_matrix:
    """(P, V): from the mesh to the points that are read."""
    kept = [value for name, value in content.items() if _REDUCTION.fullmatch(name)]
    dense = [value.to_dense().numpy().astype(np.float64) for value in kept]
    file = None if path is None else _read_reduction(path)
    if not dense and file is None:
        raise InputError(f"{source} has no mesh downsampling: give the file with --downsampling")
    found = csr_matrix(dense[0]) if dense else file
    assert found is not None
    for other in [*map(csr_matrix, dense[1:]), *([] if file is None else [file])]:
        if other.shape != found.shape or abs(other - found).max() > _SAME:
            raise InputError(f"the mesh downsampling of {path or source} is not that of {source}")
    if found.shape[1] != vertices:
        raise InputError(
            f"the mesh downsampling of {source} is for {found.shape[1]} vertices; the body has "
            f"{vertices}"
        )
    return found


def _read_reduction(path: Path) -> csr_matrix:
    """The product of an npz' first two matrices `D`, finest first."""
    try:
        with zipfile.ZipFile(path) as archive:
            steps = read_zipped(archive, archive.getinfo("D.npy"), path)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no file of a mesh's downsampling: {error}") from error
    steps = steps if isinstance(steps, list) else [steps]
    if not 1 <= len(steps) <= 8 or not all(issparse(step) for step in steps):
        raise InputError(f"{path} is no file of a mesh's downsampling: D is no list of matrices")
    product = csr_matrix(steps[0])
    for step in steps[1:2]:
        if step.shape[1] != product.shape[0]:
            raise InputError(f"{path}: its matrices do not go together")
        product = csr_matrix(step @ product)
    return product


class _Exported(nn.Module):
    """The finest level with the contract's outputs; the scores, which nobody learned, are ones."""

    def __init__(self, model: PublishedPyMAF) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("each", torch.ones(1, model.joints), persistent=False)

    each: Tensor

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        last = self.model(image)[-1]
        score = torch.ones_like(last.camera[:, :1])
        return last.rotations, last.shape, last.camera, score, score * self.each


def _export(model: PublishedPyMAF, body: Body, name: str, source: Path, out: Path) -> float:
    size = model.encoder.size
    names = ["rotations", "shape", "camera", "score", "joint_score"]
    exported = _Exported(model).eval()
    facts = {
        "name": name,
        "version": "published",
        "input_size": str(size),
        "crop_rule": CROP_RULE,
        "normalisation": NORMALISATION,
        "scores": "none",
        "joint_names": ",".join(body.joint_names),
        "body_sha256": body.sha256,
        # there is no configuration of ours: what it came from stands for it
        "config_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "licence": LICENCE,
        "levels": "1",
        "reads": "0",
    }
    with atomic_write(out) as temporary:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                exported,
                (torch.zeros(2, 3, size, size),),
                str(temporary),
                input_names=["image"],
                output_names=names,
                dynamic_axes={each: {0: "batch"} for each in ["image", *names]},
                opset_version=OPSET,
                dynamo=False,
            )
        graph = onnx.load(temporary)
        for key, value in facts.items():
            graph.metadata_props.add(key=key, value=value)
        onnx.checker.check_model(graph)
        onnx.save(graph, temporary)
        difference = _difference(exported, temporary, size, names)
        if not difference < _WORST_ERROR:
            raise ModelError(f"the ONNX file differs from torch by {difference:.1e}")
    return difference


def _difference(model: nn.Module, path: Path, size: int, names: list[str]) -> float:
    """Between ONNX Runtime's outputs and torch's, on noise in batches of 1 and 2."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in (1, 2):
        image = torch.rand(batch, 3, size, size, generator=random)
        with torch.no_grad():
            true = model(image)
        found = session.run(names, {"image": image.numpy()})
        for one, other in zip(true, found, strict=True):
            worst = max(worst, float(np.abs(one.numpy() - other).max()))
    return worst


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(name[:80] for name in names[:_NAMED]) + more

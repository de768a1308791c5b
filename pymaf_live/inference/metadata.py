"""Metadata of a model file, and the contract of its inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pymaf_live.errors import ModelError

Shape = tuple[int | None, ...]
"""Shape of a tensor; None for a dimension that is dynamic or not stated in the file."""

Refuse = Callable[[str], ModelError]
"""Returns the error for a model, given what is wrong with it."""

OUTPUTS = ("rotations", "shape", "camera", "score", "joint_score")
"""Outputs of the finest level, in the order of `Estimate`'s fields."""

_EARLIER_OUTPUTS = ("rotations", "shape", "camera")
"""Outputs of an earlier level; only the finest has scores."""

DENSE_OUTPUTS = ("part", "u", "v")
"""Optional dense outputs of the finest level: (B, P, H, W) logits of the background and the body's
parts, and the position on each part, 0..1. A file may have `part` alone."""

PAPER_READS = 21
"""Side of the grid of points that the first level samples, unless the file states it."""

LOWER_PRECISIONS = ("bf16",)
"""Precisions in which some CPUs run a model faster than in f32, from the same file."""

_KEYS = (
    "name",
    "version",
    "input_size",
    "crop_rule",
    "joint_names",
    "body_sha256",
    "config_sha256",
    "licence",
    "levels",
)
_OPTIONAL_KEYS = ("reads", "scores", "normalisation", "precisions", "int8_of")

# limits of what a file may request
_SIZES = range(32, 1025)
_LEVELS = range(1, 17)
_MAX_JOINTS = 256
_MAX_SHAPES = 400
_MAX_TEXT = 10_000
_READS = range(0, 257)
_MAX_PARTS, _MAX_CELLS = 257, 1024


@dataclass(frozen=True)
class ModelMetadata:
    """Metadata of a model file."""

    name: str
    version: str
    input_size: int
    """Side of the crop in pixels."""
    crop_rule: str
    """Such as 'trunk-up 1.75', or 'upright 1.20' of an imported model."""
    joint_names: tuple[str, ...]
    body_sha256: str
    """SHA-256 of the body file that the model was trained with, 64 hexadecimal digits."""
    config_sha256: str
    """SHA-256 of the training configuration."""
    licence: str
    levels: int
    """Number of levels with outputs in the file; 1 unless exported with ``--levels all``."""
    reads: tuple[int, ...] = ()
    """Side of the grid of points that each of the file's levels samples; 0 if it samples under the
    mesh of the previous level. From the optional key ``reads``; the paper's values otherwise."""
    dense: tuple[str, ...] = ()
    """Those of `DENSE_OUTPUTS` that the file has."""
    scored: bool = True
    """False if its scores mean nothing: the optional key ``scores`` is 'none'."""
    normalisation: str = ""
    """Description of the image normalisation inside the graph, if the file has one."""
    precisions: tuple[str, ...] = ()
    """Those of `LOWER_PRECISIONS` in which estimated bodies stay where they are in f32: measured on
    real crops when the file was made (`python -m trainer precision`)."""
    int8_of: str = ""
    """SHA-256 of the f32 model file if this file is its int8 twin, else empty."""


def level_outputs(levels: int) -> list[tuple[str, ...]]:
    """Return the names of each level's outputs in the order of `Estimate`, coarsest first.

    Those of the finest level have no number.
    """
    earlier = [
        (*(f"{name}_{level}" for name in _EARLIER_OUTPUTS), *OUTPUTS[len(_EARLIER_OUTPUTS) :])
        for level in range(1, levels)
    ]
    return [*earlier, OUTPUTS]


def output_shapes(metadata: ModelMetadata) -> dict[str, Shape]:
    """Return the shape of every output without the batch; None where the metadata is silent."""
    joints = len(metadata.joint_names)
    plain: dict[str, Shape] = {
        "rotations": (joints, 3, 3),
        "shape": (None,),
        "camera": (3,),
        "score": (1,),
        "joint_score": (joints,),
    }
    shapes: dict[str, Shape] = {}
    for level in level_outputs(metadata.levels):
        shapes |= {name: plain[own] for name, own in zip(level, OUTPUTS, strict=True)}
    return shapes | dict.fromkeys(metadata.dense, (None, None, None))


def check_contract(
    path: object,
    entries: Mapping[str, str],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
) -> ModelMetadata:
    """Read a model's metadata and check its inputs and outputs against the contract.

    Parameters
    ----------
    path : path or str
        For the error message.
    entries : mapping
        The metadata in the file.
    inputs, outputs : mapping
        Shape by name.

    Raises
    ------
    ModelError
        If the model breaks the contract; the message is one line.
    """

    def refuse(what: str) -> ModelError:
        return ModelError(f"the model {path} does not fit this program: {what}")

    _require_texts(entries, refuse)
    size = _number(entries, "input_size", _SIZES, refuse)
    levels = _number(entries, "levels", _LEVELS, refuse)
    joint_names = tuple(entries["joint_names"].split(","))
    joints = len(joint_names)
    if joints > _MAX_JOINTS or len(set(joint_names)) != joints or not all(joint_names):
        raise refuse("its metadata joint_names is not a list of distinct names")
    if list(inputs) != ["image"]:
        raise refuse(f"its inputs are {_format_names(inputs)} instead of image")
    _require_shape("image", inputs["image"], (3, size, size), refuse)
    metadata = ModelMetadata(
        name=entries["name"],
        version=entries["version"],
        input_size=size,
        crop_rule=entries["crop_rule"],
        joint_names=joint_names,
        body_sha256=entries["body_sha256"],
        config_sha256=entries["config_sha256"],
        licence=entries["licence"],
        levels=levels,
        reads=_reads(entries, levels, refuse),
        dense=_dense(outputs, refuse),
        scored=not entries.get("scores"),
        normalisation=entries.get("normalisation", ""),
        precisions=_precisions(entries, refuse),
        int8_of=entries.get("int8_of", ""),
    )
    expected = output_shapes(metadata)
    if set(outputs) != set(expected):
        raise refuse(f"its outputs are {_format_names(outputs)} instead of {', '.join(expected)}")
    for name, rest in expected.items():
        _require_shape(name, outputs[name], rest, refuse)
    return metadata


def _require_texts(entries: Mapping[str, str], refuse: Refuse) -> None:
    missing = [key for key in _KEYS if key not in entries]
    if missing:
        raise refuse(f"its metadata lacks {', '.join(missing)}")
    for key in (*_KEYS, *_OPTIONAL_KEYS):
        text = entries.get(key, "")
        if len(text) > _MAX_TEXT or not text.isprintable():
            raise refuse(f"its metadata {key} is not plain text")
        if key in _KEYS and not text.strip():
            raise refuse(f"its metadata {key} is empty")
    for key in ("body_sha256", "config_sha256"):
        if not re.fullmatch("[0-9a-f]{64}", entries[key]):
            raise refuse(f"its metadata {key} is not a SHA-256 in hexadecimal digits")
    scores = entries.get("scores", "")
    if scores not in ("", "none"):
        raise refuse(f"its metadata scores is {scores[:40]!r} instead of none")


def _number(entries: Mapping[str, str], key: str, allowed: range, refuse: Refuse) -> int:
    text = entries[key]
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) not in allowed:
        raise refuse(f"its metadata {key} is {text[:40]!r}, not {allowed[0]}..{allowed[-1]}")
    return int(text)


def _reads(entries: Mapping[str, str], levels: int, refuse: Refuse) -> tuple[int, ...]:
    """Return `ModelMetadata.reads`."""
    # a single level is the paper's last one
    paper = (PAPER_READS, *[0] * (levels - 1)) if levels > 1 else (0,)
    text = entries.get("reads", ",".join(map(str, paper)))
    if not re.fullmatch("[0-9]{1,3}(,[0-9]{1,3})*", text):
        raise refuse(f"its metadata reads is {text[:40]!r}, not numbers separated by commas")
    sides = tuple(int(side) for side in text.split(","))
    if not levels <= len(sides) <= _LEVELS[-1] or any(side not in _READS for side in sides):
        raise refuse(f"its metadata reads is {text[:40]!r}, which does not fit {levels} levels")
    return sides[-levels:]


def _precisions(entries: Mapping[str, str], refuse: Refuse) -> tuple[str, ...]:
    """Return `ModelMetadata.precisions`."""
    named = tuple(filter(None, entries.get("precisions", "").split(",")))
    unknown = [name for name in named if name not in LOWER_PRECISIONS]
    if unknown:
        raise refuse(f"its metadata precisions has {unknown[0][:40]!r}, which is unknown")
    return named


def _dense(outputs: Mapping[str, Shape], refuse: Refuse) -> tuple[str, ...]:
    """Return `ModelMetadata.dense`."""
    dense = tuple(name for name in DENSE_OUTPUTS if name in outputs)
    if dense not in ((), DENSE_OUTPUTS[:1], DENSE_OUTPUTS):
        raise refuse(f"it has the outputs {', '.join(dense)} without the others of a dense map")
    return dense


def check_outputs(
    metadata: ModelMetadata, outputs: Mapping[str, tuple[int, ...]], batch: int
) -> None:
    """Check the output shapes of a run; a file may leave the sizes of its outputs open.

    Raises
    ------
    ModelError
        If the model breaks the contract; the message is one line.
    """

    def refuse(what: str) -> ModelError:
        return ModelError(f"the model {metadata.name} does not fit this program: {what}")

    coefficients = outputs["shape"][-1] if len(outputs["shape"]) == 2 else 0
    if not 0 < coefficients <= _MAX_SHAPES:
        raise refuse(f"shape is {_format_shape(outputs['shape'])}")
    for name in metadata.dense:
        shape = outputs[name]
        sizes = shape[1:]
        if (
            len(shape) != 4
            or shape[0] != batch
            or not 1 < sizes[0] <= _MAX_PARTS
            or not all(0 < cells <= _MAX_CELLS for cells in sizes[1:])
            or shape != outputs[metadata.dense[0]]
        ):
            raise refuse(f"{name} is {_format_shape(shape)}, not a dense map")
    for name, rest in output_shapes(metadata).items():
        if name in metadata.dense:
            continue
        expected = (batch, *((coefficients,) if rest == (None,) else rest))
        if outputs[name] != expected:
            found = _format_shape(outputs[name])
            raise refuse(f"{name} is {found} instead of {_format_shape(expected)}")


def _require_shape(name: str, shape: Shape, rest: Shape, refuse: Refuse) -> None:
    # the batch must be dynamic: all people of a frame share a request
    fits = len(shape) == len(rest) + 1 and shape[0] is None
    if not fits or any(
        found is not None and expected is not None and found != expected
        for found, expected in zip(shape[1:], rest, strict=True)
    ):
        raise refuse(f"{name} is {_format_shape(shape)} instead of {_format_shape((None, *rest))}")


def _format_names(names: Mapping[str, Shape]) -> str:
    return ", ".join(sorted(names)) or "none"


def _format_shape(shape: Shape) -> str:
    return "(" + ", ".join("B" if n is None else str(n) for n in shape) + ")"

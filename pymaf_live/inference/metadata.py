"""What a model file says of itself, and the contract that it must keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pymaf_live.errors import ModelError

Shape = tuple[int | None, ...]
"""Of a tensor; None where a dimension is dynamic or the file does not say."""

Refuse = Callable[[str], ModelError]
"""The error for a model of which something is so that it cannot be used."""

OUTPUTS = ("rotations", "shape", "camera", "score", "joint_score")
"""Of the finest level, in the order in which `Estimate` is made of them."""

_EARLIER_OUTPUTS = ("rotations", "shape", "camera")
"""Of an earlier level; the scores are of the finest alone."""

DENSE_OUTPUTS = ("part", "u", "v")
"""Of the finest map, where a file has them: (B, P, H, W) logits of the background and the body's
parts, and the place on each part, 0..1. `part` may come alone."""

PAPER_READS = 21
"""Points a side of the grid that the first level reads, where the file does not say."""

LOWER_PRECISIONS = ("bf16",)
"""In which some processors count faster than in f32, from the same file."""

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
_MAY_LACK = ("reads", "scores", "normalisation", "precisions", "int8_of")

# what a file may ask for at most
_SIZES = range(32, 1025)
_LEVELS = range(1, 17)
_MOST_JOINTS = 256
_MOST_SHAPES = 400
_MOST_TEXT = 10_000
_READS = range(0, 257)
_MOST_PARTS, _MOST_CELLS = 257, 1024


@dataclass(frozen=True)
class ModelMetadata:
    """The metadata of a model file."""

    name: str
    version: str
    input_size: int
    """Side of the crop in pixels."""
    crop_rule: str
    """Such as 'trunk-up 1.75', or 'upright 1.20' of an imported model."""
    joint_names: tuple[str, ...]
    body_sha256: str
    """Of the body file that the model was trained with, 64 hexadecimal digits."""
    config_sha256: str
    """Of the training's configuration."""
    licence: str
    levels: int
    """How many levels' outputs the file has; 1 unless exported with ``--levels all``."""
    reads: tuple[int, ...] = ()
    """Of each level that the file has: points a side of the grid that it reads, 0 where it reads
    under the mesh of the level before. From the optional key ``reads``; the paper's otherwise."""
    dense: tuple[str, ...] = ()
    """Which of `DENSE_OUTPUTS` the file has."""
    scored: bool = True
    """Whether its scores mean something; false where the optional key ``scores`` is 'none'."""
    normalisation: str = ""
    """What the graph does to the picture first, in words, where the file says."""
    precisions: tuple[str, ...] = ()
    """Of `LOWER_PRECISIONS`, those in which its bodies stay where they are in f32: measured on real
    crops when the file was made (`python -m trainer precisions`)."""
    int8_of: str = ""
    """SHA-256 of the model file that this one is in int8, if it is."""


def level_outputs(levels: int) -> list[tuple[str, ...]]:
    """Names of the outputs that an `Estimate` of each level is made of, coarsest first.

    The finest level's carry no number.
    """
    earlier = [
        (*(f"{name}_{level}" for name in _EARLIER_OUTPUTS), *OUTPUTS[len(_EARLIER_OUTPUTS) :])
        for level in range(1, levels)
    ]
    return [*earlier, OUTPUTS]


def output_shapes(metadata: ModelMetadata) -> dict[str, Shape]:
    """Shape of every output after the batch, None where the metadata does not say."""
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
    """Read a model's metadata and check that its inputs and outputs are as agreed.

    Parameters
    ----------
    path : path or str
        For the message.
    entries : mapping
        The metadata in the file.
    inputs, outputs : mapping
        Shape by name.

    Raises
    ------
    ModelError
        With one line that says what differs.
    """

    def refuse(what: str) -> ModelError:
        return ModelError(f"the model {path} does not fit this program: {what}")

    _require_texts(entries, refuse)
    size = _number(entries, "input_size", _SIZES, refuse)
    levels = _number(entries, "levels", _LEVELS, refuse)
    joint_names = tuple(entries["joint_names"].split(","))
    joints = len(joint_names)
    if joints > _MOST_JOINTS or len(set(joint_names)) != joints or not all(joint_names):
        raise refuse("its metadata joint_names is not a list of distinct names")
    if list(inputs) != ["image"]:
        raise refuse(f"its inputs are {_listed(inputs)} instead of image")
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
    wanted = output_shapes(metadata)
    if set(outputs) != set(wanted):
        raise refuse(f"its outputs are {_listed(outputs)} instead of {', '.join(wanted)}")
    for name, rest in wanted.items():
        _require_shape(name, outputs[name], rest, refuse)
    return metadata


def _require_texts(entries: Mapping[str, str], refuse: Refuse) -> None:
    missing = [key for key in _KEYS if key not in entries]
    if missing:
        raise refuse(f"its metadata lacks {', '.join(missing)}")
    for key in (*_KEYS, *_MAY_LACK):
        text = entries.get(key, "")
        if len(text) > _MOST_TEXT or not text.isprintable():
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
    """As `ModelMetadata.reads`."""
    # one level is the last of the paper's
    papers = (PAPER_READS, *[0] * (levels - 1)) if levels > 1 else (0,)
    text = entries.get("reads", ",".join(map(str, papers)))
    if not re.fullmatch("[0-9]{1,3}(,[0-9]{1,3})*", text):
        raise refuse(f"its metadata reads is {text[:40]!r}, not numbers with commas")
    sides = tuple(int(side) for side in text.split(","))
    if not levels <= len(sides) <= _LEVELS[-1] or any(side not in _READS for side in sides):
        raise refuse(f"its metadata reads is {text[:40]!r}, which does not fit {levels} levels")
    return sides[-levels:]


def _precisions(entries: Mapping[str, str], refuse: Refuse) -> tuple[str, ...]:
    """As `ModelMetadata.precisions`."""
    named = tuple(filter(None, entries.get("precisions", "").split(",")))
    unknown = [name for name in named if name not in LOWER_PRECISIONS]
    if unknown:
        raise refuse(f"its metadata precisions has {unknown[0][:40]!r}, which is none")
    return named


def _dense(outputs: Mapping[str, Shape], refuse: Refuse) -> tuple[str, ...]:
    """As `ModelMetadata.dense`."""
    dense = tuple(name for name in DENSE_OUTPUTS if name in outputs)
    if dense not in ((), DENSE_OUTPUTS[:1], DENSE_OUTPUTS):
        raise refuse(f"it has the outputs {', '.join(dense)} without the others of a dense map")
    return dense


def check_outputs(
    metadata: ModelMetadata, outputs: Mapping[str, tuple[int, ...]], batch: int
) -> None:
    """Check the shapes that a run gave; a file may leave its outputs' sizes open.

    Raises
    ------
    ModelError
        With one line that says what differs.
    """

    def refuse(what: str) -> ModelError:
        return ModelError(f"the model {metadata.name} does not fit this program: {what}")

    coefficients = outputs["shape"][-1] if len(outputs["shape"]) == 2 else 0
    if not 0 < coefficients <= _MOST_SHAPES:
        raise refuse(f"shape is {_written(outputs['shape'])}")
    for name in metadata.dense:
        shape = outputs[name]
        sizes = shape[1:]
        if (
            len(shape) != 4
            or shape[0] != batch
            or not 1 < sizes[0] <= _MOST_PARTS
            or not all(0 < cells <= _MOST_CELLS for cells in sizes[1:])
            or shape != outputs[metadata.dense[0]]
        ):
            raise refuse(f"{name} is {_written(shape)}, not a dense map")
    for name, rest in output_shapes(metadata).items():
        if name in metadata.dense:
            continue
        wanted = (batch, *((coefficients,) if rest == (None,) else rest))
        if outputs[name] != wanted:
            raise refuse(f"{name} is {_written(outputs[name])} instead of {_written(wanted)}")


def _require_shape(name: str, shape: Shape, rest: Shape, refuse: Refuse) -> None:
    # the batch must be dynamic: people in a frame go through together
    fits = len(shape) == len(rest) + 1 and shape[0] is None
    if not fits or any(
        given is not None and wanted is not None and given != wanted
        for given, wanted in zip(shape[1:], rest, strict=True)
    ):
        raise refuse(f"{name} is {_written(shape)} instead of {_written((None, *rest))}")


def _listed(names: Mapping[str, Shape]) -> str:
    return ", ".join(sorted(names)) or "none"


def _written(shape: Shape) -> str:
    return "(" + ", ".join("B" if n is None else str(n) for n in shape) + ")"

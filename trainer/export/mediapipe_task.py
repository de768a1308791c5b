"""Bundle of the person detector for MediaPipe's Tasks API, from the plain BlazePose files.

    python -m trainer mediapipe-task pose_detection.tflite pose_landmark_lite.tflite OUT.task

A ``.task`` file is a stored zip of ``pose_detector.tflite`` and ``pose_landmarks_detector.tflite``.
The Tasks API reads in each file how its input is normalised (a TFLITE_METADATA buffer), which the
published files do not state. The models are not repacked to add it: all offsets in a flatbuffer are
relative and point forward, so a new root table is put in FRONT of the unchanged file. The output is
the same, byte for byte, at every run.

Sources: the TensorFlow Lite schema (schema.fbs, version 3), the metadata schema
(metadata_schema.fbs, file identifier M001) and the flatbuffers binary format.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write

MAX_BYTES = 6 * 2**20
"""Largest bundle that is shipped."""

_ENTRY_ALIGNMENT = 64
"""Bytes; MediaPipe maps the entries in place and warns about unaligned tensors otherwise."""

_MODEL_ALIGNMENT = 16
"""Bytes; the largest alignment inside a TensorFlow Lite file."""

_METADATA_NAME = b"TFLITE_METADATA"

# fields of schema.fbs's table Model, in order
_VERSION, _BUFFERS, _METADATA, _FIELDS = 0, 4, 6, 8


@dataclass(frozen=True)
class Member:
    """Model in the bundle."""

    entry: str
    """File name inside the zip."""
    name: str
    outputs: int
    mean: float
    std: float
    """The input is (pixel - mean) / std with pixels 0..255."""


DETECTOR = Member("pose_detector.tflite", "pose_detector", 2, 127.5, 127.5)
LANDMARKS = Member("pose_landmarks_detector.tflite", "pose_landmarks_detector", 5, 0.0, 255.0)


def metadata_bytes(member: Member) -> bytes:
    """Return the ModelMetadata flatbuffer of a model: names, and its input normalisation."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    properties = schema.ImagePropertiesT()
    properties.colorSpace = schema.ColorSpaceType.RGB
    content = schema.ContentT()
    content.contentPropertiesType = schema.ContentProperties.ImageProperties
    content.contentProperties = properties
    options = schema.NormalizationOptionsT()
    options.mean, options.std = [member.mean], [member.std]
    unit = schema.ProcessUnitT()
    unit.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    unit.options = options
    image = schema.TensorMetadataT()
    image.name, image.content, image.processUnits = "image", content, [unit]

    outputs = []
    for index in range(member.outputs):
        output = schema.TensorMetadataT()
        output.name = f"out{index}"
        outputs.append(output)
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [image], outputs
    model = schema.ModelMetadataT()
    model.name, model.subgraphMetadata = member.name, [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())


class _Head:
    """Bytes in front of an unchanged flatbuffer, with offsets filled in later."""

    def __init__(self) -> None:
        self.data = bytearray()

    def put(self, layout: str, *values: int) -> int:
        """Append little-endian values and return their position."""
        position = len(self.data)
        self.data += struct.pack("<" + layout, *values)
        return position

    def align(self, to: int, plus: int = 0) -> None:
        """Pad until the position `plus` bytes on is a multiple of `to`."""
        self.data += bytes(-(len(self.data) + plus) % to)

    def vector(self, count: int) -> int:
        """Append a vector of `count` offsets and return its position."""
        self.align(4)
        position = self.put("I", count)
        self.data += bytes(4 * count)
        return position

    def point(self, position: int, target: int) -> None:
        """Set the offset at `position` to `target`."""
        struct.pack_into("<I", self.data, position, target - position)

    def point_all(self, vector: int, targets: Sequence[int]) -> None:
        """Set the offsets of a vector."""
        for index, target in enumerate(targets):
            self.point(vector + 4 + 4 * index, target)


class _OldRoot:
    """Root table of a plain TensorFlow Lite file."""

    def __init__(self, model: bytes) -> None:
        from mediapipe.tasks.metadata import schema_py_generated as schema

        if model[4:8] != b"TFL3":
            raise InputError("this is not a TensorFlow Lite file")
        root = schema.Model.GetRootAs(model, 0)
        self._model, self._table = model, root._tab
        self.buffers = [int(root.Buffers(i)._tab.Pos) for i in range(root.BuffersLength())]
        self.entries = [int(root.Metadata(i)._tab.Pos) for i in range(root.MetadataLength())]

    def position(self, field: int) -> int:
        """Return the position of a field's value, 0 if the field is missing."""
        offset = self._table.Offset(4 + 2 * field)
        return int(self._table.Pos + offset) if offset else 0

    def value(self, field: int) -> int:
        """Return a field's 32-bit value."""
        return int(struct.unpack_from("<I", self._model, self.position(field))[0])


def with_metadata(model: bytes, metadata: bytes) -> bytes:
    """Return a TensorFlow Lite file with a TFLITE_METADATA buffer added.

    Parameters
    ----------
    model : bytes
        Plain file.
    metadata : bytes
        From `metadata_bytes`.

    Returns
    -------
    bytes
        A new root table, then the unchanged plain file.

    Raises
    ------
    InputError
        If `model` is not a TensorFlow Lite file.
    """
    old, head = _OldRoot(model), _Head()
    offsets = _write_root(head, old)
    buffer_vector = head.vector(len(old.buffers) + 1)
    entry_vector = head.vector(len(old.entries) + 1)
    entry = _write_entry(head, len(old.buffers))
    buffer = _write_buffer(head, metadata)

    base = len(head.data)
    head.point_all(buffer_vector, [*(base + position for position in old.buffers), buffer])
    head.point_all(entry_vector, [*(base + position for position in old.entries), entry])
    vectors = {_BUFFERS: buffer_vector, _METADATA: entry_vector}
    for field, position in offsets.items():
        target = vectors.get(field)
        if target is None:
            target = base + old.position(field) + old.value(field)
        head.point(position, target)
    return bytes(head.data) + model


def _write_root(head: _Head, old: _OldRoot) -> dict[int, int]:
    """Write the root table and return the positions of its offsets by field."""
    head.data += bytes(4) + b"TFL3"
    vtable = len(head.data)
    head.data += bytes(4 + 2 * _FIELDS)
    root = head.put("i", 0)
    struct.pack_into("<i", head.data, root, root - vtable)
    struct.pack_into("<I", head.data, 0, root)
    offsets: dict[int, int] = {}
    for field in range(_FIELDS):
        if field == _VERSION:
            position = head.put("I", old.value(field))
        elif field in (_BUFFERS, _METADATA) or old.position(field):
            position = offsets[field] = head.put("I", 0)
        else:
            continue
        struct.pack_into("<H", head.data, vtable + 4 + 2 * field, position - root)
    struct.pack_into("<HH", head.data, vtable, 4 + 2 * _FIELDS, len(head.data) - root)
    return offsets


def _write_entry(head: _Head, buffer_index: int) -> int:
    """Write the table Metadata { name: string; buffer: uint } and return its position."""
    layout = head.put("HHHH", 8, 12, 4, 8)
    entry = head.put("iII", len(head.data) - layout, 0, buffer_index)
    head.point(entry + 4, head.put("I", len(_METADATA_NAME)))
    head.data += _METADATA_NAME + b"\0"
    head.align(4)
    return entry


def _write_buffer(head: _Head, content: bytes) -> int:
    """Write the table Buffer { data: [ubyte] }, aligned to 16 bytes, and return its position."""
    layout = head.put("HHHxx", 6, 8, 4)
    buffer = head.put("iI", len(head.data) - layout, 0)
    head.align(_MODEL_ALIGNMENT, plus=4)
    head.point(buffer + 4, head.put("I", len(content)))
    head.data += content
    head.align(_MODEL_ALIGNMENT)
    return buffer


def write_bundle(
    detection: Path, landmarks: Path, out: Path, *, max_bytes: int | None = MAX_BYTES
) -> None:
    """Write the bundle.

    Parameters
    ----------
    detection : Path
        BlazePose's plain ``pose_detection.tflite``.
    landmarks : Path
        Plain ``pose_landmark_*.tflite``.
    out : Path
    max_bytes : int, optional
        Limit of a shipped bundle; None for a bundle that is not shipped.

    Raises
    ------
    InputError
        If a model cannot be read or is not a TensorFlow Lite file, or the bundle is too large.
    """
    contents = []
    for path, member in ((detection, DETECTOR), (landmarks, LANDMARKS)):
        try:
            model = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        try:
            contents.append((member.entry, with_metadata(model, metadata_bytes(member))))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    size = sum(len(content) for _, content in contents)
    if max_bytes is not None and size > max_bytes:
        raise InputError(f"the bundle has {size} bytes, more than {max_bytes}")
    with atomic_write(out, force=True) as partial, zipfile.ZipFile(partial, "w") as bundle:
        end = 0
        for entry, content in contents:
            # a fixed date keeps the output reproducible
            info = zipfile.ZipInfo(entry, (2023, 1, 1, 0, 0, 0))
            # the local header takes 30 bytes, the name, and 4 of the padding's own header
            pad = -(end + 30 + len(entry) + 4) % _ENTRY_ALIGNMENT
            info.extra = struct.pack("<HH", 0xFFFF, pad) + bytes(pad)
            bundle.writestr(info, content)
            end += 30 + len(entry) + len(info.extra) + len(content)

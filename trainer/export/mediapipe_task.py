"""Assemble the person finder's bundle for MediaPipe's Tasks API from the plain BlazePose files.

    python -m trainer mediapipe-task pose_detection.tflite pose_landmark_lite.tflite OUT.task

A ``.task`` file is a stored zip of ``pose_detector.tflite`` and ``pose_landmarks_detector.tflite``.
The Tasks API wants to read in each file how its input is normalised (a TFLITE_METADATA buffer);
the published files say nothing of it. Nothing of a model is repacked to add that: all offsets in a
flatbuffer are relative and point forward, so a new root table is put in FRONT of the unchanged
file. The same bytes come out whenever it is run.

Sources: the TensorFlow Lite schema (schema.fbs, version 3), the metadata schema
(metadata_schema.fbs, file identifier M001) and the flatbuffers binary format.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write

MAX_BYTES = 6 * 2**20
"""Upper bound of the bundle, which is shipped."""

_ENTRY_ALIGNMENT = 64
"""Bytes; MediaPipe maps the entries in place and complains of unaligned tensors otherwise."""

_MODEL_ALIGNMENT = 16
"""Bytes; the greatest alignment inside a TensorFlow Lite file."""

_METADATA_NAME = b"TFLITE_METADATA"

# fields of schema.fbs's table Model, in order
_VERSION, _BUFFERS, _METADATA, _FIELDS = 0, 4, 6, 8


@dataclass(frozen=True)
class Member:
    """One model of the bundle."""

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
    """The ModelMetadata flatbuffer of a model: names, and how its input picture is normalised."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    picture = schema.ImagePropertiesT()
    picture.colorSpace = schema.ColorSpaceType.RGB
    content = schema.ContentT()
    content.contentPropertiesType = schema.ContentProperties.ImageProperties
    content.contentProperties = picture
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
    """The bytes that go in front of an unchanged flatbuffer, with offsets filled in later."""

    def __init__(self) -> None:
        self.data = bytearray()

    def put(self, layout: str, *values: int) -> int:
        """Append little-endian values; their position."""
        at = len(self.data)
        self.data += struct.pack("<" + layout, *values)
        return at

    def align(self, to: int, plus: int = 0) -> None:
        """Pad until the position `plus` bytes on is a multiple of `to`."""
        self.data += bytes(-(len(self.data) + plus) % to)

    def vector(self, count: int) -> int:
        """Append a vector of `count` offsets to be pointed later; its position."""
        self.align(4)
        at = self.put("I", count)
        self.data += bytes(4 * count)
        return at

    def point(self, at: int, target: int) -> None:
        """Let the offset at `at` lead to `target`."""
        struct.pack_into("<I", self.data, at, target - at)


def with_metadata(model: bytes, metadata: bytes) -> bytes:
    """A TensorFlow Lite file with a TFLITE_METADATA buffer added.

    Parameters
    ----------
    model : bytes
        The plain file.
    metadata : bytes
        From `metadata_bytes`.

    Returns
    -------
    bytes
        A new root table, then the plain file as it was.

    Raises
    ------
    InputError
        If `model` is not a TensorFlow Lite file.
    """
    from mediapipe.tasks.metadata import schema_py_generated as schema

    if model[4:8] != b"TFL3":
        raise InputError("this is not a TensorFlow Lite file")
    old = schema.Model.GetRootAs(model, 0)
    table = old._tab
    buffers = [old.Buffers(i)._tab.Pos for i in range(old.BuffersLength())]
    entries = [old.Metadata(i)._tab.Pos for i in range(old.MetadataLength())]

    def place(field: int) -> int:
        offset = table.Offset(4 + 2 * field)
        return int(table.Pos + offset) if offset else 0

    head = _Head()
    head.data += bytes(4) + b"TFL3"
    vtable = len(head.data)
    head.data += bytes(4 + 2 * _FIELDS)
    root = head.put("i", 0)
    struct.pack_into("<i", head.data, root, root - vtable)
    struct.pack_into("<I", head.data, 0, root)
    offsets: dict[int, int] = {}
    for field in range(_FIELDS):
        if field == _VERSION:
            at = head.put("I", struct.unpack_from("<I", model, place(field))[0])
        elif field in (_BUFFERS, _METADATA) or place(field):
            at = offsets[field] = head.put("I", 0)
        else:
            continue
        struct.pack_into("<H", head.data, vtable + 4 + 2 * field, at - root)
    struct.pack_into("<HH", head.data, vtable, 4 + 2 * _FIELDS, len(head.data) - root)

    buffer_vector = head.vector(len(buffers) + 1)
    entry_vector = head.vector(len(entries) + 1)
    # table Metadata { name: string; buffer: uint }
    layout = head.put("HHHH", 8, 12, 4, 8)
    entry = head.put("iII", len(head.data) - layout, 0, len(buffers))
    head.point(entry + 4, head.put("I", len(_METADATA_NAME)))
    head.data += _METADATA_NAME + b"\0"
    head.align(4)
    # table Buffer { data: [ubyte] }, whose bytes must lie at a multiple of 16
    layout = head.put("HHHxx", 6, 8, 4)
    buffer = head.put("iI", len(head.data) - layout, 0)
    head.align(_MODEL_ALIGNMENT, plus=4)
    head.point(buffer + 4, head.put("I", len(metadata)))
    head.data += metadata
    head.align(_MODEL_ALIGNMENT)

    base = len(head.data)
    for index, position in enumerate(buffers):
        head.point(buffer_vector + 4 + 4 * index, base + position)
    head.point(buffer_vector + 4 + 4 * len(buffers), buffer)
    for index, position in enumerate(entries):
        head.point(entry_vector + 4 + 4 * index, base + position)
    head.point(entry_vector + 4 + 4 * len(entries), entry)
    for field, at in offsets.items():
        if field == _BUFFERS:
            head.point(at, buffer_vector)
        elif field == _METADATA:
            head.point(at, entry_vector)
        else:
            start = place(field)
            head.point(at, base + start + struct.unpack_from("<I", model, start)[0])
    return bytes(head.data) + model


def write_bundle(
    detection: Path, landmarks: Path, out: Path, *, max_bytes: int | None = MAX_BYTES
) -> None:
    """Write the bundle.

    Parameters
    ----------
    detection : Path
        BlazePose's plain ``pose_detection.tflite``.
    landmarks : Path
        A plain ``pose_landmark_*.tflite``.
    out : Path
    max_bytes : int, optional
        The shipped bundle's bound; None for a bundle that is not shipped.

    Raises
    ------
    InputError
        If a model cannot be read or is not a TensorFlow Lite file, or the bundle grows too large.
    """
    contents = []
    for path, member in ((detection, DETECTOR), (landmarks, LANDMARKS)):
        try:
            model = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        try:
            contents.append((member.entry, with_metadata(model, metadata_bytes(member))))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    size = sum(len(content) for _, content in contents)
    if max_bytes is not None and size > max_bytes:
        raise InputError(f"the bundle would take {size} bytes, more than {max_bytes}")
    with atomic_write(out, force=True) as partial, zipfile.ZipFile(partial, "w") as bundle:
        end = 0
        for entry, content in contents:
            # a fixed date keeps the bytes the same at every run
            info = zipfile.ZipInfo(entry, (2023, 1, 1, 0, 0, 0))
            # the local header takes 30 bytes, the name, and 4 of the padding's own header
            pad = -(end + 30 + len(entry) + 4) % _ENTRY_ALIGNMENT
            info.extra = struct.pack("<HH", 0xFFFF, pad) + bytes(pad)
            bundle.writestr(info, content)
            end += 30 + len(entry) + len(info.extra) + len(content)

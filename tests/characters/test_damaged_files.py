"""Damaged character files: one clear line or a character, never a crash, in bounded memory."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.characters import fbx_import
from pymaf_live.characters.load import load_character
from pymaf_live.characters.mapping import find_mapping
from pymaf_live.characters.retarget import Retargeter
from pymaf_live.errors import InputError
from pymaf_live.export.fbx_tree import read_tree

MUTATIONS = 200
CHILDREN = 3
"""Mutations of FBX that are read in a child process each; the others only by our own reader."""
MAX_BYTES = 300_000_000


def mutations(content: bytes, count: int) -> list[bytes]:
    """Return damaged copies: bytes replaced, cut off, doubled, numbers made huge."""
    rng = np.random.default_rng(5)
    found = []
    for index in range(count):
        data = bytearray(content)
        # half of them in the first part, where the structure is
        reach = len(data) if index % 2 else min(len(data), 8000)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, reach))
            kind = int(rng.integers(0, 5))
            if kind == 0:
                data[at] = int(rng.integers(0, 256))
            elif kind == 1:
                data[at : at + 4] = b"\xff\xff\xff\x7f"
            elif kind == 2:
                del data[at : at + int(rng.integers(1, 40))]
            elif kind == 3:
                data[at:at] = data[at : at + 64]
            else:
                data = data[: max(at, 10)]
                break
        found.append(bytes(data))
    return found


def refusal(path: Path) -> str:
    """Return why a file is refused, '' if it is read and mapped."""
    try:
        character = load_character(path)
        Retargeter(character, find_mapping(character))
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("rig", ["vrm", "wild"])
def test_damaged_gltf_is_refused_in_one_line(
    alex_files: dict[str, Path], tmp_path: Path, rig: str
) -> None:
    content = alex_files[rig].read_bytes()
    path = tmp_path / f"a{alex_files[rig].suffix}"
    tracemalloc.start()
    try:
        reasons = []
        for damaged in mutations(content, MUTATIONS):
            path.write_bytes(damaged)
            reasons.append(refusal(path))
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()
    assert any(reasons)
    assert not any("\n" in reason for reason in reasons)


def test_damaged_fbx_is_refused_in_one_line(alex_files: dict[str, Path], tmp_path: Path) -> None:
    content = alex_files["mixamo"].read_bytes()
    path = tmp_path / "a.fbx"
    refused = 0
    for index, damaged in enumerate(mutations(content, MUTATIONS)):
        try:
            read_tree(damaged)
        except ValueError:
            refused += 1
        if index % (MUTATIONS // CHILDREN) == 0:
            path.write_bytes(damaged)
            assert "\n" not in refusal(path)
    assert refused > MUTATIONS // 10


@pytest.mark.parametrize("code", [-11, 3])
def test_a_crash_of_the_fbx_reader_is_one_line(
    alex_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    class Done:
        returncode = code
        stdout = b""
        stderr = b"Segmentation fault"

    monkeypatch.setattr(fbx_import.subprocess, "run", lambda *_, **__: Done)
    with pytest.raises(InputError, match="not a valid FBX file"):
        load_character(alex_files["mixamo"])


Change = Callable[[dict[str, Any]], None]


def _cycle(document: dict[str, Any]) -> None:
    document["nodes"][5].setdefault("children", []).append(0)


def _no_skin(document: dict[str, Any]) -> None:
    del document["skins"]
    for node in document["nodes"]:
        node.pop("skin", None)


def _many_nodes(document: dict[str, Any]) -> None:
    document["nodes"] += [{"name": "n"}] * 9000


def _many_triangles(document: dict[str, Any]) -> None:
    index = document["meshes"][0]["primitives"][0]["indices"]
    document["accessors"][index]["count"] = 6_000_003


def _huge_accessor(document: dict[str, Any]) -> None:
    index = document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    document["accessors"][index]["count"] = 1 << 39


def _draco(document: dict[str, Any]) -> None:
    document["extensionsRequired"] = ["KHR_draco_mesh_compression"]


def _not_finite(document: dict[str, Any]) -> None:
    document["nodes"][0]["translation"] = [1e40, 0, 0]


def _outside(document: dict[str, Any]) -> None:
    document["buffers"].append({"byteLength": 4, "uri": "../../etc/passwd"})


def _other_version(document: dict[str, Any]) -> None:
    document["asset"]["version"] = "1.0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_cycle, "form a cycle|two parents"),
        (_no_skin, "no skeleton that moves a mesh"),
        (_many_nodes, "9022|at most 8192 are supported"),
        (_many_triangles, "at most 3000000 are supported"),
        (_huge_accessor, "at most 2000000 are supported"),
        (_draco, "Draco compression; export it without"),
        (_not_finite, "contains something else"),
        (_outside, "is not a file beside this one"),
        (_other_version, "not glTF 2.0"),
    ],
)
def test_impossible_files_are_named(
    alex_files: dict[str, Path], tmp_path: Path, change: Change, message: str
) -> None:
    content = alex_files["vrm"].read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    document = json.loads(content[20 : 20 + length])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = content[20 + length :]
    head = struct.pack("<III", 0x46546C67, 2, 20 + len(text) + len(rest))
    path = tmp_path / "a.vrm"
    path.write_bytes(head + struct.pack("<II", len(text), 0x4E4F534A) + text + rest)
    with pytest.raises(InputError, match=message):
        load_character(path)


def test_missing_and_huge_textures_are_left_out(
    alex_files: dict[str, Path], tmp_path: Path
) -> None:
    content = alex_files["vrm"].read_bytes()
    at = content.index(b"\x89PNG")
    broken = tmp_path / "a.vrm"
    broken.write_bytes(content[:at] + b"XXXX" + content[at + 4 :])
    character = load_character(broken)
    assert character.textures == ()
    assert character.notes == ("texture alex.png is neither PNG nor JPEG",)
    wide = bytearray(content)
    wide[at + 16 : at + 20] = struct.pack(">I", 60_000)
    broken.write_bytes(wide)
    assert load_character(broken).textures == ()

"""Characters with a take's motion, judged by other programs (marker `interop`).

Judges place a file's axes and unit as they like: positions are compared after the one similarity
transform that fits all bones and frames best.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.characters.load import load_character
from pymaf_live.characters.mapping import find_mapping
from pymaf_live.characters.model import Character, compose
from pymaf_live.characters.retarget import CharacterMotion, Retargeter
from pymaf_live.characters.skinning import Skin
from pymaf_live.export.character import export_character, person_body_motion
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import export_context
from pymaf_live.system.reporter import SILENT
from pymaf_live.types import Array
from tests.export.judges import (
    FRAMES,
    assimp_positions,
    assimp_scene,
    frame_times,
    khronos_report,
    node_modules,
    npm_package,
    play_in_three,
    program,
    through_fbx_sdk,
    walk_in_blender,
)
from tests.export.judges import judged_take as make_judged_take
from tools.make_alex import write_all

pytestmark = pytest.mark.interop

RATE = Fraction(30)
RIGS = ("vrm", "mixamo", "unreal", "wild")
TOLERANCE = 2e-4
"""Metres."""


@dataclass(frozen=True)
class Exported:
    """One character's files and the motion that they must contain."""

    character: Character
    motion: CharacterMotion
    files: dict[str, Path]

    @property
    def world(self) -> Array:
        """(N, B, 4, 4) nodes in metres of the body's world."""
        local = self.motion.local(self.character, slice(None))
        return np.asarray(self.motion.world @ compose(local, self.character.parents))

    def positions(self, names: list[str]) -> Array:
        """Return the positions (N, K, 3) of bones by name."""
        index = [self.character.names.index(name) for name in names]
        return np.asarray(self.world[..., :3, 3][:, index])

    @property
    def animated(self) -> list[str]:
        """Names of the animated bones."""
        return [self.character.names[node] for node in self.motion.nodes]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    folder = tmp_path_factory.mktemp("characters")
    body = default_body()
    take = make_judged_take(body, RATE)
    options = ExportOptions(world="camera")
    found = {}
    for rig, path in write_all(folder / "alex").items():
        character = load_character(path)
        retargeter = Retargeter(character, find_mapping(character))
        context = export_context(take, body, options)
        assert context is not None
        motion = retargeter.retarget(person_body_motion(body, context.motion(1)))
        files = {}
        for suffix in ("glb", "fbx", "vrma", *(["vrm"] if rig == "vrm" else [])):
            target = folder / f"{rig}.{suffix}"
            export_character(take, body, target, options, retargeter, force=False, reporter=SILENT)
            files[suffix] = target
        found[rig] = Exported(character, motion, files)
    return found


def residual(found: Array, expected: Array) -> float:
    """Return the largest distance (m) after the best similarity transform (Umeyama 1991)."""
    a, b = found.reshape(-1, 3), expected.reshape(-1, 3)
    a0, b0 = a - a.mean(axis=0), b - b.mean(axis=0)
    u, s, vt = np.linalg.svd(b0.T @ a0)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * flip.diagonal()).sum() / (a0**2).sum()
    return float(np.linalg.norm(scale * a0 @ (u @ flip @ vt).T - b0, axis=1).max())


@pytest.mark.parametrize("rig", RIGS)
def test_khronos_validator_finds_no_fault(exported: dict[str, Exported], rig: str) -> None:
    for suffix, path in exported[rig].files.items():
        if suffix != "fbx":
            issues = json.loads(khronos_report(path))
            serious = [each for each in issues["messages"] if each["severity"] < 2]
            assert serious == [], suffix


def test_three_plays_every_frame(exported: dict[str, Exported], tmp_path: Path) -> None:
    job, wanted = [], []
    for rig in RIGS:
        for suffix in ("glb", "fbx"):
            copied = tmp_path / f"{rig}.{suffix}"
            copied.write_bytes(exported[rig].files[suffix].read_bytes())
            job.append((copied, frame_times(RATE)))
            wanted.append((rig, suffix))
    for (rig, suffix), found in zip(wanted, play_in_three(tmp_path, job), strict=True):
        one = exported[rig]
        plain = [name.replace(":", "").replace(".", "") for name in one.animated]
        columns = [found["bones"].index(name) for name in plain]
        positions = np.array(found["positions"])[:, columns]
        assert residual(positions, one.positions(one.animated)) < TOLERANCE, (rig, suffix)
        assert found["clips"] == 1
        assert found["skinned"] == found["textured"] == len(one.character.meshes)
        assert found["duration"] == pytest.approx((FRAMES - 1) / float(RATE), rel=1e-5)


@pytest.mark.parametrize("rig", RIGS)
@pytest.mark.parametrize("suffix", ["glb", "fbx"])
def test_assimp_plays_every_frame(
    exported: dict[str, Exported], tmp_path: Path, rig: str, suffix: str
) -> None:
    one = exported[rig]
    copied = tmp_path / f"a.{suffix}"
    copied.write_bytes(one.files[suffix].read_bytes())
    scene = assimp_scene(copied)
    found = assimp_positions(scene)
    positions = np.stack([found[name] for name in one.animated], axis=1)
    assert residual(positions, one.positions(one.animated)) < TOLERANCE
    assert len(scene["meshes"]) == len(one.character.meshes)


def test_the_fbx_sdk_plays_every_frame(exported: dict[str, Exported], tmp_path: Path) -> None:
    job = []
    for rig in RIGS:
        copied = tmp_path / f"{rig}.fbx"
        copied.write_bytes(exported[rig].files["fbx"].read_bytes())
        job.append((through_fbx_sdk(copied, int(RATE)), frame_times(RATE)))
    for rig, found in zip(RIGS, play_in_three(tmp_path, job), strict=True):
        one = exported[rig]
        plain = [name.replace(":", "") for name in one.animated]
        columns = [found["bones"].index(name) for name in plain]
        positions = np.array(found["positions"])[:, columns]
        assert residual(positions, one.positions(one.animated)) < TOLERANCE, rig


def test_blender_plays_every_frame_and_moves_the_mesh(
    exported: dict[str, Exported], tmp_path: Path
) -> None:
    pairs = [(rig, suffix) for rig in RIGS for suffix in ("glb", "fbx")]
    job = [
        (exported[rig].files[suffix], FRAMES, (FRAMES // 2,) if rig == "vrm" else ())
        for rig, suffix in pairs
    ]
    for (rig, suffix), found in zip(pairs, walk_in_blender(tmp_path, job), strict=True):
        one = exported[rig]
        names = found["names"].tolist()
        columns = [names.index(name) for name in one.animated]
        # Blender stores the transforms of bones as 32-bit matrices
        heads = found["heads"][:, columns]
        assert residual(heads, one.positions(one.animated)) < 10 * TOLERANCE, (rig, suffix)
        if (rig, suffix) == ("vrm", "glb"):
            local = one.motion.local(one.character, slice(FRAMES // 2, FRAMES // 2 + 1))[0]
            posed = Skin.of(one.character).pose(
                compose(local, one.character.parents), one.motion.world
            )
            assert residual(found["vertices"][0], posed.astype(np.float64)) < 10 * TOLERANCE


@pytest.mark.parametrize("source", RIGS)
def test_three_vrm_plays_the_vrm_animation_on_the_avatar(
    exported: dict[str, Exported], tmp_path: Path, source: str
) -> None:
    for package in ("three", "@pixiv/three-vrm", "@pixiv/three-vrm-animation"):
        npm_package(package)
    times = tmp_path / "times.json"
    times.write_text(json.dumps(frame_times(RATE)))
    player = Path(__file__).parent / "vrma_player.mjs"
    one = exported["vrm"]
    command = [program("node"), str(player), str(node_modules()), str(one.files["vrm"])]
    command += [str(exported[source].files["vrma"]), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    columns = [index for index, name in enumerate(found["bones"]) if name in one.animated]
    names = [found["bones"][index] for index in columns]
    assert len(names) >= 20
    positions = np.array(found["positions"])[:, columns]
    assert residual(positions, one.positions(names)) < 10 * TOLERANCE

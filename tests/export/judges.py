"""Programs that judge the exports, none of them from this project, and what they must find.

They are optional: a test is skipped if its program is missing, or fails if the environment variable
PYMAF_LIVE_JUDGES is `all` (as in CI). PYMAF_LIVE_NODE_MODULES names the folder that contains
`node_modules` with the npm packages of `.ci/run`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from pymaf_live.body import Body
from pymaf_live.body.rotations import matrix_from_quaternion
from pymaf_live.export.rigs import PRESETS
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, moving_limbs, walking_past

TOLERANCE = 1e-4
"""Largest accepted distance of a joint, metres."""
RATES: Mapping[str, Fraction] = {
    "smpl": Fraction(30),
    "mixamo": Fraction(24000, 1001),
    "mixamo-plain": Fraction(30),
    "unreal": Fraction(60),
    "unity": Fraction(30000, 1001),
    "vrm": Fraction(25, 2),
}
"""Frames per second of the take of each rig: whole, fractional and odd."""
FRAMES = 14

Y_UP_FROM_BLENDER = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])

_WALK = Path(__file__).parent / "blender_walk.py"
_PLAYER = Path(__file__).parent / "three_player.mjs"
_VALIDATOR = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
  .then((report) => console.log(JSON.stringify(report.issues)));
"""
_EXPORTS_PAGE = Path(__file__).parents[2] / "docs" / "exports.md"
_STATED_MARGIN = 0.001
"""Millimetres, for the rounding of other machines."""
_TIMEOUT = 120
"""Seconds."""


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail where all judges are required."""
    if os.environ.get("PYMAF_LIVE_JUDGES") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str) -> str:
    """Return the path of a program."""
    return shutil.which(name) or unavailable(f"{name} is not installed")


def npm_package(name: str) -> Path:
    """Return the folder of an npm package."""
    program("node")
    folder = node_modules() / "node_modules" / name
    if not folder.is_dir():
        unavailable(f"npm's {name} is not in PYMAF_LIVE_NODE_MODULES")
    return folder


def node_modules() -> Path:
    """Return the folder that contains `node_modules`."""
    return Path(os.environ.get("PYMAF_LIVE_NODE_MODULES") or Path.cwd())


def judged_take(body: Body, rate: Fraction) -> Take:
    """Return a take of a person who walks and swings all joints."""
    times = np.arange(FRAMES) / float(rate)
    turns = {1: moving_limbs(body, times, 0.9)}
    return make_take(body, times, turns, {1: walking_past(times)}, rate=rate)


def expected_joints(take: Take) -> np.ndarray:
    """Return the joints (N, J, 3) in metres, y up, of an export with the camera as its world."""
    return take.joints * [1.0, -1.0, -1.0]


def joint_names(body: Body, rig: str) -> list[str]:
    """Return the rig's names of the body's joints."""
    return [PRESETS[rig].names.get(name, name) for name in body.joint_names]


def largest_distance(
    take: Take, wanted: Sequence[str], names: Sequence[str], positions: Any, metres: float = 1.0
) -> float:
    """Return the largest distance in metres between joints of a judge and of the take.

    Parameters
    ----------
    take : Take
    wanted : sequence of str
        Names of the body's joints.
    names : sequence of str
        Names of the judge's bones.
    positions : (N, B, 3)
        Their positions in every frame.
    metres : float
        Length of the judge's unit.
    """
    columns = [list(names).index(name) for name in wanted]
    found = np.asarray(positions, dtype=np.float64)[:, columns] * metres
    assert found.shape == take.joints.shape
    return float(np.linalg.norm(found - expected_joints(take), axis=-1).max())


def require_stated(client: str, suffix: str, rig: str, distance: float) -> None:
    """Require that the table in docs/exports.md states at least this distance, in metres.

    With PYMAF_LIVE_JUDGES_FIGURES, append the figure to that file instead, from which
    `judges_table` makes the table.
    """
    figures = os.environ.get("PYMAF_LIVE_JUDGES_FIGURES")
    if figures:
        with open(figures, "a", encoding="utf-8") as file:
            file.write(json.dumps([client, suffix, rig, distance * 1000]) + "\n")
        return
    stated = stated_figures()[client, suffix, rig]
    assert distance * 1000 <= stated + _STATED_MARGIN


def stated_figures() -> dict[tuple[str, str, str], float]:
    """Return the table in docs/exports.md: millimetres by client, file suffix and rig."""
    lines = _EXPORTS_PAGE.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| read by |"))
    rigs = [cell.strip(" `") for cell in lines[start].split("|")[3:-1]]
    stated = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        client, suffix, *cells = [cell.strip(" `") for cell in line.split("|")[1:-1]]
        stated |= {
            (client, suffix, rig): float(cell)
            for rig, cell in zip(rigs, cells, strict=True)
            if cell[:1].isdigit()
        }
    return stated


def frame_times(rate: Fraction) -> list[float]:
    """Return the time of every frame, seconds."""
    return [float(frame / rate) for frame in range(FRAMES)]


def play_in_three(folder: Path, job: Sequence[tuple[Path, list[float]]]) -> list[dict[str, Any]]:
    """Play files with three.js at the given times (`three_player.mjs` describes the result)."""
    npm_package("three")
    path = folder / "three.json"
    path.write_text(json.dumps([[str(file), times] for file, times in job]), encoding="utf-8")
    command = [program("node"), str(_PLAYER), str(node_modules()), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


def walk_in_blender(
    folder: Path, job: Sequence[tuple[Path, int, tuple[int, ...]]]
) -> list[dict[str, Any]]:
    """Import files in Blender; `blender_walk.py` describes the job and the arrays of each file."""
    path, out = folder / "job.json", folder / "seen.npz"
    path.write_text(json.dumps([[str(file), *rest] for file, *rest in job]), encoding="utf-8")
    command = [blender_python(), str(_WALK), str(path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(out) as found:
        arrays = {name: found[name] for name in found.files}
    return [
        {
            name.partition("_")[2]: values
            for name, values in arrays.items()
            if name.startswith(f"{index}_")
        }
        for index in range(len(job))
    ]


def blender_python() -> str:
    """Return the Python that has Blender's module."""
    given = os.environ.get("PYMAF_LIVE_BPY_PYTHON", "")
    if given:
        return given
    if importlib.util.find_spec("bpy") is None:
        unavailable(
            "Blender's module bpy is not installed (PYMAF_LIVE_BPY_PYTHON names its Python)"
        )
    return sys.executable


def assimp_scene(path: Path) -> dict[str, Any]:
    """Return a file as assimp's default import settings load it."""
    out = path.with_suffix(".json")
    command = [program("assimp"), "export", str(path), str(out), "-fassjson"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    content: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return content


def assimp_positions(scene: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the position (N, 3) of every node at each key of the first animation."""
    channels = {channel["name"]: channel for channel in scene["animations"][0]["channels"]}
    found: dict[str, np.ndarray] = {}

    def visit(node: dict[str, Any], parent: np.ndarray) -> None:
        local = np.tile(np.reshape(node["transformation"], (4, 4)), (FRAMES, 1, 1))
        channel = channels.get(node["name"])
        if channel is not None:  # replaces the node's own transform
            local = np.tile(np.eye(4), (FRAMES, 1, 1))
            rotations = np.array([key[1] for key in channel["rotationkeys"]])
            local[:, :3, :3] = matrix_from_quaternion(rotations)
            local[:, :3, 3] = [key[1] for key in channel["positionkeys"]]
        world = parent @ local
        found[node["name"]] = world[:, :3, 3]
        for child in node.get("children", []):
            visit(child, world)

    visit(scene["rootnode"], np.tile(np.eye(4), (FRAMES, 1, 1)))
    return found


def through_fbx_sdk(path: Path, rate: int) -> Path:
    """Return the glTF file that FBX2glTF, built on Autodesk's FBX SDK, makes of an FBX file.

    It evaluates the animation at 24, 30 or 60 frames per second.
    """
    # npm installs it without the permission to execute it
    converter = path.parent / "FBX2glTF"
    if not converter.exists():
        shutil.copyfile(npm_package("fbx2gltf") / "bin" / "Linux" / "FBX2glTF", converter)
        converter.chmod(0o755)
    converted = path.with_name(f"{path.stem}_sdk.glb")
    command = [converter, "--binary", "--anim-framerate", f"bake{rate}"]
    command += ["--input", path, "--output", converted]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    return converted


def khronos_report(path: Path) -> str:
    """Return what the Khronos glTF validator reports of a file, as JSON."""
    npm_package("gltf-validator")
    done = subprocess.run(
        [program("node"), "-e", _VALIDATOR, str(path)],
        env=os.environ | {"NODE_PATH": str(node_modules() / "node_modules")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout

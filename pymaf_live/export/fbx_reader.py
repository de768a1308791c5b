"""Reads an FBX with ufbx and writes what it holds as an npz; run as a process of its own.

``python -m pymaf_live.export.fbx_reader FILE`` takes times in seconds, one a line, from its input
and gives the npz on its output. ufbx's Python module takes its process with it where one of its
objects dies in the wrong order; so none of them dies here before the process ends.
"""

from __future__ import annotations

import gc
import os
import sys
from io import BytesIO
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")
_kept: list[Any] = []


def _keep(thing: _T) -> _T:
    _kept.append(thing)
    return thing


def main() -> None:
    """Read the file named on the command line and end the process."""
    import ufbx

    gc.disable()
    seconds = [float(line) for line in sys.stdin.read().split()]
    scene = _keep(ufbx.load_file(sys.argv[1]))
    settings = _keep(scene.settings)
    axes = _keep(settings.axes)
    if axes.up != ufbx.CoordinateAxis.POSITIVE_Y:
        _end("y is not up")
    bones, names = _bones(scene, ufbx)
    frames, duration = _keys(scene)
    places = np.empty((len(seconds), len(bones), 3))
    anim = _keep(scene.anim)
    for row, second in enumerate(seconds):
        places[row] = _places(_keep(ufbx.evaluate_scene(scene, anim, second)), bones)
    out = BytesIO()
    np.savez(
        out,
        allow_pickle=False,
        rate=float(settings.frames_per_second),
        frames=frames,
        seconds=duration,
        names=np.array(names),
        places=places * float(settings.unit_meters),
    )
    sys.stdout.buffer.write(out.getvalue())
    _end("")


def _end(complaint: str) -> None:
    print(complaint, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1 if complaint else 0)  # without taking the objects down one by one


def _bones(scene: Any, ufbx: Any) -> tuple[list[int], list[str]]:
    indices, names = [], []
    nodes = _keep(scene.nodes)
    for index in range(len(nodes)):
        node = _keep(nodes[index])
        if node.attrib_type == ufbx.ElementType.BONE:
            indices.append(index)
            names.append(str(node.name))
    return indices, names


def _keys(scene: Any) -> tuple[int, float]:
    """Number of keys of a curve, the same for all, and the seconds between first and last."""
    curves = _keep(scene.anim_curves)
    found = set()
    for index in range(len(curves)):
        curve = _keep(curves[index])
        keys = _keep(curve.keyframes)
        first, last = _keep(keys[0]), _keep(keys[len(keys) - 1])
        found.add((len(keys), float(first.time), float(last.time)))
    if len(found) != 1:
        _end("the curves differ in their times")
    count, start, end = found.pop()
    return count, end - start


def _places(evaluated: Any, bones: list[int]) -> list[tuple[float, float, float]]:
    nodes = _keep(evaluated.nodes)
    found = []
    for index in bones:
        node = _keep(nodes[index])
        matrix = _keep(node.node_to_world)
        place = _keep(matrix.c3)
        found.append((float(place.x), float(place.y), float(place.z)))
    return found


if __name__ == "__main__":
    main()

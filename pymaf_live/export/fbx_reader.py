"""FBX reader that runs as a separate process: reads a file with ufbx and writes an npz.

``python -m pymaf_live.export.fbx_reader FILE`` reads times in seconds, one per line, from stdin and
writes the npz to stdout: the bones of one of our files. With a further argument ``nodes`` it writes
the positions of all nodes of any file, in the file's own units and axes, under its last animation
stack. ufbx's Python module crashes if its objects are destroyed in the wrong
order; therefore no object is destroyed before the process ends.
"""

from __future__ import annotations

import gc
import os
import sys
from io import BytesIO
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")
_alive: list[Any] = []


def _keep(item: _T) -> _T:
    _alive.append(item)
    return item


def main() -> None:
    """Read the file named on the command line and end the process."""
    import ufbx

    gc.disable()
    seconds = [float(line) for line in sys.stdin.read().split()]
    scene = _keep(ufbx.load_file(sys.argv[1]))
    if sys.argv[2:] == ["nodes"]:
        _write_nodes(scene, seconds, ufbx)
    settings = _keep(scene.settings)
    axes = _keep(settings.axes)
    if axes.up != ufbx.CoordinateAxis.POSITIVE_Y:
        _exit("y is not up")
    bones, names = _bones(scene, ufbx)
    frames, duration = _keys(scene)
    positions = np.empty((len(seconds), len(bones), 3))
    anim = _keep(scene.anim)
    for row, second in enumerate(seconds):
        positions[row] = _positions(_keep(ufbx.evaluate_scene(scene, anim, second)), bones)
    out = BytesIO()
    np.savez(
        out,
        allow_pickle=False,
        rate=float(settings.frames_per_second),
        frames=frames,
        seconds=duration,
        names=np.array(names),
        positions=positions * float(settings.unit_meters),
    )
    sys.stdout.buffer.write(out.getvalue())
    _exit("")


def _write_nodes(scene: Any, seconds: list[float], ufbx: Any) -> None:
    """Write the positions of all nodes and end the process."""
    stacks = _keep(scene.anim_stacks)
    if not len(stacks):
        _exit("the file has no animation")
    anim = _keep(_keep(stacks[len(stacks) - 1]).anim)
    nodes = [_keep(node) for node in _keep(scene.nodes)]
    every = list(range(len(nodes)))
    index = {int(node.element_id): number for number, node in enumerate(nodes)}
    parents = [_keep(node.parent) for node in nodes]
    positions = np.empty((len(seconds), len(every), 3))
    for row, second in enumerate(seconds):
        positions[row] = _positions(_keep(ufbx.evaluate_scene(scene, anim, second)), every)
    out = BytesIO()
    np.savez(
        out,
        allow_pickle=False,
        positions=positions,
        names=np.array([str(node.name) for node in nodes]),
        parents=np.array([-1 if p is None else index[int(p.element_id)] for p in parents]),
    )
    sys.stdout.buffer.write(out.getvalue())
    _exit("")


def _exit(error: str) -> None:
    print(error, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1 if error else 0)  # without destroying objects


def _bones(scene: Any, ufbx: Any) -> tuple[list[int], list[str]]:
    """Return node indices and names of the bones."""
    indices, names = [], []
    nodes = _keep(scene.nodes)
    for index in range(len(nodes)):
        node = _keep(nodes[index])
        if node.attrib_type == ufbx.ElementType.BONE:
            indices.append(index)
            names.append(str(node.name))
    return indices, names


def _keys(scene: Any) -> tuple[int, float]:
    """Return the number of keys per curve and the seconds from the first to the last.

    Ends the process if the curves differ.
    """
    curves = _keep(scene.anim_curves)
    spans = set()
    for index in range(len(curves)):
        curve = _keep(curves[index])
        keys = _keep(curve.keyframes)
        first, last = _keep(keys[0]), _keep(keys[len(keys) - 1])
        spans.add((len(keys), float(first.time), float(last.time)))
    if len(spans) != 1:
        _exit("the curves have different times")
    count, start, end = spans.pop()
    return count, end - start


def _positions(evaluated: Any, bones: list[int]) -> list[tuple[float, float, float]]:
    """Return the world positions of the bones in file units."""
    nodes = _keep(evaluated.nodes)
    positions = []
    for index in bones:
        node = _keep(nodes[index])
        matrix = _keep(node.node_to_world)
        origin = _keep(matrix.c3)
        positions.append((float(origin.x), float(origin.y), float(origin.z)))
    return positions


if __name__ == "__main__":
    main()

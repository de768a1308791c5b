"""From a take to one checked file a person: what all formats with a skeleton have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pymaf_live.atomic import make_folder, written_whole
from pymaf_live.body import Body
from pymaf_live.errors import OutputError
from pymaf_live.export.options import Exported, ExportOptions, Unit, Watch
from pymaf_live.export.people import finite_rows, people_of, person_motion
from pymaf_live.export.scene import Scene, scene_of
from pymaf_live.export.verify import ReadAgain, judged
from pymaf_live.export.world import SCALE, place
from pymaf_live.take_file import require_body
from pymaf_live.types import Take

WriteScene = Callable[[Path, Scene, float, Watch], None]
"""Writes a scene with its lengths times the scale; tells the part done."""
ReadScene = Callable[[Path, Scene, float], ReadAgain]
"""Reads a file again, its lengths divided by the scale; the scene says only what to look for."""

_WRITING = 0.7
"""Of the work on a file; the rest is reading it again."""
_log = logging.getLogger(__name__)


def write_people(
    take: Take,
    body: Body,
    path: Path,
    options: ExportOptions,
    *,
    unit: Unit,
    write: WriteScene,
    read: ReadScene,
    force: bool,
    watch: Watch,
    plain_axes: bool = False,
) -> list[Exported]:
    """Write a file for every person of a take and read each again before it gets its name.

    The person with the most frames gets `path`; another with id 3 gets ``name_person3`` and the
    ending.

    Raises
    ------
    InputError
        If the take was made with another body.
    OutputError
        If a file cannot be written, exists without `force`, or does not pass its check.
    """
    require_body(take, body)
    whole, take = take, finite_rows(take)
    left_out = len(whole.frame) - len(take.frame)
    people = people_of(take)
    if not people:
        if left_out:
            raise OutputError(f"no row of the take of {take.source} has numbers that are finite")
        _log.warning("nobody was seen in %s: no %s written", take.source, path.suffix)
        return []
    paths = [path] + [
        path.with_name(f"{path.stem}_person{person}{path.suffix}") for person in people[1:]
    ]
    for target in paths:  # before the work, and so that it is all of them or none
        if target.exists() and not force:
            raise OutputError(f"{target} exists already; add --force to replace it")
    make_folder(path.parent)
    watch(0.0)
    placed = place(take, body, options.world, people[0])
    scale = SCALE[unit]
    done = []
    for index, (person, target) in enumerate(zip(people, paths, strict=True)):

        def part(fraction: float, index: int = index) -> None:
            watch((index + fraction) / len(people))

        def writing(fraction: float, part: Watch = part) -> None:
            part(_WRITING * fraction)

        motion = person_motion(take, body, person, placed, options.rate)
        scene = scene_of(body, motion, options, plain_axes=plain_axes)
        notes = [placed.note] if index == 0 and placed.note else []
        if left_out and index == 0:
            notes.append(f"{left_out} rows with numbers that are not finite were left out")
        gaps = int(np.count_nonzero(~motion.seen))
        if gaps:
            notes.append(
                f"person {person} was not seen in {gaps} of {len(motion.seen)} frames: "
                "interpolated or held there"
            )
        with written_whole(target, force=force) as temporary:
            write(temporary, scene, scale, writing)
            part(_WRITING)
            error, rate = judged(target, read(temporary, scene, scale), scene)
            part(1.0)
        done.append(Exported(target, error, rate, "; ".join(notes)))
    return done

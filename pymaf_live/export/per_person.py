"""From a take to checked files of its people: what all formats with joints have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import OutputError, OutputExistsError
from pymaf_live.export.file_names import behind_the_stem, name_of
from pymaf_live.export.options import Exported, ExportOptions, Unit, Watch
from pymaf_live.export.person_motion import PersonMotion, finite_rows, people_of, person_motion
from pymaf_live.export.readback_check import ReadAgain, judged
from pymaf_live.export.scene import Scene, scene_of
from pymaf_live.export.world import SCALE, Placed, place
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take

WriteScene = Callable[[Path, Scene, float, Watch, ExportOptions], None]
"""Writes a scene with its lengths times the scale; tells the part done. The options name a unit."""
ReadScene = Callable[[Path, Scene, float], ReadAgain]
"""Reads a file again, its lengths divided by the scale; the scene says only what to look for."""

_WRITING = 0.7
"""Of the work on a file; the rest is reading it again."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cast:
    """The people of a take and where they stand, ready to be exported one after the other."""

    take: Take
    """With finite rows."""
    body: Body
    options: ExportOptions
    people: tuple[int, ...]
    """Ids, who has the most rows first."""
    placed: Placed
    note: str
    """Of the take as a whole."""

    def motion(self, person: int) -> PersonMotion:
        """A person's motion."""
        return person_motion(self.take, self.body, person, self.placed, self.options.rate)

    def gaps(self, motion: PersonMotion) -> str:
        """What to tell of the frames in which a person was not seen; '' where there are none."""
        count = int(np.count_nonzero(~motion.seen))
        if not count:
            return ""
        who = motion.name or f"person {motion.person}"
        return (
            f"{who} was not seen in {count} of {len(motion.seen)} frames: "
            "interpolated or held there"
        )


def cast_of(take: Take, body: Body, options: ExportOptions) -> Cast | None:
    """The people of a take; None, with a line in the log, where nobody was seen.

    Raises
    ------
    InputError
        If the take was made with another body.
    OutputError
        If it is not sound.
    """
    require_body(take, body)
    whole, take = take, finite_rows(take)
    left_out = len(whole.frame) - len(take.frame)
    people = tuple(people_of(take))
    if not people:
        if left_out:
            raise OutputError(f"no row of the take of {take.source} has numbers that are finite")
        _log.warning("nobody was seen in %s: nothing written", take.source)
        return None
    placed = place(take, body, options.world, people[0])
    notes = [placed.note] if placed.note else []
    if left_out:
        notes.append(f"{left_out} rows with numbers that are not finite were left out")
    return Cast(take, body, options, people, placed, "; ".join(notes))


def require_free(paths: list[Path], *, force: bool) -> None:
    """Refuse before the work what would be refused after it, so that it is all files or none.

    Raises
    ------
    OutputError
    """
    for target in paths:
        if target.exists() and not force:
            raise OutputExistsError(target)


def _nothing_to_say(scene: Scene) -> str:
    return ""


@dataclass(frozen=True)
class FileAPerson:
    """Writes a file for every person of a take: a `formats.Writer`."""

    ending: str
    """Of the files, behind the name asked for and what `naming.behind_the_stem` adds to it."""
    unit: Unit
    """Where the options name none."""
    write: WriteScene
    read: ReadScene
    """By somebody else's reader, before a file gets its name."""
    plain_axes: bool = False
    """As `rigs.skeleton_of`."""
    note: Callable[[Scene], str] = _nothing_to_say
    """What must be told of a file beside the format's hint."""

    def __call__(
        self,
        take: Take,
        body: Body,
        path: Path,
        options: ExportOptions,
        *,
        force: bool,
        watch: Watch,
    ) -> list[Exported]:
        """Write the files and read each again before it gets its name.

        Raises
        ------
        InputError
            If the take was made with another body.
        OutputError
            If a file cannot be written, exists without `force`, or does not pass its check.
        """
        cast = cast_of(take, body, options)
        if cast is None:
            return []
        paths = self._paths(path, cast)
        require_free(paths, force=force)
        make_folder(path.parent)
        watch(0.0)
        unit = options.unit or self.unit
        scale, options = SCALE[unit], replace(options, unit=unit)
        done = []
        for index, (person, target) in enumerate(zip(cast.people, paths, strict=True)):

            def part(fraction: float, index: int = index) -> None:
                watch((index + fraction) / len(paths))

            def writing(fraction: float, part: Watch = part) -> None:
                part(_WRITING * fraction)

            motion = cast.motion(person)
            scene = scene_of(body, motion, options, plain_axes=self.plain_axes)
            notes = [cast.note, self.note(scene)] if index == 0 else []
            notes.append(cast.gaps(motion))
            with atomic_write(target, force=force) as temporary:
                self.write(temporary, scene, scale, writing, options)
                part(_WRITING)
                error, rate = judged(target, self.read(temporary, scene, scale), scene)
                part(1.0)
            done.append(Exported(target, error, rate, "; ".join(note for note in notes if note)))
        return done

    def _paths(self, path: Path, cast: Cast) -> list[Path]:
        ends_so = path.name.lower().endswith(self.ending)
        stem = path.name[: -len(self.ending)] if ends_so else path.stem
        names = {person: name_of(cast.take, person) for person in cast.people}
        return [
            path.with_name(f"{stem}{behind}{path.name[len(stem) :]}")
            for behind in behind_the_stem(cast.people, names)
        ]

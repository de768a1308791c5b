"""Export of verified files, of one person each or of all, shared by all formats with joints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import OutputError, OutputExistsError, PymafLiveError
from pymaf_live.export.file_names import person_name, person_suffixes, scene_names
from pymaf_live.export.options import ExportedFile, ExportOptions, Rig, Unit
from pymaf_live.export.person_motion import (
    PersonMotion,
    finite_rows,
    people_by_row_count,
    person_motion,
)
from pymaf_live.export.readback_check import ReadBack, verify_readback
from pymaf_live.export.scene import Scene, build_scene, with_distinct_bones
from pymaf_live.export.world import UNITS_PER_METRE, WorldTransform, world_transform
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import Reporter, StepReporter, report_progress
from pymaf_live.takes.editing import with_closed_gaps
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.shape import with_one_shape
from pymaf_live.takes.take import Take
from pymaf_live.types import LONGEST_PAUSE

WriteScene = Callable[[Path, Scene, float, Reporter, ExportOptions], None]
"""Function that writes a scene: path, scene, file units per metre, reporter, options. The options
name a unit."""
WriteScenes = Callable[[Path, Sequence[Scene], float, Reporter, ExportOptions], None]
"""Function that writes the scenes of several people into one file; else as `WriteScene`."""
ReadScene = Callable[[Path, Scene, float], ReadBack]
"""Function that reads a file back: path, scene, file units per metre. The scene only says which
person, bones and frames to read."""
VerifyScene = Callable[[Path, ReadBack, Scene], tuple[float, float]]
"""Function that compares what was read back with the scene: final path, content, scene. It returns
the largest error in metres and the rate, and raises `OutputError` if they are not acceptable."""

_WRITE_SHARE = 0.7
"""Part of the progress of one file that is writing; the rest is reading it back."""
_MAX_REASON = 200
"""Characters of another reader's error message."""


@dataclass(frozen=True)
class ExportContext:
    """People of a take and its placement in the world, shared by the files of one export."""

    take: Take
    """Take with finite rows only."""
    body: Body
    options: ExportOptions
    people: tuple[int, ...]
    """Numbers of the people, most rows first."""
    transform: WorldTransform
    note: str
    """Remark on the take as a whole; '' without one."""

    def motion(self, person: int) -> PersonMotion:
        """Return the motion of a person, with its name inside the files."""
        names = {each: person_name(self.take, each) for each in self.people}
        motion = person_motion(self.take, self.body, person, self.transform, self.options.rate)
        return replace(motion, name=scene_names(self.people, names)[person])

    def gap_note(self, motion: PersonMotion, gaps: str) -> str:
        """Return a remark on the frames in which a person was not measured; '' without any."""
        count = int(np.count_nonzero(~motion.seen))
        if not count:
            return ""
        name = person_name(self.take, motion.person) or f"person {motion.person}"
        return f"{name} was not seen in {count} of {len(motion.seen)} frames; {gaps}"


def export_context(take: Take, body: Body, options: ExportOptions) -> ExportContext | None:
    """Prepare a take for export; return None if it has no people.

    Raises
    ------
    InputError
        If the take was made with another body.
    OutputError
        If the take is inconsistent or none of its rows is finite.
    """
    require_body(take, body)
    whole, take = take, with_one_shape(finite_rows(take), body)
    removed = len(whole.frame) - len(take.frame)
    people = tuple(people_by_row_count(take))
    if not people:
        if removed:
            raise OutputError(f"the take of {take.source} has no rows with finite numbers")
        return None
    take, closed = with_closed_gaps(take, LONGEST_PAUSE)
    transform = world_transform(take, body, options.world, people[0])
    notes = [transform.note] if transform.note else []
    if removed:
        notes.append(f"{removed} rows with numbers that are not finite were left out")
    if closed:
        notes.append(f"{closed:.0f} s without any frame were closed up")
    return ExportContext(take, body, options, people, transform, "; ".join(notes))


def require_free(paths: list[Path], *, force: bool) -> None:
    """Check all targets before the work starts, so that either all files are written or none.

    Raises
    ------
    OutputExistsError
        If one of `paths` exists and `force` is false.
    """
    for target in paths:
        if target.exists() and not force:
            raise OutputExistsError(target)


def person_paths(path: Path, suffix: str, context: ExportContext) -> list[Path]:
    """Return the file of each person, or the one file if all share it.

    Parameters
    ----------
    path : Path
        Target as the user named it.
    suffix : str
        File suffix of the format.
    context : ExportContext
    """
    if context.options.one_file:
        return [path]
    has_suffix = path.name.lower().endswith(suffix)
    stem = path.name[: -len(suffix)] if has_suffix else path.stem
    names = {person: person_name(context.take, person) for person in context.people}
    return [
        path.with_name(f"{stem}{person_suffix}{path.name[len(stem) :]}")
        for person_suffix in person_suffixes(context.people, names)
    ]


def one_person(write: WriteScene) -> WriteScenes:
    """Return the writer of a format whose files hold one person."""

    def write_only(
        path: Path,
        scenes: Sequence[Scene],
        scale: float,
        reporter: Reporter,
        options: ExportOptions,
    ) -> None:
        (scene,) = scenes
        write(path, scene, scale, reporter, options)

    return write_only


def _no_note(scene: Scene) -> str:
    return ""


@dataclass(frozen=True)
class PerPersonWriter:
    """Writes one file per person of a take, or one of all; implements `formats.Writer`."""

    suffix: str
    """File suffix, added after the target's name and the person's suffix."""
    unit: Unit
    """Default unit."""
    write: WriteScenes
    """Called with one scene, unless the options ask for one file."""
    read: ReadScene
    """Independent reader that verifies a file before it gets its final name."""
    check: VerifyScene = verify_readback
    """Comparison of what was read back with the scene."""
    gaps: str = "the motion was interpolated or held there"
    """Remark on the frames in which a person was not measured."""
    plain_axes: bool = False
    """Give every bone the world's axes at rest; see `rigs.rig_skeleton`."""
    rig: Rig | None = None
    """Rig of formats that have only one."""
    note: Callable[[Scene], str] = _no_note
    """Function that returns a remark on a file, beside the format's hint."""
    distinct_bones: bool = True
    """In a file of several people, put their names before those of their bones."""

    def __call__(
        self,
        take: Take,
        body: Body,
        path: Path,
        options: ExportOptions,
        *,
        force: bool,
        reporter: Reporter,
    ) -> list[ExportedFile]:
        """Write the files; each is read back and verified before it gets its final name.

        Raises
        ------
        InputError
            If the take was made with another body.
        OutputError
            If a file cannot be written, exists without `force`, or does not pass verification.
        Interrupted
            If the reporter is cancelled; the current file is removed.
        """
        context = export_context(take, body, options)
        if context is None:
            return []
        paths = person_paths(path, self.suffix, context)
        require_free(paths, force=force)
        make_folder(path.parent)
        report_progress(reporter, 0.0)
        unit = options.unit or self.unit
        scale, options = UNITS_PER_METRE[unit], replace(options, unit=unit)
        if self.rig is not None:
            options = replace(options, rig=self.rig)
        groups = [context.people] if options.one_file else [(each,) for each in context.people]
        done = []
        for index, (people, target) in enumerate(zip(groups, paths, strict=True)):
            step = StepReporter(reporter, index / len(paths), (index + 1) / len(paths))
            motions = [context.motion(person) for person in people]
            scenes = [
                build_scene(body, motion, options, plain_axes=self.plain_axes) for motion in motions
            ]
            if len(scenes) > 1 and self.distinct_bones:
                scenes = with_distinct_bones(scenes, options.rig)
            notes = [context.note, self.note(scenes[0])] if index == 0 else []
            notes += [context.gap_note(motion, self.gaps) for motion in motions]
            with atomic_write(target, force=force) as temporary:
                writing = StepReporter(step, 0.0, _WRITE_SHARE)
                self.write(temporary, scenes, scale, writing, options)
                error, rate = self._verified(target, temporary, scenes, scale, step)
            note = "; ".join(note for note in notes if note)
            done.append(ExportedFile(target, error, rate, note))
        return done

    def _verified(
        self,
        target: Path,
        written: Path,
        scenes: Sequence[Scene],
        scale: float,
        reporter: Reporter,
    ) -> tuple[float, float]:
        """Return the largest joint error (m) and the rate of a file, read back for each person."""
        error, rate = 0.0, 0.0
        for index, scene in enumerate(scenes):
            done = index / len(scenes)
            report_progress(reporter, _WRITE_SHARE + (1 - _WRITE_SHARE) * done)
            largest, rate = self._check(target, written, scene, scale)
            error = max(error, largest)
        report_progress(reporter, 1.0)
        return error, rate

    def _check(
        self, target: Path, written: Path, scene: Scene, scale: float
    ) -> tuple[float, float]:
        try:
            return self.check(target, self.read(written, scene, scale), scene)
        except PymafLiveError:
            raise
        except Exception as error:
            # what a disk or a network drive has damaged may make a reader fail in any way
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_REASON]
            raise OutputError(f"cannot write {target}: it cannot be read back: {reason}") from error

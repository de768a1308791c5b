"""Export of a take on the user's character: its skeleton, meshes and textures, the take's motion.

Formats: .glb, .vrm (characters that are VRM), .vrma (motion only, on the character's own
proportions) and .fbx. One file per person. Hips and feet are scaled by the length of the legs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pymaf_live.body import Body
from pymaf_live.characters.body_motion import BodyMotion, body_motion
from pymaf_live.characters.model import Character, compose
from pymaf_live.characters.retarget import CharacterMotion, Retargeter
from pymaf_live.errors import OutputError, UsageError
from pymaf_live.export.character_fbx import write_new_fbx
from pymaf_live.export.character_fbx_original import (
    UnsupportedFileError,
    node_paths,
    write_original_fbx,
)
from pymaf_live.export.character_gltf import (
    add_animation,
    finish,
    new_parts,
    original_parts,
    read_positions,
    skeleton_parts,
)
from pymaf_live.export.fbx import read_nodes
from pymaf_live.export.gltf_buffer import write_chunks
from pymaf_live.export.options import ExportedFile, ExportOptions, OptionName
from pymaf_live.export.per_person import ExportContext, export_context, person_paths, require_free
from pymaf_live.export.person_motion import PersonMotion
from pymaf_live.export.readback_check import MAX_JOINT_ERROR_M, frames_to_check
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import Reporter, StepReporter, report_progress
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints

OPTIONS: frozenset[OptionName] = frozenset({"rate", "world", "in_place"})
"""Export options that apply to characters."""
_WRITE_SHARE = 0.7
_RATE_TOLERANCE = 1e-5
_CONVERTED = "expressions, springs and other extras of the file were not converted"


@dataclass(frozen=True, eq=False)
class _Job:
    """One person's file."""

    retargeter: Retargeter
    motion: CharacterMotion
    t_pose: CharacterMotion
    rate: Fraction
    name: str

    @property
    def character(self) -> Character:
        return self.retargeter.character


@dataclass(frozen=True, eq=False)
class _Expected:
    """Positions (K, A, 3) that the animated nodes must have in a file."""

    nodes: Sequence[Any]
    """(A,) numbers of the nodes in glTF; in FBX, their names and those of their ancestors."""
    positions: Array
    metres: float
    """Metres of the take per unit of the positions."""


def require_character_format(path: Path, character: Character) -> str:
    """Return the suffix of a file for a character.

    Raises
    ------
    UsageError
        If no such file can hold the character.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise UsageError(
            f"{path}: a character is exported to files that end in {', '.join(WRITERS)}"
        )
    if suffix == ".vrm" and character.kind != "vrm":
        raise UsageError(f"{path}: only a VRM character can be exported to .vrm; write .glb")
    return suffix


def export_character(
    take: Take,
    body: Body,
    path: Path,
    options: ExportOptions,
    retargeter: Retargeter,
    *,
    force: bool,
    reporter: Reporter,
) -> list[ExportedFile]:
    """Write a take on a character, one file per person; each file is read back.

    Parameters
    ----------
    take : Take
    body : Body
        Body that the take was made with.
    path : Path
    options : ExportOptions
        Uses `rate`, `world` and `in_place`.
    retargeter : Retargeter
        Of the character.
    force : bool
        Replace existing files.
    reporter : Reporter

    Raises
    ------
    UsageError
        If the ending is not of `WRITERS`.
    InputError
        If the take was made with another body.
    OutputError
        If a file cannot be written, exists without `force`, or does not pass its check.
    Interrupted
        If the reporter is cancelled; the current file is removed.
    """
    suffix = require_character_format(path, retargeter.character)
    context = export_context(take, body, options.only(OPTIONS))
    if context is None:
        return []
    paths = person_paths(path, suffix, context)
    require_free(paths, force=force)
    make_folder(path.parent)
    done = []
    for index, (person, target) in enumerate(zip(context.people, paths, strict=True)):
        step = StepReporter(reporter, index / len(paths), (index + 1) / len(paths))
        report_progress(step, 0.0)
        motion = context.motion(person)
        job = _job(context, motion, retargeter)
        notes = [context.note if index == 0 else ""]
        notes.append(context.gap_note(motion, "the motion was interpolated or held there"))
        with atomic_write(target, force=force) as temporary:
            writing = StepReporter(step, 0.0, _WRITE_SHARE)
            note, expected = WRITERS[suffix](temporary, job, writing)
            error = _verified(target, temporary, suffix, job, expected)
            report_progress(step, 1.0)
        notes += [note, *(retargeter.character.notes if index == 0 else ())]
        kept = "; ".join(each for each in notes if each)
        done.append(ExportedFile(target, error, float(job.rate), kept))
    return done


def _job(context: ExportContext, motion: PersonMotion, retargeter: Retargeter) -> _Job:
    body = context.body
    moving = person_body_motion(body, motion, in_place=context.options.in_place)
    still = replace(
        motion,
        rotations=np.tile(np.eye(3), (1, body.joint_count, 1, 1)),
        root=motion.rest[:1] - [0.0, moving.lowest, 0.0],
    )
    return _Job(
        retargeter=retargeter,
        motion=retargeter.retarget(moving),
        t_pose=retargeter.retarget(person_body_motion(body, still)),
        rate=motion.rate,
        name=motion.name or "motion",
    )


def person_body_motion(body: Body, motion: PersonMotion, *, in_place: bool = False) -> BodyMotion:
    """Return one person's motion as the retargeting reads it."""
    shaped = body.template + body.shape_directions @ motion.shape
    root = motion.root.copy()
    if in_place:
        root[:, [0, 2]] = 0.0
    lowest = float(shaped[:, 1].min())
    return body_motion(body, motion.rotations, motion.rest, lowest, root)


def _write_glb(path: Path, job: _Job, reporter: Reporter) -> tuple[str, _Expected]:
    character = job.character
    if character.kind == "fbx":
        axes = job.retargeter.measures.axes
        document, buffer = new_parts(character, axes)
        nodes, note = np.arange(len(character.parents)), _CONVERTED
        world = _upright(axes, character.metres)
    else:
        document, buffer = original_parts(character)
        nodes, note, world = character.source_nodes, "", np.eye(4)
    add_animation(document, buffer, character, job.motion, nodes, job.rate, job.name, reporter)
    finish(document, buffer)
    write_chunks(path, document, buffer)
    return note, _expected(job, nodes, world)


def _write_vrma(path: Path, job: _Job, reporter: Reporter) -> tuple[str, _Expected]:
    character, mapping = job.character, job.retargeter.mapping
    humanoid = dict(mapping.bones) | {
        bone: node for bone, node in character.humanoid.items() if bone not in mapping.bones
    }
    # eyes and jaw follow the head, and VRM animations do not move them as bones
    for bone in ("leftEye", "rightEye", "jaw"):
        humanoid.pop(bone, None)
    for name, node in zip(("spine", "chest", "upperChest"), job.retargeter.spine, strict=False):
        humanoid.setdefault(name, node)
    t_pose = job.t_pose.local(character, slice(0, 1))[0]
    axes = job.retargeter.measures.axes
    document, buffer = skeleton_parts(character, t_pose, humanoid, axes)
    nodes = np.arange(len(character.parents))
    add_animation(document, buffer, character, job.motion, nodes, job.rate, job.name, reporter)
    finish(document, buffer)
    write_chunks(path, document, buffer)
    return "", _expected(job, nodes, _upright(axes, character.metres))


def _upright(axes: Array, metres: float) -> Array:
    """Return the transform (4, 4) of a file world to metres, y up, facing +z."""
    world = np.eye(4)
    world[:3, :3] = axes * metres
    return world


def _write_fbx(path: Path, job: _Job, reporter: Reporter) -> tuple[str, _Expected]:
    character = job.character
    note = ""
    if character.kind == "fbx":
        try:
            write_original_fbx(path, character, job.motion, job.rate, job.name, reporter)
        except UnsupportedFileError as error:
            note = f"the FBX was written anew, because {error}; {_CONVERTED}"
        else:
            paths = node_paths(character.names, character.parents, root=True)
            return "", _expected(job, paths, np.eye(4))
    write_new_fbx(path, character, job.motion, job.rate, job.name, reporter)
    world = np.eye(4)
    world[:3, :3] *= 100.0 * character.metres
    paths = node_paths(character.names, character.parents, root=False)
    return note or _CONVERTED, _expected(job, paths, world)


Writer = Callable[[Path, _Job, Reporter], tuple[str, _Expected]]
WRITERS: Mapping[str, Writer] = MappingProxyType(
    {".glb": _write_glb, ".vrm": _write_glb, ".vrma": _write_vrma, ".fbx": _write_fbx}
)
"""Function that writes each kind of file; it returns a note and what the file must contain."""


def _expected(job: _Job, nodes: Sequence[Any] | Ints, world: Array) -> _Expected:
    frames = frames_to_check(len(job.motion.hips_position))
    placed = compose(job.motion.local(job.character, frames), job.character.parents)
    chosen = job.motion.nodes
    positions = np.einsum("ij,kbj->kbi", world[:3, :3], placed[..., :3, 3][:, chosen])
    metres = job.motion.size / float(np.cbrt(np.linalg.det(world[:3, :3])))
    return _Expected([nodes[node] for node in chosen], positions, metres)


def _verified(target: Path, written: Path, suffix: str, job: _Job, expected: _Expected) -> float:
    """Return the largest error (m) of a bone of a file, read back.

    Raises
    ------
    OutputError
    """
    count = len(job.motion.hips_position)
    frames = frames_to_check(count)
    try:
        if suffix == ".fbx":
            read = read_nodes(written, [float(frame / job.rate) for frame in frames])
            paths = node_paths(read["names"].tolist(), read["parents"], root=True)
            columns = [paths.index(path) for path in expected.nodes]
            found, frame_count, rate = read["positions"], count, float(job.rate)
        else:
            columns = list(expected.nodes)
            found, frame_count, rate = read_positions(written, frames)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise OutputError(f"cannot write {target}: it cannot be read back: {error}") from error
    if frame_count != count or (count > 1 and abs(rate / float(job.rate) - 1) > _RATE_TOLERANCE):
        raise OutputError(f"cannot write {target}: it reads back with other frames")
    distance = np.linalg.norm(found[:, columns] - expected.positions, axis=-1)
    largest = float(distance.max()) * expected.metres
    if not largest < MAX_JOINT_ERROR_M:
        raise OutputError(
            f"cannot write {target}: it reads back with bones up to {largest * 1000:.2f} mm off"
        )
    return largest

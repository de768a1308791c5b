"""The formats that a take can be written in, by name, each with the options that it takes."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pymaf_live.body import Body
from pymaf_live.errors import UsageError
from pymaf_live.export.amass import export_amass
from pymaf_live.export.bvh import export_bvh
from pymaf_live.export.csv import export_csv
from pymaf_live.export.fbx import export_fbx
from pymaf_live.export.file_names import others_pattern
from pymaf_live.export.gltf import export_glb
from pymaf_live.export.masks import export_masks
from pymaf_live.export.npz import export_npz
from pymaf_live.export.options import (
    Exported,
    ExportOptions,
    OptionName,
    Unit,
    Watch,
    unwatched,
)
from pymaf_live.export.usd import MISSING, export_usd
from pymaf_live.takes.take import Take


class Writer(Protocol):
    """Writes a take into files of one format."""

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
        """Write `take` under `path`; files are whole and checked, or not there."""


@dataclass(frozen=True)
class Format:
    """One format: what it is called, which options it takes, and what writes it."""

    name: str
    """As `--export` has it."""
    ending: str
    """Of its files, behind the name of the take."""
    title: str
    """One line for a person."""
    hint: str
    """What must be told to the programs that open it; '' where nothing."""
    options: frozenset[OptionName]
    """Fields of `ExportOptions` that change the file; the others are ignored."""
    unit: Unit
    """Where the options name none."""
    one_a_person: bool
    """Of several, another person with id 3 gets ``name_person3`` or ``name_Ann`` and the ending."""
    writer: Writer
    needs: str = ""
    """A module that only an extra brings."""

    @property
    def missing(self) -> str:
        """What to install before this format can be written; '' where nothing is missing."""
        there = not self.needs or importlib.util.find_spec(self.needs) is not None
        return "" if there else MISSING

    def target(self, stem: Path) -> Path:
        """The file of a take that is called `stem`."""
        return stem.with_name(stem.name + self.ending)

    def existing(self, stem: Path, people: Collection[str] = ()) -> list[Path]:
        """Files there already that an export of `stem` may replace, other people's included.

        Parameters
        ----------
        stem : Path
        people : collection of str
            Names that people of the take were given.
        """
        plain = self.target(stem)
        found = [plain] if plain.exists() else []
        if self.one_a_person and stem.parent.is_dir():
            others = re.compile(
                re.escape(stem.name) + others_pattern(people) + re.escape(self.ending)
            )
            found += sorted(p for p in stem.parent.iterdir() if others.fullmatch(p.name))
        return found

    def write(
        self,
        take: Take,
        body: Body,
        path: Path,
        options: ExportOptions | None = None,
        *,
        force: bool = False,
        watch: Watch = unwatched,
    ) -> list[Exported]:
        """Write a take.

        Parameters
        ----------
        take : Take
        body : Body
            The one the take was made with.
        path : Path
            Of the first file; its folder is made.
        options : ExportOptions, optional
        force : bool
            Whether existing files may be replaced.
        watch : callable
            Is told the part done (0..1); what it raises ends the work without a file.

        Returns
        -------
        list of Exported
            Empty where the format needs somebody and the take has nobody in it.

        Raises
        ------
        InputError
            If the take was made with another body.
        OutputError
            If a file cannot be written, exists without `force`, or does not pass its check.
        """
        taken = (options or ExportOptions()).only(self.options)
        return self.writer(take, body, path, taken, force=force, watch=watch)

    def __call__(
        self,
        take: Take,
        body: Body,
        path: Path,
        options: ExportOptions | None = None,
        *,
        force: bool = False,
        watch: Watch = unwatched,
    ) -> list[Path]:
        """As `write`; the files alone."""
        done = self.write(take, body, path, options, force=force, watch=watch)
        return [each.path for each in done]


_MOTION: frozenset[OptionName] = frozenset({"rate", "rig", "world", "in_place"})
_SKELETON: frozenset[OptionName] = _MOTION | {"rest_first"}

_ALL = (
    Format(
        name="bvh",
        ending=".bvh",
        title="BVH: motion for Blender, Unreal, Unity (one file a person)",
        hint="BVH states neither unit nor rate to Blender: import with scale 0.01 (1 if in metres) "
        "and 'Update Scene FPS'.",
        options=_SKELETON | {"unit"},
        unit="cm",
        one_a_person=True,
        writer=export_bvh,
    ),
    Format(
        name="fbx",
        ending=".fbx",
        title="FBX: body and motion for Unreal, Unity, Blender, Maya (one file a person)",
        hint="",
        options=_SKELETON | {"unit", "mesh"},
        unit="cm",
        one_a_person=True,
        writer=export_fbx,
    ),
    Format(
        name="glb",
        ending=".glb",
        title="glTF: body and motion for Blender, Godot and the web (one file a person)",
        hint="Times are seconds: Blender keeps its scene's frame rate, so set it before importing.",
        options=_SKELETON | {"mesh"},
        unit="m",
        one_a_person=True,
        writer=export_glb,
    ),
    Format(
        name="npz",
        ending=".npz",
        title="npz: everything, for NumPy and for exporting again",
        hint="",
        options=frozenset(),
        unit="m",
        one_a_person=False,
        writer=export_npz,
    ),
    Format(
        name="csv",
        ending=".csv",
        title="CSV: joints' places and rotations, for spreadsheets (one file a person)",
        hint="",
        options=frozenset({"rate", "unit", "world", "in_place"}),
        unit="m",
        one_a_person=True,
        writer=export_csv,
    ),
    Format(
        name="amass",
        ending=".amass.npz",
        title="AMASS: npz with that archive's keys, z up (one file a person)",
        hint="betas belong to this program's body, whose shapes are not SMPL's.",
        options=frozenset({"rate", "world", "in_place"}),
        unit="m",
        one_a_person=True,
        writer=export_amass,
    ),
    Format(
        name="mask",
        ending="_masks",
        title="Masks: a folder of PNG silhouettes, one a frame",
        hint="",
        options=frozenset(),
        unit="m",
        one_a_person=False,
        writer=export_masks,
    ),
    Format(
        name="usd",
        ending=".usd",
        title="USD: body and motion for Omniverse, Houdini, Maya (one file a person)",
        hint="",
        options=_SKELETON | {"unit", "mesh"},
        unit="m",
        one_a_person=True,
        writer=export_usd,
        needs="pxr",
    ),
)

FORMATS: Mapping[str, Format] = MappingProxyType({each.name: each for each in _ALL})


def format_of(path: Path) -> Format:
    """The format that a file's name ends in.

    Raises
    ------
    UsageError
        If it is none of those known.
    """
    name = path.name.lower()
    fitting = [each for each in _ALL if name.endswith(each.ending) and name != each.ending]
    if not fitting:
        known = ", ".join(each.ending for each in _ALL)
        raise UsageError(f"{path}: the name must end in one of {known}")
    return max(fitting, key=lambda each: len(each.ending))


def require_taken(options: ExportOptions, formats: tuple[Format, ...]) -> None:
    """Refuse options that none of the formats takes: who gave them expects an effect.

    Raises
    ------
    UsageError
    """
    left = options.changed() - frozenset().union(*(each.options for each in formats))
    if left:
        flags = {"mesh": "--no-mesh"}
        words = ", ".join(flags.get(n, f"--{n.replace('_', '-')}") for n in sorted(left))
        names = ", ".join(each.name for each in formats) or "no format"
        raise UsageError(f"{words} means nothing to {names}")

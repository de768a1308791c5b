"""Registry of export formats, each with the options it supports."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pymaf_live.body import Body
from pymaf_live.errors import UsageError
from pymaf_live.export.amass import export_amass
from pymaf_live.export.bvh import export_bvh
from pymaf_live.export.c3d import export_c3d
from pymaf_live.export.csv import export_csv
from pymaf_live.export.fbx import export_fbx
from pymaf_live.export.file_names import sibling_pattern
from pymaf_live.export.gltf import export_glb
from pymaf_live.export.masks import export_masks
from pymaf_live.export.npz import export_npz
from pymaf_live.export.options import ExportedFile, ExportOptions, OptionName, Unit
from pymaf_live.export.smpl import export_smpl
from pymaf_live.export.trc import export_trc
from pymaf_live.export.usd import export_usd, export_usda, export_usdz
from pymaf_live.export.vrma import export_vrma
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.takes.take import Take


class Writer(Protocol):
    """Function that writes a take into files of one format."""

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
        """Write `take` to `path`; a file is complete and verified, or it does not exist."""


@dataclass(frozen=True)
class Format:
    """Export format."""

    name: str
    """Name on the command line and in the settings."""
    suffix: str
    """File suffix, added to the name of the take."""
    title: str
    """One line for the user."""
    hint: str
    """Advice on settings of the program that imports the file; '' without any."""
    options: frozenset[OptionName]
    """Fields of `ExportOptions` that affect the file; the others are ignored."""
    unit: Unit
    """Default unit."""
    per_person: bool
    """True if there is one file per person (unless they are to share one): of several people, the
    one with number 3 gets ``name_person3`` or ``name_Ann`` and the suffix."""
    writer: Writer
    needs: str = ""
    """Optional module that an extra installs."""
    extra: str = ""
    """The extra."""

    @property
    def missing(self) -> str:
        """Advice on what to install before this format can be written; '' if nothing."""
        installed = not self.needs or importlib.util.find_spec(self.needs) is not None
        if installed:
            return ""
        return (
            f"{self.name} requires the extra {self.extra!r}: pip install 'pymaf-live[{self.extra}]'"
        )

    def target(self, stem: Path) -> Path:
        """Return the path of the file for a take named `stem`."""
        return stem.with_name(stem.name + self.suffix)

    def existing(self, stem: Path, people: Collection[str] = ()) -> list[Path]:
        """Return the existing files that an export to `stem` may replace, for all people.

        Parameters
        ----------
        stem : Path
        people : collection of str
            Names of people in the take.
        """
        plain = self.target(stem)
        found = [plain] if plain.exists() else []
        if self.per_person and stem.parent.is_dir():
            siblings = re.compile(
                re.escape(stem.name) + sibling_pattern(people) + re.escape(self.suffix)
            )
            found += sorted(p for p in stem.parent.iterdir() if siblings.fullmatch(p.name))
        return found

    def write(
        self,
        take: Take,
        body: Body,
        path: Path,
        options: ExportOptions | None = None,
        *,
        force: bool = False,
        reporter: Reporter = SILENT,
    ) -> list[ExportedFile]:
        """Write a take.

        Parameters
        ----------
        take : Take
        body : Body
            Body that the take was made with.
        path : Path
            Path of the first file; its folder is created.
        options : ExportOptions, optional
        force : bool
            Replace existing files.
        reporter : Reporter
            Receives the progress; if it is cancelled, the current file is removed.

        Returns
        -------
        list of ExportedFile
            Empty if the format needs people and the take has none.

        Raises
        ------
        InputError
            If the take was made with another body.
        OutputError
            If a file cannot be written, exists without `force`, or does not pass verification.
        Interrupted
            If the reporter is cancelled.
        """
        supported = (options or ExportOptions()).only(self.options)
        return self.writer(take, body, path, supported, force=force, reporter=reporter)

    def __call__(
        self,
        take: Take,
        body: Body,
        path: Path,
        options: ExportOptions | None = None,
        *,
        force: bool = False,
        reporter: Reporter = SILENT,
    ) -> list[Path]:
        """Write a take like `write` and return only the paths."""
        done = self.write(take, body, path, options, force=force, reporter=reporter)
        return [each.path for each in done]


_MOTION: frozenset[OptionName] = frozenset({"rate", "rig", "world", "in_place"})
_MARKERS: frozenset[OptionName] = frozenset({"rate", "unit", "world", "in_place"})
_SKELETON: frozenset[OptionName] = _MOTION | {"rest_first"}
_PEOPLE: frozenset[OptionName] = frozenset({"mesh", "camera", "one_file"})
"""Options of formats whose files can hold several people."""

_USD = Format(
    name="usd",
    suffix=".usd",
    title="USD: body and motion for Omniverse, Houdini, Maya",
    hint="",
    options=_SKELETON | _PEOPLE | {"unit"},
    unit="m",
    per_person=True,
    writer=export_usd,
    needs="pxr",
    extra="usd",
)

_ALL = (
    Format(
        name="bvh",
        suffix=".bvh",
        title="BVH: motion for Blender, Unreal, Unity (one file per person)",
        hint="Blender reads neither unit nor rate from BVH: import with scale 0.01 (1 for metres) "
        "and 'Update Scene FPS'.",
        options=_SKELETON | {"unit"},
        unit="cm",
        per_person=True,
        writer=export_bvh,
    ),
    Format(
        name="fbx",
        suffix=".fbx",
        title="FBX: body and motion for Unreal, Unity, Blender, Maya",
        hint="",
        options=_SKELETON | _PEOPLE | {"unit"},
        unit="cm",
        per_person=True,
        writer=export_fbx,
    ),
    Format(
        name="glb",
        suffix=".glb",
        title="glTF: body and motion for Blender, Godot and the web",
        hint="Times are seconds and Blender keeps its scene's frame rate: set it before importing.",
        options=_SKELETON | _PEOPLE,
        unit="m",
        per_person=True,
        writer=export_glb,
    ),
    Format(
        name="vrma",
        suffix=".vrma",
        title="VRM animation: motion for VRM avatars (one file per person)",
        hint="",
        options=frozenset({"rate", "world", "in_place"}),
        unit="m",
        per_person=True,
        writer=export_vrma,
    ),
    Format(
        name="npz",
        suffix=".npz",
        title="npz: all data, for NumPy and for later exports",
        hint="",
        options=frozenset(),
        unit="m",
        per_person=False,
        writer=export_npz,
    ),
    Format(
        name="csv",
        suffix=".csv",
        title="CSV: joint positions and rotations, for spreadsheets (one file per person)",
        hint="",
        options=frozenset({"rate", "unit", "world", "in_place"}),
        unit="m",
        per_person=True,
        writer=export_csv,
    ),
    Format(
        name="trc",
        suffix=".trc",
        title="TRC: markers for OpenSim (one file per person)",
        hint="Markers are at the body's key points, with the names of Pose2Sim's OpenSim models.",
        options=_MARKERS,
        unit="mm",
        per_person=True,
        writer=export_trc,
    ),
    Format(
        name="c3d",
        suffix=".c3d",
        title="C3D: markers for biomechanics, z up (one file per person)",
        hint="Markers are at the body's key points, with the names of Pose2Sim's OpenSim models.",
        options=_MARKERS,
        unit="mm",
        per_person=True,
        writer=export_c3d,
        needs="ezc3d",
        extra="c3d",
    ),
    Format(
        name="smpl",
        suffix=".smpl.npz",
        title="SMPL parameters: npz with the keys of WHAM (one file per person)",
        hint="betas belong to the body of this program, whose shapes are not SMPL's.",
        options=frozenset({"rate"}),
        unit="m",
        per_person=True,
        writer=export_smpl,
    ),
    Format(
        name="amass",
        suffix=".amass.npz",
        title="AMASS: npz with the keys of that archive, z up (one file per person)",
        hint="betas belong to the body of this program, whose shapes are not SMPL's.",
        options=frozenset({"rate", "world", "in_place"}),
        unit="m",
        per_person=True,
        writer=export_amass,
    ),
    Format(
        name="mask",
        suffix="_masks",
        title="Masks: a folder of PNG silhouettes, one per frame",
        hint="",
        options=frozenset(),
        unit="m",
        per_person=False,
        writer=export_masks,
    ),
    _USD,
    replace(
        _USD,
        name="usda",
        suffix=".usda",
        title="USDA: USD as text",
        writer=export_usda,
    ),
    replace(
        _USD,
        name="usdz",
        suffix=".usdz",
        title="USDZ: USD as a package",
        writer=export_usdz,
    ),
)

FORMATS: Mapping[str, Format] = MappingProxyType({each.name: each for each in _ALL})
"""Formats by name."""


def format_for_path(path: Path) -> Format:
    """Return the format with the longest suffix that a file name ends in.

    Raises
    ------
    UsageError
        If no format has such a suffix.
    """
    name = path.name.lower()
    matching = [each for each in _ALL if name.endswith(each.suffix) and name != each.suffix]
    if not matching:
        known = ", ".join(each.suffix for each in _ALL)
        raise UsageError(f"{path}: the name must end in one of {known}")
    return max(matching, key=lambda each: len(each.suffix))


def unsupported_options(
    options: ExportOptions, formats: Iterable[Format]
) -> tuple[OptionName, ...]:
    """Return the changed options that none of `formats` supports, in alphabetical order."""
    supported = frozenset().union(*(each.options for each in formats))
    return tuple(sorted(options.changed() - supported))

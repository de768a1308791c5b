"""The formats that a take can be written in, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pymaf_live.body import Body
from pymaf_live.export.bvh import write_bvh
from pymaf_live.export.npz import write_npz
from pymaf_live.types import Take


class Exporter(Protocol):
    """Writes a take into files of one format and returns them."""

    def __call__(self, take: Take, body: Body, path: Path, *, force: bool = False) -> list[Path]:
        """Write `take` under `path`; files are whole and checked, or not there."""


FORMATS: Mapping[str, Exporter] = MappingProxyType({"bvh": write_bvh, "npz": write_npz})

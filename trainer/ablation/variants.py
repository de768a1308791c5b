"""Networks of the paper's comparisons, the tables they appear in, and the paper's figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainer.network.config import NetworkConfig


@dataclass(frozen=True)
class Variant:
    """Network of the comparison."""

    title: str
    changes: dict[str, Any]
    """Changes to the configuration's network."""

    def network(self, config: NetworkConfig) -> NetworkConfig:
        """Return the variant's network configuration."""
        return NetworkConfig.model_validate({**config.model_dump(), **self.changes})


VARIANTS = {
    "global": Variant("global feature, fed back (HMR's loop)", {"features": "global"}),
    "grid_single": Variant(
        "grid, one map", {"features": "grid", "pyramid": False, "shared_levels": True}
    ),
    "mesh_single": Variant(
        "mesh-aligned, one map", {"pyramid": False, "start": "mesh", "shared_levels": True}
    ),
    "grid": Variant("grid, pyramid", {"features": "grid"}),
    "mesh": Variant("mesh-aligned, pyramid", {}),
    "mesh_parts": Variant("mesh-aligned, pyramid, parts supervised", {"auxiliary": "parts"}),
    "mesh_dense": Variant("mesh-aligned, pyramid, dense supervised", {"auxiliary": "dense"}),
    "read_parts": Variant("predicted parts read", {"auxiliary": "parts", "read": "dense"}),
    "read_dense": Variant("predicted dense maps read", {"auxiliary": "dense", "read": "dense"}),
    "mesh_start": Variant(
        "first level under the mean pose's mesh", {"auxiliary": "dense", "start": "mesh"}
    ),
}
"""Variants by name, with three levels each.

'One map' is the finest, at every level. As in the paper its levels share one regressor, and those
that sample the mesh start under the mean pose's."""


@dataclass(frozen=True)
class Table:
    """Variants side by side, and their order in the paper."""

    title: str
    rows: tuple[str, ...]
    paper: dict[str, str]
    """The paper's figure of a row as printed, MPJPE / PA-MPJPE on Human3.6M in mm."""
    order: tuple[tuple[str, str], ...]
    """(better, worse) in the paper."""


TABLES = (
    Table(
        "Table 1: the loop and the supervision",
        ("global", "mesh", "mesh_dense"),
        {"global": "84.1 / 55.6", "mesh": "76.8 / 50.9", "mesh_dense": "75.1"},
        (("mesh", "global"), ("mesh_dense", "mesh"), ("mesh_dense", "global")),
    ),
    Table(
        "Table 4: input of the levels, from one map or a pyramid",
        ("global", "grid_single", "mesh_single", "grid", "mesh"),
        {
            "global": "84.1 / 55.6",
            "grid_single": "80.5 / 54.7",
            "mesh_single": "79.6 / 53.4",
            "grid": "79.7 / 54.3",
            "mesh": "76.8 / 50.9",
        },
        (
            ("grid_single", "global"),
            ("mesh_single", "grid_single"),
            ("mesh", "grid"),
            ("grid", "grid_single"),
            ("mesh", "mesh_single"),
        ),
    ),
    Table(
        "Table 5: auxiliary supervision, and features against predicted maps",
        ("mesh", "mesh_parts", "mesh_dense", "read_parts", "read_dense"),
        {"mesh": "76.8 / 50.9", "mesh_parts": "75.5", "mesh_dense": "75.1"},
        (
            ("mesh_parts", "mesh"),
            ("mesh_dense", "mesh_parts"),
            ("mesh_parts", "read_parts"),
            ("mesh_dense", "read_dense"),
        ),
    ),
)

STARTS = ("mesh_dense", "mesh_start")
"""Table 6: first level on the grid or under the mean pose's mesh, error after each level."""
PAPER_LEVELS = (274.0, 80.3, 76.6, 75.1)
"""The paper's MPJPE on Human3.6M from the mean pose (M0) to the third level, mm."""

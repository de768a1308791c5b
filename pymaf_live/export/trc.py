"""TRC export (Track Row Column, OpenSim's marker files), one file per person.

Tab-separated text: y up, millimetres unless another unit is chosen, times from 0 at the exact rate.
Markers are blank in frames in which the person was not measured. The grammar is that of OpenSim's
documentation ("Marker (.trc) Files").
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pymaf_live.errors import OutputError
from pymaf_live.export.markers import marker_names, marker_positions, marker_writer
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.export.world import UNITS_PER_METRE
from pymaf_live.system.reporter import Reporter, report_progress

_HEADER_LINES = 5
_REPORT_INTERVAL = 1000
"""Frames between progress reports."""
_DIGITS = {"m": 6, "cm": 4, "mm": 3}
"""Decimals by unit: a micrometre."""


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene; implements `per_person.WriteScene`."""
    names, positions = marker_names(scene), marker_positions(scene) * scale
    unit = options.unit or "mm"
    rate = f"{float(scene.rate):.10g}"
    header = {
        "DataRate": rate,
        "CameraRate": rate,
        "NumFrames": scene.frames,
        "NumMarkers": len(names),
        "Units": unit,
        "OrigDataRate": rate,
        "OrigDataStartFrame": 1,
        "OrigNumFrames": scene.frames,
    }
    axes = [f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ"]
    lines = [
        ["PathFileType", "4", "(X/Y/Z)", "motion.trc"],
        list(header),
        [str(value) for value in header.values()],
        ["Frame#", "Time", *(cell for name in names for cell in (name, "", ""))],
        ["", "", *axes],
        [],
    ]
    cell = f"%.{_DIGITS[unit]}f"
    blank = [""] * len(axes)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines("\t".join(line) + "\r\n" for line in lines)
        for frame, row in enumerate(positions.reshape(scene.frames, -1)):
            cells = blank if np.isnan(row[0]) else [cell % value for value in row]
            time = float(frame / scene.rate)
            # with a tab at the end: OpenSim leaves out a last cell that is blank
            file.write("\t".join([str(frame + 1), f"{time:.9f}", *cells, "\r\n"]))
            if frame % _REPORT_INTERVAL == 0:
                report_progress(reporter, frame / scene.frames)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read all frames of a file back with NumPy's reader; implements `per_person.ReadScene`."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = [next(file).rstrip("\n").split("\t") for _ in range(_HEADER_LINES)]
        stated = dict(zip(lines[1], lines[2], strict=True))
        unit = UNITS_PER_METRE[stated["Units"]]
        names = tuple(name for name in lines[3][2:] if name)
        values = np.genfromtxt(path, delimiter="\t", skip_header=_HEADER_LINES + 1)
        values = np.atleast_2d(values)
        cells = values[:, 2 : 2 + 3 * len(names)]
        positions = cells.reshape(len(values), len(names), 3) / unit
        rate, times = float(stated["DataRate"]), values[:, 1]
    except (OSError, ValueError, KeyError, IndexError, StopIteration) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error
    if len(times) > 1:  # both must agree: readers use one or the other
        from_times = (len(times) - 1) / float(times[-1] - times[0])
        rate = from_times if abs(from_times / rate - 1) < 1e-6 else float("nan")
    return ReadBack(rate, len(times), np.arange(len(times)), names, positions)


export_trc = marker_writer(".trc", write_scene, read_back)

"""Time and memory of exporting ten minutes at 60 frames per second (marker `benchmark`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pymaf_live.export.formats import FORMATS
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark

SECONDS = {name: 60 if name in ("fbx", "mask") else 30 for name in FORMATS}
"""Limits of processor time, which is the wall time on an idle machine, because all runs in one
thread. The silhouettes, 36,000 images of 1280 x 720, use one process per core: 30 s of two."""
MOST_BYTES = 1.5e9
ALONE = """
import json, os, resource, sys, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from pymaf_live.body import default_body
from pymaf_live.export.formats import FORMATS
from tests.helpers.take import make_take, moving_limbs, walking_past
from fractions import Fraction

name, out = sys.argv[1:]
body = default_body()
times = np.arange(600) / 60
second = make_take(
    body, times, {1: moving_limbs(body, times)}, {1: walking_past(times)}, rate=Fraction(60)
)
rows = ("person", "pose", "shape", "translation", "joints", "joints_2d", "box", "score",
        "joint_score", "predicted")
many = {each: np.concatenate([getattr(second, each)] * 60) for each in rows}
take = replace(
    second, frame_time=np.arange(36_000) / 60, frame=np.arange(36_000), **many
)
start = time.perf_counter()
before = os.times()
done = FORMATS[name].write(take, body, FORMATS[name].target(Path(out) / "long"))
whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
spent = [b - a for a, b in zip(before[:4], os.times()[:4])]
print(json.dumps({
    "clock": time.perf_counter() - start,
    "seconds": sum(spent),
    "bytes": sum(resource.getrusage(who).ru_maxrss for who in whose) * 1024,
    "error": done[0].joint_error,
    "rate": done[0].rate,
}))
"""


@pytest.mark.parametrize("name", SECONDS)
def test_ten_minutes_at_60_fps_are_written_in_time(name: str, tmp_path: Path) -> None:
    if FORMATS[name].missing:
        pytest.skip(FORMATS[name].missing)
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", ALONE, name, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout)
    print(name, figures)
    assert figures["seconds"] < SECONDS[name]
    assert figures["bytes"] < MOST_BYTES
    if name != "mask":  # images have none
        assert figures["rate"] == pytest.approx(60, rel=1e-6)

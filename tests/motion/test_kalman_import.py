"""Tests of the import of filterpy's filter without the rest of its package."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from pymaf_live.motion.kalman_import import kalman_filter_class
found = kalman_filter_class()
assert found is kalman_filter_class()
assert "scipy.stats" not in sys.modules
assert not [name for name in sys.modules if name.startswith("filterpy")]
import numpy as np
one = found(dim_x=2, dim_z=1)
one.F, one.H = np.array([[1.0, 0.1], [0, 1]]), np.array([[1.0, 0]])
from filterpy.kalman import KalmanFilter
other = KalmanFilter(dim_x=2, dim_z=1)
other.F, other.H = one.F, one.H
assert type(other) is not type(one)
for seen in (1.0, 1.3, 0.9):
    for each in (one, other):
        each.predict(Q=np.eye(2) * 0.01)
        each.update(seen)
print(repr((one.x - other.x).ravel().tolist()), one.log_likelihood - other.log_likelihood)
"""


def test_filter_equals_filterpys_and_loads_no_statistics() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    assert done.stdout.split() == ["[0.0,", "0.0]", "0.0"]


def test_loaded_filterpy_is_reused() -> None:
    script = (
        "import filterpy.kalman\n"
        "from pymaf_live.motion.kalman_import import kalman_filter_class\n"
        "print(kalman_filter_class() is filterpy.kalman.KalmanFilter)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"


STRESS = """
import itertools, sys, threading, types
import numpy
from pymaf_live.motion import kalman_import
sys.setswitchinterval(1e-5)
stop = threading.Event()
seen = []
def import_others(number):  # as MediaPipe, vispy and OpenVINO do in other threads
    for n in itertools.count():
        if stop.is_set():
            return
        sys.modules[f"fake_{number}_{n}"] = types.ModuleType("fake")
        if n % 50 == 49:
            for k in range(n - 49, n + 1):
                del sys.modules[f"fake_{number}_{k}"]
        if any(name.startswith("filterpy") for name in sys.modules.copy()):
            seen.append(n)
threads = [threading.Thread(target=import_others, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for _ in range(int(sys.argv[1])):
    assert kalman_import._import_filter_only()(dim_x=2, dim_z=1).x.shape == (2, 1)
stop.set()
for thread in threads:
    thread.join()
print("filterpy seen by other threads:", len(seen))
"""


def test_import_changes_nothing_that_other_threads_see() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRESS, "20"], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    assert done.stdout.strip() == "filterpy seen by other threads: 0"

"""The main thread's alternate signal stack after OpenVINO has compiled a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pymaf_live.body.registry import default_body
from tests.helpers.model import write_fake_model
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

_INTERRUPTED_AFTER_USE = """
import gc, os, signal, sys, threading
from pathlib import Path
import numpy as np
from pymaf_live.inference import open_session
from pymaf_live.system.signal_stack import signal_stack
from pymaf_live.system.signals import StopRequest

before = signal_stack()
cache = Path(sys.argv[2])
for _ in range(2):  # compiles, then reads the cache
    session = open_session(Path(sys.argv[1]), "openvino", cache=cache)
    session.run(np.zeros((1, 3, 64, 64), np.float32))
    assert signal_stack().ss_flags == before.ss_flags
    assert signal_stack().ss_sp == before.ss_sp
    holder = [session]
    del session
    closing = threading.Thread(target=lambda: holder.pop().close())
    closing.start()
    closing.join()
    gc.collect()
    np.random.default_rng(0).random(1 << 22)  # reuses the freed memory
assert signal_stack().ss_flags == before.ss_flags
with StopRequest() as stop:
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.requested
print("survived")
"""


def test_ctrl_c_is_safe_after_a_model_was_used_and_closed(tmp_path: Path) -> None:
    model = write_fake_model(tmp_path / "fake.onnx", default_body(), size=64)
    command = [sys.executable, "-c", _INTERRUPTED_AFTER_USE, str(model), str(tmp_path / "cache")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr

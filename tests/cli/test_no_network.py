"""The program and the trainer contact no one: connection attempts are traced with strace."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.helpers import program
from tests.helpers.clip import write_clip
from tests.helpers.paths import ROOT

_KEPT = ("PATH", "DISPLAY", "LANG", "XAUTHORITY")
_INTERNET = re.compile(r"sa_family=AF_INET6?\b")
_LOOPBACK = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')
_DEMO = ROOT / "resources/demo.mp4"
_EXPORT = """
import numpy, onnx
from onnx import helper, TensorProto
from pymaf_live.system.onnxruntime_import import import_onnxruntime
ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ports[:1], ports[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
session = import_onnxruntime().InferenceSession(model.SerializeToString())
session.run(None, {"x": numpy.ones(1, numpy.float32)})
"""


@pytest.fixture(scope="module")
def strace() -> str:
    path = shutil.which("strace")
    if path is None:
        pytest.skip("needs strace")
    allowed = subprocess.run([path, "-f", "true"], capture_output=True)
    if allowed.returncode:
        pytest.skip("strace may not trace processes here")
    return path


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Return an environment with an empty home, in which libraries would start their telemetry."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}


def _attempts(log: Path) -> list[str]:
    """Return the calls that reach for another machine, name servers included."""
    return [
        line
        for line in log.read_text(errors="replace").splitlines()
        if _INTERNET.search(line) and not _LOOPBACK.search(line)
    ]


def _traced(strace: str, log: Path, command: list[str]) -> list[str]:
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    return [strace, "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", str(log), *command]


def _run(strace: str, log: Path, command: list[str], environment: dict[str, str]) -> list[str]:
    finished = subprocess.run(
        _traced(strace, log, command), env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert "Traceback" not in finished.stderr
    assert finished.returncode == 0, finished.stderr
    return _attempts(log)


def test_an_attempt_is_seen(strace, environment, tmp_path):
    # 192.0.2.0/24 is unused (RFC 5737)
    code = "import socket; s = socket.socket(); s.settimeout(.01); s.connect_ex(('192.0.2.1', 9))"
    attempts = _run(strace, tmp_path / "log", [sys.executable, "-c", code], environment)
    assert len(attempts) == 1
    assert "192.0.2.1" in attempts[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor"],
        ["process", "CLIP", "--people", "1", "--export", "bvh", "--out", "OUT"],
        ["live", "--source", _DEMO, "--people", "1", "--seconds", "4", "--record", "OUT/take.npz"],
    ],
    ids=["doctor", "process", "live"],
)
def test_commands_contact_no_one(strace, environment, tmp_path, arguments):
    write_clip(tmp_path / "clip.mp4", 12, size=(320, 240))
    (tmp_path / "out").mkdir()
    places = {"CLIP": tmp_path / "clip.mp4", "OUT": tmp_path / "out"}
    filled = [
        str(argument).replace("OUT/", f"{places['OUT']}/") if argument not in places
        else places[argument]
        for argument in arguments
    ]  # fmt: skip
    if arguments[0] != "process":
        assert _run(strace, tmp_path / "log", program(*filled), environment) == []
        return
    # no one is in the clip, which the command reports
    command = _traced(strace, tmp_path / "log", program(*filled))
    subprocess.run(command, env=environment, check=False)
    assert _attempts(tmp_path / "log") == []


def test_window_contacts_no_one(strace, environment, tmp_path, qapp):
    # `qapp` keeps the X server: it starts anew when its last client leaves
    log = tmp_path / "log"
    command = _traced(strace, log, program(_DEMO))
    with subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True) as window:
        try:
            time.sleep(8)
            assert window.poll() is None
        finally:
            # strace itself ignores the signal, the window does not
            os.killpg(window.pid, signal.SIGTERM)
        window.wait(60)
    assert "connect(" in log.read_text(errors="replace")
    assert _attempts(log) == []


def test_trainer_contacts_no_one(strace, environment, tmp_path):
    assert _run(strace, tmp_path / "log", [sys.executable, "-c", _EXPORT], environment) == []
    # no identifier of this machine is stored, either
    assert not list(tmp_path.rglob("*deviceid*"))

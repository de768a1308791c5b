"""Tests of output in encodings that lack a message's characters."""

import os
import subprocess
import sys

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.takes import write_take
from tests.cli.helpers import program
from tests.helpers.paths import ROOT
from tests.helpers.take import make_take, standing, walking_past

_ESCAPED = r"\u65e5\u672c\u8a9e"


def _run(command, encoding, folder):
    finished = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
    )
    assert b"Traceback" not in finished.stderr
    return finished


def test_exported_file_name_outside_the_encoding_is_escaped(tmp_path):
    body = default_body()
    times = np.arange(3) / 30
    people = ({1: standing(body, 3)}, {1: walking_past(times, 0.5)})
    write_take(tmp_path / "a.npz", make_take(body, times, *people))
    finished = _run(program("export", "a.npz", "--to", "日本語.bvh"), "cp1252", tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "日本語.bvh").is_file()
    assert _ESCAPED in finished.stdout.decode("ascii")


@pytest.mark.parametrize("entry", ["ui.entry", "trainer.__main__"])
def test_both_programs_escape_their_output(entry):
    both = "[print('日本語', file=stream) for stream in (sys.stdout, sys.stderr)]"
    code = f"import sys, {entry} as e; e.run_program(lambda: {both} and 0)"
    finished = _run([sys.executable, "-c", code], "cp437", ROOT)
    assert finished.stdout.decode("ascii").strip() == _ESCAPED
    assert finished.stderr.decode("ascii").strip() == _ESCAPED


_NOISE = """
import logging, os, sys, warnings
from pymaf_live.system.program import run_program
import vispy.util

def main():
    warnings.warn("a library's warning")
    logging.getLogger("library.part").error("a library's record")
    vispy.util.logger.warning("a toolkit's record")
    logging.getLogger("pymaf_live.part").error("our record")
    os.write(2, b"Corrupt JPEG data: premature end\\n")
    print("our line", file=sys.stderr)
    os.write(2, b"terminate called after throwing\\n")
    return 4

run_program(main)
"""


def test_only_the_program_writes_to_the_terminal_unless_asked():
    command = [sys.executable, "-c", _NOISE]
    quiet = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert quiet.returncode == 4
    assert sorted(quiet.stderr.splitlines()) == [
        "our line", "our record", "terminate called after throwing",
    ]  # fmt: skip
    debug = subprocess.run([*command, "--debug"], cwd=ROOT, capture_output=True, text=True)
    assert debug.returncode == 4
    for text in ("library's warning", "library's record", "toolkit's record", "Corrupt JPEG"):
        assert text in debug.stderr

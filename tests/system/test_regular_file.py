"""Pipes and devices in place of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pymaf_live.body.model import load_body
from pymaf_live.errors import OutputError, PymafLiveError
from pymaf_live.inference.onnx_metadata import metadata_entries
from pymaf_live.sources.images import read_image
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.system.regular_file import open_regular
from pymaf_live.takes import read_take
from pymaf_live.workflows.boxes_file import read_boxes

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")


def test_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull), tmp_path):
        with pytest.raises(OSError, match=r"regular file|directory"):
            open_regular(path)
    (tmp_path / "a").write_bytes(b"abc")
    with open_regular(tmp_path / "a") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    "read",
    [read_take, read_boxes, read_image, metadata_entries, load_body],
    ids=lambda f: f.__name__,
)
def test_readers_refuse_a_pipe(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(PymafLiveError, match="pipe"):
        read(path)


def test_a_pipe_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "take.npz"
    os.mkfifo(path)
    with pytest.raises(OutputError, match="pipe or a device"), atomic_write(path, force=True):
        pass
    assert path.is_fifo()

"""Metadata of a model file are read without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference.onnx_metadata import metadata_entries
from tests.helpers.model import fake_metadata, write_fake_model


def test_entries_are_read_as_written(tmp_path: Path) -> None:
    body = default_body()
    path = write_fake_model(tmp_path / "model.onnx", body, 64)
    assert metadata_entries(path) == fake_metadata(body, 64)


@pytest.mark.parametrize("content", [b"not a model", b"\xff" * 40, b"\x72\x7f\x00"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not an ONNX file"):
        metadata_entries(path)
    with pytest.raises(ModelError, match="cannot read"):
        metadata_entries(tmp_path / "none.onnx")

"""Export dialog."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from pymaf_live.export.formats import FORMATS
from ui.widgets.export_dialog import ExportDialog, ExportRequest

pytestmark = pytest.mark.window


def test_existing_files_are_replaced_only_after_confirmation(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "take.npz").write_text("mine")
    dialog = ExportDialog(tuple(FORMATS.values()), "take", tmp_path)
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.export.isEnabled()
    assert "take.npz" in dialog.replace.text()
    dialog.replace.setChecked(True)
    assert dialog.export.isEnabled()
    assert dialog.request() == ExportRequest(tmp_path / "take", ("bvh", "npz"), True)
    dialog.name.setText("a/b")
    assert not dialog.export.isEnabled()
    dialog.name.setText("fresh")
    dialog.folder.setText(str(tmp_path / "missing"))
    assert not dialog.export.isEnabled()

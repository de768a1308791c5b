"""Windows and dialogs on a screen of 1280 x 720 pixels, unscaled and scaled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

pytestmark = pytest.mark.window

SCRIPT = """
import json, sys
from pathlib import Path
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QDialogButtonBox
from ui.app import assemble
from ui.controllers.application import ApplicationController
from ui.state.export import all_formats
from ui.state.window import Phase, SourceChoice, WindowState
from ui.system.documents import manual_pages
from ui.system.theme import apply_theme
from ui.system.window_geometry import WindowGeometry
from ui.widgets.address_dialog import AddressDialog
from ui.widgets.checkpoint_dialog import CheckpointDialog
from ui.widgets.crash_report_banner import LogDialog
from ui.widgets.export_dialog import ExportDialog
from ui.widgets.help_dialogs import ManualDialog, TextDialog

out = Path(sys.argv[1])
app = QApplication([])
apply_theme(app, "dark")
state = WindowState()
state.view.window_geometry.set((700, 500, 2240, 1520))
parts = assemble(state, ApplicationController(state, list_cameras=lambda: ()))
WindowGeometry(parts.window, state.view.window_geometry)
room = app.primaryScreen().availableGeometry()
found = {}

def check(name, widget, inside=()):
    widget.show()
    for _ in range(5):
        app.processEvents()
    ends = [room.contains(widget.geometry())]
    for part in inside:
        corner = part.mapToGlobal(QPoint(part.width() - 1, part.height() - 1))
        ends.append(room.contains(corner))
    found[name] = [all(ends), widget.geometry().getRect()]
    widget.grab().save(str(out / f"{name}.png"))

parts.window.show()
check("start", parts.window, [parts.window.statusBar()])
state.source.set(SourceChoice("file", "synthetic.mp4", "Synthetic"))
state.phase.set(Phase.PLAYING)
parts.window.side_panel.show_page("takes")
check("main", parts.window, [parts.window.transport.record, parts.window.side_panel.tabs])
names = tuple(each.name for each in all_formats())
export = ExportDialog(all_formats(), "dance", out, names)
check("export", export, [export.export])
batch = parts.tools_feature.open_batch()
check("batch", batch, [batch.start, batch.browse])
for name, dialog in (
    ("address", AddressDialog()),
    ("checkpoint", CheckpointDialog()),
    ("log", LogDialog("text\\n" * 200)),
    ("manual", ManualDialog(manual_pages())),
    ("text", TextDialog("Text", "text\\n" * 200)),
):
    buttons = dialog.findChildren(QDialogButtonBox)
    check(name, dialog, buttons)
    dialog.close()
parts.window.close()
print(json.dumps(found))
"""


@pytest.mark.parametrize("factor", ["1", "1.5", "2"])
def test_everything_fits_the_screen(factor: str, tmp_path: Path) -> None:
    if shutil.which("xvfb-run") is None:
        pytest.skip("xvfb-run is not installed")
    done = subprocess.run(
        ["xvfb-run", "-a", "-s", "-screen 0 1280x720x24", sys.executable, "-c", SCRIPT, tmp_path],
        env={
            **os.environ,
            "QT_SCALE_FACTOR": factor,
            "PYTHONPATH": str(ROOT),
            "XDG_DATA_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: place for name, (fits, place) in found.items() if not fits} == {}

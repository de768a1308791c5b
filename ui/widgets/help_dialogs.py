"""Dialogs of the Help menu: the manual, and texts to read and copy."""

from __future__ import annotations

import html
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QMainWindow,
    QMenu,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from ui.widgets.fitting import FittingDialog

_OTHER_KEYS = (
    ("Dismiss a message, stop recording, cancel the countdown", "Esc"),
    ("Show a page of the side panel", "Alt+1 to Alt+9"),
    ("Timeline: a frame back or forward; ten frames", "Left, Right; with Shift"),
    ("Timeline: ends of the trim", "Home, End"),
    ("Timeline: move the marker at the playhead", "Ctrl+Left, Ctrl+Right"),
    ("Takes: open, rename, delete", "Enter, F2, Del"),
    ("3D view: turn, zoom", "arrow keys, + and -"),
)


class ManualDialog(FittingDialog):
    """Window with the pages of the manual.

    Parameters
    ----------
    pages : tuple of Path
        Markdown files.
    parent : QWidget, optional
    """

    def __init__(self, pages: tuple[Path, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Manual – PyMAF Live")
        self._pages = pages
        self.page = QComboBox()
        self.page.setAccessibleName("Page of the manual")
        self.text = QTextBrowser()
        self.text.setAccessibleName("Manual")
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(self._follow)
        for path in pages:
            self.page.addItem(_title(path))
        column = QVBoxLayout(self)
        column.addWidget(self.page)
        column.addWidget(self.text)
        self.page.currentIndexChanged.connect(self._show)
        self.resize(780, 620)
        if pages:
            self._show(0)
        else:
            self.text.setPlainText("The manual is missing in this installation.")

    def _show(self, index: int) -> None:
        path = self._pages[index]
        self.text.setSearchPaths([str(path.parent)])
        self.text.setMarkdown(path.read_text("utf-8"))

    def _follow(self, link: QUrl) -> None:
        name = link.path()
        index = next((n for n, page in enumerate(self._pages) if page.name == name), None)
        if index is not None:
            self.page.setCurrentIndex(index)


class TextDialog(FittingDialog):
    """Text with a Copy button.

    Parameters
    ----------
    title : str
    text : str
    parent : QWidget, optional
    rich : bool
        The text is HTML.
    """

    def __init__(
        self, title: str, text: str, parent: QWidget | None = None, *, rich: bool = False
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{title} – PyMAF Live")
        self.text = QTextBrowser()
        self.text.setAccessibleName(title)
        if rich:
            self.text.setHtml(text)
        else:
            self.text.setPlainText(text)
        copy = QPushButton("Copy")
        copy.setAccessibleName(f"Copy: {title}")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAccessibleName("Close")
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
        self.resize(680, 560)


def shortcut_table(window: QMainWindow) -> str:
    """Return the shortcuts that a window's menus have, as an HTML table."""
    rows = []
    for top in window.menuBar().actions():
        menu = top.menu()
        if not isinstance(menu, QMenu):
            continue
        entries = [_row(action) for action in _actions_of(menu) if not action.shortcut().isEmpty()]
        if entries:
            rows += [f"<tr><th colspan=2 align=left><br>{_plain(top.text())}</th></tr>", *entries]
    rows.append("<tr><th colspan=2 align=left><br>Elsewhere</th></tr>")
    rows += [f"<tr><td>{text}</td><td>{keys}</td></tr>" for text, keys in _OTHER_KEYS]
    return f"<table cellpadding=3>{''.join(rows)}</table>"


def _actions_of(menu: QMenu) -> list[QAction]:
    found: list[QAction] = []
    for action in menu.actions():
        inner = action.menu()
        found += _actions_of(inner) if isinstance(inner, QMenu) else [action]
    return found


def _row(action: QAction) -> str:
    keys = ", ".join(keys.toString() for keys in action.shortcuts())
    text = action.statusTip() or _plain(action.text())
    return f"<tr><td>{html.escape(text)}</td><td>&nbsp;&nbsp;<b>{html.escape(keys)}</b></td></tr>"


def _plain(text: str) -> str:
    return text.replace("&", "").removesuffix("…")


def _title(page: Path) -> str:
    first = page.read_text("utf-8").partition("\n")[0]
    return first.lstrip("# ").strip() or page.stem

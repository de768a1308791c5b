"""Construction of QActions with consistent tool tips and status tips."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence

from ui.state.observable import Observable
from ui.widgets.icons import icon


def make_action(
    parent: QObject,
    text: str,
    keys: str = "",
    tip: str = "",
    triggered: Callable[[], None] | None = None,
    *,
    icon_name: str = "",
) -> QAction:
    """Return an action.

    Parameters
    ----------
    parent : QObject
    text : str
    keys : str
        Shortcut; empty for none.
    tip : str
        Status tip; with the shortcut appended also the tool tip.
    triggered : callable, optional
        Called when the user triggers the action.
    icon_name : str
        See `ui.widgets.icons.icon`; empty for none.
    """
    action = QAction(text, parent)
    if keys:
        action.setShortcut(QKeySequence(keys))
    if icon_name:
        action.setIcon(icon(icon_name))
    action.setStatusTip(tip)
    action.setToolTip(f"{tip} ({keys})" if keys else tip)
    if triggered is not None:
        action.triggered.connect(lambda _=False: triggered())
    return action


def make_switch(
    parent: QObject, text: str, keys: str, tip: str, value: Observable[bool]
) -> QAction:
    """Return a checkable action bound to a value; the other parameters as in `make_action`."""
    action = make_action(parent, text, keys, tip)
    action.setCheckable(True)
    value.watch(action.setChecked)
    action.toggled.connect(value.set)
    return action

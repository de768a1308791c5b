"""Confirmation dialog with named buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget


def confirm(
    parent: QWidget,
    question: str,
    consequence: str,
    *,
    accept: str,
    reject: str,
    title: str = "PyMAF Live",
    destructive: bool = True,
) -> bool:
    """Ask the user to confirm an action; rejecting it is the default.

    Parameters
    ----------
    parent : QWidget
    question : str
        Shown as plain text.
    consequence : str
        What happens if the user accepts.
    accept, reject : str
        Texts of the buttons.
    title : str
    destructive : bool
        The action deletes something.

    Returns
    -------
    bool
        True if the user accepted.
    """
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Warning if destructive else QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.PlainText)  # names are not markup
    box.setText(question)
    box.setInformativeText(consequence)
    role = QMessageBox.ButtonRole
    accepting = box.addButton(accept, role.DestructiveRole if destructive else role.AcceptRole)
    rejecting = box.addButton(reject, role.RejectRole)
    box.setDefaultButton(rejecting)
    box.setEscapeButton(rejecting)
    box.exec()
    return box.clickedButton() is accepting

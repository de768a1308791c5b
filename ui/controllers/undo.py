"""What was done to the open take, to be undone and done again."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QUndoCommand, QUndoStack


class History:
    """A `QUndoStack` of deeds that were done already when they are noted."""

    def __init__(self) -> None:
        self.stack = QUndoStack()
        self.stack.setUndoLimit(200)

    def note(self, text: str, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        """Note a deed.

        Parameters
        ----------
        text : str
            What was done, as it follows 'Undo': 'trim', 'rename'.
        undo, redo : callable
        """
        self.stack.push(_Deed(text, undo, redo))

    def clear(self) -> None:
        """Forget everything: another take is looked at."""
        self.stack.clear()


class _Deed(QUndoCommand):
    def __init__(self, text: str, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        super().__init__(text)
        self._undo = undo
        self._redo = redo
        self._done = True

    def redo(self) -> None:
        """Do it again; the stack calls this at once when the deed is noted, too."""
        if not self._done:
            self._redo()
        self._done = True

    def undo(self) -> None:
        """Undo it."""
        self._done = False
        self._undo()

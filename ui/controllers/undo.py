"""Undo and redo of edits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ui.state.observable import Observable

_MAX_EDITS = 200


@dataclass(frozen=True)
class _Edit:
    text: str
    undo: Callable[[], None]
    redo: Callable[[], None]


class UndoStack:
    """Edits that have been made, and those that have been undone.

    Parameters
    ----------
    undo_text, redo_text : Observable of str
        Written here: name of the edit that `undo` or `redo` would apply; empty if there is none.
    """

    def __init__(self, undo_text: Observable[str], redo_text: Observable[str]) -> None:
        self._undo_text = undo_text
        self._redo_text = redo_text
        self._made: deque[_Edit] = deque(maxlen=_MAX_EDITS)
        self._undone: list[_Edit] = []

    def push(self, text: str, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        """Add an edit that has just been made.

        Parameters
        ----------
        text : str
            Name of the edit as it follows 'Undo', such as 'trim'.
        undo, redo : callable
        """
        self._made.append(_Edit(text, undo, redo))
        self._undone.clear()
        self._write_texts()

    def undo(self) -> None:
        """Undo the last edit, if there is one."""
        if self._made:
            edit = self._made.pop()
            self._undone.append(edit)
            edit.undo()
            self._write_texts()

    def redo(self) -> None:
        """Redo the edit that was undone last, if there is one."""
        if self._undone:
            edit = self._undone.pop()
            self._made.append(edit)
            edit.redo()
            self._write_texts()

    def clear(self) -> None:
        """Forget all edits, as when another take is opened."""
        self._made.clear()
        self._undone.clear()
        self._write_texts()

    def _write_texts(self) -> None:
        self._undo_text.set(self._made[-1].text if self._made else "")
        self._redo_text.set(self._undone[-1].text if self._undone else "")

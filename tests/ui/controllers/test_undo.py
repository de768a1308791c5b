from __future__ import annotations

from ui.controllers.undo import UndoStack
from ui.state.observable import Observable


def test_edits_are_undone_and_redone_in_order() -> None:
    undo_text, redo_text = Observable(""), Observable("")
    stack = UndoStack(undo_text, redo_text)
    value = Observable(0)
    for after, text in ((1, "first"), (2, "second")):
        before = value.value
        value.set(after)
        stack.push(text, lambda b=before: value.set(b), lambda a=after: value.set(a))  # type: ignore[misc]
    assert (undo_text.value, redo_text.value) == ("second", "")
    stack.undo()
    assert (value.value, undo_text.value, redo_text.value) == (1, "first", "second")
    stack.undo()
    stack.undo()  # nothing left
    assert (value.value, undo_text.value, redo_text.value) == (0, "", "first")
    stack.redo()
    stack.redo()
    stack.redo()
    assert (value.value, undo_text.value, redo_text.value) == (2, "second", "")


def test_a_new_edit_discards_those_that_were_undone() -> None:
    undo_text, redo_text = Observable(""), Observable("")
    stack = UndoStack(undo_text, redo_text)
    stack.push("trim", lambda: None, lambda: None)
    stack.undo()
    stack.push("marker", lambda: None, lambda: None)
    assert (undo_text.value, redo_text.value) == ("marker", "")
    stack.clear()
    assert (undo_text.value, redo_text.value) == ("", "")


def test_the_oldest_of_many_edits_are_forgotten() -> None:
    undone: list[int] = []
    stack = UndoStack(Observable(""), Observable(""))
    for number in range(250):
        stack.push("edit", lambda number=number: undone.append(number), lambda: None)  # type: ignore[misc]
    for _ in range(250):
        stack.undo()
    assert undone == list(range(249, 49, -1))

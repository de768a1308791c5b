"""Menu for the motion of the open take: doubtful places, spans, smoothing and foot lock."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from ui.state.commands import Commands
from ui.state.take import OpenTake, Smoothing, TakesState
from ui.widgets.action_factory import make_action

_SMOOTHINGS: tuple[tuple[Smoothing, str, str], ...] = (
    ("refine", "Refined", "Optimise the motion of the whole take"),
    ("offline", "Smoothed", "Smooth the take without optimising it"),
    ("off", "As measured", "Show the measurement without smoothing"),
)


class MotionMenu(QObject):
    """Actions on the motion of the open take, and the menu that holds them.

    Parameters
    ----------
    parent : QObject
    state : TakesState
    commands : Commands
    """

    def __init__(self, parent: QObject, state: TakesState, commands: Commands) -> None:
        super().__init__(parent)
        self._state = state
        self._commands = commands
        review, editing = commands.review, commands.editing
        self.next_doubt = make_action(
            self,
            "Next doubtful place",
            "D",
            "Go to the next place where the motion is doubtful",
            partial(review.go_to_doubt, forward=True),
            icon_name="doubt",
        )
        self.previous_doubt = make_action(
            self,
            "Previous doubtful place",
            "Shift+D",
            "Go to the previous place where the motion is doubtful",
            partial(review.go_to_doubt, forward=False),
        )
        self.start_span = make_action(
            self, "Start span here", "[", "Start the selected span here", editing.start_span
        )
        self.end_span = make_action(
            self, "End span here", "]", "End the selected span here", editing.end_span
        )
        self.hold_span = make_action(
            self,
            "Hold still in span",
            "Shift+H",
            "Hold people still from the start of the selected span to its end",
            editing.hold_span,
        )
        self.delete_span = make_action(
            self,
            "Delete motion in span",
            "Shift+X",
            "Remove people from the selected span",
            editing.delete_span,
        )
        self.smoothings = self._smoothing_actions()
        self.lock_feet = make_action(
            self, "Lock feet", "", "Hold standing feet still where contact is certain"
        )
        self.lock_feet.setCheckable(True)
        self.lock_feet.triggered.connect(commands.motion.lock_feet)
        self.menu = QMenu("&Motion")
        self.menu.setAccessibleName("Motion of the take")
        self.menu.addActions([self.next_doubt, self.previous_doubt])
        self.menu.addSeparator()
        self.menu.addActions([self.start_span, self.end_span, self.hold_span, self.delete_span])
        self.menu.addSeparator()
        self.menu.addActions([*self.smoothings.values(), self.lock_feet])
        state.opened.watch(self._on_opened_change)
        for part in (state.doubt, state.span):
            part.watch(lambda _: self._enable())

    def _smoothing_actions(self) -> dict[Smoothing, QAction]:
        group = QActionGroup(self)
        actions: dict[Smoothing, QAction] = {}
        for smoothing, text, tip in _SMOOTHINGS:
            action = make_action(
                self, text, "", tip, partial(self._commands.motion.set_smoothing, smoothing)
            )
            action.setCheckable(True)
            group.addAction(action)
            actions[smoothing] = action
        return actions

    def _on_opened_change(self, opened: OpenTake | None) -> None:
        self._enable()
        self.show_choice()
        self.lock_feet.setChecked(opened is not None and opened.stored.about.feet_locked)

    def show_choice(self) -> None:
        """Mark what the open take is, also where processing it otherwise failed."""
        opened = self._state.opened.value
        if opened is None:
            return
        smoothing = opened.stored.take.smoothing
        known = smoothing if smoothing in ("refine", "off") else "offline"
        for name, action in self.smoothings.items():
            action.setChecked(name == known)
        self.lock_feet.setChecked(opened.stored.about.feet_locked)

    def _enable(self) -> None:
        opened, doubt = self._state.opened.value, self._state.doubt.value
        for action in self.menu.actions():
            action.setEnabled(opened is not None)
        if opened is None:
            return
        doubtful = doubt is not None and len(doubt.places) > 0
        for action in (self.next_doubt, self.previous_doubt):
            action.setEnabled(doubtful)
        for action in (self.hold_span, self.delete_span):
            action.setEnabled(self._state.span.value is not None)
        for action in (*self.smoothings.values(), self.lock_feet):
            action.setEnabled(not opened.stored.take.picture_name)

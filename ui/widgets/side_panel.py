"""The panel beside the picture: a rail of pages that folds away."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QStyle,
    QTabBar,
    QWidget,
)

from ui.state.view import ViewState

_LEAST_LETTERS, _USUAL_LETTERS = 34, 44
"""Width of the narrowest page and of one that nobody drew wider, in average letters of the window's
font."""


class SidePanel(QWidget):
    """Pages of controls right of the picture, one at a time; its rail stays when it is folded.

    A click on the rail's tab shows the page, another folds the panel. Put it into a splitter as
    its last part.

    Parameters
    ----------
    view : ViewState
        Open or folded, which page, how wide; watched and written here.
    """

    def __init__(self, view: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._names: list[str] = []
        self.setObjectName("sidePanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Side panel")
        self.stack = QStackedWidget()
        self.rail = _Rail()
        self.rail.setAccessibleName("Pages of the side panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.stack, 1)
        row.addWidget(self.rail)
        self.rail.tabBarClicked.connect(self._on_click)
        self.rail.currentChanged.connect(self._on_rail_change)
        view.page.watch(self._on_page_change)
        view.panel.watch(self._on_panel_change)

    def add_page(self, name: str, title: str, widget: QWidget) -> None:
        """Add a page behind the others; it scrolls where it is taller than the window.

        Parameters
        ----------
        name : str
            For `show_page` and the settings; one word, never shown.
        title : str
            On the rail; a word or two.
        widget : QWidget
            Goes to the panel.
        """
        if name in self._names:
            raise ValueError(f"there is a page {name!r} already")
        scroll = QScrollArea()
        scroll.setWidget(widget)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(title)
        # the panel's own ground shows through
        scroll.viewport().setAutoFillBackground(False)
        widget.setAutoFillBackground(False)
        if not widget.accessibleName():
            widget.setAccessibleName(title)
        self._names.append(name)
        self.stack.addWidget(scroll)
        keys = f" (Alt+{len(self._names)})" if len(self._names) < 10 else ""
        wanted = self._view.page.value
        self.rail.blockSignals(True)
        self.rail.addTab(title)
        self.rail.setTabToolTip(len(self._names) - 1, f"{title}{keys}")
        self.rail.blockSignals(False)
        self._on_page_change(wanted)
        self._fold(self._view.panel.value)

    def page_titles(self) -> tuple[tuple[str, str], ...]:
        """Name and title of all pages, in the rail's order."""
        return tuple((name, self.rail.tabText(number)) for number, name in enumerate(self._names))

    def page(self, name: str) -> QWidget:
        """The widget that was added as `name`."""
        scroll = self.stack.widget(self._names.index(name))
        assert isinstance(scroll, QScrollArea)
        widget = scroll.widget()
        assert widget is not None
        return widget

    def show_page(self, name: str) -> None:
        """Unfold the panel at a page."""
        if name in self._names:
            self._view.page.set(name)
            self._view.panel.set(True)

    def show_number(self, number: int) -> None:
        """Unfold at the page with a number from 0; nothing where there is none."""
        if 0 <= number < len(self._names):
            self.show_page(self._names[number])

    def watch_splitter(self, splitter: QSplitter) -> None:
        """Keep the width that a person drags the splitter to."""
        splitter.splitterMoved.connect(lambda *_: self._keep_width())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as it was left."""
        hint = super().sizeHint()
        if self._view.panel.value:
            hint.setWidth(self._wished_width())
        return hint

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Another font or theme changes the folded width."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fold(self._view.panel.value)

    def _on_click(self, index: int) -> None:
        if index < 0:
            return
        name = self._names[index]
        if self._view.panel.value and self._view.page.value == name:
            self._view.panel.set(False)
        else:
            self.show_page(name)

    def _on_rail_change(self, index: int) -> None:
        if 0 <= index < len(self._names):
            self._view.page.set(self._names[index])

    def _on_page_change(self, name: str) -> None:
        # a page that is remembered may be added later
        if name not in self._names:
            return
        number = self._names.index(name)
        self.stack.setCurrentIndex(number)
        self.rail.setCurrentIndex(number)

    def _on_panel_change(self, shown: bool) -> None:
        if shown and not self._view.page.value and self._names:
            self._view.page.set(self._names[0])
        self._fold(shown)

    def _fold(self, shown: bool) -> None:
        had_focus = self.stack.isAncestorOf(self.focusWidget() or self)
        self.stack.setVisible(shown)
        self.rail.set_folded(not shown)
        rail = self.rail.sizeHint().width()
        # a layout does not notice tabs that come before the rail is shown
        self.rail.setFixedWidth(rail)
        if not shown:
            self.setFixedWidth(rail)
            self._take_width(rail)
            if had_focus:
                self.rail.setFocus()
            return
        least = self._least_width()
        self.setMinimumWidth(least)
        self.setMaximumWidth(3 * least)
        self._take_width(self._wished_width())

    def _least_width(self) -> int:
        letters = _LEAST_LETTERS * self.fontMetrics().averageCharWidth()
        # a page that scrolls must not hide its right edge behind the bar, nor beyond the panel
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        pages = [self.page(name).minimumSizeHint().width() + bar for name in self._names]
        return self.rail.sizeHint().width() + max([letters, *pages])

    def _wished_width(self) -> int:
        least = self._least_width()
        letters = round(_USUAL_LETTERS * self.fontMetrics().averageCharWidth())
        usual = self.rail.sizeHint().width() + letters
        return min(max(least, self._view.panel_width.value or usual), 3 * least)

    def _take_width(self, width: int) -> None:
        splitter = self.parentWidget()
        if not isinstance(splitter, QSplitter):
            return
        sizes = splitter.sizes()
        others = max(1, sum(sizes) - width)
        splitter.setSizes([others, width])

    def _keep_width(self) -> None:
        if self._view.panel.value:
            self._view.panel_width.set(self.width())


class _Rail(QTabBar):
    """The pages' titles down the window's edge."""

    def __init__(self) -> None:
        super().__init__()
        self.setShape(QTabBar.Shape.RoundedEast)
        self.setExpanding(False)
        self.setUsesScrollButtons(True)
        self.setDrawBase(False)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def set_folded(self, folded: bool) -> None:
        """Show no tab as chosen while the panel is folded."""
        self.setProperty("folded", folded)
        self.style().unpolish(self)
        self.style().polish(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Up and down choose, as the tabs lie; Enter unfolds or folds."""
        key, index = event.key(), self.currentIndex()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            step = 1 if key == Qt.Key.Key_Down else -1
            self.setCurrentIndex(min(max(index + step, 0), self.count() - 1))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.tabBarClicked.emit(index)
        else:
            super().keyPressEvent(event)

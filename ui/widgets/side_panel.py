"""Collapsible panel beside the canvas, with one page per tab."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QIcon, QKeyEvent, QResizeEvent
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
from ui.widgets.icons import page_icon

_MIN_LETTERS, _DEFAULT_LETTERS = 34, 44
"""Minimum and default width of a page in average letters of the window's font."""
_MAX_WIDTH_FACTOR = 3
"""Maximum width relative to the minimum."""


class SidePanel(QWidget):
    """Pages of controls to the right of the canvas, shown one at a time.

    Clicking a tab shows its page; clicking the current tab collapses the panel to its tabs. Put the
    panel last into a splitter.

    Parameters
    ----------
    view : ViewState
        Holds whether the panel is open, its page and its width; watched and written here.
    parent : QWidget, optional
    """

    def __init__(self, view: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._names: list[str] = []
        self.setObjectName("sidePanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Side panel")
        self.stack = QStackedWidget()
        self.tabs = _TabBar()
        self.tabs.setAccessibleName("Pages of the side panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.stack, 1)
        row.addWidget(self.tabs)
        self.tabs.tabBarClicked.connect(self._on_click)
        self.tabs.currentChanged.connect(self._on_tab_change)
        view.panel_page.watch(self._on_page_change)
        view.panel.watch(self._on_panel_change)

    def add_page(self, name: str, title: str, widget: QWidget) -> None:
        """Add a page after the others; it scrolls if it is taller than the window.

        Parameters
        ----------
        name : str
            Key for `show_page`, the settings and the icon; never displayed.
        title : str
            Text of the tab; a word or two.
        widget : QWidget
            Becomes a child of the panel.

        Raises
        ------
        ValueError
            If there is a page of this name.
        """
        if name in self._names:
            raise ValueError(f"page {name!r} exists already")
        scroll = QScrollArea()
        scroll.setWidget(widget)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(title)
        # let the panel's background show through
        scroll.viewport().setAutoFillBackground(False)
        widget.setAutoFillBackground(False)
        if not widget.accessibleName():
            widget.setAccessibleName(title)
        self._names.append(name)
        self.stack.addWidget(scroll)
        keys = f" (Alt+{len(self._names)})" if len(self._names) < 10 else ""
        page = self._view.panel_page.value
        self.tabs.blockSignals(True)
        self.tabs.add_tab(page_icon(name), title)
        self.tabs.setTabToolTip(len(self._names) - 1, f"{title}{keys}")
        self.tabs.blockSignals(False)
        self._on_page_change(page)
        self._set_open(self._view.panel.value)

    def page_titles(self) -> tuple[tuple[str, str], ...]:
        """Return name and title of all pages in the order of the tabs."""
        return tuple(zip(self._names, self.tabs.titles, strict=True))

    def page(self, name: str) -> QWidget:
        """Return the widget that was added as `name`."""
        scroll = self.stack.widget(self._names.index(name))
        assert isinstance(scroll, QScrollArea)
        widget = scroll.widget()
        assert widget is not None
        return widget

    def show_page(self, name: str) -> None:
        """Open the panel at a page; an unknown name has no effect."""
        if name in self._names:
            self._view.panel_page.set(name)
            self._view.panel.set(True)

    def show_number(self, number: int) -> None:
        """Open the panel at the page with a number from 0; no effect if there is none."""
        if 0 <= number < len(self._names):
            self.show_page(self._names[number])

    def watch_splitter(self, splitter: QSplitter) -> None:
        """Store the width whenever the user drags the splitter."""
        splitter.splitterMoved.connect(lambda *_: self._store_width())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size with the stored width."""
        hint = super().sizeHint()
        if self._view.panel.value:
            hint.setWidth(self._preferred_width())
        return hint

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Recompute widths when the font or the theme changes."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            for number, name in enumerate(self._names):
                self.tabs.setTabIcon(number, page_icon(name))
            self._set_open(self._view.panel.value)

    def _on_click(self, index: int) -> None:
        if index < 0:
            return
        name = self._names[index]
        if self._view.panel.value and self._view.panel_page.value == name:
            self._view.panel.set(False)
        else:
            self.show_page(name)

    def _on_tab_change(self, index: int) -> None:
        if 0 <= index < len(self._names):
            self._view.panel_page.set(self._names[index])

    def _on_page_change(self, name: str) -> None:
        # a page from the settings may be added later
        if name not in self._names:
            return
        number = self._names.index(name)
        self.stack.setCurrentIndex(number)
        self.tabs.setCurrentIndex(number)

    def _on_panel_change(self, opened: bool) -> None:
        if opened and not self._view.panel_page.value and self._names:
            self._view.panel_page.set(self._names[0])
        self._set_open(opened)

    def _set_open(self, opened: bool) -> None:
        had_focus = self.stack.isAncestorOf(self.focusWidget() or self)
        self.stack.setVisible(opened)
        self.tabs.set_collapsed(not opened)
        tab_width = self.tabs.sizeHint().width()
        # a layout does not notice tabs that are added before the bar is visible
        self.tabs.setFixedWidth(tab_width)
        if not opened:
            self.setFixedWidth(tab_width)
            self._resize_in_splitter(tab_width)
            if had_focus:
                self.tabs.setFocus()
            return
        minimum = self._minimum_width()
        self.setMinimumWidth(minimum)
        self.setMaximumWidth(_MAX_WIDTH_FACTOR * minimum)
        self._resize_in_splitter(self._preferred_width())

    def _minimum_width(self) -> int:
        letters = _MIN_LETTERS * self.fontMetrics().averageCharWidth()
        # a scrolling page must not be covered by its scroll bar, nor reach beyond the panel
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        pages = [self.page(name).minimumSizeHint().width() + bar for name in self._names]
        return self.tabs.sizeHint().width() + max([letters, *pages])

    def _preferred_width(self) -> int:
        minimum = self._minimum_width()
        letters = round(_DEFAULT_LETTERS * self.fontMetrics().averageCharWidth())
        default = self.tabs.sizeHint().width() + letters
        width = max(minimum, self._view.panel_width.value or default)
        return min(width, _MAX_WIDTH_FACTOR * minimum)

    def _resize_in_splitter(self, width: int) -> None:
        splitter = self.parentWidget()
        if not isinstance(splitter, QSplitter):
            return
        sizes = splitter.sizes()
        others = max(1, sum(sizes) - width)
        splitter.setSizes([others, width])

    def _store_width(self) -> None:
        if self._view.panel.value:
            self._view.panel_width.set(self.width())


class _TabBar(QTabBar):
    """Tabs along the window's right edge."""

    def __init__(self) -> None:
        super().__init__()
        self.setShape(QTabBar.Shape.RoundedEast)
        self.setExpanding(False)
        self.setUsesScrollButtons(True)
        self.setDrawBase(False)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.titles: list[str] = []
        self._full_height = 0
        """Height of all tabs with their titles; 0: to be measured."""

    def add_tab(self, icon: QIcon, title: str) -> None:
        """Add a tab; where the window is too low for all titles, only the icons are shown."""
        self.titles.append(title)
        number = self.addTab(icon, title)
        self.setAccessibleTabName(number, title)
        self._full_height = 0
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Measure the titles again when the font or the theme changes."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._full_height = 0
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Show or hide the titles."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if not self._full_height:
            self._show_titles(True)
            lengths = (self.tabSizeHint(number).height() for number in range(self.count()))
            self._full_height = sum(lengths)
        self._show_titles(self._full_height <= self.height())

    def _show_titles(self, shown: bool) -> None:
        for number, title in enumerate(self.titles):
            text = title if shown or self.tabIcon(number).isNull() else ""
            if self.tabText(number) != text:
                self.setTabText(number, text)

    def set_collapsed(self, collapsed: bool) -> None:
        """Show no tab as selected while the panel is collapsed."""
        self.setProperty("folded", collapsed)
        self.style().unpolish(self)
        self.style().polish(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Select tabs by Up and Down, following their layout; open or collapse by Enter."""
        key, index = event.key(), self.currentIndex()
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            step = 1 if key == Qt.Key.Key_Down else -1
            self.setCurrentIndex(min(max(index + step, 0), self.count() - 1))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.tabBarClicked.emit(index)
        else:
            super().keyPressEvent(event)

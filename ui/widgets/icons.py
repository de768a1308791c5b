"""The window's icons: SVG paths on a grid of 24 x 24, rendered in any colour."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QAction, QIcon, QPainter, QPixmap, QTransform
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QWidget

from ui.system.palette import Palette
from ui.system.theme import colours

_SHAPES = {
    "camera": '<path d="M3 7h11a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1z'
    'M16 10.5l6-3v9l-6-3z"/>',
    "open": '<path d="M2 6a1 1 0 0 1 1-1h6l2 2h9a1 1 0 0 1 1 1v2H7l-3 8H3a1 1 0 0 1-1-1z'
    'M8 11.5h15l-3 7.5H5.2z"/>',
    "demo": '<path fill-rule="evenodd" d="M3 4h18a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1'
    'V5a1 1 0 0 1 1-1zM10 8v8l6-4z"/>',
    "play": '<path d="M7 4l13 8-13 8z"/>',
    "pause": '<path d="M6 4h4v16H6zM14 4h4v16h-4z"/>',
    "replay": '<path d="M12 5V1L6 6.5 12 12V8a5.5 5.5 0 1 1-5.5 5.5h-3A8.5 8.5 0 1 0 12 5z"/>',
    "record": '<circle cx="12" cy="12" r="8"/>',
    "capture": '<path fill-rule="evenodd" '
    'd="M3 4h18v16H3zM5 6v2h2V6zM5 11v2h2v-2zM5 16v2h2v-2zM17 6'
    'v2h2V6zM17 11v2h2v-2zM17 16v2h2v-2zM12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z"/>',
    "stop": '<rect x="5" y="5" width="14" height="14" rx="2"/>',
    "export": '<path d="M11 3h2v9l3.5-3.5L18 10l-6 6-6-6 1.5-1.5L11 12zM4 18h16v3H4z"/>',
    "previous": '<path d="M5 4h3v16H5zM20 4v16L9 12z"/>',
    "next": '<path d="M16 4h3v16h-3zM4 4v16l11-8z"/>',
    "begin": '<path d="M10 3v3H7v12h3v3H4V3zM12 8l7 4-7 4z"/>',
    "finish": '<path d="M14 3v3h3v12h-3v3h6V3zM5 8l7 4-7 4z"/>',
    "marker": '<path d="M6 2h12v20l-6-5-6 5z"/>',
    "box": '<path fill-rule="evenodd" d="M3 3h18v18H3zM5.5 5.5v13h13v-13zM11 8h2v3h3v2h-3v3h-2v-3'
    'H8v-2h3z"/>',
    "doubt": '<path fill-rule="evenodd" d="M12 2l11 19H1zM11 9v6h2V9zM11 16.5v2h2v-2z"/>',
    "sound": '<path d="M3 9h4l5-5v16l-5-5H3zM14.5 8.2v7.6a4.4 4.4 0 0 0 0-7.6z'
    'M14.5 3.5v2.3a6.6 6.6 0 0 1 0 12.4v2.3a8.8 8.8 0 0 0 0-17z"/>',
    "muted": '<path d="M3 9h4l5-5v16l-5-5H3zM15.4 8L14 9.4l2.6 2.6L14 14.6l1.4 1.4 2.6-2.6 2.6 2.6'
    ' 1.4-1.4-2.6-2.6L22 9.4 20.6 8 18 10.6z"/>',
    "undo": '<path d="M9 3L3 8.5 9 14v-4h5a3.5 3.5 0 0 1 0 7H8v3h6a6.5 6.5 0 0 0 0-13H9z"/>',
    "redo": '<path d="M15 3l6 5.5-6 5.5v-4h-5a3.5 3.5 0 0 0 0 7h6v3h-6a6.5 6.5 0 0 1 0-13h5z"/>',
    "dismiss": '<path d="M6 4.6L4.6 6l6 6-6 6L6 19.4l6-6 6 6 1.4-1.4-6-6 6-6L18 4.6l-6 6z"/>',
}
_PAGES = {
    "takes": '<path fill-rule="evenodd" d="M2 5h20v14H2zM4 7v2h2V7zM4 11v2h2v-2zM4 15v2h2v-2zM18 7'
    'v2h2V7zM18 11v2h2v-2zM18 15v2h2v-2zM9 8v8l7-4z"/>',
    "view": '<path fill-rule="evenodd" d="M12 5C6.5 5 2.5 9 1 12c1.5 3 5.5 7 11 7s9.5-4 11-7'
    "c-1.5-3-5.5-7-11-7zm0 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zm0 2a2.5 2.5 0 1 0 0 5 2.5 2.5"
    ' 0 0 0 0-5z"/>',
    "inside": '<path d="M12 2l10 5-10 5L2 7zM4.3 10.8L12 14.6l7.7-3.8L22 12l-10 5-10-5z'
    'M4.3 15.8L12 19.6l7.7-3.8L22 17l-10 5-10-5z"/>',
    "live_out": '<path fill-rule="evenodd" d="M12 10a2 2 0 1 1 0 4 2 2 0 0 1 0-4zM7.8 7.8l1.4 1.4a4'
    " 4 0 0 0 0 5.6l-1.4 1.4a6 6 0 0 1 0-8.4zM16.2 7.8a6 6 0 0 1 0 8.4l-1.4-1.4a4 4 0 0 0 0-5.6z"
    "M4.9 4.9l1.5 1.5a8 8 0 0 0 0 11.2l-1.5 1.5a10 10 0 0 1 0-14.2zM19.1 4.9a10 10 0 0 1 0 14.2"
    'l-1.5-1.5a8 8 0 0 0 0-11.2z"/>',
    "model": '<path fill-rule="evenodd" d="M8 2h2v3h4V2h2v3h3v3h3v2h-3v4h3v2h-3v3h-3v3h-2v-3h-4v3H8'
    'v-3H5v-3H2v-2h3v-4H2V8h3V5h3zM8 8v8h8V8z"/>',
    "health": '<path d="M2 11h4.4l2.1-6h1.8l3.4 10 1.8-4H22v2.2h-5.1L14.4 19h-1.8L9.3 9l-1.4 4.2'
    'H2z"/>',
    "settings": '<path fill-rule="evenodd" d="M10.3 2h3.4l.5 2.7 1.9.8L18.4 4l2.4 2.4-1.5 2.3.8 1.9'
    " 2.7.5v3.4l-2.7.5-.8 1.9 1.5 2.3-2.4 2.4-2.3-1.5-1.9.8-.5 2.7h-3.4l-.5-2.7-1.9-.8-2.3 1.5"
    "L3.2 19.2l1.5-2.3-.8-1.9L1.2 14.5v-3.4l2.7-.5.8-1.9L3.2 6.4 5.6 4l2.3 1.5"
    ' 1.9-.8zM12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z"/>',
    "people": '<circle cx="9" cy="7" r="4"/><path d="M1 21c0-5 3-8 8-8s8 3 8 8zM15 11a4 4 0 1 0-1'
    "-7.9A6 6 0 0 1 15 7a6 6 0 0 1-1.6 4zM18.9 21H23c0-4.4-2.3-7.2-6.3-7.9"
    'a9.6 9.6 0 0 1 2.2 7.9z"/>',
}
"""Shapes of the side panel's tabs by the names of the pages."""
_COLOURS = {"record": "record", "stop": "record"}
_SIZES = (16, 20, 24, 32, 48, 64, 96)
_cache: dict[tuple[str, str, Palette], QIcon] = {}
_names: dict[int, tuple[str, str]] = {}
"""Name and colour of each icon by its cache key, which copies in actions and buttons share."""


def icon(name: str, colour: str = "") -> QIcon:
    """Return an icon in a colour of the current theme.

    Needs a running application. Disabled controls show it faded.

    Parameters
    ----------
    name : str
        Key of the icon's shape.
    colour : str
        Field of `Palette`; by default the icon's own colour or the text colour.
    """
    theme = colours()
    key = (name, colour, theme)
    if key not in _cache:
        built = QIcon()
        normal = getattr(theme, colour or _COLOURS.get(name, "text"))
        for size in _SIZES:
            built.addPixmap(_render(_SHAPES[name], normal, size))
            built.addPixmap(_render(_SHAPES[name], theme.disabled_text, size), QIcon.Mode.Disabled)
        _cache[key] = built
        _names[built.cacheKey()] = (name, colour)
    return _cache[key]


def page_icon(name: str) -> QIcon:
    """Return the icon of a page of the side panel for a tab on the right edge; may be empty.

    Qt turns such tabs by 90 degrees with all they contain; the icon is turned back.
    """
    built = QIcon()
    if name in _PAGES:
        for size in _SIZES:
            upright = _render(_PAGES[name], colours().text, size)
            built.addPixmap(upright.transformed(QTransform().rotate(-90)))
    return built


def redraw_icons(window: QWidget) -> None:
    """Redraw the icons of a window's buttons and actions in the colours of the current theme."""
    controls: list[QAction | QAbstractButton] = [
        *window.findChildren(QAction),
        *window.findChildren(QAbstractButton),
    ]
    for control in controls:
        name = _names.get(control.icon().cacheKey())
        if name is not None:
            control.setIcon(icon(*name))


def window_icon() -> QIcon:
    """Return the program's icon: a figure with raised arms."""
    figure = (
        '<circle cx="12" cy="4.2" r="2.6"/><path d="M3.6 3.2l1.7-1.1 4.2 5.6h5l4.2-5.6 1.7 1.1'
        '-4.9 7V22h-2.4l-1-6.5h-.2l-1 6.5H8.5V10.2z"/>'
    )
    built = QIcon()
    for size in (16, 32, 64, 128):
        built.addPixmap(_render(figure, colours().accent, size))
    return built


def _render(shape: str, colour: str, size: int) -> QPixmap:
    text = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="{colour}">{shape}</svg>'
    )
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(text.encode())).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap

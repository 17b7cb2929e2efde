"""Icons: the line drawings of `resources/icons`, in the colours of the theme.

`icon()` gives a `QIcon` in today's colours. `set_icon()` ties an icon to a widget or an action, so
that it follows the theme.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QObject, QSize
from PySide6.QtGui import QAction, QIcon, QPixmap
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPushButton, QWidget

from plumbline.core.resources import resource
from plumbline.ui_kit.theme import Theme, current_theme, recoloured_icon, theme_changed

_NAME, _ROLE, _SIZE = "plumblineIcon", "plumblineIconRole", "plumblineIconSize"

#: Things that can carry an icon.
Target = QAction | QAbstractButton | QLabel


@cache
def icon_names() -> tuple[str, ...]:
    """Return the names of all line icons, sorted; ``app`` is not among them."""
    folder = resource("icons")
    return tuple(sorted(p.stem for p in folder.glob("*.svg") if p.stem != "app"))


def app_icon() -> QIcon:
    """Return the coloured application icon, for windows and the start page."""
    return QIcon(str(resource("icons", "app.svg")))


def icon(name: str, *, role: str = "text") -> QIcon:
    """Return one icon in a colour of the current theme.

    Parameters
    ----------
    name : str
        File name without ``.svg``, e.g. ``"layer-mesh"``; an unknown name is a `KeyError`.
    role : str
        Token of the theme: ``text``, ``muted``, ``link``, ``accent_text``, ``good``, ``warn``...
        With ``text`` and ``muted`` a checked button shows its icon in the accent colour.
    """
    theme = current_theme()
    return _icon(name, role, theme)


def _icon(name: str, role: str, theme: Theme) -> QIcon:
    result = QIcon()
    mode, state = QIcon.Mode, QIcon.State
    off = str(recoloured_icon(name, theme.token(role)))
    on_token = "link" if role in ("text", "muted") else role
    on = str(recoloured_icon(name, theme.token(on_token)))
    disabled = str(recoloured_icon(name, theme.disabled))
    for which, normal in ((state.Off, off), (state.On, on)):
        for kind in (mode.Normal, mode.Active, mode.Selected):
            result.addFile(normal, QSize(), kind, which)
        result.addFile(disabled, QSize(), mode.Disabled, which)
    return result


def pixmap(name: str, size: int = 20, *, role: str = "text", ratio: float | None = None) -> QPixmap:
    """Return one icon as a pixmap of `size` logical pixels, sharp at the screen's scale."""
    if ratio is None:
        app = QApplication.instance()
        ratio = app.devicePixelRatio() if isinstance(app, QApplication) else 1.0
    picture: QPixmap = icon(name, role=role).pixmap(QSize(size, size), ratio)
    return picture


def set_icon(target: Target, name: str, *, role: str = "text", size: int = 20) -> None:
    """Give a button, an action or a label an icon that follows the theme.

    An action must belong to a widget (a menu, a tool bar or a window) to be found again.
    `size` counts for labels and buttons.
    """
    target.setProperty(_NAME, name)
    target.setProperty(_ROLE, role)
    target.setProperty(_SIZE, size)
    if isinstance(target, QAbstractButton):
        # Qt puts a button's text right beside its icon; a wider box around the icon parts them.
        gap = 8 if isinstance(target, QPushButton) and target.text() else 0
        target.setIconSize(QSize(size + gap, size))
    _refresh(target)


def _refresh(target: QObject) -> None:
    name = target.property(_NAME)
    if not name:
        return
    role = target.property(_ROLE)
    if isinstance(target, QLabel):
        ratio = target.devicePixelRatioF()
        target.setPixmap(pixmap(name, target.property(_SIZE), role=role, ratio=ratio))
    elif isinstance(target, QAction | QAbstractButton):
        target.setIcon(icon(name, role=role))


def _refresh_all(_: Theme) -> None:
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        return
    for widget in app.allWidgets():
        _refresh(widget)
        for action in QWidget.actions(widget):
            _refresh(action)


theme_changed.connect(_refresh_all)

"""The OpenGL widget by itself."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent
from PySide6.QtGui import QSurface
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from plumbline.ui.interactor import Interactor


def surfaces() -> list[object]:
    """Return the living wrappers of QSurface."""
    return [w for w in shiboken6.getAllValidWrappers() if type(w) is QSurface]


def test_a_closed_canvas_leaves_no_surface_behind(qtbot: QtBot) -> None:
    """PySide would hand the wrapper out for whatever widget comes to lie at its address."""
    window = QWidget()
    interactor = Interactor(window)
    interactor.resize(200, 100)
    with qtbot.waitExposed(window):
        window.show()
    qtbot.waitUntil(lambda: len(surfaces()) == 1)
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not surfaces()

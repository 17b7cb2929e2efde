"""A hand for UI tests: real mouse and key events into the real window, and patience.

Events go through the window system's queue (`QTest` on the `QWindow`), so that they find their
widget the way a mouse does: what is covered or disabled is not reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QToolButton, QWidget

from plumbline.ui.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


def live(milliseconds: int) -> None:
    """Let the window live for a while.

    `QTest.qWait` would do it holding Python's lock all the while: tasks in threads would crawl.
    """
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


class Hand:
    """Clicks, drags and types in a window."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window

    # -- waiting ---------------------------------------------------------------------------

    def wait_until(self, true: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let the window live until something holds; fail with what it was waiting for."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s in vain for {true}")
            live(20)

    def rest(self, seconds: float = 240.0) -> None:
        """Wait until nothing is loading and the last frame is drawn."""
        self.wait_until(lambda: not self.window.session.tasks.tasks, seconds)
        live(500)
        self.wait_until(lambda: not self.window.session.tasks.tasks, seconds)

    # -- mouse -----------------------------------------------------------------------------

    def _at(self, widget: QWidget, place: QPoint) -> tuple[object, QPoint]:
        top = widget.window()
        return top.windowHandle(), widget.mapTo(top, place)

    def click(self, widget: QWidget, place: QPoint | None = None) -> None:
        """Click in the middle of a widget, or at a place in it."""
        assert widget.isVisible(), f"{widget} is not to be seen"
        handle, where = self._at(widget, place or widget.rect().center())
        QTest.mouseClick(handle, LEFT, NONE, where)
        live(50)

    def move(self, widget: QWidget, place: QPoint) -> None:
        """Move the mouse without a button."""
        handle, where = self._at(widget, place)
        QTest.mouseMove(handle, where)
        live(120)

    def drag(self, widget: QWidget, start: QPoint, end: QPoint, steps: int = 6) -> None:
        """Press, move in steps, release."""
        handle, first = self._at(widget, start)
        QTest.mousePress(handle, LEFT, NONE, first)
        for n in range(1, steps + 1):
            share = n / steps
            place = start + QPoint(
                round((end.x() - start.x()) * share), round((end.y() - start.y()) * share)
            )
            QTest.mouseMove(handle, self._at(widget, place)[1])
            live(30)
        QTest.mouseRelease(handle, LEFT, NONE, self._at(widget, end)[1])
        live(50)

    def wheel(self, widget: QWidget, place: QPoint, turn: int) -> None:
        """Turn the wheel over a place; 120 is one notch away from the hand."""
        event = QWheelEvent(
            QPointF(place), QPointF(widget.mapToGlobal(place)), QPoint(), QPoint(0, turn),
            Qt.MouseButton.NoButton, NONE, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)
        live(50)

    # -- keys ------------------------------------------------------------------------------

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        """Press and release a key in the window that has the focus."""
        QTest.keyClick(self.window.windowHandle(), key, modifiers)
        live(50)

    # -- finding ---------------------------------------------------------------------------

    def button(self, text: str) -> QAbstractButton:
        """Return the visible button with a text."""
        found = [
            b
            for b in self.window.findChildren(QAbstractButton)
            if b.isVisible() and b.text().replace("&", "") == text
        ]
        assert found, f"no button “{text}”"
        return found[0]

    def action_button(self, command: str) -> QToolButton:
        """Return the visible button of a command."""
        action = self.window.actions.commands[command]
        found = [
            b
            for b in self.window.findChildren(QToolButton)
            if b.isVisible() and b.defaultAction() is action
        ]
        assert found, f"no button for {command}"
        return found[0]

    def colours(self, widget: QWidget) -> int:
        """Return how many different colours a widget shows on a coarse grid."""
        QApplication.processEvents()
        image = widget.grab().toImage()
        return len(
            {
                image.pixel(x, y)
                for x in range(0, image.width(), 16)
                for y in range(0, image.height(), 16)
            }
        )

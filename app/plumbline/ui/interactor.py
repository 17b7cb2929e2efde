"""The OpenGL widget: pyvistaqt's interactor with our mouse and keys and one render per change.

Three things differ from the interactor as it comes:

1. `render` only asks for a repaint. pyvistaqt renders at once and again in the paint event; a
   second render of a city costs as much as the first.
2. A repaint that nothing asked for (an overlay above the canvas moved, the window was uncovered)
   shows the last frame again and does not render.
3. Mouse and key events do not reach VTK's interactor styles; the canvas maps them.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import shiboken6
from psygnal import Signal
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget
from pyvistaqt import QtInteractor

#: Share of the pixels of each side that a coarse frame has.
COARSE = 0.6


class Interactor(QtInteractor):  # type: ignore[misc]
    """A plotter that draws when told and reports what mouse and keys do."""

    mouse_pressed = Signal(object)
    mouse_moved = Signal(object)
    mouse_released = Signal(object)
    mouse_double_clicked = Signal(object)
    mouse_left = Signal()
    wheel_turned = Signal(object)
    key_pressed = Signal(object)
    key_released = Signal(object)
    #: A frame was drawn; its time in seconds.
    drawn = Signal(float)

    def __init__(self, parent: QWidget) -> None:
        self._stale = True
        self._coarse = False
        super().__init__(parent, auto_update=False, multi_samples=0, line_smoothing=False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        # Drops belong to the window, whatever is under the cursor.
        self.setAcceptDrops(False)

    def render(self) -> None:
        """Ask for one frame; several requests before it make one."""
        self._stale = True
        self.update()

    def initializeGL(self) -> None:
        """Make VTK draw with the widget's context, and let go of its surface in the end.

        A QSurface is no QObject: PySide does not hear of its end, and would hand its wrapper out
        again for whatever widget comes to lie at the same address. A free function does it, since
        a method is no longer called once the widget is being deleted.
        """
        super().initializeGL()
        context, surface = self.context(), self._surface
        if context is not None and surface is not None:
            context.aboutToBeDestroyed.connect(partial(shiboken6.invalidate, surface))

    def resizeGL(self, w: int, h: int) -> None:
        """Note that the last frame has the wrong size."""
        self._stale = True
        super().resizeGL(w, h)
        if self._coarse:
            self._apply_size()

    def set_coarse(self, coarse: bool) -> None:
        """Draw fewer pixels and stretch them, while the camera moves on a slow renderer."""
        if coarse != self._coarse:
            self._coarse = coarse
            self._apply_size()
            self.render()

    def _apply_size(self) -> None:
        ratio = self.devicePixelRatioF() * (COARSE if self._coarse else 1.0)
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        self.ren_win.GetInteractor().UpdateSize(max(1, width), max(1, height))

    def paintGL(self) -> None:
        """Draw if something changed, else show the last frame again."""
        if not self._stale:
            # The base class renders unless it believes that it is rendering already.
            self._in_paint = True
            try:
                super().paintGL()
            finally:
                self._in_paint = False
            return
        self._stale = False
        start = time.perf_counter()
        super().paintGL()
        self.drawn.emit(time.perf_counter() - start)

    # -- events ----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.mouse_pressed.emit(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.mouse_moved.emit(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.mouse_released.emit(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mouse_double_clicked.emit(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.wheel_turned.emit(event)

    def enterEvent(self, event: QEvent) -> None:
        """Keep VTK's interactor out of it."""

    def leaveEvent(self, event: QEvent) -> None:
        self.mouse_left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()
        self.key_pressed.emit(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        event.ignore()
        self.key_released.emit(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Leave drops to the window."""
        event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        """Leave drops to the window."""
        event.ignore()

    def contextMenuEvent(self, event: Any) -> None:
        """Right clicks come through mouse events."""
        event.accept()

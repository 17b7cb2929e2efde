"""Selecting by a box or a lasso drawn over the canvas with the mouse.

While a shape is chosen a drag of the left button draws it, and a click still selects one thing.
Shift adds what the shape touches to the selection, Ctrl takes it away, both keep what is in both.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import shapely
from psygnal import Signal
from PySide6.QtCore import QObject, QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from plumbline.core.selection import Combine, combined
from plumbline.ui_kit.theme import current_theme

if TYPE_CHECKING:
    from plumbline.ui.canvas import Canvas

#: Points of a lasso are this far apart, logical pixels.
STEP = 3


class Shape(Enum):
    """What a drag of the left button draws."""

    NONE = "none"
    BOX = "box"
    LASSO = "lasso"


class _Band(QWidget):
    """Paints the shape above the canvas; the mouse goes through it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.outline: list[QPointF] = []
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the outline and what it encloses."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(theme.color("accent", 0.14))
        painter.setPen(QPen(theme.color("accent"), 1.5, Qt.PenStyle.DashLine))
        painter.drawPolygon(QPolygonF(self.outline))
        painter.end()


class RegionSelect(QObject):
    """Draws a shape with the mouse and selects what it touches."""

    shape_changed = Signal(object)

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._band = _Band(canvas)
        self.shape = Shape.NONE
        self._points: list[QPointF] = []

    @property
    def drawing(self) -> bool:
        """Whether a shape is being drawn."""
        return bool(self._points)

    def choose(self, shape: Shape) -> None:
        """Choose what a drag draws; `Shape.NONE` gives the drag back to the camera."""
        self.cancel()
        if shape is not self.shape:
            self.shape = shape
            widget = self._canvas.interactor
            if shape is Shape.NONE:
                widget.unsetCursor()
            else:
                widget.setCursor(Qt.CursorShape.CrossCursor)
            self.shape_changed.emit(shape)

    def begin(self, position: QPointF) -> bool:
        """Begin a shape at a place of the canvas; False where none is chosen."""
        if self.shape is Shape.NONE:
            return False
        self._points = [position]
        return True

    def move(self, position: QPointF) -> None:
        """Draw on to a place."""
        if self.shape is Shape.BOX:
            first = self._points[0]
            self._points = [first, position]
            self._band.outline = [
                first,
                QPointF(position.x(), first.y()),
                position,
                QPointF(first.x(), position.y()),
            ]
        elif (position - self._points[-1]).manhattanLength() >= STEP:
            self._points.append(position)
            self._band.outline = self._points
        self._band.setGeometry(self._canvas.rect())
        self._band.show()
        self._band.raise_()
        self._band.update()

    def finish(self, modifiers: Qt.KeyboardModifier) -> None:
        """End the shape and select what it touches."""
        outline = [self._canvas.pixel(point) for point in self._band.outline]
        self.cancel()
        if len(set(outline)) < 3:
            return
        scene = self._canvas.view.scene
        found = self._canvas.view.things_in(shapely.Polygon(outline))
        scene.select(combined(scene.selection, found, how_to_combine(modifiers)))

    def cancel(self) -> None:
        """Forget the shape that is being drawn."""
        self._points, self._band.outline = [], []
        self._band.hide()


def how_to_combine(modifiers: Qt.KeyboardModifier) -> Combine:
    """Return what the keys that are held mean for the selection."""
    shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
    control = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
    if shift and control:
        return Combine.INTERSECT
    return Combine.ADD if shift else Combine.REMOVE if control else Combine.REPLACE

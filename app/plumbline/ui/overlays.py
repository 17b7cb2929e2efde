"""What floats above the canvas: compass and navigation, scale bar, legend.

Each paints its own translucent ground, and changes only when the camera or the scene does, because
every change of a widget above the canvas costs a composition of the window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QFrame, QGridLayout, QToolButton, QVBoxLayout, QWidget

from plumbline.api import Layer, LayerStyle, Scene, tr
from plumbline.core.units import format_number
from plumbline.render.legend import LegendRow, legend_rows
from plumbline.ui.render_theme import render_theme
from plumbline.ui_kit.labels import ElidedLabel, label, line
from plumbline.ui_kit.live import Soon, follow, on_language
from plumbline.ui_kit.theme import current_theme

RADIUS = 8
#: Of a long group of buttons, the first ones stay on a low canvas.
ALWAYS_SHOWN = 2


class Floating(QFrame):
    """A rounded, slightly translucent ground above the canvas."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the ground; the children paint themselves."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.color("border"))
        painter.setBrush(theme.color("raised", 0.94))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        painter.end()


class Compass(QWidget):
    """Shows where true north is on the screen; a click turns the view there."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._angle = 0.0
        self.setFixedSize(QSize(44, 44))
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_north(self, angle: float) -> None:
        """Set the direction of true north, degrees clockwise from up on the screen."""
        if abs(angle - self._angle) > 0.25:
            self._angle = angle
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(22, 22)
        painter.setPen(theme.color("border_strong"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(0, 0), 19.5, 19.5)
        painter.rotate(self._angle)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.bad))
        painter.drawPolygon(QPolygonF([QPointF(0, -15), QPointF(4.5, 2), QPointF(-4.5, 2)]))
        painter.setBrush(theme.color("border_strong"))
        painter.drawPolygon(QPolygonF([QPointF(0, 15), QPointF(4.5, 2), QPointF(-4.5, 2)]))
        # The letter stands upright at the rim, wherever north is.
        font = QFont(self.font())
        font.setPixelSize(9)
        font.setBold(True)
        painter.setFont(font)
        painter.rotate(-self._angle)
        angle = math.radians(self._angle)
        centre = QPointF(19.5 * math.sin(angle), -19.5 * math.cos(angle))
        box = QRectF(-6, -6, 12, 12).translated(centre)
        painter.setBrush(theme.color("raised"))
        painter.drawEllipse(box)
        painter.setPen(theme.color("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "N")
        painter.end()


class NavigationBar(Floating):
    """Compass, home, standard views, projection, walk and fly."""

    north_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spare: list[QToolButton] = []
        self._compass = Compass()
        self._compass.clicked.connect(self.north_requested.emit)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4, 6, 4, 6)
        self._column.setSpacing(2)
        self._column.addWidget(self._compass, 0, Qt.AlignmentFlag.AlignHCenter)
        on_language(self, self.retranslate)
        self.retranslate()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._compass.setToolTip(tr("True north; click to turn the view north"))
        self._compass.setAccessibleName(tr("Compass"))

    def set_actions(self, groups: Sequence[Sequence[QAction]]) -> None:
        """Show a button for each action, groups apart by a line."""
        for group in groups:
            self._column.addWidget(line())
            for n, action in enumerate(group):
                entry = QToolButton()
                entry.setDefaultAction(action)
                entry.setIconSize(QSize(20, 20))
                entry.setFixedSize(QSize(32, 30))
                entry.setAutoRaise(True)
                self._column.addWidget(entry, 0, Qt.AlignmentFlag.AlignHCenter)
                if n >= ALWAYS_SHOWN and len(group) > ALWAYS_SHOWN + 1:
                    self._spare.append(entry)

    def fit(self, height: int) -> None:
        """Leave out the standard views where the canvas is too low for all buttons, pixels."""
        for entry in self._spare:
            entry.show()
        low = self.sizeHint().height() > height
        for entry in self._spare:
            entry.setVisible(not low)
        self.adjustSize()

    def set_north(self, angle: float) -> None:
        """Set the direction of true north on the screen."""
        self._compass.set_north(angle)


class ScaleBar(QWidget):
    """A length on the ground at the middle of the picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._metres, self._pixels = 0.0, 0.0
        self.setFixedSize(QSize(220, 30))
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def set_scale(self, metres: float, pixels: float) -> None:
        """Set the length and how many logical pixels it takes."""
        if (metres, round(pixels)) != (self._metres, round(self._pixels)):
            self._metres, self._pixels = metres, pixels
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._pixels <= 0:
            return
        theme = current_theme()
        painter = QPainter(self)
        right = 4 + min(self._pixels, 210)
        for width, token in ((4.0, "halo"), (1.5, "text")):
            pen = painter.pen()
            pen.setColor(theme.color(token))
            pen.setWidthF(width)
            painter.setPen(pen)
            painter.drawPolyline(
                [QPointF(4, 18), QPointF(4, 24), QPointF(right, 24), QPointF(right, 18)]
            )
        km = self._metres >= 1000
        number = self._metres / 1000 if km else self._metres
        text = f"{format_number(number, 0 if number >= 1 else 2)} {'km' if km else 'm'}"
        painter.setPen(theme.color("halo"))
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            painter.drawText(QPointF(9 + dx, 17 + dy), text)
        painter.setPen(theme.color("text"))
        painter.drawText(QPointF(9, 17), text)
        painter.end()


class Legend(Floating):
    """Colours of the layers that are coloured by class, attribute or value."""

    ROWS = 18

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._more: list[tuple[Layer, LayerStyle]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(10, 8, 12, 8)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(3)
        self._later = Soon(self, self.refresh)
        on_language(self, self.refresh)

    def bind(self, scene: Scene) -> None:
        """Follow another scene."""
        self._scene = scene
        for event in (scene.style_changed, scene.view_changed, scene.tree_changed):
            follow(self, event, self._later.ask)
        self.refresh()

    def set_more(self, layers: list[tuple[Layer, LayerStyle]]) -> None:
        """Tell the colours of layers that are not in the scene, above the others."""
        if layers or self._more:
            self._more = layers
            self.refresh()

    def refresh(self) -> None:
        """Show the rows of every visible, coloured layer."""
        self._later.drop()
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._grid.setColumnMinimumWidth(1, 0)
        rows = 0
        for layer, style in [*self._more, *self._visible()]:
            entries = legend_rows(layer, style, render_theme(current_theme()))
            if entries and rows + 1 + len(entries) <= self.ROWS:
                self._add(rows, layer.name, entries)
                rows += 1 + len(entries)
        self.setVisible(rows > 0)
        # New rows have a size only after Qt has polished them.
        QTimer.singleShot(0, self.place)

    def _visible(self) -> list[tuple[Layer, LayerStyle]]:
        scene = self._scene
        if scene is None:
            return []
        return [(layer, scene.style(layer.id)) for layer in scene if scene.is_visible(layer.id)]

    def place(self) -> None:
        """Take the size of the rows and stand above the scale bar."""
        self._grid.activate()
        self.resize(self._grid.sizeHint())
        parent = self.parent()
        if isinstance(parent, QWidget):
            self.move(12, parent.height() - 50 - self.height())

    def _add(self, row: int, title: str, entries: list[LegendRow]) -> None:
        name = ElidedLabel(title, "caption")
        self._grid.addWidget(name, row, 0, 1, 2)
        # The grid gives a text that may be elided no width of its own.
        wanted = min(max(name.sizeHint().width(), self._grid.columnMinimumWidth(1), 130), 230)
        self._grid.setColumnMinimumWidth(1, wanted)
        for n, entry in enumerate(entries, start=row + 1):
            if not entry.color:
                self._grid.addWidget(label(entry.text, "hint"), n, 0, 1, 2)
                continue
            swatch = QWidget()
            swatch.setFixedSize(12, 12)
            swatch.setStyleSheet(f"background: {entry.color}; border-radius: 2px;")
            self._grid.addWidget(swatch, n, 0)
            self._grid.addWidget(label(entry.text, "hint"), n, 1)
        self._grid.setColumnStretch(1, 1)

"""What shows where a hand aims: the glyph of a snap, the loupe, and the bar that chooses snaps."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from plumbline.api import N_, tr
from plumbline.ui.overlays import Floating
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.labels import line
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.theme import current_theme

#: Kinds of snaps in the order of the bar, with what they are called.
SNAPS = {
    "vertex": N_("Corner"),
    "midpoint": N_("Middle of an edge"),
    "perpendicular": N_("Foot of the perpendicular"),
    "feature": N_("Edge of a body"),
    "edge": N_("Line"),
    "point": N_("Point of a cloud"),
    "face": N_("Surface"),
}
#: Side of a glyph, of the loupe, and what one pixel of the picture is in the loupe.
GLYPH, LOUPE, MAGNIFIED = 22, 140, 5


class SnapMarker(QWidget):
    """The glyph of a snap, over the place that a click would take."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._kind = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.resize(GLYPH, GLYPH)
        self.hide()

    @property
    def kind(self) -> str:
        """What is marked, empty when nothing is."""
        return self._kind if self.isVisible() else ""

    def mark(self, kind: str, place: QPointF) -> None:
        """Show the glyph of a kind at a place of the canvas."""
        if kind != self._kind:
            self._kind = kind
            self.update()
        self.move(round(place.x()) - GLYPH // 2, round(place.y()) - GLYPH // 2)
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the glyph with a halo."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(GLYPH / 2, GLYPH / 2)
        shape = _glyph(self._kind)
        for width, color in ((4.5, theme.color("halo")), (2.0, theme.color("warn"))):
            painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPath(shape)
        painter.end()


def _glyph(kind: str) -> QPainterPath:
    """Return the glyph of a kind about the origin, as drawing programs have them."""
    path = QPainterPath()
    if kind == "vertex":
        path.addRect(QRectF(-6, -6, 12, 12))
    elif kind == "midpoint":
        _line(path, (0, -7), (7, 6), (-7, 6), (0, -7))
    elif kind == "perpendicular":
        _line(path, (-6, -7), (-6, 6), (7, 6))
        _line(path, (-6, 0), (0, 0), (0, 6))
    elif kind in ("feature", "edge"):
        _line(path, (-6, -6), (6, -6), (-6, 6), (6, 6), (-6, -6))
    elif kind == "point":
        path.addEllipse(QPointF(0, 0), 6, 6)
        path.addEllipse(QPointF(0, 0), 1, 1)
    else:
        _line(path, (-5, 0), (5, 0))
        _line(path, (0, -5), (0, 5))
    return path


def _line(path: QPainterPath, *corners: tuple[float, float]) -> None:
    path.moveTo(*corners[0])
    for corner in corners[1:]:
        path.lineTo(*corner)


class Loupe(QWidget):
    """The pixels around the cursor, magnified, with a cross on the one that is meant."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._image = QImage()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.resize(LOUPE, LOUPE)
        self.hide()

    def show_pixels(self, frame: QImage, cursor: QPointF) -> None:
        """Magnify a frame of the canvas around a place, beside the cursor."""
        ratio = frame.width() / max(1, self._canvas().width())
        side = max(3, round(LOUPE / MAGNIFIED * ratio))
        corner = QPoint(round(cursor.x() * ratio), round(cursor.y() * ratio))
        self._image = frame.copy(corner.x() - side // 2, corner.y() - side // 2, side, side)
        self.move(*self._beside(cursor))
        self.update()
        self.show()

    def _canvas(self) -> QWidget:
        parent = self.parent()
        assert isinstance(parent, QWidget)
        return parent

    def _beside(self, cursor: QPointF) -> tuple[int, int]:
        away, room = 26, self._canvas()
        x, y = round(cursor.x()) + away, round(cursor.y()) + away
        if x + LOUPE > room.width():
            x = round(cursor.x()) - away - LOUPE
        if y + LOUPE > room.height():
            y = round(cursor.y()) - away - LOUPE
        return x, y

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the pixels in a ring."""
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        path = QPainterPath()
        path.addEllipse(ring)
        painter.setClipPath(path)
        painter.drawImage(self.rect(), self._image)
        middle = ring.center()
        for color, width in ((theme.color("halo"), 3.0), (theme.color("text"), 1.0)):
            painter.setPen(QPen(QColor(color), width))
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                far = QPointF(dx * LOUPE / 2, dy * LOUPE / 2)
                painter.drawLine(middle + QPointF(dx * 6, dy * 6), middle + far)
        painter.setClipping(False)
        painter.setPen(QPen(theme.color("border_strong"), 2.0))
        painter.drawEllipse(ring)
        painter.end()


class SnapBar(Floating):
    """Turns kinds of snaps and the loupe on and off, at the upper left of the canvas."""

    #: Something was turned on or off by hand.
    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._buttons: dict[str, QToolButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 4, 6, 4)
        row.setSpacing(2)
        for kind in (*SNAPS, "loupe"):
            if kind == "loupe":
                row.addWidget(line("v"))
            icon = "loupe" if kind == "loupe" else f"snap-{kind}"
            entry = tool_button(icon, checkable=True, clicked=self.changed.emit)
            entry.setChecked(True)
            self._buttons[kind] = entry
            row.addWidget(entry)
        on_language(self, self.retranslate)
        self.retranslate()
        self.hide()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        for kind, entry in self._buttons.items():
            tip = tr("Loupe") if kind == "loupe" else tr("Snap: {kind}", kind=tr(SNAPS[kind]))
            entry.setToolTip(tip)
            entry.setAccessibleName(tip)

    def button(self, kind: str) -> QToolButton:
        """Return the button of a kind of snap, or of the ``loupe``."""
        return self._buttons[kind]

    @property
    def every(self) -> tuple[str, ...]:
        """All kinds of snaps."""
        return tuple(SNAPS)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of snaps that are on."""
        return tuple(kind for kind in SNAPS if self._buttons[kind].isChecked())

    @property
    def loupe(self) -> bool:
        """Whether the loupe is on."""
        return self._buttons["loupe"].isChecked()

    def choose(self, kinds: Iterable[str], loupe: bool) -> None:
        """Show what is on."""
        on = set(kinds)
        for kind in SNAPS:
            self._buttons[kind].setChecked(kind in on)
        self._buttons["loupe"].setChecked(loupe)

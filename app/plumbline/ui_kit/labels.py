"""Small text blocks: labels by role, texts that elide, lines that part."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget

Role = Literal[
    "body", "display", "title", "heading", "caption", "value", "unit", "hint", "muted", "error",
    "warn", "good", "link", "key",
]  # fmt: skip


def restyle(widget: QWidget) -> None:
    """Let the style sheet see a changed dynamic property."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a dynamic property that the style sheet selects by, and restyle when it changed."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        restyle(widget)


def label(text: str = "", role: Role = "body", *, wrap: bool = False) -> QLabel:
    """Return a label in one of the roles of the style sheet."""
    result = QLabel(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setProperty("role", role)
    result.setWordWrap(wrap)
    return result


def line(orientation: Literal["h", "v"] = "h") -> QFrame:
    """Return a hairline."""
    result = QFrame()
    result.setProperty("line", True)
    result.setProperty("orientation", orientation)
    return result


class ElidedLabel(QLabel):
    """A one-line text that gives way to its neighbours and shows itself whole as a tooltip."""

    def __init__(
        self,
        text: str = "",
        role: Role = "body",
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(16)
        self.setText(text)

    def sizeHint(self) -> QSize:
        """Width of the whole text."""
        self.ensurePolished()
        metrics = self.fontMetrics()
        margins = self.contentsMargins()
        width = metrics.horizontalAdvance(self.text()) + margins.left() + margins.right() + 2
        return QSize(width, max(metrics.height(), 18))

    def minimumSizeHint(self) -> QSize:
        """As narrow as the layout wants."""
        return QSize(16, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        area = self.contentsRect()
        shown = QFontMetrics(self.font()).elidedText(self.text(), self._mode, area.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(area, int(self.alignment() | Qt.TextFlag.TextSingleLine), shown)

    def event(self, event: QEvent) -> bool:
        """Offer the whole text as a tooltip only where it does not fit."""
        if event.type() == QEvent.Type.ToolTip:
            whole = QFontMetrics(self.font()).horizontalAdvance(self.text())
            self.setToolTip(self.text() if whole > self.contentsRect().width() else "")
        return super().event(event)

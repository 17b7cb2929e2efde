"""A bar of a tool at the foot of the canvas, e.g. the time of day while the sun is on."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QVBoxLayout, QWidget

from plumbline.ui.overlays import Floating

#: Distance from the foot of the canvas and least distance from its sides, logical pixels.
MARGIN = 12
#: Room on the left for the scale bar.
SCALE_ROOM = 150
WIDEST = 720


class CanvasBar(Floating):
    """Floats above the canvas, in its middle as far as the scale bar allows."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._content: QWidget | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        canvas.installEventFilter(self)
        self.hide()

    def set_content(self, content: QWidget | None) -> None:
        """Show a widget, or nothing; the widget stays its owner's."""
        if self._content is not None and self._content is not content:
            self._column.removeWidget(self._content)
            self._content.hide()
            self._content.setParent(None)
        self._content = content
        if content is None:
            self.hide()
            return
        self._column.addWidget(content)
        content.show()
        self._place()
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay at the foot when the canvas changes its size."""
        if event.type() == QEvent.Type.Resize and self._content is not None:
            self._place()
        return False

    def _place(self) -> None:
        canvas = self.parentWidget()
        room = canvas.width() - 2 * MARGIN - SCALE_ROOM
        least = self.minimumSizeHint().width()
        width = max(least, min(WIDEST, room))
        height = self.sizeHint().height()
        middle = (canvas.width() - width) // 2
        left = min(max(middle, MARGIN + SCALE_ROOM), max(MARGIN, canvas.width() - width - MARGIN))
        self.setGeometry(left, canvas.height() - height - MARGIN, width, height)

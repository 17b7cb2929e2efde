"""Where a hand aims while a tool measures: snapping, held directions, marker and loupe.

Other tools get what lies under the cursor, as before: they do not ask for snapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal
from PySide6.QtCore import QObject, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage

from plumbline.api import Pick
from plumbline.render.snapping import hold
from plumbline.ui.aim_overlays import Loupe, SnapBar, SnapMarker
from plumbline.ui_kit.context import Point

if TYPE_CHECKING:
    from plumbline.ui.canvas import Canvas

#: Keys that hold the hand level with the last point, and straight above or below it.
LEVEL, UPRIGHT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
HOLDING = (Qt.Key.Key_Shift, Qt.Key.Key_Control)
#: Distance of the bar from the corner of the canvas, logical pixels.
MARGIN = 12


class Aim(QObject):
    """Says what a place in the canvas means for the active tool, and shows it."""

    #: The kinds of snaps that are on, and whether the loupe is, were changed by hand.
    changed = Signal(tuple, bool)

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._snaps = False
        self._base: Point | None = None
        self._frame: QImage | None = None
        self.marker, self.loupe, self.bar = SnapMarker(canvas), Loupe(canvas), SnapBar(canvas)
        self.bar.move(MARGIN, MARGIN)
        self.bar.changed.connect(self._chosen)
        canvas.interactor.drawn.connect(self._drawn)

    def set(self, *, snap: bool, base: Point | None = None) -> None:
        """Let clicks snap or not; `base` is the point that the next one is measured from."""
        self._snaps, self._base = snap, base
        self.bar.setVisible(snap)
        self.bar.adjustSize()
        if not snap:
            self.leave()

    def choose(self, kinds: tuple[str, ...] | None, loupe: bool) -> None:
        """Turn kinds of snaps on, all of them with None, and the loupe."""
        self.bar.choose(self.bar.every if kinds is None else kinds, loupe)

    def pick(self, position: QPointF, keys: Qt.KeyboardModifier | None = None) -> Pick | None:
        """Return what a place in the widget means for the tool, None for nothing."""
        view, at = self._canvas.view, self._canvas.pixel(position)
        if not self._snaps:
            return view.pick(*at)
        base = self._base
        found = view.snap(*at, base, self.bar.kinds)
        held = QGuiApplication.keyboardModifiers() if keys is None else keys
        if base is not None and held & (LEVEL | UPRIGHT):
            return hold(view.ray(*at), found, base, upright=bool(held & UPRIGHT))
        return found

    def hover(self, position: QPointF) -> Pick | None:
        """Return what is meant there, and show it."""
        found = self.pick(position)
        if self._snaps:
            if found is None:
                self.marker.hide()
            else:
                self.marker.mark(found.snap, self._canvas.place_of(found.position))
            if self.bar.loupe:
                self.loupe.show_pixels(self._picture(), position)
            else:
                self.loupe.hide()
        return found

    def leave(self) -> None:
        """Show nothing: the cursor is away, or moves the camera."""
        self.marker.hide()
        self.loupe.hide()

    def _chosen(self) -> None:
        self.changed.emit(self.bar.kinds, self.bar.loupe)

    def _drawn(self, _seconds: float) -> None:
        self._frame = None

    def _picture(self) -> QImage:
        if self._frame is None:
            self._frame = self._canvas.interactor.grabFramebuffer()
        return self._frame

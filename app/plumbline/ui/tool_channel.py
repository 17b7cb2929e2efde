"""What a tool panel sees of the canvas, and the hand that drags its grips.

Panels know `plumbline.ui_kit.context.CanvasTool`; this is the canvas behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal
from PySide6.QtCore import QBuffer, QElapsedTimer, QObject, QPointF, Qt, QTimer

from plumbline.api import Bounds, Camera, Layer, LayerStyle, Pick
from plumbline.geometry.guides import on_line, on_plane
from plumbline.ui_kit.context import Guide, Mark, Point

if TYPE_CHECKING:
    from plumbline.ui.canvas import Canvas

#: Least time between two picks of a dragged grip and between two suns, milliseconds.
STEP = 30
#: Suns that follow each other faster than this are one movement, milliseconds.
WHILE = 2000


class ToolChannel(QObject):
    """The canvas for tools (`plumbline.ui_kit.context.CanvasTool`)."""

    hovered = Signal(object)
    clicked = Signal(object)
    finished = Signal()
    stepped_back = Signal()
    escaped = Signal()
    handle_moved = Signal(int, object)
    handle_released = Signal(int, object)

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._sun: tuple[float | None, float] = (None, 0.0)
        self._lately = QElapsedTimer()
        #: Every sun is drawn finely, however fast one follows the other.
        self.fine = False
        self._light = QTimer(self)
        self._light.setInterval(STEP)
        self._light.setSingleShot(True)
        self._light.timeout.connect(self._set_sun)

    def set_aim(self, *, snap: bool, base: Point | None = None) -> None:
        """Let clicks snap or not; `base` is the point that the next one is measured from."""
        self._canvas.aim.set(snap=snap, base=base)

    def show_preview(
        self, points: Sequence[Point], label: str = "", *, closed: bool = False
    ) -> None:
        """Draw a rubber band with a label at its middle."""
        for view in self._canvas.views:
            view.set_preview(points, label, closed=closed)

    def clear_preview(self) -> None:
        """Remove the rubber band."""
        for view in self._canvas.views:
            view.clear_preview()

    def show_marks(self, key: str, marks: Sequence[Mark]) -> None:
        """Draw marks; they replace those of the same key."""
        for view in self._canvas.views:
            view.tools.set_marks(key, marks)

    def clear_marks(self, key: str = "") -> None:
        """Remove the marks of a key, or all of them."""
        for view in self._canvas.views:
            view.tools.clear_marks(key)

    def set_handles(self, points: Sequence[Point], guides: Sequence[Guide | None] = ()) -> None:
        """Show points that can be dragged with the mouse; replaces the last ones."""
        self._canvas.grip.guides = tuple(guides)
        for view in self._canvas.views:
            view.tools.set_handles(points)

    def show_layer(
        self, key: str, layer: Layer | None, style: LayerStyle | None = None, *, live: bool = False
    ) -> None:
        """Draw a layer that is not in the scene (a preview); None takes it away."""
        for view in self._canvas.views:
            view.show_layer(key, layer, style, live=live)
        self._canvas.show_legend()

    @property
    def camera(self) -> Camera:
        """Where the viewer is."""
        return self._canvas.camera()

    def go_to(self, camera: Camera) -> None:
        """Move the viewer, with a short ease."""
        self._canvas.go_to(camera)

    def zoom_to(self, bounds: Bounds) -> None:
        """Show a box."""
        self._canvas.frame(bounds)

    def picture(self) -> bytes:
        """Return what the canvas shows as PNG, with the sun that was asked for last."""
        if self._light.isActive():
            self._light.stop()
            self._set_sun()
        buffer = QBuffer()
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        self._canvas.interactor.grabFramebuffer().save(buffer, "PNG")
        return bytes(buffer.data().data())

    def set_sun(self, azimuth_grid: float | None, elevation: float = 0.0) -> None:
        """Light the scene from the sun and cast shadows; None goes back to the plain light.

        Shadows are drawn at most once a frame, however fast a slider is moved.
        """
        if azimuth_grid is None and self._sun[0] is None:
            return
        self._sun = (azimuth_grid, elevation)
        if not self._light.isActive():
            self._light.start()

    @property
    def sun_moves(self) -> bool:
        """Whether another sun waits to be shown."""
        return self._light.isActive()

    def _set_sun(self) -> None:
        # A sun that moves is drawn as fast as a camera that moves, and finely when it rests.
        lately = self._lately.isValid() and self._lately.elapsed() < WHILE
        if self._sun[0] is not None and lately and not self.fine:
            self._canvas.stir()
        self._lately.start()
        for view in self._canvas.views:
            view.set_sun(*self._sun)

    def reset(self) -> None:
        """Take everything away that a tool has put into the picture."""
        self._light.stop()
        if self._sun[0] is not None:
            self._sun = (None, 0.0)
            self._set_sun()
        for view in self._canvas.views:
            view.tools.clear()
            view.clear_layers()
        self._canvas.grip.let_go()
        self._canvas.aim.set(snap=False)
        self._canvas.show_legend()


class GripHand(QObject):
    """Drags a tool's grips over the visible surface while the camera stands still.

    A grip keeps its distance to the cursor, so that it does not jump when it is taken at its rim.
    """

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._taken: int | None = None
        self._moved = False
        self._offset = QPointF()
        self._at = QPointF()
        self._pick: Pick | None = None
        #: What the handles keep to, by their numbers.
        self.guides: tuple[Guide | None, ...] = ()
        self._from: Point = (0.0, 0.0, 0.0)
        self._timer = QTimer(self)
        self._timer.setInterval(STEP)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._follow)

    @property
    def dragging(self) -> bool:
        """Whether a grip has been moved since it was taken."""
        return self._taken is not None and self._moved

    @property
    def holds(self) -> bool:
        """Whether a grip is held."""
        return self._taken is not None

    def take(self, position: QPointF) -> bool:
        """Take the grip under a place in the widget, if there is one."""
        self._taken = self._under(position)
        self._moved, self._pick = False, None
        if self._taken is None:
            return False
        self._from = self._handles()[self._taken]
        self._offset = self._canvas.place_of(self._from) - position
        self._show_cursor(Qt.CursorShape.ClosedHandCursor)
        return True

    def drag(self, position: QPointF) -> None:
        """Let the grip follow the cursor."""
        self._moved, self._at = True, position + self._offset
        if not self._timer.isActive():
            self._timer.start()

    def release(self) -> None:
        """Let go of the grip where it is."""
        number, moved = self._taken, self._moved
        if moved and self._timer.isActive():
            self._follow()
        pick = self._pick
        self.let_go()
        if number is not None and moved and pick is not None:
            self._canvas.tool.handle_released.emit(number, pick)

    def let_go(self) -> None:
        """Forget the grip."""
        self._timer.stop()
        self._taken, self._moved, self._pick = None, False, None
        self._show_cursor(None)

    def hover(self, position: QPointF) -> None:
        """Show whether a press would take a grip."""
        number = self._under(position)
        for view in self._canvas.views:
            view.tools.heat(number)
        self._show_cursor(None if number is None else Qt.CursorShape.OpenHandCursor)

    def _follow(self) -> None:
        self._timer.stop()
        number = self._taken
        if number is None or number >= len(self._handles()):
            return
        guide = self.guides[number] if number < len(self.guides) else None
        pick = self._canvas.aim.pick(self._at) if guide is None else self._guided(guide)
        if pick is None:
            return
        self._pick = pick
        for view in self._canvas.views:
            view.tools.move_handle(number, pick.position)
        self._canvas.tool.handle_moved.emit(number, pick)

    def _guided(self, guide: Guide) -> Pick | None:
        """Return the place that the hand means on the line or the plane of a guide."""
        ray = self._canvas.view.ray(*self._canvas.pixel(self._at))
        place = (on_plane if guide.plane else on_line)(
            ray, np.array(self._from), np.array(guide.direction)
        )
        if place is None:
            return None
        x, y, z = (float(v) for v in place)
        return Pick((x, y, z), "")

    def _under(self, position: QPointF) -> int | None:
        view = self._canvas.view
        return view.tools.handle_at(view.camera(), view.size, *self._canvas.pixel(position))

    def _handles(self) -> list[Point]:
        return self._canvas.view.tools.handles

    def _show_cursor(self, shape: Qt.CursorShape | None) -> None:
        widget = self._canvas.interactor
        if shape is None:
            widget.unsetCursor()
        elif widget.cursor().shape() != shape:
            widget.setCursor(shape)

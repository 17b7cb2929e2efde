"""The drawings of the active tool: its rubber band, its marks and the grips that can be dragged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from vtkmodules.vtkRenderingCore import vtkRenderer

from plumbline.core.scene import Camera
from plumbline.render.camera import Size, project
from plumbline.render.overlays import (
    Drawing,
    Look,
    MarkLike,
    Point,
    Tag,
    band_parts,
    grip_parts,
    mark_parts,
    tag,
)
from plumbline.render.parts import Drawn

#: A grip is taken within this distance of its middle, pixels of the desktop.
REACH = 11.0


class ToolDrawings:
    """What a tool has put in front of the scene; each change calls `changed`.

    Parameters
    ----------
    look : callable
        Returns how the view looks now.
    """

    def __init__(
        self, renderer: vtkRenderer, look: Callable[[], Look], changed: Callable[[], None]
    ) -> None:
        self._renderer, self._look, self._changed = renderer, look, changed
        self._band: tuple[tuple[Point, ...], str, bool] = ((), "", False)
        self._marks: dict[str, tuple[MarkLike, ...]] = {}
        self.handles: list[Point] = []
        self._hot: int | None = None
        self._drawings: dict[str, Drawing] = {}

    @property
    def drawn(self) -> Iterator[Drawn]:
        """Everything that is drawn."""
        return (drawn for drawing in self._drawings.values() for drawn in drawing.drawn)

    @property
    def tags(self) -> list[Tag]:
        """Labels, the most important first."""
        points, label, closed = self._band
        tags = tag(label, points, closed)
        for marks in self._marks.values():
            for mark in marks:
                tags += tag(mark.label, mark.points, mark.closed or mark.kind != "line")
        return tags

    def redraw(self) -> None:
        """Draw everything anew: colours or the scene's origin have changed."""
        self._draw_band()
        for key in self._marks:
            self._draw_marks(key)
        self._draw_handles()

    def adopt(self, other: ToolDrawings) -> None:
        """Draw what another view draws."""
        self._band, self._marks = other._band, dict(other._marks)
        self.handles = list(other.handles)
        self.redraw()
        self._changed()

    def clear(self) -> None:
        """Take everything away."""
        for drawing in self._drawings.values():
            drawing.remove()
        self._drawings = {}
        self._band, self._marks, self.handles, self._hot = ((), "", False), {}, [], None
        self._changed()

    # -- rubber band -----------------------------------------------------------------------

    def set_band(self, points: Sequence[Point], label: str = "", closed: bool = False) -> None:
        """Draw a line through points with a label; it replaces the last one."""
        self._band = (tuple(points), label, closed)
        self._draw_band()
        self._changed()

    def clear_band(self) -> None:
        """Remove the line."""
        if self._band[0]:
            self.set_band(())

    def _draw_band(self) -> None:
        points, _, closed = self._band
        look = self._look()
        self._replace(
            "band", Drawing(self._renderer, band_parts([(points, closed)], look), look.scale)
        )

    # -- marks -----------------------------------------------------------------------------

    def set_marks(self, key: str, marks: Sequence[MarkLike]) -> None:
        """Draw marks; they replace those of the same key. An unknown tone is a `KeyError`."""
        self._marks[key] = tuple(marks)
        self._draw_marks(key)
        self._changed()

    def clear_marks(self, key: str = "") -> None:
        """Remove the marks of a key, or all."""
        for gone in [key] if key else list(self._marks):
            self._marks.pop(gone, None)
            self._replace(f"marks:{gone}", None)
        self._changed()

    def _draw_marks(self, key: str) -> None:
        look = self._look()
        parts = mark_parts(self._marks[key], look)
        self._replace(f"marks:{key}", Drawing(self._renderer, parts, look.scale))

    # -- grips -----------------------------------------------------------------------------

    def set_handles(self, points: Sequence[Point]) -> None:
        """Show grips at points; they replace the last ones."""
        self.handles = list(points)
        if self._hot is not None and self._hot >= len(self.handles):
            self._hot = None
        self._draw_handles()
        self._changed()

    def move_handle(self, number: int, point: Point) -> None:
        """Show one grip elsewhere."""
        if number < len(self.handles):
            self.handles[number] = point
            self._draw_handles()
            self._changed()

    def heat(self, number: int | None) -> None:
        """Show which grip a press would take."""
        if number != self._hot:
            self._hot = number
            self._draw_handles()
            self._changed()

    def handle_at(self, camera: Camera, size: Size, x: float, y: float) -> int | None:
        """Return the grip under a device pixel, the nearest to it; None where there is none."""
        if not self.handles:
            return None
        at = project(camera, np.array(self.handles, dtype=np.float64), size)
        away = np.hypot(at[:, 0] - x, at[:, 1] - y)
        if not camera.parallel:
            away[at[:, 2] <= 0] = np.inf
        nearest = int(np.argmin(away))
        return nearest if away[nearest] <= REACH * self._look().scale else None

    def _draw_handles(self) -> None:
        look = self._look()
        parts = grip_parts(self.handles, self._hot, look)
        self._replace("handles", Drawing(self._renderer, parts, look.scale))

    def _replace(self, key: str, drawing: Drawing | None) -> None:
        old = self._drawings.pop(key, None)
        if old is not None:
            old.remove()
        if drawing is not None:
            self._drawings[key] = drawing

"""Clicks in the canvas become points of a form: one field after the other, with a rubber band.

Enter or a double click ends a field, Backspace takes the last point back, Esc begins anew. Points
that are there can be dragged. What is typed appears in the canvas all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from PySide6.QtCore import QObject, Signal

from plumbline.api import Pick, tr
from plumbline.ui_kit.context import CanvasTool, Mark, Point
from plumbline.ui_kit.field_specs import FieldSpec, Shape
from plumbline.ui_kit.forms import ParameterForm

MARKS = "inputs"


class Picker(QObject):
    """Picks for one form at a time.

    Parameters
    ----------
    height_at : callable
        Gives the z at which a point that was typed without one is drawn, from its x and y.
    taken : callable
        Gives the point that a field takes from a pick: the eye above the ground that was clicked.
    wanted : container of str
        Fields that are picked for first although they may stay empty.
    """

    #: A point is being moved or has been set by hand; True while the mouse still has it.
    moved = Signal(bool)
    #: The input is complete: the user asks for the result.
    completed = Signal()
    #: Another field is being picked for, or none.
    field_changed = Signal()
    #: Esc with nothing picked.
    left = Signal()
    #: A click that no field takes: the pick.
    passed_on = Signal(object)

    def __init__(
        self,
        canvas: CanvasTool,
        height_at: Callable[[float, float], float],
        taken: Callable[[str, Pick], Point],
        parent: QObject,
        wanted: Container[str] = (),
    ) -> None:
        super().__init__(parent)
        self._wanted = wanted
        self._canvas, self._height_at, self._taken = canvas, height_at, taken
        self._form: ParameterForm | None = None
        self._field = ""
        self._connected = False
        self._handles: list[tuple[str, int]] = []
        self._cursor: Point | None = None
        self._dragging = False

    # -- the panel's side ------------------------------------------------------------------

    @property
    def field(self) -> str:
        """Name of the field that clicks go to, empty for none."""
        return self._field

    @property
    def dragging(self) -> bool:
        """Whether the mouse has a point that was there before."""
        return self._dragging

    @property
    def cursor(self) -> Point | None:
        """Where the mouse is over the scene."""
        return self._cursor

    def set_form(self, form: ParameterForm) -> None:
        """Pick for another form."""
        if self._form is not None:
            self._form.pick_requested.disconnect(self.pick_for)
        self._form = form
        form.pick_requested.connect(self.pick_for)
        self.pick_for(self._next_empty())

    def listen(self, on: bool) -> None:
        """Take the canvas, or leave it as it was found."""
        if on == self._connected:
            return
        self._connected = on
        canvas = self._canvas
        for signal, slot in (
            (canvas.clicked, self._clicked),
            (canvas.hovered, self._hovered),
            (canvas.finished, self.finish),
            (canvas.stepped_back, self._step_back),
            (canvas.escaped, self.escape),
            (canvas.handle_moved, self._handle_moved),
            (canvas.handle_released, self._handle_released),
        ):
            if on:
                signal.connect(slot)
            else:
                signal.disconnect(slot, missing_ok=True)
        if on:
            self.draw()
        else:
            self._cursor = None
            canvas.clear_preview()
            canvas.clear_marks(MARKS)
            canvas.set_handles([])

    def pick_for(self, name: str) -> None:
        """Send clicks to a field; empty for none."""
        self._field = name
        if self._form is not None:
            self._form.set_picking(name)
        self.draw()
        self.field_changed.emit()

    def finish(self) -> None:
        """End the field that is being picked for; the input is complete where it was the last."""
        following = self._next_empty(wanted=False)
        if following and following != self._field:
            self.pick_for(following)
        elif not following:
            self.completed.emit()

    def escape(self) -> None:
        """Begin anew; leave where nothing was begun."""
        begun = [spec.name for spec in self._specs() if self.points(spec.name)]
        if not begun:
            self.left.emit()
            return
        for name in begun:
            self._put(name, [])
        self.pick_for(self._next_empty())
        self.moved.emit(False)

    def points(self, name: str) -> list[tuple[float, ...]]:
        """Return the points that stand in a field."""
        assert self._form is not None
        return self._form.editor(name).points()

    def places(self, name: str) -> list[Point]:
        """Return the points of a field with heights, as they are drawn."""
        return [
            (p[0], p[1], p[2] if len(p) == 3 else self._height_at(p[0], p[1]))
            for p in self.points(name)
        ]

    def draw(self) -> None:
        """Show what stands in the fields: marks, handles, and the rubber band to the mouse."""
        if not self._connected or self._form is None:
            return
        marks: list[Mark] = []
        handles: list[Point] = []
        self._handles = []
        for spec in self._specs():
            places = self.places(spec.name)
            shape = self._shape(spec.name)
            if shape in ("line", "polygon") and len(places) > 1 and spec.name != self._field:
                closed = shape == "polygon" and len(places) > 2
                marks.append(Mark(places, "polygon" if closed else "line", closed=closed))
            if places:
                marks.append(Mark(places, "points", width=9.0))
            handles += places
            self._handles += [(spec.name, index) for index in range(len(places))]
        self._canvas.show_marks(MARKS, marks)
        self._canvas.set_handles(handles)
        self._draw_band()

    # -- the canvas's side -----------------------------------------------------------------

    def _clicked(self, pick: Pick) -> None:
        if not self._field or self._form is None:
            self.passed_on.emit(pick)
            return
        name = self._field
        there = self.points(name)
        single = self._shape(name) == "point"
        position = self._taken(name, pick)
        # The second click of a double click lands on the same place: it finishes, it adds nothing.
        if not single and there and tuple(position) == there[-1]:
            return
        self._form.add_point(name, position)
        if single:
            # The last field stays: another click there corrects the point.
            self.pick_for(self._next_empty() or name)
        self.draw()
        self.moved.emit(False)

    def _hovered(self, pick: Pick | None) -> None:
        self._cursor = None if pick is None else pick.position
        if self._field:
            self._draw_band()
        self.moved.emit(True)

    def _step_back(self) -> None:
        specs = [spec.name for spec in self._specs()]
        filled = [name for name in specs if self.points(name)]
        if not filled:
            return
        name = self._field if self._field in filled else filled[-1]
        self._put(name, self.points(name)[:-1])
        self.pick_for(name)
        self.moved.emit(False)

    def _handle_moved(self, index: int, pick: Pick) -> None:
        self._dragging = True
        self._drag(index, pick)
        self.moved.emit(True)

    def _handle_released(self, index: int, pick: Pick) -> None:
        self._dragging = False
        self._drag(index, pick)
        self.draw()
        self.moved.emit(False)

    def _drag(self, index: int, pick: Pick) -> None:
        if not 0 <= index < len(self._handles):
            return
        name, number = self._handles[index]
        places = self.points(name)
        places[number] = self._taken(name, pick)
        self._put(name, places)

    # -- inside ----------------------------------------------------------------------------

    def _put(self, name: str, places: Sequence[tuple[float, ...]]) -> None:
        assert self._form is not None
        self._form.editor(name).put_points(places)
        self._form.edited(name)

    def _specs(self) -> list[FieldSpec]:
        if self._form is None:
            return []
        return [spec for spec in self._form.specs() if self._form.editor(spec.name).shape]

    def _next_empty(self, *, wanted: bool = True) -> str:
        """Return the first field that is to be picked and is empty."""
        asked = self._wanted if wanted else ()
        return next(
            (
                spec.name
                for spec in self._specs()
                if (not spec.optional or spec.name in asked) and not self.points(spec.name)
            ),
            "",
        )

    def _shape(self, name: str) -> Shape | None:
        return self._form.editor(name).shape if self._form is not None else None

    def _draw_band(self) -> None:
        if not self._field or self._form is None:
            self._canvas.clear_preview()
            return
        shape, band = self._shape(self._field), self.places(self._field)
        if shape not in ("line", "polygon") or not band:
            self._canvas.clear_preview()
            return
        if self._cursor is not None:
            band.append(self._cursor)
        self._canvas.show_preview(band, "", closed=shape == "polygon" and len(band) > 2)

    def instruction(self) -> str:
        """Return what to do next, in one translated line; empty where nothing is to be picked."""
        if not self._field or self._form is None:
            return ""
        shape, count = self._shape(self._field), len(self.points(self._field))
        name = tr(self._form.editor(self._field).spec.title)
        if shape == "point":
            if not count:
                return tr("Click: {field}.", field=name)
            return tr("Click again to move it, or drag it. Enter runs.")
        if count == 0:
            return tr("Click the first point: {field}.", field=name)
        if shape == "polygon" and count < 3:
            return tr("Click the next corner. Backspace takes one back.")
        return tr("Click on, or finish with Enter or a double click. Esc begins anew.")

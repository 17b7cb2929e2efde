"""The measuring tool: click points in the canvas, read the number, keep it.

A panel gets one object, the `ToolContext`: the scene, the canvas, the task runner. It never sees
the window, so a test can hand it a small fake (`tests/plugins`), and the window can change freely.

What every tool of Plumbline does alike, and where it happens here:

* one line says what to do next (`_instruct`);
* live values while the mouse moves (`_preview`);
* Enter or a double click finishes, Backspace takes a point back, Esc steps back (`_connect`);
* everything done with the mouse can be typed (`_typed`);
* the result is a card, and the measurement a record that is drawn, listed and saved (`_done`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox

from plumbline.api import (
    Feedback,
    Pick,
    RasterData,
    Record,
    Result,
    UserError,
    Value,
    default_digits,
    tr,
    unit_choice,
)
from plumbline.ui_kit.context import Point, ToolContext
from plumbline.ui_kit.fields import ComboBox, MessageBar, PointsEdit, SegmentedControl
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Panel, ResultCard, Section
from plumbline_measurement.kinds import KINDS, Kind, face_points
from plumbline_measurement.record_list import RecordList
from plumbline_measurement.words import NAMES, headline_of, named_text

DISTANCE, POLYLINE, ANGLE = "measure.distance", "measure.polyline", "measure.angle"
#: Values that are coordinates keep their unit.
COORDINATES = ("x", "y", "z")


class MeasurePanel(Panel):
    """Measures distances, lines, areas, angles and points; keeps them in the project."""

    def __init__(self, context: ToolContext) -> None:
        super().__init__(icon="measure")
        self._context = context
        #: Points of the measurement that is being made, project CRS.
        self._points: list[Point] = []
        #: Where each of them was picked; empty as soon as one was typed.
        self._picked: list[dict[str, str]] = []
        self._connected = False
        self._make_inputs()
        self._make_result()
        self.run_requested.connect(self._finish)
        # `follow` ends with the panel: a scene outlives the panels that listen to it.
        follow(self, context.scene.tree_changed, self._list_surfaces)
        self._list_surfaces()
        self.retranslate()

    # -- building --------------------------------------------------------------------------

    def _make_inputs(self) -> None:
        self._kind = SegmentedControl()
        for kind in KINDS.values():
            self._kind.add(kind.id, icon=kind.icon, tip=tr(kind.title))
        self._kind.changed.connect(self._kind_changed)
        self.add(self._kind)
        self.continuous = QCheckBox()
        self.add(self.continuous)
        self._typing = Section(open_=False)
        self._edit = PointsEdit(sizes=(2, 3))
        # The canvas always picks for this tool; a button for it would be one too many.
        self._edit.pick_button.hide()
        self._edit.points_changed.connect(self._typed)
        self._typing.add(self._edit)
        self.add(self._typing)
        self._surface_title = label("", "caption")
        self._surface = ComboBox()
        self.add(self._surface_title)
        self.add(self._surface)

    def _make_result(self) -> None:
        self._message = MessageBar()
        self.add(self._message)
        self._card = ResultCard()
        self._card.set_actions(export=False, report=False)
        self.add(self._card)
        self.kept = RecordList(self._context, self._tell)
        self.kept.chosen.connect(self._show_selected)
        self.add(self.kept)

    def retranslate(self) -> None:
        """Set every text again; called at the start and when the language changes."""
        self.set_title(tr("Measure"))
        self.set_primary(tr("Measure"), enabled=self._complete)
        for kind in KINDS.values():
            self._kind.set_text(kind.id, "", tip=tr(kind.title))
        self.continuous.setText(tr("Go on from the last point"))
        self._typing.set_title(tr("Coordinates"))
        self._surface_title.setText(tr("Lay on surface"))
        if self._surface.count():
            self._surface.setItemText(0, tr("none"))
        self._instruct()
        self.kept.retranslate()

    # -- the canvas ------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Listen to the canvas only while this tool is the one in sight."""
        super().showEvent(event)
        self._connect(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas as it was found."""
        super().hideEvent(event)
        self._connect(False)
        self._set_points([])

    def _connect(self, on: bool) -> None:
        if on == self._connected:
            return
        self._connected = on
        canvas = self._context.canvas
        if on:
            canvas.set_aim(snap=True)
        for signal, slot in (
            (canvas.clicked, self._clicked),
            (canvas.hovered, self._hovered),
            (canvas.finished, self._finish),
            (canvas.stepped_back, self._step_back),
            (canvas.escaped, self._escape),
            (canvas.handle_moved, self._handle_moved),
            (canvas.handle_released, self._handle_released),
        ):
            if on:
                signal.connect(slot)
            else:
                signal.disconnect(slot, missing_ok=True)

    def _clicked(self, pick: Pick) -> None:
        # The second click of a double click lands on the same place: it finishes, it adds nothing.
        if self._points and pick.position == self._points[-1]:
            return
        kind = self._chosen
        if kind.most and len(self._points) == kind.most:
            return
        added = face_points(pick) if kind.faces else [pick.position]
        whole = len(self._picked) * kind.each == len(self._points)
        whole = whole and pick.layer in self._context.scene
        picked = [*self._picked, self._source(pick)] if whole else []
        self._set_points([*self._points, *added], picked if added else self._picked)
        if len(self._points) == self._chosen.most:
            self._finish()

    def _source(self, pick: Pick) -> dict[str, str]:
        """Return where a point was picked; a place in the air has no layer."""
        known = pick.layer in self._context.scene
        return {"layer": pick.layer, "snap": pick.snap or "face"} if known else {}

    def _hovered(self, pick: Pick | None) -> None:
        if self._points and self._chosen.faces:
            points = [*self._points, *([] if pick is None else face_points(pick))]
            self._show_live(self._chosen, points[: self._chosen.most])
        elif self._points:
            self._preview(None if pick is None else pick.position)

    def _step_back(self) -> None:
        self._set_points(self._points[: -self._chosen.each], self._picked[:-1])

    def _escape(self) -> None:
        if self._points:
            self._set_points([])
        else:
            self._context.close_tool()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Give Esc and Enter the same meaning when the panel has the focus."""
        if event.key() == Qt.Key.Key_Escape:
            self._escape()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._finish()
        else:
            super().keyPressEvent(event)

    # -- inputs ----------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """Id of the analysis that is chosen."""
        return self._kind.current()

    @property
    def _chosen(self) -> Kind:
        return KINDS[self.kind]

    @property
    def points(self) -> list[Point]:
        """Points so far."""
        return list(self._points)

    @property
    def _complete(self) -> bool:
        count, kind = len(self._points), self._chosen
        return count >= kind.least and (kind.most == 0 or count <= kind.most)

    def _kind_changed(self) -> None:
        self._set_points([])

    def _typed(self, points: Sequence[Point] | None) -> None:
        # None while a line is half typed: the last good points stay, and nothing can be run.
        self.set_primary(tr("Measure"), enabled=False)
        if points is not None:
            if list(points) != self._points:
                self._points, self._picked = list(points), []
            self._points_changed()

    def _set_points(self, points: list[Point], picked: Sequence[dict[str, str]] = ()) -> None:
        self._points, self._picked = points, list(picked)
        self._edit.set_points(points)
        self._points_changed()

    def _points_changed(self) -> None:
        self.set_primary(tr("Measure"), enabled=self._complete)
        self.continuous.setVisible(self._chosen.field == "start")
        self._surface.setVisible(self._chosen.lays)
        self._surface_title.setVisible(self._chosen.lays)
        self._instruct()
        if self._connected:
            last = self._points[-1] if self._points else ()
            base = (last[0], last[1], last[2]) if len(last) == 3 else None
            # A corner has no face: faces are clicked as they are.
            self._context.canvas.set_aim(snap=not self._chosen.faces, base=base)
        if self._points:
            self.kept.select("")
            self._context.canvas.set_handles([])
            self._preview(None)
        else:
            self._context.canvas.clear_preview()
            self._show_selected()

    def _instruct(self) -> None:
        count, kind = len(self._points), self._chosen
        if count == 0:
            text = tr(kind.first)
        elif kind.faces:
            text = tr("Click another face for the angle between both, or finish with Enter.")
        elif count + 1 == kind.most:
            text = tr("Click where it ends. Esc begins anew.")
        elif count < kind.least:
            text = tr("Click the next point. Backspace takes one back.")
        else:
            text = tr("Click on, or finish with Enter or a double click.")
        self.set_instruction(text)

    def _list_surfaces(self) -> None:
        chosen = self._surface.currentData()
        self._surface.clear()
        self._surface.addItem(tr("none"), None)
        for layer in self._context.scene:
            if isinstance(layer.data, RasterData) and layer.data.role == "terrain":
                self._surface.addItem(layer.name, layer.id)
        self._surface.setCurrentIndex(max(0, self._surface.findData(chosen)))
        self._surface.setVisible(self._chosen.lays)
        self._surface_title.setVisible(self._chosen.lays)

    # -- measuring -------------------------------------------------------------------------

    def _preview(self, cursor: Point | None) -> None:
        """Draw the rubber band to the cursor with the number beside it, and fill the card."""
        points, kind = list(self._points), self._chosen
        if cursor is not None and (kind.most == 0 or len(points) < kind.most):
            points.append(cursor)
        self._show_live(kind, points)

    def _show_live(self, kind: Kind, points: Sequence[Point]) -> None:
        drawn = [(p[0], p[1], p[2]) for p in points if len(p) == 3]
        result = self._measure_now(kind, points)
        if result is None:
            self._context.canvas.show_preview(drawn, closed=kind.closed)
            return
        text = named_text(result.headline, result.values[result.headline])
        self._context.canvas.show_preview(drawn, text, closed=kind.closed)
        self._show(result.headline, result.values, result.warnings)

    def _measure_now(self, kind: Kind, points: Sequence[Point]) -> Result | None:
        """Measure on this thread while the mouse moves: cheap, and the same numbers as later.

        Without the surface, which may lie on a slow disk; it comes with the result.
        """
        if len(points) < kind.least or any(len(point) != 3 for point in points):
            return None
        scene = self._context.scene
        try:
            asked = kind.validated(points)
            measure = kind.analysis()
            result = measure.compute(measure.prepare(scene, asked), asked, Feedback())
            return _headed(kind, result, len(points))
        except UserError:
            return None  # corners on one line, sides that cross: the next point may mend it

    def _finish(self) -> None:
        if not self._complete:
            return
        surface = self._surface.currentData() if self._chosen.lays else None
        params = self._chosen.params(self._points, surface, self._picked)
        self._message.dismiss()
        # A task: the window stays fluent however large the surface is.
        kind, count = self._chosen, len(self._points)
        self._context.run(
            kind.analysis.id,
            params,
            lambda result: self._done(kind, _headed(kind, result, count)),
            self._failed,
        )

    def _done(self, kind: Kind, result: Result) -> None:
        name = tr(kind.title)
        taken = {record.name for record in self._context.scene.records}
        number = next(n for n in range(1, len(taken) + 2) if f"{name} {n}" not in taken)
        record = self._context.keep(result, f"{name} {number}")
        if self._points and self.continuous.isChecked() and kind.field == "start":
            self._set_points(self._points[-1:], self._picked[-1:])
            return
        self._set_points([])
        self.kept.select(record.id)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, UserError):
            # A defect belongs to the one place that tells people about defects.
            raise error
        self._message.show_message(str(error), "bad")
        if not self._points:
            self._context.canvas.clear_preview()
            self._show_selected()

    def _tell(self, text: str, tone: str) -> None:
        self._message.show_message(text, tone, seconds=6 if tone == "good" else None)

    # -- a kept measurement that is dragged --------------------------------------------------

    def _editable(self) -> tuple[Record, Kind, list[Point]] | None:
        """Return the selected measurement with its points, if all of them can be dragged."""
        record = self.kept.selected
        kind = None if record is None else KINDS.get(str(record.request.get("analysis")))
        if record is None or kind is None or not record.visible:
            return None
        if record.headline not in ("", kind.headline) and kind.id == ANGLE:
            return None  # of faces, whose points were not clicked
        places = kind.placed(record.request.get("params", {}))
        if any(len(place) != 3 for place in places):
            return None
        return record, kind, [(p[0], p[1], p[2]) for p in places]

    def _handle_moved(self, number: int, pick: Pick) -> None:
        edited = self._editable()
        if edited is not None and number < len(edited[2]):
            _, kind, places = edited
            places[number] = pick.position
            self._show_live(kind, places)

    def _handle_released(self, number: int, pick: Pick) -> None:
        edited = self._editable()
        if edited is None or number >= len(edited[2]):
            return
        record, kind, places = edited
        places[number] = pick.position
        old: Mapping[str, object] = record.request["params"]
        picked = [dict(p) for p in record.request["params"].get("picked") or ()]
        if number < len(picked):
            picked[number] = self._source(pick)
        surface = old.get("surface")
        params = kind.params(places, surface if isinstance(surface, str) else None, picked)
        # What else was asked (another CRS, a second face) is asked again.
        params = {**{k: v for k, v in old.items() if k != "picked"}, **params}
        self._message.dismiss()
        self._context.run(kind.analysis.id, params, partial(self._changed, record), self._failed)

    def _changed(self, record: Record, result: Result) -> None:
        self._context.canvas.clear_preview()
        self._context.keep(result, record.name, record.id)

    # -- results ---------------------------------------------------------------------------

    def _show(self, headline: str, values: dict[str, Value], notes: Sequence[str]) -> None:
        head = values[headline]
        self._card.set_title(tr(NAMES.get(headline, headline)))
        if isinstance(head.value, int | float):
            number, unit, spread = float(head.value), head.unit, head.uncertainty
            if headline not in COORDINATES:
                number, unit, spread = unit_choice.shown(number, unit, spread)
            self._card.set_value(number, unit, spread, digits=default_digits(unit))
        else:
            self._card.set_value(None, head.unit)
        details = [(tr(NAMES.get(n, n)), named_text(n, v)) for n, v in values.items()]
        self._card.set_details(row for row, n in zip(details, values, strict=True) if n != headline)
        self._card.set_notes(notes)
        self._card.show()

    def _show_selected(self) -> None:
        """Show the selected measurement in the card, with grips at its points."""
        if self._points:
            return
        record, edited = self.kept.selected, self._editable()
        if self._connected:
            self._context.canvas.set_handles([] if edited is None else edited[2])
        self._card.setVisible(record is not None)
        if record is not None:
            values = {n: Value(**value) for n, value in record.values.items()}
            self._show(headline_of(record), values, ())

    def export(self, path: Path) -> None:
        """Write all measurements by the file's suffix; a ``.pdf`` is the selected one's sheet."""
        self.kept.export(path)


def _headed(kind: Kind, result: Result, points: int) -> Result:
    """Return a result with what matters of faces in front: the angle between both, or the slope."""
    if not kind.faces:
        return result
    return replace(result, headline="dihedral" if points == kind.most else "slope")

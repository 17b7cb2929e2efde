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

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from plumbline.api import (
    N_,
    Feedback,
    Pick,
    RasterData,
    Record,
    Result,
    UsageError,
    UserError,
    Value,
    default_digits,
    format_value,
    tr,
)
from plumbline.ui_kit.buttons import button, tool_button
from plumbline.ui_kit.context import Point, ToolContext
from plumbline.ui_kit.fields import ComboBox, MessageBar, PointsEdit, SegmentedControl
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.live import follow
from plumbline.ui_kit.panel import Panel, ResultCard, Section
from plumbline.ui_kit.views import set_up_tree
from plumbline_measurement.exports import as_dxf, as_xlsx, write_geopackage
from plumbline_measurement.kinds import KINDS, Kind
from plumbline_measurement.records import as_csv, as_geojson, measurements
from plumbline_measurement.sheet import sheet_pdf

DISTANCE, POLYLINE = "measure.distance", "measure.polyline"

#: Words for the values. The analysis names them for programs, the panel for people.
NAMES = {
    "distance": N_("Distance"),
    "horizontal": N_("Horizontal"),
    "vertical": N_("Vertical"),
    "slope": N_("Slope"),
    "slope_percent": N_("Gradient"),
    "azimuth_grid": N_("Azimuth, grid north"),
    "azimuth_true": N_("Azimuth, true north"),
    "ground_distance": N_("On the ellipsoid"),
    "length": N_("Length"),
    "horizontal_length": N_("Horizontal length"),
    "surface_length": N_("Length on the surface"),
    "ascent": N_("Ascent"),
    "descent": N_("Descent"),
    "area_horizontal": N_("Area on the map"),
    "area_plane": N_("Area in its plane"),
    "area_surface": N_("Area on the surface"),
    "perimeter": N_("Perimeter"),
    "angle": N_("Angle"),
    "aspect": N_("Aspect"),
    "dihedral": N_("Angle between faces"),
    "x": N_("Easting"),
    "y": N_("Northing"),
    "z": N_("Height"),
    "longitude": N_("Longitude"),
    "latitude": N_("Latitude"),
    "ground": N_("Ground"),
    "height_above_ground": N_("Height above ground"),
}
#: What measurements are exported as.
EXPORTS = ("csv", "xlsx", "geojson", "gpkg", "dxf")


class MeasurePanel(Panel):
    """Measures distances and polylines; lists and exports the measurements of the project."""

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
        self._make_list()
        self.run_requested.connect(self._finish)
        # `follow` ends with the panel: a scene outlives the panels that listen to it.
        follow(self, context.scene.records_changed, self._list_records)
        follow(self, context.scene.tree_changed, self._list_surfaces)
        self._list_surfaces()
        self._list_records()
        self.retranslate()

    # -- building --------------------------------------------------------------------------

    def _make_inputs(self) -> None:
        self._kind = SegmentedControl()
        for kind in KINDS.values():
            self._kind.add(kind.id, icon=kind.icon, tip=tr(kind.title))
        self._kind.changed.connect(self._kind_changed)
        self.add(self._kind)
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

    def _make_list(self) -> None:
        self._kept = Section()
        self._list = QTreeWidget()
        set_up_tree(self._list)
        self._list.setObjectName("measurements")
        self._list.setHeaderHidden(True)
        self._list.setRootIsDecorated(False)
        self._list.setColumnCount(2)
        self._list.setFixedHeight(160)
        self._list.header().setStretchLastSection(False)
        self._list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._list.currentItemChanged.connect(self._selected)
        self._list.itemChanged.connect(self._item_edited)
        self._kept.add(self._list)
        self._out = button("", icon="export")
        menu = QMenu(self._out)
        for suffix in EXPORTS:
            menu.addAction(suffix.upper(), partial(self._export, suffix))
        self._out.setMenu(menu)
        self._sheet = button("", icon="report", clicked=lambda: self._export("pdf"))
        self._remove = tool_button("trash", clicked=self._remove_selected)
        row = QWidget()
        buttons = QHBoxLayout(row)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(8)
        buttons.addWidget(self._out)
        buttons.addWidget(self._sheet)
        buttons.addStretch(1)
        buttons.addWidget(self._remove)
        self._kept.add(row)
        self.add(self._kept)

    def retranslate(self) -> None:
        """Set every text again; called at the start and when the language changes."""
        self.set_title(tr("Measure"))
        self.set_primary(tr("Measure"), enabled=self._complete)
        for kind in KINDS.values():
            self._kind.set_text(kind.id, "", tip=tr(kind.title))
        self._typing.set_title(tr("Coordinates"))
        self._surface_title.setText(tr("Lay on surface"))
        if self._surface.count():
            self._surface.setItemText(0, tr("none"))
        self._kept.set_title(tr("Measurements"))
        self._out.setText(tr("Export"))
        self._out.setToolTip(tr("Export all measurements as a table, features or a drawing"))
        self._sheet.setText(tr("Sheet"))
        self._sheet.setToolTip(tr("Print the selected measurement on one page"))
        self._remove.setToolTip(tr("Remove the selected measurement"))
        self._remove.setAccessibleName(tr("Remove the selected measurement"))
        self._instruct()
        self._list_records()

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
        ):
            if on:
                signal.connect(slot)
            else:
                signal.disconnect(slot, missing_ok=True)

    def _clicked(self, pick: Pick) -> None:
        # The second click of a double click lands on the same place: it finishes, it adds nothing.
        if self._points and pick.position == self._points[-1]:
            return
        if self._chosen.most and len(self._points) == self._chosen.most:
            return
        whole = len(self._picked) == len(self._points) and pick.layer in self._context.scene
        source = {"layer": pick.layer, "snap": pick.snap or "face"}
        picked = [*self._picked, source] if whole else []
        self._set_points([*self._points, pick.position], picked)
        if len(self._points) == self._chosen.most:
            self._finish()

    def _hovered(self, pick: Pick | None) -> None:
        if self._points:
            self._preview(None if pick is None else pick.position)

    def _step_back(self) -> None:
        self._set_points(self._points[:-1], self._picked[:-1])

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
        self._surface.setVisible(self._chosen.lays)
        self._surface_title.setVisible(self._chosen.lays)
        self._instruct()
        if self._connected:
            last = self._points[-1] if self._points else ()
            base = (last[0], last[1], last[2]) if len(last) == 3 else None
            self._context.canvas.set_aim(snap=True, base=base)
        if self._points:
            self._list.setCurrentItem(None)
            self._preview(None)
        else:
            self._context.canvas.clear_preview()
            self._show_selected()

    def _instruct(self) -> None:
        count, kind = len(self._points), self._chosen
        if count == 0:
            text = tr(kind.first)
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
        drawn = [(p[0], p[1], p[2]) for p in points if len(p) == 3]
        result = self._measure_now(points)
        if result is None:
            self._context.canvas.show_preview(drawn, closed=kind.closed)
            return
        text = _text(result.values[result.headline])
        self._context.canvas.show_preview(drawn, text, closed=kind.closed)
        self._show(result.headline, result.values, result.warnings)

    def _measure_now(self, points: Sequence[Point]) -> Result | None:
        """Measure on this thread while the mouse moves: cheap, and the same numbers as later.

        Without the surface, which may lie on a slow disk; it comes with the result.
        """
        kind = self._chosen
        if len(points) < kind.least or any(len(point) != 3 for point in points):
            return None
        scene = self._context.scene
        try:
            asked = kind.validated(points)
            measure = kind.analysis()
            return measure.compute(measure.prepare(scene, asked), asked, Feedback())
        except UserError:
            return None  # corners on one line, sides that cross: the next point may mend it

    def _finish(self) -> None:
        if not self._complete:
            return
        surface = self._surface.currentData() if self._chosen.lays else None
        params = self._chosen.params(self._points, surface, self._picked)
        self._message.dismiss()
        # A task: the window stays fluent however large the surface is.
        self._context.run(self.kind, params, self._done, self._failed)

    def _done(self, result: Result) -> None:
        name = tr(KINDS[result.analysis].title)
        taken = {record.name for record in self._context.scene.records}
        number = next(n for n in range(1, len(taken) + 2) if f"{name} {n}" not in taken)
        record = self._context.keep(result, f"{name} {number}")
        self._set_points([])
        self._select(record.id)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, UserError):
            # A defect belongs to the one place that tells people about defects.
            raise error
        self._message.show_message(str(error), "bad")

    # -- results ---------------------------------------------------------------------------

    def _show(self, headline: str, values: dict[str, Value], notes: Sequence[str]) -> None:
        head = values[headline]
        self._card.set_title(tr(NAMES.get(headline, headline)))
        number = float(head.value) if isinstance(head.value, int | float) else None
        self._card.set_value(number, head.unit, head.uncertainty, digits=default_digits(head.unit))
        details = [(tr(NAMES.get(n, n)), _text(v)) for n, v in values.items() if n != headline]
        self._card.set_details(details)
        self._card.set_notes(notes)
        self._card.show()

    def _records(self) -> list[Record]:
        return measurements(self._context.scene.records)

    def _list_records(self) -> None:
        records = self._records()
        chosen = _record_id(self._list.currentItem())
        blocked = self._list.blockSignals(True)
        # A rename comes from inside an item: it must still be there when its editor closes, so
        # items are made anew only when the list is another one.
        if [r.id for r in records] != [_record_id(item) for item in self._items()]:
            self._list.clear()
            self._list.addTopLevelItems([_new_item(record) for record in records])
        for item, record in zip(self._items(), records, strict=True):
            _fill_item(item, record)
            if record.id == chosen:
                self._list.setCurrentItem(item)
        self._list.blockSignals(blocked)
        self._kept.setVisible(bool(records))
        self._show_selected()

    def _items(self) -> list[QTreeWidgetItem]:
        return [self._list.topLevelItem(n) for n in range(self._list.topLevelItemCount())]

    def _select(self, record_id: str) -> None:
        for item in self._items():
            if _record_id(item) == record_id:
                self._list.setCurrentItem(item)

    def _selected_record(self) -> Record | None:
        wanted = _record_id(self._list.currentItem())
        return next((r for r in self._records() if r.id == wanted), None)

    def _selected(self) -> None:
        if not self._points:
            self._show_selected()

    def _show_selected(self) -> None:
        record = self._selected_record()
        self._remove.setEnabled(record is not None)
        if self._points:
            return
        self._card.setVisible(record is not None)
        if record is not None:
            values = {n: Value(**value) for n, value in record.values.items()}
            self._show(_headline_name(record), values, ())

    def _item_edited(self, item: QTreeWidgetItem) -> None:
        record_id = _record_id(item)
        shown = item.checkState(0) is Qt.CheckState.Checked
        name = item.text(0).strip()
        self._context.scene.set_records(
            replace(r, name=name or r.name, visible=shown) if r.id == record_id else r
            for r in self._context.scene.records
        )

    def _remove_selected(self) -> None:
        record = self._selected_record()
        if record is not None:
            kept = [r for r in self._context.scene.records if r.id != record.id]
            self._context.scene.set_records(kept)

    def _export(self, kind: str) -> None:
        name = f"{tr('Measurements')}.{kind}"
        path, _ = QFileDialog.getSaveFileName(self, tr("Export"), name, f"*.{kind}")
        if path:
            self.export(Path(path))

    def export(self, path: Path) -> None:
        """Write all measurements by the file's suffix; a ``.pdf`` is the selected one's sheet."""
        try:
            self._write(path)
        except OSError as error:
            why = error.strerror or str(error)
            self._message.show_message(
                tr("“{path}” cannot be written: {why}.", path=path, why=why), "bad"
            )
            return
        except UserError as error:
            self._message.show_message(str(error), "bad")
            return
        self._message.show_message(tr("Exported to {path}", path=path), "good", seconds=6)

    def _write(self, path: Path) -> None:
        georeference, records = self._context.scene.georeference, self._records()
        suffix = path.suffix.lower()
        if suffix == ".gpkg":
            write_geopackage(records, georeference, path)
        elif suffix == ".pdf":
            record = self._selected_record()
            if record is None:
                raise UsageError(
                    tr("No measurement is selected."), tr("Select one in the list of measurements.")
                )
            words = {name: tr(text) for name, text in NAMES.items()}
            picture = self._context.canvas.picture()
            path.write_bytes(sheet_pdf(record, georeference, picture, words))
        elif suffix in (".xlsx", ".dxf"):
            make = as_xlsx if suffix == ".xlsx" else as_dxf
            path.write_bytes(make(records, georeference))
        elif suffix == ".csv":
            # With a byte order mark: Excel takes a CSV without one for the system's old encoding.
            path.write_text(as_csv(records, georeference), encoding="utf-8-sig", newline="")
        else:
            path.write_text(as_geojson(records, georeference), encoding="utf-8", newline="")


def _text(value: Value) -> str:
    if not isinstance(value.value, int | float):
        return "–"
    return format_value(value.value, value.unit, value.uncertainty, default_digits(value.unit))


def _new_item(record: Record) -> QTreeWidgetItem:
    item = QTreeWidgetItem()
    item.setData(0, Qt.ItemDataRole.UserRole, record.id)
    item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable)
    return item


def _fill_item(item: QTreeWidgetItem, record: Record) -> None:
    item.setText(0, record.name)
    item.setText(1, _headline(record))
    item.setToolTip(0, f"{record.name}\n{record.created} {record.operator}".strip())
    item.setCheckState(0, Qt.CheckState.Checked if record.visible else Qt.CheckState.Unchecked)


def _record_id(item: QTreeWidgetItem | None) -> str:
    return "" if item is None else str(item.data(0, Qt.ItemDataRole.UserRole))


def _headline_name(record: Record) -> str:
    kind = KINDS.get(str(record.request.get("analysis", "")))
    name = kind.headline if kind is not None else ""
    return name if name in record.values else next(iter(record.values), "")


def _headline(record: Record) -> str:
    value = record.values.get(_headline_name(record))
    return "–" if value is None else _text(Value(**value))

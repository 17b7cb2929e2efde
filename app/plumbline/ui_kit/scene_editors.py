"""Editors of what can be picked in the scene: points, lines, polygons, layers."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union, get_args, get_origin

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from plumbline.analysis.params import Entities
from plumbline.core.i18n import tr
from plumbline.ui_kit.field_specs import Editor, FieldSpec, LayerChoice, unwrap
from plumbline.ui_kit.fields import (
    ComboBox,
    CoordinateEdit,
    PointsEdit,
    SegmentedControl,
    UnitSpinBox,
)
from plumbline.ui_kit.labels import ElidedLabel

#: Names of fields whose points are places of their own, not the corners of a line.
PLACES = ("observer", "targets", "points", "positions", "viewpoints", "receivers")


class PointEditor(Editor):
    """A point, typed or picked."""

    wide = True
    shape = "point"

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._edit = CoordinateEdit(sizes=_point_sizes(spec.type))
        self._edit.point_changed.connect(lambda _: self.edited.emit())
        self._edit.pick_toggled.connect(self.pick_toggled)
        self.place(self._edit)
        self.setFocusProxy(self._edit.line_edit)

    def get(self) -> Any:
        """Return the point, None when empty, the text when it is no point."""
        point = self._edit.point()
        return point if point is not None else self._edit.text().strip() or None

    def put(self, value: Any) -> None:
        """Show a point."""
        self._edit.set_point(value)

    def points(self) -> list[tuple[float, ...]]:
        """Return the point, if there is one."""
        point = self._edit.point()
        return [] if point is None else [point]

    def put_points(self, points: Sequence[tuple[float, ...]]) -> None:
        """Show the first point."""
        self.put(points[0] if points else None)

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended."""
        self._edit.set_picking(picking)

    def add_point(self, point: tuple[float, ...]) -> None:
        """Take a picked point in place of the old one."""
        self._edit.set_point(point[: max(_point_sizes(self.spec.type))])
        self.edited.emit()


class PointsEditor(Editor):
    """A list of points, typed, pasted or picked; also a shape as WKT or GeoJSON."""

    wide = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        places = spec.extra.get("places", spec.name in PLACES)
        self.shape = "polygon" if spec.closed else "places" if places else "line"
        self._sizes = self._point_sizes()
        self._edit = PointsEdit(sizes=self._sizes)
        self._edit.points_changed.connect(lambda _: self.edited.emit())
        self._edit.pick_toggled.connect(self.pick_toggled)
        self.place(self._edit)
        self.setFocusProxy(self._edit.text_edit)

    def _point_sizes(self) -> tuple[int, ...]:
        item = next((arg for arg in get_args(self.spec.type) if arg is not Ellipsis), Any)
        return _point_sizes(unwrap(item, {})[0])

    def get(self) -> Any:
        """Return the points, the shape that was pasted, or the lines when one is no point."""
        points = self._edit.points()
        if points is not None:
            return None if self.spec.optional and not points else tuple(points)
        text = self._edit.text().strip()
        return _shape(text) if text[:1].isalpha() or text[:1] == "{" else tuple(text.splitlines())

    def put(self, value: Any) -> None:
        """Show points."""
        self._edit.set_points(value or ())

    def points(self) -> list[tuple[float, ...]]:
        """Return the points, none where a shape or something wrong stands in the field."""
        return self._edit.points() or []

    def put_points(self, points: Sequence[tuple[float, ...]]) -> None:
        """Show points."""
        self._edit.set_points(points)

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended."""
        self._edit.set_picking(picking)

    def add_point(self, point: tuple[float, ...]) -> None:
        """Append a picked point."""
        self._edit.add_point(point[: max(self._sizes)])


class RegionEditor(PointsEditor):
    """Polygons: one ring as a list of points, several or with holes as WKT."""

    def _point_sizes(self) -> tuple[int, ...]:
        return (2, 3)

    def put(self, value: Any) -> None:
        """Show a ring of points, or polygons of rings of points."""
        rings = [ring for polygon in value or () for ring in polygon]
        if len(rings) == 1:
            super().put(rings[0])
        elif rings and isinstance(rings[0], int | float):
            super().put(value)
        else:
            self._edit.set_text(_wkt(value) if value else "")


def _shape(text: str) -> Any:
    """Return GeoJSON as what it says, and any other text as it is."""
    if not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _wkt(polygons: Any) -> str:
    def ring(points: Any) -> str:
        return "(" + ", ".join(" ".join(f"{v!r}" for v in p) for p in [*points, points[0]]) + ")"

    parts = ["(" + ", ".join(map(ring, polygon)) + ")" for polygon in polygons]
    return f"POLYGON {parts[0]}" if len(parts) == 1 else f"MULTIPOLYGON ({', '.join(parts)})"


def _point_sizes(annotation: Any) -> tuple[int, ...]:
    """Return how many numbers a point may have, from ``tuple[float, float, float]`` or a union."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(size for member in get_args(annotation) for size in _point_sizes(member))
    count = len(get_args(annotation))
    return (count,) if count in (2, 3) else (3,)


def _fitting(spec: FieldSpec, layers: Iterable[LayerChoice]) -> list[LayerChoice]:
    """Return the layers of the kinds that a field asks for; those of no kind fit everywhere."""
    kinds = spec.extra.get("kinds")
    return [layer for layer in layers if not kinds or layer.kind in ("", *kinds)]


class LayerEditor(Editor):
    """One layer of the scene."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._wanted: str | None = None
        self._combo = ComboBox()
        self._combo.activated.connect(self._chosen)
        self.place(self._combo)
        self.set_layers([])

    def _chosen(self) -> None:
        self._wanted = self._combo.currentData()
        self.edited.emit()

    def get(self) -> Any:
        """Return the id of the layer."""
        return self._combo.currentData()

    def put(self, value: Any) -> None:
        """Choose a layer, now or as soon as it is offered."""
        self._wanted = value
        self._combo.setCurrentIndex(self._combo.findData(value))

    def set_layers(self, layers: Iterable[LayerChoice]) -> None:
        """Offer these layers and keep the choice where it is still there."""
        self._combo.clear()
        if self.spec.optional:
            self._combo.addItem("–", None)
        for layer in _fitting(self.spec, layers):
            self._combo.addItem(layer.name, layer.id)
        self._combo.setCurrentIndex(self._combo.findData(self._wanted))
        self.retranslate()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._combo.setPlaceholderText(
            tr("Choose a layer") if self._combo.count() else tr("No layer fits")
        )


class LayersEditor(Editor):
    """Several layers of the scene, to be ticked; of some, perhaps, only a few entities."""

    wide = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        items = get_args(spec.type)[:1]
        self.takes_entities = any(Entities in (item, *get_args(item)) for item in items)
        self._wanted: tuple[str, ...] = ()
        self._entities: dict[str, tuple[str, ...]] = {}
        self._names: dict[str, str] = {}
        self._list = QListWidget()
        self._list.setProperty("boxed", True)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._list.itemChanged.connect(lambda _: self._ticked())
        self.place(self._list)
        self._fit_height()

    def _ticked(self) -> None:
        self._wanted = tuple(self._ids())
        self.edited.emit()

    def _ids(self) -> list[str]:
        rows = (self._list.item(index) for index in range(self._list.count()))
        return [
            row.data(Qt.ItemDataRole.UserRole)
            for row in rows
            if row.checkState() == Qt.CheckState.Checked
        ]

    def get(self) -> Any:
        """Return the ids of the ticked layers in the order of the list, with their entities."""
        named = self._entities
        chosen = tuple(
            {"layer": n, "entities": list(named[n])} if named.get(n) else n for n in self._ids()
        )
        return None if self.spec.optional and not chosen else chosen

    def put(self, value: Any) -> None:
        """Tick these layers, now or as soon as they are offered."""
        many = (value,) if isinstance(value, str) else value or ()
        wanted = [_layer_and_entities(one) for one in many]
        self._wanted = tuple(layer for layer, _ in wanted)
        self._entities = {layer: entities for layer, entities in wanted if entities}
        self._show()

    def _show(self) -> None:
        blocked = self._list.blockSignals(True)
        for index in range(self._list.count()):
            row = self._list.item(index)
            layer = row.data(Qt.ItemDataRole.UserRole)
            wanted = layer in self._wanted
            row.setCheckState(Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked)
            count = len(self._entities.get(layer, ()))
            name = self._names[layer]
            row.setText(tr("{name} ({n} objects)", name=name, n=count) if count else name)
        self._list.blockSignals(blocked)

    def set_layers(self, layers: Iterable[LayerChoice]) -> None:
        """Offer these layers, those that are ticked first, and keep the ticks."""
        fitting = sorted(_fitting(self.spec, layers), key=lambda one: one.id not in self._wanted)
        self._names = {layer.id: layer.name for layer in fitting}
        blocked = self._list.blockSignals(True)
        self._list.clear()
        for layer in fitting:
            row = QListWidgetItem(layer.name, self._list)
            row.setData(Qt.ItemDataRole.UserRole, layer.id)
            row.setSizeHint(QSize(0, 26))
            row.setToolTip(layer.name)
        self._list.blockSignals(blocked)
        self._fit_height()
        self._show()

    def _fit_height(self) -> None:
        # As high as its rows up to four, so that short lists leave room and long ones scroll.
        self._list.setFixedHeight(8 + 26 * min(4, max(1, self._list.count())))

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._show()


def _layer_and_entities(value: Any) -> tuple[str, tuple[str, ...]]:
    if isinstance(value, Entities):
        return value.layer, value.entities
    if isinstance(value, Mapping):
        return str(value["layer"]), tuple(value.get("entities", ()))
    return str(value), ()


class ReceiversEditor(Editor):
    """What receives light: an area with a grid, layers, or single points.

    The value is ``{"polygon", "cell_size"}``, a list of layer ids, or a list of points.
    """

    wide = True
    AREA, LAYERS, POINTS = "polygon", "layers", "points"

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._mode = SegmentedControl()
        for name in (self.AREA, self.LAYERS, self.POINTS):
            self._mode.add(name)
        self._mode.changed.connect(self._mode_changed)
        self._edit = PointsEdit(sizes=(2, 3))
        self._edit.points_changed.connect(lambda _: self.edited.emit())
        self._edit.pick_toggled.connect(self.pick_toggled)
        self._cell = UnitSpinBox("m", step=0.5, minimum=0.1)
        self._cell.value_changed.connect(lambda _: self.edited.emit())
        self._cell_name = ElidedLabel(role="muted")
        self._layers = LayersEditor(spec)
        self._layers.edited.connect(self.edited)
        size = QHBoxLayout()
        size.setContentsMargins(0, 0, 0, 0)
        size.addWidget(self._cell_name, 1)
        size.addWidget(self._cell, 1)
        self._size = QWidget()
        self._size.setLayout(size)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for part in (self._mode, self._edit, self._size, self._layers):
            column.addWidget(part)
        self.place(whole)
        self.setFocusProxy(self._edit.text_edit)
        self._show_mode()
        self.retranslate()

    def _mode_changed(self, _name: str) -> None:
        self._edit.set_points(())
        self._show_mode()
        self.edited.emit()
        self.pick_toggled.emit(self.shape is not None)

    def _show_mode(self) -> None:
        mode = self._mode.current()
        self.shape = {self.AREA: "polygon", self.POINTS: "places"}.get(mode)  # type: ignore[assignment]
        self._edit.setVisible(mode != self.LAYERS)
        self._size.setVisible(mode == self.AREA)
        self._layers.setVisible(mode == self.LAYERS)

    def get(self) -> Any:
        """Return the receivers as a request says them, None where there are none."""
        mode = self._mode.current()
        if mode == self.LAYERS:
            return self._layers.get() or None
        points = self._edit.points()
        if points is None:
            return self._edit.text()
        if mode == self.POINTS or not points:
            return tuple(points) or None
        return {"polygon": tuple(points), "cell_size": self._cell.value()}

    def put(self, value: Any) -> None:
        """Show receivers."""
        points: Any = ()
        layers: Any = ()
        mode = self._mode.current()
        if isinstance(value, str):
            mode, layers = self.LAYERS, (value,)
        elif isinstance(value, Mapping):
            mode, points = self.AREA, value.get("polygon") or ()
            self._cell.set_value(value.get("cell_size"))
        elif value and isinstance(value[0], str):
            mode, layers = self.LAYERS, value
        elif value:
            mode, points = self.POINTS, value
        self._mode.set_current(mode)
        self._edit.set_points(points)
        if layers:
            self._layers.put(layers)
        self._show_mode()

    def points(self) -> list[tuple[float, ...]]:
        """Return the points of the area, or the single ones."""
        return self._edit.points() or [] if self.shape else []

    def put_points(self, points: Sequence[tuple[float, ...]]) -> None:
        """Show points."""
        self._edit.set_points(points)

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended."""
        self._edit.set_picking(picking)

    def add_point(self, point: tuple[float, ...]) -> None:
        """Append a picked point."""
        self._edit.add_point(point)

    def set_layers(self, layers: Iterable[LayerChoice]) -> None:
        """Offer these layers."""
        self._layers.set_layers(layers)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._mode.set_text(self.AREA, tr("Drawn area"))
        self._mode.set_text(self.LAYERS, tr("Layers"))
        self._mode.set_text(self.POINTS, tr("Single points"))
        self._cell_name.setText(tr("Cell size"))
        self._layers.retranslate()

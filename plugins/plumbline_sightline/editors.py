"""Editors of sightlines: landmarks that are selected, control surfaces, instruments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from plumbline.api import N_, tr
from plumbline.ui_kit.buttons import button
from plumbline.ui_kit.field_specs import Editor, FieldSpec, LayerChoice
from plumbline.ui_kit.fields import ComboBox, PointsEdit, UnitSpinBox
from plumbline.ui_kit.labels import ElidedLabel, label
from plumbline.ui_kit.scene_editors import PointsEditor


class LandmarkEditor(PointsEditor):
    """Points that are clicked, or entities that are selected, as JSON."""

    takes_entities = True

    def _point_sizes(self) -> tuple[int, ...]:
        return (2, 3)

    def put(self, value: Any) -> None:
        """Show points, or the entities of a layer."""
        named = [_plain(one) for one in value or () if isinstance(one, Mapping | BaseModel)]
        if named:
            self._edit.set_text(json.dumps(named, ensure_ascii=False))
        else:
            super().put(value)

    def get(self) -> Any:
        """Return the points or the entities."""
        text = self._edit.text().strip()
        if text.startswith("["):
            try:
                return tuple(json.loads(text))
            except (ValueError, RecursionError, TypeError):
                return text
        return super().get()


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value)


#: What describes an instrument: name, what people read, unit, start.
INSTRUMENT = (
    ("height", N_("Height above roof or ground"), "m", 3.0),
    ("range", N_("Range"), "m", 200.0),
    ("horizontal_fov", N_("Horizontal field of view"), "°", 360.0),
    ("vertical_fov", N_("Vertical field of view"), "°", 180.0),
    ("azimuth", N_("Azimuth (empty: the best)"), "°", None),
    ("tilt", N_("Tilt"), "°", 0.0),
)


class InstrumentEditor(Editor):
    """What watches: a camera, a guard, an antenna."""

    wide = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        self.spins: dict[str, UnitSpinBox] = {}
        self._names: dict[str, ElidedLabel] = {}
        for row, (name, _, unit, start) in enumerate(INSTRUMENT):
            self._names[name], self.spins[name] = ElidedLabel(role="muted"), UnitSpinBox(unit)
            self.spins[name].set_value(start)
            self.spins[name].value_changed.connect(lambda _: self.edited.emit())
            grid.addWidget(self._names[name], row, 0)
            grid.addWidget(self.spins[name], row, 1)
        whole = QWidget()
        whole.setLayout(grid)
        self.place(whole)
        self.setFocusProxy(self.spins["height"])
        self.retranslate()

    def get(self) -> Any:
        """Return the numbers; no azimuth lets the best be looked for."""
        values = {name: spin.value() for name, spin in self.spins.items()}
        return {k: v for k, v in values.items() if v is not None}

    def put(self, value: Any) -> None:
        """Show an instrument."""
        given = {} if value is None else _plain(value)
        for name, _, _, start in INSTRUMENT:
            self.spins[name].set_value(given.get(name, start))

    def retranslate(self) -> None:
        """Take up the language of the window."""
        for name, title, *_ in INSTRUMENT:
            self._names[name].setText(tr(title))


ZONE, PLANE, CONE, STRIP, ZONES = "zone", "plane", "cone", "corridor", "zones"
KINDS = {
    ZONE: N_("Zone with one height"),
    PLANE: N_("Plane through corners"),
    CONE: N_("Cone around a place"),
    STRIP: N_("Strip that rises"),
    ZONES: N_("Zones of a layer"),
}
#: What clicks make, by kind; a layer of zones is chosen.
SHAPES = {ZONE: "polygon", PLANE: "polygon", CONE: "point", STRIP: "line"}
#: Numbers of a kind: name, what people read, unit, start.
NUMBERS: dict[str, tuple[tuple[str, str, str, float], ...]] = {
    ZONE: (("height", N_("Height"), "m", 24.0),),
    PLANE: (),
    CONE: (
        ("height", N_("Height at the inner radius"), "m", 45.0),
        ("slope", N_("Rise per metre"), "", 0.05),
        ("radius_from", N_("Inner radius"), "m", 0.0),
        ("radius_to", N_("Outer radius"), "m", 500.0),
    ),
    STRIP: (
        ("height", N_("Height at the start"), "m", 10.0),
        ("slope", N_("Rise per metre"), "", 0.02),
        ("width", N_("Width at the start"), "m", 60.0),
        ("width_end", N_("Width at the end"), "m", 60.0),
    ),
    ZONES: (),
}
#: Kinds whose heights may count from the ground.
ABOVE = (ZONE, ZONES)


class SurfacesEditor(Editor):
    """Control surfaces: one is being drawn, those before it are kept in a list."""

    wide = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._kept: list[dict[str, Any]] = []
        self._layer_names: dict[str, str] = {}
        self._kind, self._above, self._layer = ComboBox(), ComboBox(), ComboBox()
        for kind in KINDS:
            self._kind.addItem("", kind)
        for datum in ("datum", "ground"):
            self._above.addItem("", datum)
        self._attribute = ComboBox()
        self._attribute.setEditable(True)
        self._edit = PointsEdit(sizes=(2, 3))
        self._numbers: dict[str, tuple[ElidedLabel, UnitSpinBox]] = {}
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        for rows in NUMBERS.values():
            for name, _, unit, _ in rows:
                if name not in self._numbers:
                    self._number(name, unit)
        self._list = label("", "hint", wrap=True)
        self._another = button("", icon="plus", clicked=self._keep)
        self._fewer = button("", icon="trash", clicked=self._drop)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        numbers = QWidget()
        numbers.setLayout(self._grid)
        for part in (self._list, self._kind, self._edit, self._layer, self._attribute, numbers,
                     self._above, self._another, self._fewer):  # fmt: skip
            column.addWidget(part)
        self.place(whole)
        self.setFocusProxy(self._kind)
        self._kind.activated.connect(self._kind_chosen)
        self._edit.points_changed.connect(lambda _: self.edited.emit())
        self._edit.pick_toggled.connect(self.pick_toggled)
        for combo in (self._above, self._layer):
            combo.activated.connect(lambda _: self.edited.emit())
        self._attribute.lineEdit().textEdited.connect(lambda _: self.edited.emit())
        self._fill_numbers()
        self._show()
        self.retranslate()

    def _number(self, name: str, unit: str) -> None:
        row, spin = len(self._numbers), UnitSpinBox(unit, step=0.01 if not unit else 1.0)
        name_label = ElidedLabel(role="muted")
        spin.value_changed.connect(lambda _: self.edited.emit())
        self._grid.addWidget(name_label, row, 0)
        self._grid.addWidget(spin, row, 1)
        self._numbers[name] = (name_label, spin)

    # -- one surface -----------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """The kind that is being drawn."""
        return str(self._kind.currentData())

    def choose(self, kind: str) -> None:
        """Draw a surface of another kind."""
        self._kind.setCurrentIndex(self._kind.findData(kind))
        self._kind_chosen()

    def _kind_chosen(self, _index: int = 0) -> None:
        self._edit.set_points(())
        self._fill_numbers()
        self._show()
        self.retranslate()
        self.edited.emit()
        self.pick_toggled.emit(self.shape is not None)

    def _fill_numbers(self) -> None:
        for name, _, _, start in NUMBERS[self.kind]:
            self._numbers[name][1].set_value(start)

    def _show(self) -> None:
        kind = self.kind
        self.shape = SHAPES.get(kind)  # type: ignore[assignment]
        wanted = {name for name, *_ in NUMBERS[kind]}
        for name, parts in self._numbers.items():
            for part in parts:
                part.setVisible(name in wanted)
        self._edit.setVisible(kind != ZONES)
        self._layer.setVisible(kind == ZONES)
        self._attribute.setVisible(kind == ZONES)
        self._above.setVisible(kind in ABOVE)
        self._fewer.setVisible(bool(self._kept))
        self._list.setVisible(bool(self._kept))

    def _draft(self) -> dict[str, Any] | None:
        """Return the surface that is being drawn, None before it is complete."""
        kind, points = self.kind, [list(p) for p in self._edit.points() or []]
        made: dict[str, Any] = {"kind": kind}
        made |= {name: self._numbers[name][1].value() for name, *_ in NUMBERS[kind]}
        if kind in ABOVE:
            made["above"] = self._above.currentData()
        if kind == ZONES:
            attribute = self._attribute.currentText().strip()
            layer = self._layer.currentData()
            return {**made, "layer": layer, "attribute": attribute} if attribute and layer else None
        if kind in (ZONE, PLANE):
            flat = [p[:2] for p in points] if kind == ZONE else points
            return {**made, "polygon": flat} if len(points) > 2 else None
        if kind == CONE:
            return {**made, "center": points[0]} if points else None
        return {**made, "start": points[0], "end": points[-1]} if len(points) > 1 else None

    def _keep(self) -> None:
        draft = self._draft()
        if draft is None:
            return
        self._kept.append(draft)
        self._edit.set_points(())
        self._show()
        self.retranslate()
        self.edited.emit()
        self.pick_toggled.emit(self.shape is not None)

    def _drop(self) -> None:
        self._kept.pop()
        self._show()
        self.retranslate()
        self.edited.emit()

    # -- the form's side -------------------------------------------------------------------

    def get(self) -> Any:
        """Return the surfaces, the one being drawn last; None where there is none."""
        draft = self._draft()
        return (*self._kept, *([] if draft is None else [draft])) or None

    def put(self, value: Any) -> None:
        """Show surfaces; they are kept as they are."""
        self._kept = [_plain(one) for one in value or ()]
        self._edit.set_points(())
        self._show()
        self.retranslate()

    def points(self) -> list[tuple[float, ...]]:
        """Return the points of the surface that is being drawn."""
        return self._edit.points() or [] if self.shape else []

    def put_points(self, points: Sequence[tuple[float, ...]]) -> None:
        """Show points."""
        self._edit.set_points(points)

    def add_point(self, point: tuple[float, ...]) -> None:
        """Append a picked point; a cone has one."""
        if self.kind == CONE:
            self._edit.set_points([point])
            self.edited.emit()
        else:
            self._edit.add_point(point)

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended."""
        self._edit.set_picking(picking)

    def set_layers(self, layers: Iterable[LayerChoice]) -> None:
        """Offer the layers of features."""
        chosen = self._layer.currentData()
        self._layer.clear()
        for layer in layers:
            if layer.kind in ("", "vector"):
                self._layer.addItem(layer.name, layer.id)
        self._layer.setCurrentIndex(max(0, self._layer.findData(chosen)))

    def retranslate(self) -> None:
        """Take up the language of the window."""
        for index, name in enumerate(KINDS.values()):
            self._kind.setItemText(index, tr(name))
        self._above.setItemText(0, tr("Above the vertical datum"))
        self._above.setItemText(1, tr("Above the ground"))
        self._attribute.lineEdit().setPlaceholderText(tr("Attribute with the height"))
        for name, title, *_ in NUMBERS[self.kind]:
            self._numbers[name][0].setText(tr(title))
        self._another.setText(tr("Draw another surface"))
        self._fewer.setText(tr("Drop the last kept surface"))
        kinds = ", ".join(tr(KINDS[one["kind"]]) for one in self._kept)
        self._list.setText(tr("Kept: {names}", names=kinds))

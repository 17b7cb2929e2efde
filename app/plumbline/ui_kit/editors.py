"""One editor for each type of field that a `Params` class may have.

An editor gives what the user typed, even when it is wrong: the model judges it, and the form puts
the judgement into words beside the field.
"""

from __future__ import annotations

import datetime as dt
import enum
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from PySide6.QtCore import QDate, QDateTime, QSize, Qt, QTime, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDateEdit,
    QDateTimeEdit,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTimeEdit,
    QWidget,
)

from plumbline.core.i18n import tr
from plumbline.ui_kit.fields import ComboBox, CoordinateEdit, PointsEdit, UnitSpinBox, inset
from plumbline.ui_kit.views import set_up_calendar


class LayerChoice(NamedTuple):
    """A layer that a field may name."""

    id: str
    name: str
    kind: str = ""


@dataclass(frozen=True)
class FieldSpec:
    """What a form knows of one field of a `Params` class.

    Attributes
    ----------
    name : str
        Name of the parameter.
    type : object
        Its annotation without `Annotated` and ``| None``.
    optional : bool
        Whether None is a value.
    title, description : str
        English texts.
    extra : dict
        ``json_schema_extra``: ``unit``, ``widget``, ``decimals``, ``step``, ``kinds`` (of layers),
        ``labels`` (English text of each choice).
    minimum, maximum : float, optional
        Where arrows stop.
    """

    name: str
    type: Any
    optional: bool
    title: str
    description: str
    extra: dict[str, Any] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None

    @property
    def widget(self) -> str:
        """The widget the field asks for, empty when its type says enough."""
        return str(self.extra.get("widget", ""))

    @property
    def unit(self) -> str:
        """The unit of the number, empty for none."""
        return str(self.extra.get("unit", ""))


def human_name(name: str) -> str:
    """Return ``"eye_height"`` as ``"Eye height"``."""
    return name.replace("_", " ").strip().capitalize()


def field_spec(name: str, info: FieldInfo) -> FieldSpec:
    """Read one field of a pydantic model."""
    extra: dict[str, Any] = {}
    kind, optional = _unwrap(info.annotation, extra)
    for item in info.metadata:
        _collect(item, extra)
    _collect(info, extra)
    limits: dict[str, float] = {}
    for item in info.metadata:
        for bound in ("ge", "gt", "le", "lt"):
            if isinstance(value := getattr(item, bound, None), int | float):
                limits[bound] = float(value)
    return FieldSpec(
        name=name,
        type=kind,
        optional=optional,
        title=info.title or human_name(name),
        description=info.description or "",
        extra=extra,
        minimum=limits.get("ge", limits.get("gt")),
        maximum=limits.get("le", limits.get("lt")),
    )


def _collect(item: object, extra: dict[str, Any]) -> None:
    found = getattr(item, "json_schema_extra", None)
    if isinstance(found, Mapping):
        extra.update(found)


def _unwrap(annotation: Any, extra: dict[str, Any]) -> tuple[Any, bool]:
    """Strip `Annotated` and ``| None``, collecting the metadata on the way."""
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *metadata = get_args(annotation)
            for item in metadata:
                _collect(item, extra)
            continue
        if get_origin(annotation) in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            optional = optional or len(members) < len(get_args(annotation))
            if len(members) == 1:
                annotation = members[0]
                continue
        return annotation, optional


class Editor(QWidget):
    """Base of editors: emits `edited` on every change by the user, never on `put`."""

    edited = Signal()
    #: The user wants to pick in the scene, or no longer.
    pick_toggled = Signal(bool)
    #: Whether it stands below its label over the whole width.
    wide = False
    #: Whether it can be picked in the scene.
    picks = False

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__()
        self.spec = spec
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)

    def place(self, widget: QWidget) -> None:
        """Put the one widget of the editor in."""
        widget.setMinimumWidth(48)
        self._row.addWidget(widget, 1)
        self.setFocusProxy(widget)

    def get(self) -> Any:
        """Return what stands in the field, as the model may judge it."""
        raise NotImplementedError

    def put(self, value: Any) -> None:
        """Show a valid value, or nothing for None."""
        raise NotImplementedError

    def marked(self) -> QWidget:
        """Return the widget whose border shows that something is wrong."""
        proxy = self.focusProxy()
        return proxy if proxy is not None else self

    def set_layers(self, layers: Iterable[LayerChoice]) -> None:
        """Offer these layers; only layer fields care."""

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended; only point fields care."""

    def add_point(self, point: tuple[float, ...]) -> None:
        """Take a picked point; only point fields can."""
        raise TypeError(f"{self.spec.name} takes no points")

    def retranslate(self) -> None:
        """Take up the language of the window."""


class NumberEditor(Editor):
    """A float or an int with its unit; empty means None."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        whole = spec.type is int
        decimals = spec.extra.get("decimals", 0 if whole else None)
        self._spin = UnitSpinBox(
            spec.unit,
            decimals=decimals,
            step=float(spec.extra.get("step", 1 if whole else _natural_step(spec))),
            minimum=spec.minimum,
            maximum=spec.maximum,
        )
        self._spin.value_changed.connect(lambda _: self.edited.emit())
        self.place(self._spin)

    def get(self) -> Any:
        """Return the number, None when empty, the text when it is no number."""
        value = self._spin.value()
        if value is None:
            return self._spin.text().strip() or None
        return int(value) if self.spec.type is int and value.is_integer() else value

    def put(self, value: Any) -> None:
        """Show a number."""
        self._spin.set_value(None if value is None else float(value))


def _natural_step(spec: FieldSpec) -> float:
    if spec.minimum is not None and spec.maximum is not None:
        span = spec.maximum - spec.minimum
        return 0.01 if span <= 1 else 0.1 if span <= 10 else 1.0
    return 0.1


class BoolEditor(Editor):
    """A yes or no."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._box = QCheckBox()
        self._box.clicked.connect(lambda _: self.edited.emit())
        self.place(self._box)
        self.retranslate()

    def get(self) -> Any:
        """Return whether it is ticked."""
        return self._box.isChecked()

    def put(self, value: Any) -> None:
        """Tick or untick."""
        self._box.setChecked(bool(value))

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._box.setText(tr(self.spec.title))


class TextEditor(Editor):
    """A text or a path; empty means None where None is a value."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._line = QLineEdit()
        self._line.textEdited.connect(lambda _: self.edited.emit())
        self.place(self._line)

    def get(self) -> Any:
        """Return the text."""
        text = self._line.text()
        return None if self.spec.optional and not text else text

    def put(self, value: Any) -> None:
        """Show a text."""
        self._line.setText("" if value is None else str(value))
        self._line.setCursorPosition(0)


class TupleEditor(Editor):
    """A short list of numbers or words, apart by commas."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._line = QLineEdit()
        self._line.textEdited.connect(lambda _: self.edited.emit())
        self.place(self._line)

    def get(self) -> Any:
        """Return the parts of the text."""
        text = self._line.text().replace("，", ",").replace(";", ",").strip()
        if not text:
            return None if self.spec.optional else ()
        return tuple(part.strip() for part in text.split(","))

    def put(self, value: Any) -> None:
        """Show the parts."""
        self._line.setText(", ".join(f"{part:g}" if isinstance(part, float) else str(part)
                                     for part in value or ()))  # fmt: skip


class ChoiceEditor(Editor):
    """One of the values of a `Literal` or an `Enum`."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._values: list[Any] = [None] if spec.optional else []
        if isinstance(spec.type, type) and issubclass(spec.type, enum.Enum):
            self._values += list(spec.type)
        else:
            self._values += list(get_args(spec.type))
        self._combo = ComboBox()
        for _ in self._values:
            self._combo.addItem("")
        self._combo.activated.connect(lambda _: self.edited.emit())
        self.place(self._combo)
        self.retranslate()

    def get(self) -> Any:
        """Return the chosen value."""
        index = self._combo.currentIndex()
        return self._values[index] if index >= 0 else None

    def put(self, value: Any) -> None:
        """Choose a value."""
        self._combo.setCurrentIndex(self._values.index(value) if value in self._values else -1)

    def _text(self, value: Any) -> str:
        if value is None:
            return "–"
        plain = value.value if isinstance(value, enum.Enum) else value
        labels = self.spec.extra.get("labels", {})
        text = labels.get(plain, human_name(str(plain)) if isinstance(plain, str) else str(plain))
        return tr(text)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        for index, value in enumerate(self._values):
            self._combo.setItemText(index, self._text(value))


class DateEditor(Editor):
    """A day, a day with its time, or a time of day; a tick where None is a value."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._zone: dt.tzinfo | None = None
        # A tick, a day and a time do not fit beside a label.
        self.wide = spec.optional and spec.type is dt.datetime
        self._set = QCheckBox()
        self._set.setVisible(spec.optional)
        self._set.clicked.connect(self._switch)
        if spec.type is dt.date:
            self._edit: QDateTimeEdit = QDateEdit()
            self._edit.setDisplayFormat("yyyy-MM-dd")
        elif spec.type is dt.time:
            self._edit = QTimeEdit()
            self._edit.setDisplayFormat("HH:mm")
        else:
            self._edit = QDateTimeEdit()
            self._edit.setDisplayFormat("yyyy-MM-dd HH:mm")
        if spec.type is dt.time:
            inset(self._edit)
        else:
            # Drawn like a combo box, whose inset the style sheet does reach.
            set_up_calendar(self._edit)
        self._edit.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._edit.dateTimeChanged.connect(lambda _: self.edited.emit())
        if spec.optional:
            self._row.addWidget(self._set)
        self.place(self._edit)

    def _switch(self, on: bool) -> None:
        self._edit.setEnabled(on)
        self.edited.emit()

    def get(self) -> Any:
        """Return the day, the time or both."""
        if self.spec.optional and not self._set.isChecked():
            return None
        if self.spec.type is dt.date:
            return self._edit.date().toPython()
        if self.spec.type is dt.time:
            return self._edit.time().toPython().replace(tzinfo=self._zone)
        return self._edit.dateTime().toPython().replace(tzinfo=self._zone)

    def put(self, value: Any) -> None:
        """Show a day, a time or both; the time zone is kept."""
        self._set.setChecked(value is not None)
        self._edit.setEnabled(value is not None or not self.spec.optional)
        blocked = self._edit.blockSignals(True)
        self._zone = getattr(value, "tzinfo", None)
        if value is None:
            self._edit.setDate(QDate.currentDate())
        if isinstance(value, dt.datetime):
            self._edit.setDateTime(
                QDateTime(
                    QDate(value.year, value.month, value.day), QTime(value.hour, value.minute)
                )
            )
        elif isinstance(value, dt.date):
            self._edit.setDate(QDate(value.year, value.month, value.day))
        elif isinstance(value, dt.time):
            self._edit.setTime(QTime(value.hour, value.minute))
        self._edit.blockSignals(blocked)


class PointEditor(Editor):
    """A point, typed or picked."""

    wide = True
    picks = True

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

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended."""
        self._edit.set_picking(picking)

    def add_point(self, point: tuple[float, ...]) -> None:
        """Take a picked point in place of the old one."""
        self._edit.set_point(point[: max(_point_sizes(self.spec.type))])
        self.edited.emit()


class PointsEditor(Editor):
    """A list of points, typed, pasted or picked."""

    wide = True
    picks = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        item = next((arg for arg in get_args(spec.type) if arg is not Ellipsis), Any)
        self._sizes = _point_sizes(_unwrap(item, {})[0])
        self._edit = PointsEdit(sizes=self._sizes)
        self._edit.points_changed.connect(lambda _: self.edited.emit())
        self._edit.pick_toggled.connect(self.pick_toggled)
        self.place(self._edit)
        self.setFocusProxy(self._edit.text_edit)

    def get(self) -> Any:
        """Return the points, or the lines when one of them is no point."""
        points = self._edit.points()
        if points is None:
            return tuple(self._edit.text().splitlines())
        return None if self.spec.optional and not points else tuple(points)

    def put(self, value: Any) -> None:
        """Show points."""
        self._edit.set_points(value or ())

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended."""
        self._edit.set_picking(picking)

    def add_point(self, point: tuple[float, ...]) -> None:
        """Append a picked point."""
        self._edit.add_point(point[: max(self._sizes)])


def _point_sizes(annotation: Any) -> tuple[int, ...]:
    """Return how many numbers a point may have, from ``tuple[float, float, float]`` or a union."""
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(size for member in get_args(annotation) for size in _point_sizes(member))
    count = len(get_args(annotation))
    return (count,) if count in (2, 3) else (3,)


def _fitting(spec: FieldSpec, layers: Iterable[LayerChoice]) -> list[LayerChoice]:
    kinds = spec.extra.get("kinds")
    return [layer for layer in layers if not kinds or layer.kind in kinds]


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
    """Several layers of the scene, to be ticked."""

    wide = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._wanted: tuple[str, ...] = ()
        self._list = QListWidget()
        self._list.setProperty("boxed", True)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._list.setFixedHeight(112)
        self._list.itemChanged.connect(lambda _: self._ticked())
        self.place(self._list)

    def _ticked(self) -> None:
        self._wanted = tuple(self.get() or ())
        self.edited.emit()

    def get(self) -> Any:
        """Return the ids of the ticked layers in the order of the list."""
        rows = (self._list.item(index) for index in range(self._list.count()))
        ids = tuple(
            row.data(Qt.ItemDataRole.UserRole)
            for row in rows
            if row.checkState() == Qt.CheckState.Checked
        )
        return None if self.spec.optional and not ids else ids

    def put(self, value: Any) -> None:
        """Tick these layers, now or as soon as they are offered."""
        self._wanted = tuple(value or ())
        blocked = self._list.blockSignals(True)
        for index in range(self._list.count()):
            row = self._list.item(index)
            wanted = row.data(Qt.ItemDataRole.UserRole) in self._wanted
            row.setCheckState(Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked)
        self._list.blockSignals(blocked)

    def set_layers(self, layers: Iterable[LayerChoice]) -> None:
        """Offer these layers and keep the ticks of those that are still there."""
        blocked = self._list.blockSignals(True)
        self._list.clear()
        for layer in _fitting(self.spec, layers):
            row = QListWidgetItem(layer.name, self._list)
            row.setData(Qt.ItemDataRole.UserRole, layer.id)
            row.setSizeHint(QSize(0, 26))
            row.setToolTip(layer.name)
        self._list.blockSignals(blocked)
        self.put(self._wanted)


_BY_WIDGET: dict[str, type[Editor]] = {
    "point": PointEditor,
    "points": PointsEditor,
    "layer": LayerEditor,
    "layers": LayersEditor,
}
_BY_TYPE: dict[Any, type[Editor]] = {
    bool: BoolEditor,
    int: NumberEditor,
    float: NumberEditor,
    str: TextEditor,
    Path: TextEditor,
    dt.date: DateEditor,
    dt.datetime: DateEditor,
    dt.time: DateEditor,
}


def _factory(spec: FieldSpec) -> Callable[[FieldSpec], Editor] | None:
    if spec.widget in _BY_WIDGET:
        return _BY_WIDGET[spec.widget]
    if spec.type in _BY_TYPE:
        return _BY_TYPE[spec.type]
    origin = get_origin(spec.type)
    if origin is Literal or (isinstance(spec.type, type) and issubclass(spec.type, enum.Enum)):
        return ChoiceEditor
    if origin in (tuple, list, frozenset):
        return TupleEditor
    is_union = origin in (Union, types.UnionType)
    if is_union and set(get_args(spec.type)) <= {int, float}:
        return NumberEditor
    return None


def make_editor(spec: FieldSpec) -> Editor:
    """Return the editor of a field; a type without one is a `TypeError` (a defect of the class)."""
    factory = _factory(spec)
    if factory is None:
        raise TypeError(f"no editor for field {spec.name!r} of type {spec.type!r}")
    return factory(spec)

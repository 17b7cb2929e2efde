"""One editor for each type of field that a `Params` class may have, and the choice of it."""

from __future__ import annotations

import datetime as dt
import enum
import json
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from PySide6.QtCore import QDate, QDateTime, Qt, QTime
from PySide6.QtWidgets import QCheckBox, QComboBox, QDateEdit, QDateTimeEdit, QLineEdit, QTimeEdit

from plumbline.core.i18n import tr
from plumbline.ui_kit.field_specs import Editor, FieldSpec, LayerChoice, human_name, unwrap
from plumbline.ui_kit.fields import ComboBox, UnitSpinBox, inset
from plumbline.ui_kit.scene_editors import (
    LayerEditor,
    LayersEditor,
    PointEditor,
    PointsEditor,
    RegionEditor,
)
from plumbline.ui_kit.views import set_up_calendar


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


class AnyEditor(Editor):
    """Whatever has no editor of its own: a word, a number, or JSON."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self._line = QLineEdit()
        self._line.textEdited.connect(lambda _: self.edited.emit())
        self.place(self._line)

    def get(self) -> Any:
        """Return what the text says as JSON, or the text."""
        text = self._line.text().strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text

    def put(self, value: Any) -> None:
        """Show a value as JSON, a word as it is."""
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        plain = (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        )
        self._line.setText("" if value is None else plain)
        self._line.setCursorPosition(0)


class SuggestEditor(Editor):
    """A text with suggestions: values with their names, or whatever else is typed.

    Parameters
    ----------
    suggestions : callable
        Gives pairs of value and translated name; asked again when the language changes.
    """

    def __init__(
        self, spec: FieldSpec, suggestions: Callable[[], Iterable[tuple[str, str]]]
    ) -> None:
        super().__init__(spec)
        self._suggestions = suggestions
        self._values: list[str] = []
        self._combo = ComboBox()
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._combo.activated.connect(lambda _: self.edited.emit())
        self._combo.lineEdit().textEdited.connect(lambda _: self.edited.emit())
        self.place(self._combo)
        self.retranslate()

    def get(self) -> Any:
        """Return the value whose name stands there, or the text."""
        text = self._combo.currentText().strip()
        index = self._combo.findText(text)
        if not text:
            return None
        return self._values[index] if index >= 0 else text

    def put(self, value: Any) -> None:
        """Show a value by its name."""
        text = "" if value is None else str(value)
        index = self._values.index(text) if text in self._values else -1
        self._combo.setCurrentIndex(index)
        self._combo.setEditText(self._combo.itemText(index) if index >= 0 else text)

    def retranslate(self) -> None:
        """Take up the language of the window."""
        shown = self.get()
        pairs = list(self._suggestions())
        self._values = [value for value, _ in pairs]
        self._combo.clear()
        self._combo.addItems([name for _, name in pairs])
        self._combo.lineEdit().setPlaceholderText(tr("Automatic") if self.spec.optional else "")
        self.put(shown)


class WordEditor(Editor):
    """One of a few words, or a layer: unions of a `Literal` and a text."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        members = get_args(spec.type)
        self._words = [w for m in members if get_origin(m) is Literal for w in get_args(m)]
        self._layers: list[LayerChoice] = []
        self._wanted: Any = None
        self._combo = ComboBox()
        self._combo.activated.connect(self._chosen)
        self.place(self._combo)
        self.set_layers([])

    def _chosen(self) -> None:
        self._wanted = self._combo.currentData()
        self.edited.emit()

    def get(self) -> Any:
        """Return the word or the id of the layer."""
        return self._combo.currentData()

    def put(self, value: Any) -> None:
        """Choose a word, or a layer now or as soon as it is offered."""
        self._wanted = value
        self._combo.setCurrentIndex(self._combo.findData(value))

    def set_layers(self, layers: Iterable[LayerChoice]) -> None:
        """Offer these layers below the words."""
        kinds = self.spec.extra.get("kinds")
        self._layers = [one for one in layers if not kinds or one.kind in ("", *kinds)]
        self.retranslate()

    def retranslate(self) -> None:
        """Take up the language of the window."""
        labels = self.spec.extra.get("labels", {})
        self._combo.clear()
        if self.spec.optional:
            self._combo.addItem("–", None)
        for word in self._words:
            self._combo.addItem(tr(labels.get(word, human_name(word))), word)
        for layer in self._layers:
            self._combo.addItem(tr("Layer “{name}”", name=layer.name), layer.id)
        self._combo.setCurrentIndex(self._combo.findData(self._wanted))


_BY_WIDGET: dict[str, type[Editor]] = {
    "point": PointEditor,
    "points": PointsEditor,
    "layer": LayerEditor,
    "layers": LayersEditor,
    "region": RegionEditor,
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


def _factory(spec: FieldSpec) -> Callable[[FieldSpec], Editor]:
    origin, members = get_origin(spec.type), get_args(spec.type)
    is_union = origin in (Union, types.UnionType)
    if is_union and str in members and any(get_origin(m) is Literal for m in members):
        return WordEditor
    if is_union and spec.widget in ("layer", "layers"):
        # One layer or several are ticked; a layer or something else is typed.
        layers = all(m is str or get_args(m) == (str, ...) for m in members)
        return LayersEditor if layers else AnyEditor
    if spec.widget in _BY_WIDGET:
        return _BY_WIDGET[spec.widget]
    if spec.type in _BY_TYPE:
        return _BY_TYPE[spec.type]
    if origin is Literal or (isinstance(spec.type, type) and issubclass(spec.type, enum.Enum)):
        return ChoiceEditor
    plain = [m if m is Ellipsis else unwrap(m, {})[0] for m in members]
    if origin in (tuple, list, frozenset) and set(plain) <= {int, float, str, Ellipsis}:
        return TupleEditor
    if is_union and set(members) <= {int, float}:
        return NumberEditor
    return AnyEditor


def make_editor(spec: FieldSpec) -> Editor:
    """Return the editor of a field."""
    return _factory(spec)(spec)

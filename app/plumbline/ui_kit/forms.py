"""A form made from a `Params` class: fields, units, limits and words come from the class.

Whatever the user types is judged by the class itself, at once and in words beside the field.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from plumbline.core.errors import Problem
from plumbline.core.i18n import tr
from plumbline.core.units import format_number
from plumbline.ui_kit.editors import BoolEditor, make_editor
from plumbline.ui_kit.field_specs import Editor, FieldSpec, LayerChoice, field_spec
from plumbline.ui_kit.labels import ElidedLabel, label, set_property
from plumbline.ui_kit.live import on_language
from plumbline.ui_kit.panel import Section

LABEL_WIDTH = 120


class ParameterForm(QWidget):
    """The fields of one `Params` class.

    Parameters
    ----------
    params_class : type[BaseModel]
        The class; every field must have a type that `editors` knows.
    hidden : iterable of str
        Fields that the panel sets itself; `set_values` still sets them. So are those whose widget
        is ``hidden``.
    fold : bool
        Fold fields away that have a default and are neither picked nor layers, under “More”. A
        field says otherwise with ``advanced`` in its ``json_schema_extra``.
    unfolded : container of str
        Fields that are never folded away.
    editors : mapping, optional
        Makers of editors for fields that need one of their own, by name.
    """

    #: What stands in the fields now (name -> value), valid or not.
    changed = Signal(dict)
    #: Whether `params` would succeed.
    validity_changed = Signal(bool)
    #: A field's name when the user starts to pick for it, empty when picking ends.
    pick_requested = Signal(str)

    def __init__(
        self,
        params_class: type[BaseModel],
        *,
        hidden: Iterable[str] = (),
        fold: bool = False,
        unfolded: Container[str] = (),
        editors: Mapping[str, Callable[[FieldSpec], Editor]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._fold, self._unfolded = fold, unfolded
        self._editors = dict(editors or {})
        self.params_class = params_class
        self._hidden_values: dict[str, Any] = dict.fromkeys(hidden, PydanticUndefined)
        self._rows: dict[str, _Row] = {}
        self._touched: set[str] = set()
        self._valid: bool | None = None
        self._problems: dict[str, Problem] = {}
        self._picking = ""
        self._general = label("", "error", wrap=True)
        self._general.hide()
        self._grid = _grid()
        self._more = Section(open_=False)
        self._more_grid = _grid()
        self._more.body.addLayout(self._more_grid)
        self._more.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._grid)
        column.addWidget(self._more)
        column.addWidget(self._general)
        for name, info in params_class.model_fields.items():
            spec = field_spec(name, info)
            if spec.widget == "hidden":
                self._hidden_values.setdefault(name, PydanticUndefined)
            if name not in self._hidden_values:
                self._add_row(spec)
        self._put_defaults()
        on_language(self, self.retranslate)
        self.retranslate()

    def _add_row(self, spec: FieldSpec) -> None:
        editor = self._editors.get(spec.name, make_editor)(spec)
        row = _Row(spec, editor)
        self._rows[spec.name] = row
        if self._fold and self._is_advanced(spec):
            row.place(self._more_grid)
            self._more.show()
            row.folded = True
        else:
            row.place(self._grid)
        editor.edited.connect(lambda: self._edited(spec.name))
        editor.pick_toggled.connect(lambda on: self._pick(spec.name, on))

    def _is_advanced(self, spec: FieldSpec) -> bool:
        scene = ("point", "points", "region", "layer", "layers")
        usual = (
            spec.widget not in scene and not self.params_class.model_fields[spec.name].is_required()
        )
        return bool(spec.extra.get("advanced", usual)) and spec.name not in self._unfolded

    def _put_defaults(self) -> None:
        for name, row in self._rows.items():
            default = self.params_class.model_fields[name].get_default(call_default_factory=True)
            row.editor.put(None if default is PydanticUndefined else default)

    # What stands in the form

    def values(self) -> dict[str, Any]:
        """Return what stands in the fields; empty fields that must be filled are left out.

        An emptied field with a default stays in as None: it must not turn into the default behind
        the user's back.
        """
        values = {k: v for k, v in self._hidden_values.items() if v is not PydanticUndefined}
        for name, row in self._rows.items():
            value = row.editor.get()
            if value is not None or not self.params_class.model_fields[name].is_required():
                values[name] = value
        return values

    def params(self) -> Any:
        """Return the validated `Params`; raises `pydantic.ValidationError`."""
        return self.params_class.model_validate(self.values())

    def errors(self) -> dict[str, str]:
        """Return what is wrong, in words, by field; ``""`` is the form as a whole."""
        try:
            self.params()
        except ValidationError as error:
            return self._in_words(error)
        return {}

    def is_valid(self) -> bool:
        """Return whether `params` would succeed."""
        return bool(self._valid)

    def set_values(self, values: Mapping[str, Any] | BaseModel) -> None:
        """Show values by field name, without emitting `changed`; unknown names are a `KeyError`."""
        if isinstance(values, BaseModel):
            values = {name: getattr(values, name) for name in type(values).model_fields}
        for name, value in values.items():
            if name in self._hidden_values:
                self._hidden_values[name] = value
            else:
                self._rows[name].editor.put(value)
        self._judge()

    def reset(self) -> None:
        """Show the defaults again."""
        self._touched.clear()
        self._problems.clear()
        self._put_defaults()
        self._judge()
        self.changed.emit(self.values())

    # What the form is told from outside

    def set_layers(
        self,
        layers: Iterable[LayerChoice | tuple[str, ...]],
        fitting: Mapping[str, Container[str]] | None = None,
    ) -> None:
        """Offer these layers.

        Parameters
        ----------
        layers : iterable of LayerChoice
            Or tuples of id, name and (for fields that ask for kinds) kind.
        fitting : mapping, optional
            Ids that a field takes, by its name; other fields take all of the right kind.
        """
        choices = [LayerChoice(*layer) for layer in layers]
        for name, row in self._rows.items():
            taken = (fitting or {}).get(name)
            row.editor.set_layers([c for c in choices if taken is None or c.id in taken])
        self._judge()

    def set_problems(self, problems: Iterable[Problem]) -> None:
        """Show what `Analysis.check` found, beside the fields, until the field is edited."""
        self._problems = {problem.field: problem for problem in problems}
        self._judge()
        if any(name in self._rows and self._rows[name].folded for name in self._problems):
            self._more.set_open(True)

    def show_all_errors(self) -> None:
        """Show also what is wrong with fields that nobody has touched yet (on Run)."""
        self._touched.update(self._rows)
        self._judge()
        if any(self._rows[name].folded for name in self.errors() if name in self._rows):
            self._more.set_open(True)

    def add_point(self, name: str, point: Iterable[float]) -> None:
        """Give a picked point to a field: it sets a point and appends to a list of points."""
        self._rows[name].editor.add_point(tuple(float(value) for value in point))

    def set_picking(self, name: str) -> None:
        """Show that clicks in the scene go to this field; empty for none. Emits nothing."""
        self._picking = name
        for key, row in self._rows.items():
            row.editor.set_picking(key == name)

    def editor(self, name: str) -> Editor:
        """Return the editor of one field."""
        return self._rows[name].editor

    def specs(self) -> list[FieldSpec]:
        """Return what is known of the fields that are shown, in their order."""
        return [row.spec for row in self._rows.values()]

    def edited(self, name: str) -> None:
        """Take a value that the panel has put into a field as if the user had typed it."""
        self._edited(name)

    # Inside

    def _pick(self, name: str, on: bool) -> None:
        if on:
            self.set_picking(name)
            self.pick_requested.emit(name)
        elif self._picking == name:
            self._picking = ""
            self.pick_requested.emit("")

    def _edited(self, name: str) -> None:
        self._touched.add(name)
        self._problems.pop(name, None)
        self._problems.pop("", None)
        self._judge()
        self.changed.emit(self.values())

    def _judge(self) -> None:
        errors = self.errors()
        for name, row in self._rows.items():
            problem = self._problems.get(name)
            if name in errors and name in self._touched:
                row.show_message(errors[name], "error")
            elif problem is not None:
                row.show_message(problem.message, problem.severity)
            else:
                row.show_message("", "error")
        unshown = [p for name, p in self._problems.items() if name not in self._rows]
        general = unshown[0] if unshown else None
        text = general.message if general is not None else ""
        if not (set(errors) - {""}):
            text = errors.get("", text)
        self._general.setText(text)
        self._general.setVisible(bool(text))
        valid = not errors
        if valid != self._valid:
            self._valid = valid
            self.validity_changed.emit(valid)

    def _in_words(self, error: ValidationError) -> dict[str, str]:
        words: dict[str, str] = {}
        for item in error.errors(include_url=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            row = self._rows.get(name)
            text = error_text(item, row.spec.unit if row else "", row.spec.widget if row else "")
            words.setdefault(name if row else "", text)
        return words

    def retranslate(self) -> None:
        """Take up the language of the window."""
        self._more.set_title(tr("More settings"))
        for row in self._rows.values():
            row.retranslate()
        self._judge()


def _grid() -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(8)
    grid.setVerticalSpacing(4)
    grid.setColumnMinimumWidth(0, LABEL_WIDTH)
    grid.setColumnStretch(1, 1)
    return grid


class _Row:
    """One field: its label, its editor, and the line that says what is wrong."""

    def __init__(self, spec: FieldSpec, editor: Editor) -> None:
        self.spec = spec
        self.editor = editor
        self.folded = False
        self.name = ElidedLabel(role="muted")
        self.name.setFixedHeight(28)
        self.message: QLabel = label("", "error", wrap=True)
        self.message.hide()

    def place(self, grid: QGridLayout) -> None:
        row = grid.rowCount()
        if isinstance(self.editor, BoolEditor):
            grid.addWidget(self.editor, row, 0, 1, 2)
        elif self.editor.wide:
            grid.addWidget(self.name, row, 0, 1, 2)
            grid.addWidget(self.editor, row + 1, 0, 1, 2)
        else:
            grid.addWidget(self.name, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(self.editor, row, 1)
        column, span = (0, 2) if self.editor.wide else (1, 1)
        grid.addWidget(self.message, row + 2, column, 1, span)

    def show_message(self, text: str, severity: str) -> None:
        set_property(self.message, "role", "error" if severity == "error" else "warn")
        self.message.setText(text)
        self.message.setVisible(bool(text))
        set_property(self.editor.marked(), "invalid", bool(text) and severity == "error")

    def retranslate(self) -> None:
        self.name.setText(tr(self.spec.title))
        tip = tr(self.spec.description) if self.spec.description else ""
        self.editor.setToolTip(tip)
        self.editor.marked().setAccessibleName(tr(self.spec.title))
        self.editor.retranslate()


def error_text(error: ErrorDetails, unit: str = "", widget: str = "") -> str:
    """Return in words what pydantic says about one value."""
    kind, context = error["type"], error.get("ctx", {})

    def limit(name: str) -> str:
        value = context[name]
        if not isinstance(value, int | float):
            return str(value)
        text = format_number(value, len(f"{value:.9f}".rstrip("0").partition(".")[2]))
        return f"{text}{'' if unit in ('', '°', '%') else ' '}{unit}"

    if kind == "value_error":
        # A validator of the class speaks for itself, in the user's language.
        return str(context["error"])
    if kind in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        return {
            "greater_than_equal": lambda: tr("Must be {limit} or more.", limit=limit("ge")),
            "less_than_equal": lambda: tr("Must be {limit} or less.", limit=limit("le")),
            "greater_than": lambda: tr("Must be more than {limit}.", limit=limit("gt")),
            "less_than": lambda: tr("Must be less than {limit}.", limit=limit("lt")),
        }[kind]()
    if kind == "too_short":
        return tr("Needs {n} or more.", n=context["min_length"])
    if kind in ("too_long", "string_too_long"):
        return tr("Takes {n} at most.", n=context["max_length"])
    if widget in ("layer", "layers"):
        return tr("Choose a layer.")
    if widget == "point":
        return tr("Type three numbers, X, Y, Z, or pick a point in the scene.")
    if widget in ("points", "region"):
        return tr("Type one point per line: X, Y, Z.")
    if kind in ("missing", "string_too_short") or error["input"] is None:
        return tr("Needs a value.")
    if kind in ("int_from_float", "int_parsing", "int_type"):
        return tr("Type a whole number.")
    if kind in ("float_parsing", "float_type", "finite_number"):
        return tr("Type a number.")
    if kind in ("literal_error", "enum"):
        return tr("Choose one of the list.")
    return tr("Not valid: {reason}.", reason=error["msg"])

"""Turns what is wrong with parameters into words that a planner understands, beside the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from plumbline.analysis.params import Params, widget_of
from plumbline.core.errors import Problem, UsageError
from plumbline.core.i18n import N_, tr

P = TypeVar("P", bound=Params)

_POINT = N_("A point is x, y, z in the project CRS, e.g. 1000.0, 2000.0, 5.0; all finite numbers.")

#: What a field wants, by the widget that its parameter asks for: says more than pydantic's text.
_BY_WIDGET = {
    "point": _POINT,
    "points": N_("Give a list of points, each x, y, z in the project CRS; all finite numbers."),
    "region": N_("Give a list of points, each x, y, z in the project CRS; all finite numbers."),
    "layer": N_("Give the id of a layer."),
    "layers": N_("Give a list of layer ids."),
}

#: pydantic error type -> words; the named fields come from the error's context.
_BY_TYPE = {
    "missing": N_("This is required."),
    "extra_forbidden": N_("There is no such parameter."),
    "finite_number": N_("This must be a finite number."),
    "float_type": N_("This must be a number."),
    "float_parsing": N_("This must be a number."),
    "int_type": N_("This must be a whole number."),
    "int_parsing": N_("This must be a whole number."),
    "int_from_float": N_("This must be a whole number."),
    "bool_type": N_("This must be true or false."),
    "bool_parsing": N_("This must be true or false."),
    "string_type": N_("This must be a text."),
    "greater_than": N_("This must be greater than {gt}."),
    "greater_than_equal": N_("This must be at least {ge}."),
    "less_than": N_("This must be less than {lt}."),
    "less_than_equal": N_("This must be at most {le}."),
    "literal_error": N_("Choose one of: {expected}."),
    "enum": N_("Choose one of: {expected}."),
    "too_short": N_("At least {min_length} are needed, {actual_length} were given."),
    "too_long": N_("At most {max_length} are allowed, {actual_length} were given."),
    "date_from_datetime_parsing": N_("This must be a date such as 2026-01-20."),
    "date_parsing": N_("This must be a date such as 2026-01-20."),
    "datetime_parsing": N_("This must be a time such as 2026-01-20T10:00+08:00."),
    "datetime_from_date_parsing": N_("This must be a time such as 2026-01-20T10:00+08:00."),
}


class InvalidParamsError(UsageError):
    """Parameters that cannot be run; `problems` has one entry for each field."""

    def __init__(
        self, message: str, hint: str = "", details: str = "", problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(message, hint, details)
        self.problems = problems

    def __reduce__(self) -> Any:
        return (type(self), (self.message, self.hint, self.details, self.problems))


def invalid(analysis_id: str, problems: tuple[Problem, ...]) -> InvalidParamsError:
    """Return the error for a request with problems: all of them in one sentence each."""
    text = " ".join(f"{p.field}: {p.message}" if p.field else p.message for p in problems)
    return InvalidParamsError(
        tr("{id} cannot run: {problems}", id=analysis_id, problems=text),
        tr("“plumbline analyses {id}” describes every parameter.", id=analysis_id),
        problems=problems,
    )


def validate(cls: type[P], params: Mapping[str, Any]) -> tuple[P | None, tuple[Problem, ...]]:
    """Return the parameters as their class, or None and what is wrong, one problem a field."""
    try:
        return cls.model_validate(dict(params)), ()
    except ValidationError as error:
        problems: dict[str, Problem] = {}
        for item in error.errors(include_url=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            if name not in problems:
                problems[name] = Problem(name, _words(cls, name, dict(item)))
        return None, tuple(problems.values())


def _words(cls: type[Params], name: str, item: dict[str, Any]) -> str:
    kind = item["type"]
    if kind == "extra_forbidden":
        known = ", ".join(cls.model_fields)
        return f"{tr(_BY_TYPE[kind])} {tr('The parameters are: {names}.', names=known)}"
    # A whole field's count is said as a count; anything inside a point is said as a point.
    whole = len(item["loc"]) <= 1
    if kind == "missing" and whole:
        return tr(_BY_TYPE[kind])
    if kind == "value_error":
        return str(item["ctx"]["error"])
    widget = widget_of(cls, name)
    if widget in _BY_WIDGET and not (
        widget in ("points", "region", "layers") and whole and "ctx" in item
    ):
        return tr(_BY_WIDGET[widget])
    if kind in _BY_TYPE:
        return tr(_BY_TYPE[kind], **item.get("ctx", {}))
    return str(item["msg"])

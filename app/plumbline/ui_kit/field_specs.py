"""What a form knows of a field, and the base of the editors that show one.

An editor gives what the user typed, even when it is wrong: the model judges it, and the form puts
the judgement into words beside the field.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

#: One point, a line, the outline of an area, or places that have nothing to do with each other.
Shape = Literal["point", "line", "polygon", "places"]


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
        ``labels`` (English text of each choice), ``closed`` (points that enclose an area),
        ``places`` (points that are no line),
        ``advanced`` (whether the field is folded away; by default where it has a default).
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
    def closed(self) -> bool:
        """Whether the points enclose an area."""
        return self.widget == "region" or bool(self.extra.get("closed"))

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
    kind, optional = unwrap(info.annotation, extra)
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


def unwrap(annotation: Any, extra: dict[str, Any]) -> tuple[Any, bool]:
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
            annotation = Union[tuple(unwrap(member, extra)[0] for member in members)]  # noqa: UP007
        return annotation, optional


class Editor(QWidget):
    """Base of editors: emits `edited` on every change by the user, never on `put`."""

    edited = Signal()
    #: The user wants to pick in the scene, or no longer.
    pick_toggled = Signal(bool)
    #: Whether it stands below its label over the whole width.
    wide = False
    #: What clicks in the scene make of it; nothing for fields that cannot be picked.
    shape: Shape | None = None
    #: Whether selected entities can be its value.
    takes_entities = False

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

    def points(self) -> list[tuple[float, ...]]:
        """Return the points that stand in the field; none where it holds something else."""
        return []

    def put_points(self, points: Sequence[tuple[float, ...]]) -> None:
        """Show points; only point fields can."""
        raise TypeError(f"{self.spec.name} takes no points")

    def set_picking(self, picking: bool) -> None:
        """Show that picking goes on or has ended; only point fields care."""

    def add_point(self, point: tuple[float, ...]) -> None:
        """Take a picked point; only point fields can."""
        raise TypeError(f"{self.spec.name} takes no points")

    def retranslate(self) -> None:
        """Take up the language of the window."""

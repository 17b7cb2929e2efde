"""The limits that a plan sets for the site of a scheme, typed under the list of schemes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from plumbline.api import N_, Scheme, tr
from plumbline.ui_kit.fields import UnitSpinBox
from plumbline.ui_kit.labels import label

#: Limits by the names of `Scheme.site`'s controls: name, what people call it, unit, decimals.
LIMITS: tuple[tuple[str, str, str, int], ...] = (
    ("far_max", N_("Plot ratio at most"), "", 2),
    ("far_min", N_("Plot ratio at least"), "", 2),
    ("density_max", N_("Density at most"), "%", 1),
    ("green_min", N_("Green at least"), "%", 1),
    ("height_max", N_("Height at most"), "m", 1),
    ("setback_min", N_("Setback at least"), "m", 1),
    ("distance_min", N_("Distance at least"), "m", 1),
    ("frontage_min", N_("Frontage at least"), "%", 1),
    ("dwellings_max", N_("Dwellings at most"), "", 0),
    ("parking_min", N_("Parking at least"), "", 0),
)


class PlanControls(QWidget):
    """A field for each limit; an empty one is no limit."""

    #: The limits (dict of names to numbers) were changed by the user.
    changed = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controls: dict[str, Any] = {}
        self.fields: dict[str, UnitSpinBox] = {}
        self._names = []
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.setColumnStretch(0, 1)
        for n, (name, _, unit, decimals) in enumerate(LIMITS):
            field = UnitSpinBox(unit, decimals=decimals, minimum=0)
            field.setFixedWidth(120)
            field.value_committed.connect(lambda value, name=name: self._set(name, value))
            self.fields[name] = field
            self._names.append(label("", "muted"))
            grid.addWidget(self._names[n], n, 0)
            grid.addWidget(field, n, 1)

    def show_scheme(self, scheme: Scheme) -> None:
        """Show the limits of a scheme in the current language; what is being typed stays."""
        stated: Mapping[str, Any] = scheme.site.get("controls") or {}
        self._controls = dict(stated)
        for title, (name, text, _, _) in zip(self._names, LIMITS, strict=True):
            title.setText(tr(text))
            field, value = self.fields[name], stated.get(name)
            field.setAccessibleName(tr(text))
            known = float(value) if isinstance(value, int | float) else None
            if not field.pending and field.value() != known:
                field.set_value(known)
            field.setEnabled(not scheme.locked)

    def _set(self, name: str, value: float | None) -> None:
        controls = {**self._controls, name: value}
        self.changed.emit({n: v for n, v in controls.items() if v is not None})

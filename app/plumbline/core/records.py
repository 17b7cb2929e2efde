"""How a kept result is written in the picture and in lists."""

from __future__ import annotations

from plumbline.core.scene import Record
from plumbline.core.units import default_digits, format_value, unit_choice

#: Values that are coordinates: they stay in the unit of their CRS.
COORDINATES = ("x", "y", "z", "crs_x", "crs_y", "crs_z")


def value_text(name: str, value: float, unit: str, uncertainty: float | None = None) -> str:
    """Return a named value of a result as people read it, in the units that were chosen."""
    if name in COORDINATES:
        return format_value(value, unit, uncertainty, default_digits(unit))
    return unit_choice.text(value, unit, uncertainty)


def record_label(record: Record) -> str:
    """Return the number that matters in the units that were chosen, or the name."""
    head = record.values.get(record.headline, {})
    value = head.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return record.label or record.name
    unit, spread = str(head.get("unit", "")), head.get("uncertainty")
    return value_text(record.headline, float(value), unit, spread)

"""Numbers as people read them: digits follow the uncertainty, thousands stand apart.

Everything is computed in SI (metres, square metres, degrees); units are chosen on output only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from psygnal import Signal

THIN_SPACE = "\u2009"
MINUS = "\u2212"

#: Metres per foot (international, exact by definition of 1959).
INTERNATIONAL_FOOT = 0.3048
#: Metres per US survey foot (exact by definition: 1200/3937).
US_SURVEY_FOOT = 1200.0 / 3937.0
#: Square metres per 亩 (mu): 1/15 hectare.
MU = 10_000.0 / 15.0

#: Factor from SI to each unit that can be shown.
LENGTH_UNITS = {"m": 1.0, "mm": 1000.0, "km": 0.001}
AREA_UNITS = {"m²": 1.0, "ha": 1e-4, "km²": 1e-6, "亩": 1.0 / MU}


def group_digits(text: str) -> str:
    """Set thousands apart by thin spaces in a plain decimal number, e.g. ``12345.67``."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, dot, fraction = digits.partition(".")
    grouped = f"{int(whole):,}".replace(",", THIN_SPACE) if whole.isdigit() else whole
    return f"{MINUS if sign else ''}{grouped}{dot}{fraction}"


def digits_for(uncertainty: float | None, default: int) -> int:
    """Return the decimals worth showing: two significant digits of the uncertainty."""
    if uncertainty is None or not math.isfinite(uncertainty) or uncertainty <= 0:
        return default
    return min(9, max(0, 1 - math.floor(math.log10(uncertainty))))


def format_number(value: float, digits: int = 2) -> str:
    """Return a number with a fixed count of decimals, e.g. ``12 345.67``."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return group_digits(text)


def format_value(
    value: float, unit: str = "", uncertainty: float | None = None, digits: int = 2
) -> str:
    """Return ``12.34 ± 0.03 m``; the digits follow the uncertainty where one is known."""
    digits = digits_for(uncertainty, digits)
    text = format_number(value, digits)
    if uncertainty is not None and math.isfinite(uncertainty):
        text += f" ± {format_number(uncertainty, digits)}"
    return f"{text}{'' if unit == '°' or not unit else ' '}{unit}"


def default_digits(unit: str) -> int:
    """Return the decimals shown for a unit when no uncertainty is known."""
    return _DIGITS.get(unit, 2)


#: Decimals of each unit: millimetres of lengths, square metres of large areas.
_DIGITS = {"m": 3, "mm": 0, "km": 6, "m²": 2, "ha": 4, "km²": 6, "亩": 3, "m³": 2}
_DIGITS |= {"°": 3, "%": 2, "s": 1}


class Shown(NamedTuple):
    """A value in the unit that people read it in."""

    value: float
    unit: str
    uncertainty: float | None


class UnitChoice:
    """The units in which the window shows lengths and areas; files keep SI.

    `changed` is emitted when another unit is chosen.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.length, self.area = "m", "m²"

    def choose(self, length: str, area: str) -> None:
        """Show lengths and areas in other units, of `LENGTH_UNITS` and `AREA_UNITS`."""
        if length not in LENGTH_UNITS or area not in AREA_UNITS:
            raise ValueError(f"no units: {length}, {area}")
        if (length, area) != (self.length, self.area):
            self.length, self.area = length, area
            self.changed.emit()

    def shown(self, value: float, unit: str, uncertainty: float | None = None) -> Shown:
        """Return a value in SI units in the chosen ones."""
        chosen = {"m": self.length, "m²": self.area}.get(unit, unit)
        factor = {**LENGTH_UNITS, **AREA_UNITS}.get(chosen, 1.0)
        spread = None if uncertainty is None else uncertainty * factor
        return Shown(value * factor, chosen, spread)

    def text(self, value: float, unit: str, uncertainty: float | None = None) -> str:
        """Return a value in SI units as people read it in the chosen ones."""
        shown = self.shown(value, unit, uncertainty)
        return format_value(*shown, default_digits(shown.unit))


#: The choice of whoever sits before the window.
unit_choice = UnitChoice()

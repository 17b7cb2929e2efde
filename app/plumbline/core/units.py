"""Numbers as people read them: digits follow the uncertainty, thousands stand apart.

Everything is computed in SI (metres, square metres, degrees); units are chosen on output only.
"""

from __future__ import annotations

import math

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
    return {"m": 3, "m²": 2, "m³": 2, "°": 3, "%": 2, "mm": 0, "km": 3, "s": 1}.get(unit, 2)

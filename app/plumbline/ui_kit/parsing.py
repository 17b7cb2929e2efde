"""Numbers and coordinates as people type and paste them. No Qt here."""

from __future__ import annotations

import math
import re
import unicodedata

from plumbline.core.units import MINUS

Point = tuple[float, ...]

#: Spaces that group digits; never a separator between numbers.
_GROUPING = dict.fromkeys(map(ord, "\u2009\u202f\u00a0'’"), None)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_AXIS = re.compile(r"[A-Za-z]{1,8}\s*[=:]")


def _plain(text: str) -> str:
    """Return half-width text without grouping spaces, with ASCII signs."""
    text = text.translate(_GROUPING).replace(MINUS, "-").replace("、", ",")
    return unicodedata.normalize("NFKC", text)


def parse_number(text: str, unit: str = "") -> float | None:
    """Return the number that a text means, or None.

    Takes thousands apart by thin spaces, spaces or commas (``1,234.5``), a decimal comma
    (``12,5``), full-width digits, and the unit after the number.
    """
    plain = _plain(text).strip()
    suffix = _plain(unit)
    if suffix and plain.endswith(suffix):
        plain = plain.removesuffix(suffix).strip()
    plain = plain.replace(" ", "")
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    elif plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", plain):
        return None
    value = float(plain)
    return value if math.isfinite(value) else None


def parse_point(text: str) -> Point | None:
    """Return the two or three numbers of one line, or None.

    Takes ``x, y, z``, numbers apart by spaces, semicolons or tabs (a row of a table), and
    ``X=1 Y=2 Z=3``.
    """
    plain = _AXIS.sub(" ", _plain(text)).strip().strip("()[]")
    separator = next((mark for mark in "\t;," if mark in plain), None)
    parts = [part for part in plain.split(separator) if part.strip()]
    numbers = [parse_number(part) for part in parts]
    found = tuple(number for number in numbers if number is not None)
    return found if len(found) == len(numbers) and len(found) in (2, 3) else None


def parse_points(text: str) -> list[Point] | None:
    """Return the points of a text with one point per line, or None when a line is not one."""
    lines = [line for line in text.splitlines() if line.strip()]
    points = [parse_point(line) for line in lines]
    found = [point for point in points if point is not None]
    return found if len(found) == len(points) else None


def point_text(point: Point, digits: int = 3) -> str:
    """Return ``x, y, z`` without grouping, so that it can be pasted anywhere."""
    return ", ".join(f"{value:.{digits}f}" for value in point)

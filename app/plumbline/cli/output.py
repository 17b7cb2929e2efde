"""What the command line prints: one JSON object or lines for people, progress, one-line errors.

With ``--json`` standard output belongs to that one object: whatever else is printed meanwhile, by
Python or by a C library, goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

from plumbline.core.errors import UserError
from plumbline.core.i18n import tr


def use_utf8() -> None:
    """Write UTF-8 whatever the locale is; bytes of file names that are no text stay visible."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


@contextmanager
def clean_stdout() -> Iterator[TextIO]:
    """Keep standard output for what is written to the yielded stream, down to the C level."""
    real = sys.stdout
    if real is not sys.__stdout__ or real is None:
        # Embedded or under test: there is no C-level stream behind it.
        with redirect_stdout(sys.stderr):
            yield real
        return
    real.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with (
            os.fdopen(os.dup(kept), "w", encoding="utf-8", errors="backslashreplace") as stream,
            redirect_stdout(sys.stderr),
        ):
            yield stream
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def write_json(stream: TextIO, data: Any) -> None:
    """Write one JSON object and a line end."""
    json.dump(data, stream, ensure_ascii=False, indent=2, allow_nan=False)
    stream.write("\n")
    stream.flush()


def error_line(message: str) -> None:
    """Write one line to standard error, whatever line ends the message holds."""
    print("plumbline:", " ".join(message.split()), file=sys.stderr)


def error_document(error: UserError) -> dict[str, Any]:
    """Return an error as the JSON object that takes the place of the result."""
    problems = [{"field": p.field, "message": p.message} for p in getattr(error, "problems", ())]
    content: dict[str, Any] = {
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    return {"error": content | ({"problems": problems} if problems else {})}


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return rows in aligned columns; Chinese characters are two columns wide."""
    count = max((len(row) for row in rows), default=0)
    widths = [max((_width(r[n]) for r in rows if n < len(r)), default=0) for n in range(count)]
    lines = []
    for row in rows:
        cells = [cell + " " * (widths[n] - _width(cell)) for n, cell in enumerate(row)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


class ProgressLine:
    """One line on a terminal that shows how far work is; silent where nobody looks."""

    def __init__(self) -> None:
        self._active = sys.stderr is not None and sys.stderr.isatty()
        self._shown = ""

    def __call__(self, fraction: float, text: str) -> None:
        """Show a fraction 0..1 and a translated text."""
        if not self._active:
            return
        line = f"{fraction:4.0%} {text}"[:100]
        if line != self._shown:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
            self._shown = line

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._shown = ""


def values_table(values: Mapping[str, Any]) -> str:
    """Return the values of a result as people read them."""
    from plumbline.core.units import default_digits, format_value

    rows = []
    for name, value in values.items():
        number, unit = value.value, value.unit
        if number is None:
            text = tr("unknown")
        elif isinstance(number, bool | str):
            text = str(number)
        else:
            digits = 0 if isinstance(number, int) else default_digits(unit)
            text = format_value(number, unit, value.uncertainty, digits)
        rows.append((name, text))
    return table(rows, "  ")

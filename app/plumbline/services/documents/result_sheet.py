"""The sheet of any result: map, view, numbers, tables, and from what and by whom it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plumbline.analysis.registry import registry
from plumbline.analysis.result import Result, Table
from plumbline.core.i18n import tr
from plumbline.core.units import default_digits, format_value
from plumbline.services.documents.content import (
    UNKNOWN,
    Block,
    Cell,
    Column,
    Document,
    Facts,
    Heading,
    Picture,
    Sheet,
    Text,
)

#: Rows of a table on paper; the exported result has them all.
MOST_ROWS = 300


def result_document(
    result: Result,
    word: Callable[[str], str],
    *,
    map_picture: bytes = b"",
    view: bytes = b"",
    operator: str = "",
) -> Document:
    """Return a result as a document to be printed.

    Parameters
    ----------
    word : callable
        Gives the translated name of a value, a table, a column or a figure.
    map_picture, view : bytes
        PNG of the map (`map_png`) and of what the canvas showed; empty for none.
    operator : str
        Who answers for it.
    """
    provenance = result.provenance
    title = registry.title(result.analysis)
    blocks: list[Block] = [
        Facts(_head(result, operator)),
        *_picture(tr("Map"), map_picture),
        Heading(tr("Findings")),
        Facts(tuple((word(name), _value(value)) for name, value in result.values.items())),
    ]
    blocks += [Text(f"• {text}") for text in result.warnings]
    for name, table in result.tables.items():
        if table.rows:
            blocks += _table(word(name), table, word)
    blocks += _picture(tr("View"), view)
    for name, png in result.figures.items():
        blocks += _picture(word(name), png)
    blocks += [
        Heading(tr("Parameters")),
        Facts(tuple((word(k), _plain(v)) for k, v in result.params.items() if v is not None)),
        Heading(tr("Inputs")),
        inputs_sheet(provenance),
        Facts(((tr("Programs"), engine_text(provenance)),)),
    ]
    started = str(provenance.get("started") or "")
    footer = tr("Plumbline, {analysis} {version}, {time}", analysis=result.analysis,
                version=result.version, time=started)  # fmt: skip
    return Document(title, started, tuple(blocks), footer, operator, landscape=True)


def _head(result: Result, operator: str) -> tuple[tuple[str, str], ...]:
    return (
        (tr("Operator"), operator or UNKNOWN),
        (tr("Time of the run"), str(result.provenance.get("started") or UNKNOWN)),
        (tr("Coordinate system"), str(result.provenance.get("crs") or UNKNOWN)),
    )


def _picture(title: str, png: bytes) -> list[Block]:
    return [Heading(title), Picture(png)] if png else []


def _value(value: Any) -> str:
    number = value.value
    if number is None:
        return UNKNOWN
    if isinstance(number, bool) or not isinstance(number, int | float):
        return str(number)
    digits = 0 if isinstance(number, int) else default_digits(value.unit)
    return format_value(float(number), value.unit, value.uncertainty, digits)


def _plain(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]}…"


def _table(name: str, table: Table, word: Callable[[str], str]) -> list[Block]:
    columns = []
    for place, column in enumerate(table.columns):
        unit = table.units.get(column, "")
        cells = [row[place] for row in table.rows if row[place] is not None]
        numbers = bool(cells) and all(
            isinstance(c, int | float) and not isinstance(c, bool) for c in cells
        )
        whole = numbers and all(isinstance(c, int) for c in cells)
        digits = None if not numbers else 0 if whole else default_digits(unit) if unit else 2
        columns.append(Column(f"{word(column)}{', ' + unit if unit else ''}", digits))
    rows = tuple(tuple(_cell(c) for c in row) for row in table.rows[:MOST_ROWS])
    blocks: list[Block] = [Heading(name, 2), Sheet(name, tuple(columns), rows)]
    if len(table.rows) > MOST_ROWS:
        text = tr("{n} more rows stand in the exported result.", n=len(table.rows) - MOST_ROWS)
        blocks.append(Text(text, small=True))
    return blocks


def _cell(cell: Any) -> Cell:
    if cell is None or isinstance(cell, str):
        return cell
    return float(cell) if isinstance(cell, int | float) else str(cell)


def inputs_sheet(provenance: Mapping[str, Any]) -> Sheet:
    """Return the inputs of a result with their hashes."""
    columns = (
        Column(tr("Layer"), None, 1.2),
        Column(tr("File"), None, 2.2),
        Column("SHA-256", None, 4.6),
    )
    rows = tuple(
        (
            str(row.get("id", "")),
            Path(str(row.get("path") or "")).name or None,
            str(row["sha256"]) if row.get("sha256") else None,
        )
        for row in provenance.get("inputs", ())
    )
    return Sheet(tr("Inputs"), columns, rows)


def engine_text(provenance: Mapping[str, Any]) -> str:
    """Return the programs that made a result, with their versions."""
    engine = provenance.get("engine") or {}
    return ", ".join(f"{name} {version}" for name, version in engine.items())
